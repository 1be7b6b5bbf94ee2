package h1

// Heads of requests (RFC 9112 sections 3, 5 and 6).

import "bytes"

// maxMethod is how long a method may be; the longest registered one has 17 letters.
const maxMethod = 32

// form is the form of a request target (RFC 9112 section 3.2).
type form uint8

const (
	originForm form = iota
	absoluteForm
	authorityForm
	asteriskForm
)

// Request is the head of a request. The zero value is ready for a first message. One goroutine at a time.
type Request struct {
	head
	form      form
	skipped   bool // one CR LF before the request line
	bounded   bool // the target is known to end within MaxTarget
	hasHost   bool
	expects   bool // 100-continue
	trailers  bool
	method    span
	target    span
	scheme    span
	authority span
	path      span
	host      span
}

// Reset makes r ready for the next message and keeps its memory.
func (r *Request) Reset() {
	r.reset()
	*r = Request{head: r.head}
}

// Parse reads the head of a request from the start of buf, going on where the last call stopped. buf holds
// at least what it held at the last call; it may have moved or grown.
//
// If n > 0 the head is complete and has n bytes. If n == 0 and err is nil, more bytes are needed. err is
// an *Error; after it, and after completion, only Reset makes r parse again. One CR LF before the request
// line is skipped (RFC 9112 section 2.2).
//
// The accessors are for complete heads. What they give out are parts of buf.
func (r *Request) Parse(buf []byte) (n int, err error) {
	r.buf = buf
	for {
		lf := r.lineEnd(buf, MaxHead)
		if lf < 0 {
			if f := r.unfinished(buf); f != fine {
				return 0, requestErrors[f]
			}
			return 0, nil
		}
		var f fault
		switch {
		case !r.started:
			f = r.requestLine(buf, lf)
		case lf == r.pos+1 && buf[r.pos] == '\r':
			if f := r.finish(); f != fine {
				return 0, requestErrors[f]
			}
			return lf + 1, nil
		default:
			if f = r.add(buf, lf); f == fine {
				f = r.note(r.last())
			}
		}
		if f != fine {
			return 0, requestErrors[f]
		}
		r.next(lf)
	}
}

// unfinished finds what is wrong already with a line that has not ended.
func (r *Request) unfinished(buf []byte) fault {
	if !r.started && !r.bounded && len(buf)-r.pos > MaxTarget {
		_, _, f := methodAndTarget(buf[r.pos:])
		if f != fine && f != badRequestLine {
			return f
		}
		r.bounded = f == fine
	}
	if len(buf) >= MaxHead {
		return headTooLarge
	}
	return fine
}

// methodAndTarget gives where method and target end, or what is wrong with their lengths. If the target
// does not end, but could still do so within its limit, that is a badRequestLine.
func methodAndTarget(line []byte) (method, target int, f fault) {
	for method < len(line) && method <= maxMethod && fold[line[method]] != 0 {
		method++
	}
	if method == 0 || method > maxMethod || method == len(line) || line[method] != ' ' {
		return 0, 0, badMethod
	}
	from := method + 1
	window := line[from:min(len(line), from+MaxTarget+1)]
	end := bytes.IndexByte(window, ' ')
	switch {
	case end >= 0:
		return method, from + end, fine
	case len(window) > MaxTarget:
		return 0, 0, targetTooLong
	default:
		return 0, 0, badRequestLine
	}
}

// requestLine reads the line that ends with the LF at lf.
func (r *Request) requestLine(buf []byte, lf int) fault {
	line := buf[r.pos:lf]
	if len(line) == 1 && line[0] == '\r' && !r.skipped {
		r.skipped = true
		return fine
	}
	method, target, f := methodAndTarget(line)
	switch {
	case f != fine:
		return f
	case line[len(line)-1] != '\r':
		return bareLF
	}
	minor, ok := version(line[target+1 : len(line)-1])
	if !ok {
		return badVersion
	}
	r.started, r.minor, r.length = true, minor, -1
	r.method = r.span(0, method)
	r.target = r.span(method+1, target)
	return r.readTarget()
}

// note looks at a field that changes how the message is read.
func (r *Request) note(at *field) fault {
	switch at.id {
	case Host:
		if r.hasHost {
			return twoHosts
		}
		r.hasHost, r.host = true, span{at.value, at.end}
		if !isAuthority(r.host.of(r.buf)) {
			return badHost
		}
	case ContentLength:
		if r.length >= 0 {
			return twoLengths
		}
		n, f := r.contentLength(at)
		if f != fine {
			return f
		}
		r.length = n
	case TransferEncoding:
		return r.coding(at)
	case Connection:
		return r.connection(r.buf[at.value:at.end])
	case Trailer:
		return r.announced(r.buf[at.value:at.end])
	case TE:
		r.trailers = r.trailers || hasElement(r.buf[at.value:at.end], "trailers")
	case Expect:
		if r.expects || !equalFold(r.buf[at.value:at.end], "100-continue") {
			return badExpect
		}
		r.expects = true
	default:
	}
	return fine
}

// finish checks what can be known only when all fields are there.
func (r *Request) finish() fault {
	switch {
	case r.chunked && r.length >= 0:
		return lengthAndCoding
	case r.minor == 1 && !r.hasHost:
		return noHost
	case r.hasHost && r.hasAuthority() && !equalFoldBytes(r.host.of(r.buf), r.authority.of(r.buf)):
		return hostDiffers
	}
	r.markNamed()
	return fine
}

// Method gives the method, a token in the case it was sent in.
func (r *Request) Method() []byte { return r.method.of(r.buf) }

// Target gives the request target as it was sent.
func (r *Request) Target() []byte { return r.target.of(r.buf) }

// Scheme gives the scheme of a target in absolute form, "http" or "https" in any case; else nil.
func (r *Request) Scheme() []byte {
	if r.form != absoluteForm {
		return nil
	}
	return r.scheme.of(r.buf)
}

// Host gives whom the request is for, "name" or "name:port": the authority of a target that has one, else
// the Host field. It is nil if an HTTP/1.0 request has neither.
func (r *Request) Host() []byte {
	switch {
	case r.hasAuthority():
		return r.authority.of(r.buf)
	case r.hasHost:
		return r.host.of(r.buf)
	}
	return nil
}

// Length gives how many bytes the body has, Chunked if that shows as it comes. Without a body it is 0.
func (r *Request) Length() int64 {
	switch {
	case r.chunked:
		return Chunked
	case r.length > 0:
		return r.length
	}
	return 0
}

// Continue reports whether the client waits for 100 (Continue) before it sends the body (RFC 9110 section
// 10.1.1). It does not if there is no body, or in HTTP/1.0.
func (r *Request) Continue() bool { return r.expects && r.minor == 1 && r.Length() != 0 }

// Websocket reports whether the request asks, in the form of RFC 6455 section 4.1, to switch to the
// websocket protocol. One with a body does not.
func (r *Request) Websocket() bool {
	return string(r.Method()) == "GET" && r.Length() == 0 && r.upgradesToWebsocket()
}

// Trailers reports whether the client takes trailer fields (RFC 9110 section 10.1.4).
func (r *Request) Trailers() bool { return r.trailers }

// hasElement reports whether a comma-separated list has an element, in any case.
func hasElement(list []byte, want string) bool {
	for more := true; more; {
		var element []byte
		element, list, more = nextElement(list)
		if equalFold(element, want) {
			return true
		}
	}
	return false
}
