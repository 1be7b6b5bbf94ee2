package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/freeport"
)

// behaviour is one way in which a member can be evil, and what its clients may see of it.
type behaviour struct {
	name string
	// sees lists what a client of a pool with this member alone may see, by "|": "200" is exactly the answer that wants says, "200…" one that breaks
	// off after its head so that every client notices, "502" and "504" are the load balancer's own.
	sees string
	// does is called for every connection, once the head of its first request was read. The connection ends when it returns.
	does func(c *evilConn)
	// opens is called instead, before anything is read.
	opens func(c *evilConn)
	// wants is the body of a whole answer; nil is the answer of evilConn.own.
	wants func(token string) string
	// ask changes the request; a GET without it.
	ask  func(q *question)
	deaf bool // nothing is ever accepted
	gone bool // nobody listens
}

// slow tells that the load balancer has to wait for its own deadline.
func (b *behaviour) slow() bool { return strings.HasPrefix(b.sees, "504") }

// retryable tells that a request that met this member can be sent to another one: only the load balancer's rules for time and bodies forbid it.
func (b *behaviour) retryable() bool {
	q := question{method: "GET"}
	if b.ask != nil {
		b.ask(&q)
	}
	return b.sees == "502" && q.method != "POST" && q.upload <= 64<<10
}

// trueBody is the body that an evil member's true answers have: it names the request, so that an answer to another one is noticed.
func trueBody(token string) string { return "own " + token + "\n" }

const poison = "poison\n"

// poisoned is a whole answer that nobody asked for.
const poisoned = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + poison

// evilMember is a listener that behaves.
type evilMember struct {
	behaviour
	addr string

	listener net.Listener
	done     chan struct{} // closed at the end of the test
	conns    sync.WaitGroup
	accepted atomic.Int64
	mixed    atomic.Int64 // requests that came by the pool that it shares with a good member
	acting   atomic.Int64 // connections on which it has something left to do
	mu       sync.Mutex
	faults   []string
}

// evilPatience bounds the life of a connection to an evil member; the load balancer must have let go of it long before.
const evilPatience = 30 * time.Second

func startEvilMember(t *testing.T, b behaviour) *evilMember {
	t.Helper()
	m := &evilMember{behaviour: b, done: make(chan struct{})}
	if b.gone {
		port, err := freeport.Pick()
		if err != nil {
			t.Fatal(err)
		}
		m.addr = loopback(port)
		return m
	}
	var err error
	if m.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	m.addr = m.listener.Addr().String()
	if !b.deaf {
		m.conns.Go(m.accept)
	}
	t.Cleanup(func() {
		close(m.done)
		_ = m.listener.Close()
		m.conns.Wait()
	})
	return m
}

func (m *evilMember) accept() {
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			return
		}
		m.accepted.Add(1)
		m.conns.Go(func() { m.serve(conn.(*net.TCPConn)) })
	}
}

func (m *evilMember) serve(conn *net.TCPConn) {
	defer conn.Close()
	stop := context.AfterFunc(doneContext{m.done}, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(evilPatience))
	c := &evilConn{TCPConn: conn, in: bufio.NewReaderSize(conn, 128<<10), member: m}
	defer c.rest()
	if m.opens != nil {
		c.act()
		m.opens(c)
		return
	}
	if c.next() {
		m.does(c)
	}
}

// doneContext is a context that ends with a channel.
type doneContext struct{ done <-chan struct{} }

func (d doneContext) Done() <-chan struct{}     { return d.done }
func (doneContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (doneContext) Value(any) any               { return nil }
func (d doneContext) Err() error {
	select {
	case <-d.done:
		return context.Canceled
	default:
		return nil
	}
}

func (m *evilMember) fault(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.faults) < 5 {
		m.faults = append(m.faults, fmt.Sprintf(format, args...))
	}
}

// found gives the faults.
func (m *evilMember) found() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.faults)
}

// awaitCalm waits until the member has done all that it does on its connections.
func (m *evilMember) awaitCalm() error {
	deadline := time.NewTimer(answerLimit)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for m.acting.Load() > 0 {
		select {
		case <-deadline.C:
			return errors.New("elb has not let go of the member's connection")
		case <-tick.C:
		}
	}
	return nil
}

// evilConn is a connection to an evil member, with the request that was read last.
type evilConn struct {
	*net.TCPConn
	in     *bufio.Reader
	member *evilMember
	active bool

	method, token string
	length        int64 // of the upload; -1: chunked
}

func (c *evilConn) act() {
	if !c.active {
		c.active = true
		c.member.acting.Add(1)
	}
}

func (c *evilConn) rest() {
	if c.active {
		c.active = false
		c.member.acting.Add(-1)
	}
}

// next reads the head of the next request; false: there is none.
func (c *evilConn) next() bool {
	c.rest()
	head := textproto.NewReader(c.in)
	line, err := head.ReadLine()
	if err != nil {
		return false
	}
	c.act()
	fields, err := head.ReadMIMEHeader()
	if err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, new(net.Error)) {
			c.member.fault("elb sent a malformed head after %q: %v", line, err)
		}
		return false
	}
	if host := fields.Get("Host"); fields.Get("X-Forwarded-Host") != host || !strings.Contains(fields.Get("Forwarded"), host) {
		c.member.fault("elb sent a request for %s with another's fields: %v", host, fields)
	}
	method, rest, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(rest, " ")
	c.method, c.length = method, 0
	var mixed bool
	c.token, mixed = strings.CutPrefix(path, "/mixed/")
	c.token = strings.TrimPrefix(c.token, "/solo/")
	if mixed {
		c.member.mixed.Add(1)
	}
	if n, err := strconv.ParseInt(fields.Get("Content-Length"), 10, 64); err == nil {
		c.length = n
	}
	if fields.Get("Transfer-Encoding") != "" {
		c.length = -1
	}
	return true
}

// say writes text; false: the other side takes no more.
func (c *evilConn) say(text string) bool {
	_, err := io.WriteString(c, text)
	return err == nil
}

// okHead is that of a proper answer of that many bytes.
func okHead(length int) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length)
}

// own is the whole proper answer.
func (c *evilConn) own() string { return okHead(len(trueBody(c.token))) + trueBody(c.token) }

// ownBody is the proper answer below another head, of which Content-Length and the empty line are added.
func (c *evilConn) ownBody(start string) string {
	return start + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(trueBody(c.token))) + trueBody(c.token)
}

// untilGone reads and forgets until the other side closes.
func (c *evilConn) untilGone() {
	c.rest()
	_, _ = io.Copy(io.Discard, c.in)
}

// upload reads n bytes of the request's body.
func (c *evilConn) upload(n int64) { _, _ = io.CopyN(io.Discard, c.in, n) }

// reset ends the connection by RST.
func (c *evilConn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// pause waits; false: the test is over.
func (c *evilConn) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.member.done:
		return false
	}
}

// trickle writes byte by byte; false: the other side takes no more.
func (c *evilConn) trickle(text string, every time.Duration) bool {
	for i := range len(text) {
		if !c.say(text[i:i+1]) || !c.pause(every) {
			return false
		}
	}
	return true
}

// maxFlood is far more than any limit of the load balancer and its sockets' buffers together.
const maxFlood = 64 << 20

// flood writes pieces until the other side has enough.
func (c *evilConn) flood(piece string) {
	piece = strings.Repeat(piece, max(1, 4096/len(piece)))
	for sent := 0; c.say(piece); sent += len(piece) {
		if sent > maxFlood {
			c.member.fault("elb took %d MiB of an endless flood", sent>>20)
			return
		}
	}
}

// goodBody is what the good member answers.
func goodBody(token string) string { return "good " + token + "\n" }

func startGoodMember(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		token := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		_, _ = io.WriteString(w, goodBody(token))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// judge gives what a client saw in the words of the table. "good" is the good member's answer.
func (b *behaviour) judge(r reply, q question, token string) string {
	v := r.verdict()
	if r.err != nil || v == "502" || v == "504" {
		if r.status >= 500 && r.header.Get("X-Request-Id") == "" {
			return v + " without a request id"
		}
		return v
	}
	if r.status == http.StatusNoContent && r.header.Get("Content-Length") != "" { // RFC 9110 section 8.6
		return v + " with a length"
	}
	want := trueBody(token)
	if b.wants != nil {
		want = b.wants(token)
	}
	if q.method == "HEAD" {
		want = ""
	}
	switch string(r.body) {
	case want:
		return v
	case goodBody(token):
		return "good"
	}
	return fmt.Sprintf("%s with the body %.60q", v, r.body)
}

// allowed tells whether a verdict is in a list of the table.
func allowed(verdict, list string) bool { return slices.Contains(strings.Split(list, "|"), verdict) }
