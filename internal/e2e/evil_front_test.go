package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// answerLimit is how long any answer may take, with the short timeouts of these suites. What takes longer hangs.
const answerLimit = 15 * time.Second

// question is a request as a test asks it.
type question struct {
	method string
	host   string
	path   string
	fields []string // name, value, …
	upload int      // bytes of body, with Content-Length; 0: no body
}

// reply is what came back.
type reply struct {
	status  int // of the final answer; 0: none
	proto   string
	header  http.Header
	body    []byte
	trailer http.Header
	interim []int
	err     error // with a status: the answer broke off; without: why there is none
}

// verdict is a reply in one word, for tables: "200" is a whole answer, "200…" one that visibly broke off after its head.
func (r reply) verdict() string {
	switch {
	case errors.Is(r.err, os.ErrDeadlineExceeded), errors.Is(r.err, context.DeadlineExceeded):
		return fmt.Sprintf("hangs after status %d", r.status)
	case r.status == 0:
		return fmt.Sprintf("no answer (%v)", r.err)
	case r.err != nil:
		return fmt.Sprintf("%d…", r.status)
	}
	return fmt.Sprint(r.status)
}

// front is one way of speaking to the load balancer. Its ask is called by one goroutine at a time.
type front interface {
	ask(ctx context.Context, q question) reply
	close()
}

// errUnasked is what a front says when bytes came that nobody asked for: the start of a poisoned queue.
var errUnasked = errors.New("bytes came before the request was sent")

// rawFront speaks HTTP/1.0 or 1.1 by hand and keeps its connection as long as the answers allow.
type rawFront struct {
	dial    func() (net.Conn, error)
	version string // "1.1" or "1.0"
	conn    net.Conn
	in      *bufio.Reader
}

var _ front = (*rawFront)(nil)

func (f *rawFront) close() {
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
}

// connect makes sure of a connection that is alive and on which nothing waits.
func (f *rawFront) connect() error {
	if f.conn != nil {
		_ = f.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		unasked, err := f.in.Peek(1)
		switch {
		case err == nil:
			return fmt.Errorf("%w: %q…", errUnasked, unasked)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			f.close()
		}
	}
	if f.conn == nil {
		conn, err := f.dial()
		if err != nil {
			return err
		}
		f.conn = conn
	}
	f.in = bufio.NewReader(f.conn) // the old one remembers the deadline
	return nil
}

// ask implements front.
func (f *rawFront) ask(_ context.Context, q question) reply {
	if err := f.connect(); err != nil {
		f.close()
		return reply{err: err}
	}
	_ = f.conn.SetDeadline(time.Now().Add(answerLimit))
	sent := make(chan error, 1)
	conn := f.conn
	go func() { sent <- f.send(conn, q) }()
	r, last := readReply(f.in, q.method)
	select {
	case err := <-sent:
		last = last || err != nil
	case <-time.After(50 * time.Millisecond): // answered before all was sent
		last = true
		f.close()
		<-sent
	}
	if last || r.err != nil {
		f.close()
	}
	return r
}

func (f *rawFront) send(conn net.Conn, q question) error {
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/%s\r\nHost: %s\r\n", q.method, q.path, f.version, q.host)
	for i := 0; i+1 < len(q.fields); i += 2 {
		head.WriteString(q.fields[i] + ": " + q.fields[i+1] + "\r\n")
	}
	if q.upload > 0 {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", q.upload)
	}
	if _, err := io.WriteString(conn, head.String()+"\r\n"); err != nil {
		return err
	}
	_, err := io.Copy(conn, uploadOf(q.upload))
	return err
}

// uploadOf is a body of n bytes.
func uploadOf(n int) io.Reader { return io.LimitReader(ever(strings.Repeat("u", 4<<10)), int64(n)) }

// ever is a text again and again, without end.
type ever string

// Read implements io.Reader.
func (e ever) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], e)
	}
	return n, nil
}

// maxInterim is how many 1xx answers a client puts up with.
const maxInterim = 2_000

// readReply reads one final answer and what came before it. last tells that nothing can follow on the connection.
func readReply(in *bufio.Reader, method string) (r reply, last bool) {
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			r.err = err
			return r, true
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			if r.interim = append(r.interim, res.StatusCode); len(r.interim) > maxInterim {
				r.err = errors.New("endless interim answers")
				return r, true
			}
			continue
		}
		r.status, r.proto, r.header = res.StatusCode, res.Proto, res.Header
		r.body, r.err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		r.trailer = res.Trailer
		return r, res.Close || res.StatusCode == http.StatusSwitchingProtocols
	}
}

// httpFront speaks by net/http, for HTTP/2. All requests of all its users share one connection, so what one member does to a stream must leave
// the others alone. Safe for concurrent use.
type httpFront struct {
	client *http.Client
	url    string
}

var _ front = (*httpFront)(nil)

func newHTTP2Front(b *loneELB) *httpFront {
	return &httpFront{
		url: "https://" + b.httpsAddr,
		client: &http.Client{
			Transport:     &http.Transport{TLSClientConfig: b.tlsConfig(), ForceAttemptHTTP2: true, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (f *httpFront) close() { f.client.CloseIdleConnections() }

// ask implements front.
func (f *httpFront) ask(ctx context.Context, q question) reply {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	var body io.Reader
	if q.upload > 0 {
		body = uploadOf(q.upload)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, f.url+q.path, body)
	if err != nil {
		return reply{err: err}
	}
	req.Host, req.ContentLength = q.host, int64(q.upload)
	for i := 0; i+1 < len(q.fields); i += 2 {
		req.Header.Set(q.fields[i], q.fields[i+1])
	}
	res, err := f.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, proto: res.Proto, header: res.Header}
	r.body, r.err = io.ReadAll(res.Body)
	r.trailer = res.Trailer
	if res.StatusCode == http.StatusNotModified && errors.Is(r.err, io.ErrUnexpectedEOF) && len(r.body) == 0 {
		r.err = nil // net/http's client misses the body that the length of a 304 only speaks of
	}
	return r
}
