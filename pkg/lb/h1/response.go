package h1

// Heads of responses (RFC 9112 sections 4, 5 and 6).

import "bytes"

// Response is the head of a response. The zero value is ready for a first message. One goroutine at a time.
type Response struct {
	head
	status uint16
	reason span
}

// Reset makes r ready for the next message and keeps its memory.
func (r *Response) Reset() {
	r.reset()
	*r = Response{head: r.head}
}

// Parse reads the head of a response; it works as Request.Parse does, and takes nothing before the status
// line. The Status of its errors is 502.
func (r *Response) Parse(buf []byte) (n int, err error) {
	r.buf = buf
	for {
		lf := r.lineEnd(buf, MaxHead)
		if lf < 0 {
			if len(buf) >= MaxHead {
				return 0, responseErrors[headTooLarge]
			}
			return 0, nil
		}
		var f fault
		switch {
		case !r.started:
			f = r.statusLine(buf, lf)
		case lf == r.pos+1 && buf[r.pos] == '\r':
			if f := r.finish(); f != fine {
				return 0, responseErrors[f]
			}
			return lf + 1, nil
		default:
			if f = r.add(buf, lf); f == fine {
				f = r.note(r.last())
			}
		}
		if f != fine {
			return 0, responseErrors[f]
		}
		r.next(lf)
	}
}

// statusLine reads the line that ends with the LF at lf. A line that ends right behind the code is taken,
// though RFC 9112 section 4 wants a space there: many servers leave it out.
func (r *Response) statusLine(buf []byte, lf int) fault {
	const code, reason = len("HTTP/1.1 "), len("HTTP/1.1 200 ")
	line := buf[r.pos:lf]
	if len(line) < reason || line[len(line)-1] != '\r' {
		return badStatusLine
	}
	line = line[:len(line)-1]
	minor, ok := version(line[:code-1])
	switch {
	case !ok:
		return badVersion
	case line[code-1] != ' ' || len(line) >= reason && line[reason-1] != ' ':
		return badStatusLine
	}
	status, ok := digits(line[code : code+3])
	if !ok || status < 100 || status > 599 {
		return badStatus
	}
	r.started, r.minor, r.length, r.status = true, minor, -1, uint16(status)
	if len(line) > reason {
		r.reason = r.span(reason, len(line))
		if !isText(line[reason:]) {
			return badStatusLine
		}
	}
	return fine
}

// note looks at a field that changes how the message is read. Content-Length may be repeated to the
// letter, as RFC 9110 section 8.6 lets a recipient take it.
func (r *Response) note(at *field) fault {
	switch at.id {
	case ContentLength:
		n, f := r.contentLength(at)
		switch {
		case f != fine:
			return f
		case r.length >= 0 && !bytes.Equal(r.buf[at.value:at.end], r.First(ContentLength)):
			return twoLengths
		}
		r.length = n
	case TransferEncoding:
		return r.coding(at)
	case Connection:
		return r.connection(r.buf[at.value:at.end])
	case Trailer:
		return r.announced(r.buf[at.value:at.end])
	default:
	}
	return fine
}

// finish checks what can be known only when all fields are there.
func (r *Response) finish() fault {
	switch {
	case r.chunked && r.length >= 0:
		return lengthAndCoding
	case r.status == 204 && r.length == 0:
		r.length = -1 // forbidden, but harmless, and some frameworks send it: as if it were not there
	case (r.status < 200 || r.status == 204) && (r.chunked || r.length >= 0):
		return bodyForbidden // RFC 9110 section 8.6, RFC 9112 section 6.1
	}
	r.markNamed()
	return fine
}

// Status gives the status code, 100 to 599.
func (r *Response) Status() int { return int(r.status) }

// Reason gives the reason phrase, which may be empty.
func (r *Response) Reason() []byte { return r.reason.of(r.buf) }

// Websocket reports whether the response switches to the websocket protocol.
func (r *Response) Websocket() bool { return r.status == 101 && r.upgradesToWebsocket() }

// Length gives how many bytes the body has (RFC 9112 section 6.3), Chunked, or UntilClose. It is for
// responses to any method but HEAD, whose responses never have a body.
func (r *Response) Length() int64 {
	switch {
	case r.status < 200 || r.status == 204 || r.status == 304:
		return 0
	case r.chunked:
		return Chunked
	case r.length < 0:
		return UntilClose
	}
	return r.length
}

// DeclaredLength gives the number in Content-Length, which in a response to HEAD and in a 304 speaks of a
// body that does not follow; -1 if there is none.
func (r *Response) DeclaredLength() int64 { return r.length }
