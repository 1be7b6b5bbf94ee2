package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// sinkBody answers a POST.
const sinkBody = "taken\n"

// member is the server behind the proxies. It is to cost much less than they do: one thread, one read and one write for a request, and answers
// that are made once. What carries the bytes is in member_linux.go.
type member struct {
	answers  map[string][]byte // by path
	accepted int64
	requests int64
}

func newMember(now time.Time) *member {
	// A proxy made with net/http adds a Date where there is none; servers send one.
	head := "HTTP/1.1 200 OK\r\nServer: member\r\nDate: " + now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") + "\r\nContent-Type: text/plain\r\n"
	m := &member{answers: map[string][]byte{}}
	add := func(path string, body []byte) {
		m.answers[path] = append([]byte(head+"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
	}
	add("/1k", bytes.Repeat([]byte("k"), 1<<10))
	add("/64k", bytes.Repeat([]byte("c"), 64<<10))
	add("/1m", bytes.Repeat([]byte("m"), 1<<20))
	add("/sink", []byte(sinkBody))
	half := "200\r\n" + string(bytes.Repeat([]byte("h"), 512)) + "\r\n"
	m.answers["/chunked"] = []byte(head + "Transfer-Encoding: chunked\r\n\r\n" + half + half + "0\r\n\r\n")
	return m
}

// answer gives the whole answer to the request with this head.
func (m *member) answer(head []byte) []byte {
	_, rest, _ := bytes.Cut(head, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	if answer, ok := m.answers[string(path)]; ok {
		m.requests++
		return answer
	}
	status, body := "200 OK", ""
	switch string(path) { // what the measurement itself asks
	case "/counts":
		body = fmt.Sprintf("%d %d", m.accepted, m.requests)
	case "/head": // the request as it came
		body = string(head)
	default:
		status = "404 Not Found"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

// bodyLength is that of the request; not ok when the head does not say it in the one way that all the proxies here use.
func bodyLength(head []byte) (n int, ok bool) {
	if bytes.HasPrefix(head, []byte("GET ")) {
		return 0, true
	}
	const name = "content-length:"
	for line := range bytes.Lines(head) {
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(line[len(name):])))
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}

// memberBuffer is larger than any request head, and than the body of a POST with its head.
const memberBuffer = 8 << 10

// stream turns the bytes of a connection into answers. It does no I/O.
type stream struct {
	buf    [memberBuffer]byte
	filled int    // bytes of buf that are in use
	skip   int    // bytes of a body that are still to come
	held   []byte // the answer to the request whose body is skipped
}

// room is where the next bytes belong; empty when the head is too large to be one.
func (s *stream) room() []byte { return s.buf[s.filled:] }

// next takes a request and gives its answer; nil when more bytes are needed, not ok when the bytes are no request.
func (s *stream) next(m *member) (answer []byte, ok bool) {
	if s.held == nil {
		end := bytes.Index(s.buf[:s.filled], []byte("\r\n\r\n"))
		if end < 0 {
			return nil, s.filled < len(s.buf)
		}
		head := s.buf[:end+4]
		if s.skip, ok = bodyLength(head); !ok {
			return nil, false
		}
		s.held = m.answer(head)
		s.drop(len(head))
	}
	here := min(s.skip, s.filled)
	s.drop(here)
	s.skip -= here
	if s.skip > 0 {
		return nil, true
	}
	answer, s.held = s.held, nil
	return answer, true
}

func (s *stream) drop(n int) { s.filled = copy(s.buf[:], s.buf[n:s.filled]) }
