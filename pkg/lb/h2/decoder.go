package h2

// Field blocks of requests (RFC 9113 section 8, RFC 7541): from fragments to the text of a head.

import (
	"errors"

	"golang.org/x/net/http2/hpack"
)

// Limits of a head, those of package h1.
const (
	MaxHead     = 64 << 10 // bytes of a head in the words of HTTP/1, the empty line included
	MaxTrailers = 8 << 10  // bytes of trailers in those words
	MaxFields   = 256      // fields of a head or of trailers; all cookies are one

	// What goes beyond these costs the client its connection.
	maxBlock     = 2 * MaxHead // bytes of a field block as it comes, and of a name or value in it
	maxFragments = 64

	tableSize  = 4096 // what SETTINGS_HEADER_TABLE_SIZE begins with, and is left at
	keepCrumbs = 32   // more of them are not kept room for
)

// Why a request is malformed (RFC 9113 section 8.1.1).
const (
	noName         = "field without a name"
	badName        = "bad field name"
	badValue       = "control character in a field value"
	spacedValue    = "white space around a field value"
	connectionOnly = "field of a connection"
	badTE          = "TE other than trailers"
	twoHosts       = "two host fields"
	badHost        = "bad host field"
	hostDiffers    = "host differs from :authority"
	noHost         = "neither :authority nor host"

	pseudoInTrailers = "pseudo-field in trailers"
	latePseudo       = "pseudo-field behind a field"
	unknownPseudo    = "unknown pseudo-field"
	twicePseudo      = "pseudo-field twice"
	emptyPseudo      = "empty pseudo-field"
	noMethod         = "no :method"
	badMethod        = "bad :method"
	noScheme         = "no :scheme"
	badScheme        = ":scheme is neither http nor https"
	noPath           = "no :path"
	badPath          = "bad :path"
	badAuthority     = "bad :authority"
	badConnect       = "CONNECT with :scheme or :path, or without :authority"
)

// Head is what a field block says.
type Head struct {
	// Text is what Begin was given, and behind it the head in the words of HTTP/1, without the empty line at its end:
	//
	//	GET /p HTTP/1.1\r\nHost: a\r\nname: value\r\n
	//
	// Of trailers it is the field lines alone. It is nil if the request is Malformed or TooLarge.
	Text []byte

	// Malformed says what is wrong, for people, if the stream has to end with ProtocolError (RFC 9113 section 8.1.1).
	Malformed string

	// TooLarge says that a limit was passed, and nothing wrong was seen before: the answer is 431.
	TooLarge bool

	// HasLength says that there is a content-length. Where there is none, and the stream goes on, the length shows as
	// the content comes.
	HasLength bool
}

// Decoder decodes the field blocks of one connection, one after the other and every one of them: HPACK has state. For
// each, call Begin or BeginTrailers, Write for every fragment, and End. One goroutine at a time.
type Decoder struct {
	hpack *hpack.Decoder
	err   *Error // the connection is over

	text      []byte
	start     int // where in text the head begins
	most      int // bytes that it may have there
	size      int // of the block so far
	fragments int
	fields    int
	trailers  bool
	regular   bool // a field was seen that is no pseudo-field; the request line is written
	hasHost   bool
	stored    bool // what comes is still looked at: nothing is wrong, and there is room
	head      Head

	// Pseudo-fields, "" if they have not come.
	method, scheme, path, authority string

	// Cookies wait for the end, where they become one field.
	crumbs     []string
	crumbsSize int
}

// NewDecoder makes the decoder of a connection.
func NewDecoder() *Decoder {
	d := &Decoder{}
	d.hpack = hpack.NewDecoder(tableSize, d.field)
	d.hpack.SetMaxStringLength(maxBlock)
	return d
}

// Begin says that the head of a request begins. It is appended to dst, which is the decoder's until End.
func (d *Decoder) Begin(dst []byte) { d.begin(dst, MaxHead) }

// BeginTrailers says that trailers begin. They are appended to dst, which is the decoder's until End.
func (d *Decoder) BeginTrailers(dst []byte) {
	d.begin(dst, MaxTrailers)
	d.trailers = true
}

func (d *Decoder) begin(dst []byte, most int) {
	d.forget()
	d.text, d.start, d.most = dst, len(dst), most
	d.size, d.fragments, d.fields = 0, 0, 0
	d.trailers, d.regular, d.hasHost, d.stored = false, false, false, true
	d.head = Head{}
	d.hpack.SetEmitEnabled(true)
}

// forget lets go of all that belongs to a request.
func (d *Decoder) forget() {
	d.text = nil
	d.method, d.scheme, d.path, d.authority = "", "", "", ""
	clear(d.crumbs)
	d.crumbs, d.crumbsSize = d.crumbs[:0], 0
	if cap(d.crumbs) > keepCrumbs {
		d.crumbs = nil
	}
}

// Write takes the next fragment of the block, as it came in a HEADERS or CONTINUATION frame. It is not kept. The error is
// an *Error for the connection. What is wrong with a request, or too large for one, is for End to tell.
func (d *Decoder) Write(fragment []byte) error {
	if d.err == nil {
		d.err = d.write(fragment)
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

func (d *Decoder) write(fragment []byte) *Error {
	d.fragments++
	d.size += len(fragment)
	switch {
	case d.fragments > maxFragments:
		return errFragments
	case d.size > maxBlock:
		return errBlock
	}
	switch _, err := d.hpack.Write(fragment); {
	case err == nil:
		return nil
	case errors.Is(err, hpack.ErrStringLength):
		return errString
	default:
		return errCompression
	}
}

// End says that the block is complete, and gives what it says. The error is an *Error for the connection: what came
// cannot be decompressed, or Write has failed.
func (d *Decoder) End() (Head, error) {
	if d.err == nil && d.hpack.Close() != nil {
		d.err = errTruncated
	}
	if d.err != nil {
		d.forget()
		return Head{}, d.err
	}
	if d.stored && !d.trailers {
		d.finish()
	}
	head := d.head
	if d.stored {
		head.Text = d.text
	}
	d.forget()
	return head, nil
}

// finish writes what can be written only when all fields are there.
func (d *Decoder) finish() {
	if !d.regular && !d.requestLine() {
		return
	}
	if d.authority == "" && !d.hasHost {
		d.malformed(noHost)
		return
	}
	if len(d.crumbs) > 0 {
		d.cookie()
	}
}

// malformed says that the request is, once; nothing more is stored.
func (d *Decoder) malformed(why string) {
	d.head = Head{Malformed: why}
	d.stop()
}

// stop says that the rest of the block matters to the decompressor alone.
func (d *Decoder) stop() {
	d.stored = false
	d.hpack.SetEmitEnabled(false)
}

// fits reports whether a line of so many bytes fits in the head. If not, the head is too large.
func (d *Decoder) fits(line int) bool {
	if len(d.text)-d.start+d.crumbsSize+line+len("\r\n") <= d.most {
		return true
	}
	d.tooLarge()
	return false
}

func (d *Decoder) tooLarge() {
	d.head = Head{TooLarge: true}
	d.stop()
}

// field takes a field from the decompressor.
func (d *Decoder) field(f hpack.HeaderField) {
	if f.Name == "" {
		d.malformed(noName)
		return
	}
	if f.Name[0] == ':' {
		d.pseudo(f.Name, f.Value)
		return
	}
	if !d.regular {
		d.regular = true
		if !d.trailers && !d.requestLine() {
			return
		}
	}
	switch {
	case spaced(f.Value):
		d.malformed(spacedValue)
	case d.trailers:
		d.trailer(f.Name, f.Value)
	default:
		d.request(f.Name, f.Value)
	}
}

// pseudo takes a pseudo-field (RFC 9113 section 8.3).
func (d *Decoder) pseudo(name, value string) {
	var at *string
	switch name {
	case ":method":
		at = &d.method
	case ":scheme":
		at = &d.scheme
	case ":path":
		at = &d.path
	case ":authority":
		at = &d.authority
	}
	switch {
	case d.trailers:
		d.malformed(pseudoInTrailers)
	case d.regular:
		d.malformed(latePseudo)
	case at == nil:
		d.malformed(unknownPseudo)
	case *at != "":
		d.malformed(twicePseudo)
	case value == "":
		d.malformed(emptyPseudo)
	default:
		*at = value
	}
}

// requestLine writes the request line, and the Host field if there is an :authority.
func (d *Decoder) requestLine() bool {
	target := d.path
	if d.method == "CONNECT" {
		target = d.authority
	}
	if why := d.wrongPseudo(); why != "" {
		d.malformed(why)
		return false
	}
	if !d.fits(len(d.method) + len(target) + len("  HTTP/1.1\r\nHost: \r\n") + len(d.authority)) {
		return false
	}
	d.text = append(d.text, d.method...)
	d.text = append(d.text, ' ')
	d.text = append(d.text, target...)
	d.text = append(d.text, " HTTP/1.1\r\n"...)
	if d.authority != "" {
		d.fields++
		d.text = append(d.text, "Host: "...)
		d.text = append(d.text, d.authority...)
		d.text = append(d.text, "\r\n"...)
	}
	return true
}

// wrongPseudo says what is wrong with the pseudo-fields when all are there, "" if nothing is (RFC 9113 sections 8.3.1
// and 8.5).
func (d *Decoder) wrongPseudo() string {
	switch {
	case d.method == "":
		return noMethod
	case !all(d.method, inMethod):
		return badMethod
	case d.authority != "" && !all(d.authority, inAuthority):
		return badAuthority
	case d.method == "CONNECT":
		if d.scheme != "" || d.path != "" || d.authority == "" {
			return badConnect
		}
		return ""
	case d.scheme == "":
		return noScheme
	case d.scheme != "https" && d.scheme != "http":
		return badScheme
	case d.path == "":
		return noPath
	case d.path[0] != '/' && (d.path != "*" || d.method != "OPTIONS"), !all(d.path, inTarget):
		return badPath
	}
	return ""
}

// request takes a field of a request's head.
func (d *Decoder) request(name, value string) {
	switch name {
	case "cookie":
		d.crumb(value)
		return
	case "host":
		d.host(value)
		return
	case "content-length":
		d.head.HasLength = true
	}
	d.trailer(name, value)
}

// trailer takes a field that is like any other in a head and in trailers.
func (d *Decoder) trailer(name, value string) {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": // RFC 9113 section 8.2.2
		d.malformed(connectionOnly)
	case "te":
		if !equalFold(value, "trailers") {
			d.malformed(badTE)
			return
		}
		d.line(name, value)
	default:
		if !all(name, inName) {
			d.malformed(badName)
			return
		}
		d.line(name, value)
	}
}

// host takes a host field. Beside an :authority it says nothing new.
func (d *Decoder) host(value string) {
	switch {
	case d.hasHost:
		d.malformed(twoHosts)
	case !all(value, inAuthority):
		d.malformed(badHost)
	case d.authority == "":
		d.line("Host", value)
	case !equalFold(value, d.authority):
		d.malformed(hostDiffers)
	}
	d.hasHost = true
}

// line writes a field.
func (d *Decoder) line(name, value string) {
	if !d.fits(len(name) + len(value) + len(": \r\n")) {
		return
	}
	if d.fields++; d.fields > MaxFields {
		d.tooLarge()
		return
	}
	d.text = append(d.text, name...)
	d.text = append(d.text, ": "...)
	from := len(d.text)
	d.text = append(d.text, value...)
	if !isText(d.text[from:]) {
		d.malformed(badValue)
		return
	}
	d.text = append(d.text, "\r\n"...)
}

// crumb takes a cookie field, of which a client may send several (RFC 9113 section 8.2.3).
func (d *Decoder) crumb(value string) {
	size := len(value) + len("; ")
	if len(d.crumbs) == 0 {
		size += len("cookie: ") // and a line end in the place of "; "
		d.fields++
	}
	switch {
	case d.fields > MaxFields:
		d.tooLarge()
	case d.fits(size):
		d.crumbs = append(d.crumbs, value)
		d.crumbsSize += size
	}
}

// cookie writes the cookies as one field.
func (d *Decoder) cookie() {
	d.text = append(d.text, "cookie: "...)
	from := len(d.text)
	for i, crumb := range d.crumbs {
		if i > 0 {
			d.text = append(d.text, "; "...)
		}
		d.text = append(d.text, crumb...)
	}
	if !isText(d.text[from:]) {
		d.malformed(badValue)
		return
	}
	d.text = append(d.text, "\r\n"...)
}
