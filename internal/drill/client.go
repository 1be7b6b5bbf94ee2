package drill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// maxIdle is how long a connection is kept; every proxy keeps its end longer.
	maxIdle = 10 * time.Second
	// maxAnswer bounds what is read of a body.
	maxAnswer = 64 << 20
)

// Error is why a request failed. Word is its kind: "refused", "reset", "closed" (without an answer, or in the middle of it), "timeout", "wrong",
// "not sent", or the status code of an answer that should have been 200.
type Error struct {
	Word string
	Err  error
}

// Error tells the kind and the cause.
func (e *Error) Error() string { return e.Word + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Client sends requests over HTTP/1.1 connections that it keeps, each request once. Safe for concurrent use.
type Client struct {
	Addr  string        // host:port
	Host  string        // what the requests ask for
	Limit time.Duration // for one request, from sending to the end of its answer

	mu   sync.Mutex
	idle []*clientConn // the last one was used last
}

type clientConn struct {
	net.Conn
	in    *bufio.Reader
	since time.Time // when it became idle
}

// Reply is an answer that was read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and reads the answer, whatever its status. header is names and values in turn; Host among them replaces the Client's. The error is a *Error.
func (c *Client) Do(ctx context.Context, method, path string, body []byte, header ...string) (Reply, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+c.Host+path, bytes.NewReader(body))
	if err != nil {
		return Reply{}, &Error{"wrong", err}
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	conn, err := c.conn(ctx)
	if err != nil {
		return Reply{}, faultOf(err)
	}
	reply, keep, err := conn.exchange(request, c.Limit)
	if err != nil {
		_ = conn.Close()
		return reply, faultOf(err)
	}
	if keep {
		c.keep(conn)
	} else {
		_ = conn.Close()
	}
	return reply, nil
}

// Expect is Do with an answer that must be a 200 whose body good accepts; nil accepts any. The error is a *Error.
func (c *Client) Expect(ctx context.Context, method, path string, body []byte, good func(Reply) error, header ...string) error {
	reply, err := c.Do(ctx, method, path, body, header...)
	switch {
	case err != nil:
		return err
	case reply.Status != http.StatusOK:
		return &Error{strconv.Itoa(reply.Status), fmt.Errorf("%s %s: %.200q", method, path, reply.Body)}
	case good == nil:
		return nil
	}
	if err := good(reply); err != nil {
		return &Error{"wrong", err}
	}
	return nil
}

// CloseIdle closes the connections that no request uses.
func (c *Client) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		_ = conn.Close()
	}
	c.idle = nil
}

func (c *Client) keep(conn *clientConn) {
	conn.since = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, conn)
}

// conn gives a connection: the one that was used last, or a new one.
func (c *Client) conn(ctx context.Context) (*clientConn, error) {
	if conn := c.kept(); conn != nil {
		return conn, nil
	}
	dialer := &net.Dialer{Timeout: c.Limit}
	conn, err := dialer.DialContext(ctx, "tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	return &clientConn{Conn: conn, in: bufio.NewReader(conn)}, nil
}

func (c *Client) kept() *clientConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) > 0 && time.Since(c.idle[0].since) > maxIdle {
		_ = c.idle[0].Close()
		c.idle = c.idle[1:]
	}
	if len(c.idle) == 0 {
		return nil
	}
	last := len(c.idle) - 1
	conn := c.idle[last]
	c.idle = c.idle[:last]
	return conn
}

// exchange sends a request and reads its answer; keep tells that the connection can take another one.
func (c *clientConn) exchange(request *http.Request, limit time.Duration) (reply Reply, keep bool, err error) {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return Reply{}, false, err
	}
	sent := request.Write(c)
	// A server may answer before it has read all, and close: its answer counts.
	response, err := http.ReadResponse(c.in, request)
	if err != nil {
		return Reply{}, false, errors.Join(sent, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	reply = Reply{response.StatusCode, response.Header, body}
	return reply, sent == nil && !response.Close, err
}

// faultOf finds the word for what went wrong with a connection.
func faultOf(err error) *Error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{"refused", err}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &Error{"reset", err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{"closed", err}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &Error{"timeout", err}
	}
	return &Error{"wrong", err}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
