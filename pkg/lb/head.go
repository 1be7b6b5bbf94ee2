package lb

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// appendRequestHead appends the request's head as the member gets it: the client's own line and fields, with
// those left out that belong to the client's connection, speak for a proxy, or frame the body, and ours added.
//
//go:noinline
func (x *exchange) appendRequestHead(dst []byte) []byte {
	r := &x.req
	dst = append(dst, x.method...)
	dst = append(dst, ' ')
	dst = append(dst, x.destination()...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, x.host...)
	dst = append(dst, "\r\n"...)
	chunked := x.body.streamed && x.body.length < 0
	for i := range r.Len() {
		switch r.ID(i) {
		case h1.Other:
			if !r.Hop(i) {
				dst = r.AppendLine(dst, i)
			}
		case h1.Trailer:
			if chunked {
				dst = r.AppendLine(dst, i)
			}
		case h1.Host, h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade, h1.Expect, h1.TE, h1.Twin, h1.Forwarding,
			h1.XForwardedFor, h1.XForwardedHost, h1.XForwardedProto, h1.XForwardedPort, h1.Forwarded, h1.RequestID:
		case h1.Cookie:
			if !r.Hop(i) {
				dst = x.appendCookie(dst, i)
			}
		case h1.Traceparent, h1.Tracestate:
			if len(x.trace) == 0 && !r.Hop(i) {
				dst = r.AppendLine(dst, i)
			}
		default:
			if !r.Hop(i) {
				dst = r.AppendLine(dst, i)
			}
		}
	}
	dst = x.appendForwarding(dst)
	dst = x.appendTrace(dst)
	dst = append(dst, "X-Request-Id: "...)
	dst = append(dst, x.id...)
	dst = append(dst, "\r\n"...)
	switch {
	case chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case x.body.streamed:
		dst = appendLength(dst, x.body.length)
	case !x.body.none() || r.Count(h1.ContentLength) > 0 || r.Length() < 0:
		dst = appendLength(dst, int64(x.body.kept.len()))
	}
	if x.body.waiting {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	switch {
	case x.upgrade():
		dst = append(dst, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case r.Trailers():
		dst = append(dst, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	return append(dst, "\r\n"...)
}

func appendLength(dst []byte, n int64) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "\r\n"...)
}

// appendStatusLine appends the status line of an answer.
func appendStatusLine(dst []byte, res *h1.Response) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(res.Status()), 10)
	dst = append(dst, ' ')
	dst = append(dst, res.Reason()...)
	return append(dst, "\r\n"...)
}

// appendFields appends the fields of an answer that the client is to get: not those that belong
// to the member's connection or frame its content. A Location that names a member is made one that a client
// can follow.
func (a *answer) appendFields(dst []byte, clock *clock) []byte {
	res := a.head
	dated := false
	for i := range res.Len() {
		switch res.ID(i) {
		case h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade, h1.RequestID:
		case h1.Location:
			if location, changed := a.x.publicLocation(res.Value(i)); changed {
				dst = appendField(dst, "Location", location)
				continue
			}
			dst = res.AppendLine(dst, i)
		case h1.Trailer:
			if a.length < 0 {
				dst = res.AppendLine(dst, i)
			}
		case h1.Date:
			dated = true
			dst = res.AppendLine(dst, i)
		case h1.SetCookie:
			if !res.Hop(i) {
				dst = a.x.appendSetCookie(dst, res, i)
			}
		default:
			if !res.Hop(i) {
				dst = res.AppendLine(dst, i)
			}
		}
	}
	if !a.ours && a.x.issues() {
		dst = a.x.appendSetOurs(dst)
	}
	if !dated {
		dst = clock.appendDate(dst)
	}
	dst = append(dst, "X-Request-Id: "...)
	dst = append(dst, a.x.id...)
	return append(dst, "\r\n"...)
}

// appendAnswerHead appends the head of a final answer as an HTTP/1 client gets it. minor is the client's version.
func appendAnswerHead(dst []byte, a *answer, minor int, clock *clock) []byte {
	dst = appendStatusLine(dst, a.head)
	dst = a.appendFields(dst, clock)
	switch {
	case a.length >= 0:
		dst = appendLength(dst, a.length)
	case !a.empty && minor > 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case a.last:
		dst = append(dst, "Connection: close\r\n"...)
	case minor == 0:
		dst = append(dst, "Connection: keep-alive\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// appendInterim appends an answer of the 1xx class to x. The one that switches protocols is the last one, and carries a cookie of ours
// if one is due.
func appendInterim(dst []byte, x *exchange, res *h1.Response) []byte {
	dst = appendStatusLine(dst, res)
	for i := range res.Len() {
		switch res.ID(i) {
		case h1.Connection, h1.ContentLength, h1.TransferEncoding, h1.Upgrade:
		case h1.SetCookie:
			if !res.Hop(i) {
				dst = x.appendSetCookie(dst, res, i)
			}
		default:
			if !res.Hop(i) {
				dst = res.AppendLine(dst, i)
			}
		}
	}
	if res.Status() == http.StatusSwitchingProtocols && x.issues() {
		dst = x.appendSetOurs(dst)
	}
	return append(dst, "\r\n"...)
}

// clock keeps the Date field of the current second.
type clock struct{ current atomic.Pointer[datedSecond] }

type datedSecond struct {
	second int64
	field  []byte
}

// appendDate appends a Date field (RFC 9110 section 6.6.1), for an answer that has none.
func (c *clock) appendDate(dst []byte) []byte { return append(dst, c.line()...) }

// date is the value of that field.
func (c *clock) date() []byte {
	line := c.line()
	return line[len("Date: ") : len(line)-len("\r\n")]
}

func (c *clock) line() []byte {
	now := time.Now()
	d := c.current.Load()
	if d == nil || d.second != now.Unix() {
		d = &datedSecond{now.Unix(), now.UTC().AppendFormat(nil, "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n")}
		c.current.Store(d)
	}
	return d.field
}
