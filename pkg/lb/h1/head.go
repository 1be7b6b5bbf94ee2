package h1

// What requests and responses have in common: connection options and the framing of the body.

// Lengths of a body that is not of a known size.
const (
	Chunked    = -1 // chunked coding (RFC 9112 section 7.1)
	UntilClose = -2 // what comes until the connection ends; responses only
)

// options of a Connection field that mean something here.
type options uint8

const (
	optClose options = 1 << iota
	optKeepAlive
	optUpgrade
	optNamed // some other field of this message is named
)

// head is the common part of a request's and a response's head.
type head struct {
	Fields
	started  bool // the start line is read
	minor    uint8
	options  options
	nOptions uint8
	chunked  bool
	length   int64 // of Content-Length; -1 if there is none
}

func (h *head) reset() {
	h.Fields.reset()
	*h = head{Fields: h.Fields}
}

// Minor gives the minor version, 0 or 1.
func (h *head) Minor() int { return int(h.minor) }

// Close reports whether the connection ends after this exchange (RFC 9112 section 9.3): HTTP/1.1 with the
// option close, HTTP/1.0 without keep-alive.
func (h *head) Close() bool {
	return h.options&optClose != 0 || h.minor == 0 && h.options&optKeepAlive == 0
}

// Hop reports whether field i belongs to this connection alone and must not be sent on (RFC 9110 section
// 7.6.1): a Connection field names it, or it is always so, or it is a Twin.
func (h *head) Hop(i int) bool { return h.list[i].hop }

// last gives the field that was read last.
func (h *head) last() *field { return &h.list[len(h.list)-1] }

// coding reads a Transfer-Encoding field. Only chunked is known here, and a second coding could hide from
// another reader of the message, so nothing else is taken.
func (h *head) coding(at *field) fault {
	switch {
	case h.chunked:
		return twoCodings
	case h.tabbed(at) || !equalFold(h.buf[at.value:at.end], "chunked"):
		return badCoding
	case h.minor == 0:
		return codingInOld
	}
	h.chunked = true
	return fine
}

// contentLength reads the number in a Content-Length field.
func (h *head) contentLength(at *field) (n int64, f fault) {
	n, ok := digits(h.buf[at.value:at.end])
	if !ok || h.tabbed(at) {
		return 0, badLength
	}
	return n, fine
}

// tabbed reports whether a tab stands around the value of a field. It is lawful white space, but some
// readers keep it, and then do not know the value: too dangerous where the value frames the message.
func (h *head) tabbed(at *field) bool {
	for _, c := range h.buf[at.colon+1:] {
		switch c {
		case '\t':
			return true
		case '\r':
			return false
		}
	}
	return false
}

// connection reads the options of a Connection field.
func (h *head) connection(value []byte) fault {
	for more := true; more; {
		var option []byte
		option, value, more = nextElement(value)
		if len(option) == 0 {
			continue // RFC 9110 section 5.6.1 lets lists have empty elements
		}
		if h.nOptions == MaxOptions {
			return tooManyOptions
		}
		h.nOptions++
		if equalFold(option, "keep-alive") {
			h.options |= optKeepAlive
			continue
		}
		if equalFold(option, "close") {
			h.options |= optClose
			continue
		}
		id, ok := identify(option)
		switch {
		case !ok:
			return badOption
		case essential.has(id):
			return essentialOption
		case id == Upgrade:
			h.options |= optUpgrade
		case !hops.has(id):
			h.options |= optNamed
		}
	}
	return fine
}

// announced reads a Trailer field. It goes on to the other side, where some servers refuse what others pass
// over.
func (h *head) announced(value []byte) fault {
	for more := true; more; {
		var name []byte
		name, value, more = nextElement(value)
		if id, _ := identify(name); framing.has(id) {
			return badTrailer
		}
	}
	return fine
}

// markNamed marks the fields that Connection fields name. MaxOptions bounds the work.
func (h *head) markNamed() {
	if h.options&optNamed == 0 {
		return
	}
	for i := range h.list {
		if h.list[i].id != Connection {
			continue
		}
		value := h.Value(i)
		for more := true; more; {
			var option []byte
			option, value, more = nextElement(value)
			if len(option) > 0 {
				h.markName(option)
			}
		}
	}
}

func (h *head) markName(name []byte) {
	for i := range h.list {
		if !h.list[i].hop && equalFoldBytes(h.Name(i), name) {
			h.list[i].hop = true
		}
	}
}

// upgradesToWebsocket reports whether the message wants to switch to the websocket protocol, in the form
// that RFC 6455 section 4 has for both sides.
func (h *head) upgradesToWebsocket() bool {
	return h.minor == 1 && h.options&optUpgrade != 0 && h.Count(Upgrade) == 1 &&
		equalFold(h.First(Upgrade), "websocket")
}

// version reads the eight bytes that name the version.
func version(b []byte) (minor uint8, ok bool) {
	switch string(b) {
	case "HTTP/1.1":
		return 1, true
	case "HTTP/1.0":
		return 0, true
	}
	return 0, false
}
