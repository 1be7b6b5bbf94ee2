package e2e_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// unreadingClients ask and do not take the answer.
func unreadingClients() []evilClient {
	const size = 64 << 20
	unread := func(path string, dial func(a *attack) (*wireTap, error)) func(a *attack) error {
		return func(a *attack) error {
			c, err := dial(a)
			if err != nil {
				return err
			}
			token := a.token()
			if err := c.say("GET /%s/%s/%d HTTP/1.1\r\nHost: good.test\r\n\r\n", path, token, size); err != nil {
				return err
			}
			if err := a.member.await(a.ctx, token, "the load balancer lets go of it", func(v visit) bool { return v.ended == 1 && v.refused == 1 }); err != nil {
				return err
			}
			if r := c.reply("GET"); r.err == nil {
				return fmt.Errorf("%d bytes look like the whole answer", len(r.body))
			}
			return nil
		}
	}
	plain := func(a *attack) (*wireTap, error) {
		c, err := a.dial()
		if err == nil {
			err = c.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return c, err
	}
	return []evilClient{
		{"never reads: a big answer", unread("big", plain)},
		{"never reads: an answer in chunks", unread("chunks", plain)},
		{"never reads: a big answer over TLS", unread("big", func(a *attack) (*wireTap, error) { return a.dialTLS("http/1.1") })},
		{"never reads: pipelined answers of 64 KiB", func(a *attack) error {
			c, err := plain(a)
			if err != nil {
				return err
			}
			for range 2000 { // the load balancer stops reading, and then writing, long before the end
				if err := c.say("GET /big/%s/65536 HTTP/1.1\r\nHost: good.test\r\n\r\n", a.token()); err != nil {
					break
				}
			}
			return c.breaksWithin(answerLimit)
		}},
		{"never reads: a slow reader gets it all", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			if err := c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
				return err
			}
			if err := c.say("GET /big/%s/8388608 HTTP/1.1\r\nHost: good.test\r\n\r\n", a.token()); err != nil {
				return err
			}
			c.in.Reset(&pausingReader{Reader: c.Conn, every: 64 << 10, pause: 30 * time.Millisecond})
			if r := c.reply("GET"); r.err != nil || len(r.body) != 8<<20 {
				return errors.Join(fmt.Errorf("%s with %d bytes", r.verdict(), len(r.body)), r.err)
			}
			return nil
		}},
	}
}

// breaksWithin waits for the load balancer to end the connection, without reading: whoever reads is served.
func (c *wireTap) breaksWithin(limit time.Duration) error {
	for begin := time.Now(); time.Since(begin) < limit; <-time.After(50 * time.Millisecond) {
		_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Write([]byte("G")); err != nil && !isTimeout(err) {
			return nil
		}
	}
	return fmt.Errorf("the connection is still there after %v", limit)
}

// endsWithin drops what comes until the load balancer ends the connection.
func (c *wireTap) endsWithin(limit time.Duration) error {
	_ = c.SetDeadline(time.Now().Add(limit))
	_, err := io.Copy(io.Discard, c.in)
	if isTimeout(err) {
		return fmt.Errorf("the connection is still there after %v", limit)
	}
	return nil
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// pausingReader takes a break after every so many bytes.
type pausingReader struct {
	io.Reader
	every, since int
	pause        time.Duration
}

// Read implements io.Reader.
func (r *pausingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p[:min(len(p), 16<<10)])
	if r.since += n; r.since >= r.every {
		r.since = 0
		<-time.After(r.pause)
	}
	return n, err
}

// brokenClients go away in the middle.
func brokenClients() []evilClient {
	end := map[string]func(c *wireTap){"reset": (*wireTap).reset, "close": func(c *wireTap) { _ = c.Close() }}
	var list []evilClient
	for how, end := range end {
		upload := func(framing, part string, reaches bool) func(a *attack) error {
			return func(a *attack) error {
				c, err := a.dial()
				if err != nil {
					return err
				}
				token := a.token()
				if err := c.say("POST /echo/%s HTTP/1.1\r\nHost: good.test\r\n%s\r\n\r\n%s", token, framing, part); err != nil {
					return err
				}
				if reaches {
					if err := a.member.await(a.ctx, token, "the request came", func(v visit) bool { return v.came == 1 }); err != nil {
						return err
					}
				}
				end(c)
				// A request of its own comes after the other's end was noticed, or at the same time: either way the member must not see a whole one.
				return errors.Join(a.expectGood(), a.neverWhole(token))
			}
		}
		list = append(list,
			evilClient{how + ": in a small upload", upload("Content-Length: 100", "0123456789", false)},
			evilClient{how + ": in a big upload", upload("Content-Length: 1000000", strings.Repeat("x", 200_000), true)},
			evilClient{how + ": in a chunked upload", upload("Transfer-Encoding: chunked", "a\r\n0123456789\r\n5\r\nabc", true)},
			evilClient{how + ": between the chunks of an upload", upload("Transfer-Encoding: chunked", "a\r\n0123456789\r\n", true)},
			evilClient{how + ": before the end of a chunked upload", upload("Transfer-Encoding: chunked", "a\r\n0123456789\r\n0\r\n", true)},
			evilClient{how + ": in a big download", func(a *attack) error {
				c, err := a.dial()
				if err != nil {
					return err
				}
				token := a.token()
				if err := c.say("GET /chunks/%s/%d HTTP/1.1\r\nHost: good.test\r\n\r\n", token, 64<<20); err != nil {
					return err
				}
				if _, err := io.CopyN(io.Discard, c.in, 100<<10); err != nil {
					return err
				}
				end(c)
				return a.member.await(a.ctx, token, "the client is gone", func(v visit) bool { return v.ended == 1 && v.refused == 1 })
			}},
			evilClient{how + ": right after the request, 100 times", func(a *attack) error {
				return a.many(100, 10, func(i int) error {
					c, err := a.elb.dial()
					if err != nil {
						return err
					}
					tap := &wireTap{Conn: c}
					err = tap.say("GET /%s/%s HTTP/1.1\r\nHost: good.test\r\n\r\n", []string{"echo", "slow"}[i%2], a.token())
					end(tap)
					return err
				})
			}},
		)
	}
	return append(list,
		evilClient{"reset: 2,000 connections, at once or after a part of a head", func(a *attack) error {
			return a.many(2000, 20, func(i int) error {
				address := a.elb.httpAddr
				if i%3 == 0 {
					address = a.elb.httpsAddr
				}
				c, err := net.DialTimeout("tcp", address, answerLimit)
				if err != nil {
					return err
				}
				tap := &wireTap{Conn: c}
				if i%2 == 0 {
					err = tap.say("GET /echo/%s HTTP/1.1\r\nHost: go", a.token())
				}
				if i%4 < 2 {
					tap.reset()
				}
				_ = tap.Close()
				return err
			})
		}},
		halfClosed("the request", "/slow/%s", "", goodBody),
		halfClosed("a request with a small body", "/echo/%s", strings.Repeat("x", 1000), func(token string) string { return echoBody(token, 1000) }),
		halfClosed("a request with a big body", "/echo/%s", strings.Repeat("x", 300_000), func(token string) string { return echoBody(token, 300_000) }),
		halfClosed("a request for a big answer", "/big/%s/3000000", "", func(string) string { return strings.Repeat("u", 3_000_000) }),
		halfClosed("a request for an answer in chunks", "/chunks/%s/300000", "", func(string) string { return strings.Repeat("u", 300_000) }),
		evilClient{"half-closed: in the middle of a head", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			err = errors.Join(c.say("GET /echo/%s HTTP/1.1\r\nHost: good.test\r\n", token), c.Conn.(*net.TCPConn).CloseWrite(), c.cutOff(400, 408))
			return errors.Join(err, a.member.nothing(token))
		}},
		evilClient{"half-closed: in the middle of a body", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			err = errors.Join(c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\nContent-Length: 100\r\n\r\n0123456789", token),
				c.Conn.(*net.TCPConn).CloseWrite(), c.cutOff(400, 408))
			return errors.Join(err, a.member.nothing(token))
		}},
	)
}

// halfClosed is a client that says with its request that it is the last one (SHUT_WR). It still gets its answer.
func halfClosed(name, path, body string, want func(token string) string) evilClient {
	return evilClient{"half-closed: after " + name, func(a *attack) error {
		c, err := a.dial()
		if err != nil {
			return err
		}
		token, framing := a.token(), ""
		if body != "" {
			framing = fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		return errors.Join(c.say("POST "+path+" HTTP/1.1\r\nHost: good.test\r\n%s\r\n%s", token, framing, body),
			c.Conn.(*net.TCPConn).CloseWrite(), c.expect(200, want(token)))
	}}
}

// many does something n times, that many at once.
func (a *attack) many(n, at int, do func(i int) error) error {
	var all sync.WaitGroup
	errs := make([]error, at)
	for worker := range at {
		all.Go(func() {
			for i := worker; i < n && a.ctx.Err() == nil; i += at {
				if err := do(i); err != nil {
					errs[worker] = err
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// pipeliningClients send more than one request without waiting.
func pipeliningClients() []evilClient {
	after := func(name, garbage string, statuses ...int) evilClient {
		return evilClient{"pipelined: " + name, func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			return errors.Join(c.say("GET /%s HTTP/1.1\r\nHost: good.test\r\n\r\n%s", token, garbage), c.expect(200, goodBody(token)), c.cutOff(statuses...))
		}}
	}
	return []evilClient{
		{"pipelined: 60 good requests are answered in order", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			var all strings.Builder
			var wants []string
			for i := range 60 {
				token := a.token()
				switch want := echoBody(token, 5); i % 4 {
				case 0:
					fmt.Fprintf(&all, "POST /echo/%s HTTP/1.1\r\nHost: good.test\r\nContent-Length: 5\r\n\r\nhello", token)
					wants = append(wants, want)
				case 1:
					fmt.Fprintf(&all, "PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: t\r\n\r\n", token)
					wants = append(wants, want)
				case 2:
					fmt.Fprintf(&all, "GET /chunks/%s/70000 HTTP/1.1\r\nHost: good.test\r\n\r\n", token)
					wants = append(wants, strings.Repeat("u", 70_000))
				default:
					fmt.Fprintf(&all, "GET /%s HTTP/1.1\r\nHost: good.test\r\n\r\n", token)
					wants = append(wants, goodBody(token))
				}
			}
			sent := make(chan error, 1)
			go func() { sent <- c.say("%s", all.String()) }()
			for i, want := range wants {
				if err := c.expect(200, want); err != nil {
					_ = c.Close()
					return errors.Join(fmt.Errorf("answer %d: %w", i, err), <-sent)
				}
			}
			return <-sent
		}},
		{"pipelined: 20 big uploads with a length are answered in order", func(a *attack) error {
			return a.pipelineUploads("Content-Length: 200000", strings.Repeat("x", 200_000), false)
		}},
		{"pipelined: 20 big uploads in chunks are answered in order, or the end is announced", func(a *attack) error {
			return a.pipelineUploads("Transfer-Encoding: chunked", "186a0\r\n"+strings.Repeat("x", 100_000)+"\r\n186a0\r\n"+strings.Repeat("x", 100_000)+"\r\n0\r\n\r\n", true)
		}},
		after("garbage after a good request", "garbage\r\n\r\n", 400),
		after("zero bytes after a good request", strings.Repeat("\x00", 100), 400, 408),
		after("TLS after a good request", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
		after("HTTP/2 after a good request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, 505),
		after("a request without Host after a good one", "GET / HTTP/1.1\r\n\r\n", 400),
		{"pipelined: nothing after Connection: close counts", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token, second := a.token(), a.token()
			err = c.say("GET /%s HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\nGET /echo/%s HTTP/1.1\r\nHost: good.test\r\n\r\n", token, second)
			return errors.Join(err, c.expect(200, goodBody(token)), c.cutOff(), a.member.nothing(second))
		}},
	}
}

// pipelineUploads sends 20 uploads of 200,000 bytes without waiting. A server may end the connection after any answer, but must say so in it
// (RFC 9112 section 9.6), and must not have begun what it does not answer.
func (a *attack) pipelineUploads(framing, body string, mayEnd bool) error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	const uploads = 20
	tokens := make([]string, uploads)
	for i := range tokens {
		tokens[i] = a.token()
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, token := range tokens {
			if c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\n%s\r\n\r\n%s", token, framing, body) != nil {
				return // it was ended
			}
		}
	}()
	defer func() {
		_ = c.Close()
		<-sent
	}()
	for i, token := range tokens {
		r, last := readReply(c.in, "PUT")
		if r.err != nil || r.status != 200 || string(r.body) != echoBody(token, 200_000) {
			return errors.Join(fmt.Errorf("answer %d: %s, body %.80q", i, r.verdict(), r.body), r.err)
		}
		if last && mayEnd && i+1 < uploads {
			return a.member.nothing(tokens[i+1])
		}
	}
	return nil
}

// oversizedClients send without end.
func oversizedClients() []evilClient {
	once := func(name, request string, statuses ...int) evilClient {
		return evilClient{"oversized: " + name, func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			var sending sync.WaitGroup
			sending.Go(func() { _ = c.say("%s", strings.ReplaceAll(request, "TOKEN", token)) }) // it may be cut off in the middle
			err = c.cutOff(statuses...)
			_ = c.Close()
			sending.Wait()
			return errors.Join(err, a.member.nothing(token))
		}}
	}
	endless := func(name, start, piece string, statuses ...int) evilClient {
		return evilClient{"endless: " + name, func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			piece := strings.Repeat(piece, max(1, 4096/len(piece)))
			var sending sync.WaitGroup
			took := 0
			sending.Go(func() {
				for err := c.say("%s", strings.ReplaceAll(start, "TOKEN", token)); err == nil && took < maxFlood; took += len(piece) {
					err = c.say("%s", piece)
				}
			})
			err = c.cutOff(statuses...)
			_ = c.Close()
			sending.Wait()
			if took >= maxFlood {
				err = errors.Join(err, fmt.Errorf("elb took %d MiB", took>>20))
			}
			return errors.Join(err, a.neverWhole(token))
		}}
	}
	const get, put = "GET /echo/TOKEN HTTP/1.1\r\nHost: good.test\r\n", "PUT /echo/TOKEN HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n"
	return []evilClient{
		once("10,000 fields", get+strings.Repeat("X: y\r\n", 10_000)+"\r\n", 431),
		once("300 fields", get+strings.Repeat("X: y\r\n", 300)+"\r\n", 431),
		once("70 KiB of head", get+strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 70)+"\r\n", 431),
		once("one field of 70 KiB", get+"X: "+strings.Repeat("y", 70<<10)+"\r\n\r\n", 431),
		once("a target of 20 KiB", "GET /echo/TOKEN?"+strings.Repeat("y", 20<<10)+" HTTP/1.1\r\nHost: good.test\r\n\r\n", 414),
		endless("target", "GET /echo/TOKEN?", "y", 414, 431),
		endless("method", "", "G", 400, 431, 501),
		endless("field", get+"X: ", "y", 431),
		endless("fields", get, "X: y\r\n", 431),
		endless("empty lines", "", "\r\n", 400, 408, 431),
		endless("chunk size", put, "0", 400),
		endless("chunk extension", put+"5;x=", "y", 400),
		endless("extensions on small chunks", put, "1;"+strings.Repeat("x", 1000)+"\r\nx\r\n", 400, 413),
		endless("trailer", put+"5\r\nhello\r\n0\r\nX: ", "y", 400, 431),
		endless("trailers", put+"5\r\nhello\r\n0\r\n", "X: y\r\n", 400, 431),
	}
}

// silentClients connect and say nothing, or the wrong thing.
func silentClients() []evilClient {
	silent := func(name, text string, addr func(e *loneELB) string, check func(c *wireTap) error) evilClient {
		return evilClient{name, func(a *attack) error {
			return a.many(20, 20, func(int) error {
				conn, err := net.DialTimeout("tcp", addr(a.elb), answerLimit)
				if err != nil {
					return err
				}
				defer conn.Close()
				c := &wireTap{Conn: conn}
				if err := c.say("%s", text); err != nil {
					return err
				}
				c.in = newReader(conn)
				return check(c)
			})
		}}
	}
	http := func(e *loneELB) string { return e.httpAddr }
	https := func(e *loneELB) string { return e.httpsAddr }
	ends := func(c *wireTap) error { return c.endsWithin(answerLimit) }
	cut := func(statuses ...int) func(c *wireTap) error {
		return func(c *wireTap) error {
			_ = c.SetDeadline(time.Now().Add(answerLimit))
			return c.cutOff(statuses...)
		}
	}
	const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // of a ClientHello of 512 bytes
	return []evilClient{
		silent("silent: on the HTTP port", "", http, cut(408)),
		silent("silent: on the HTTPS port", "", https, ends),
		silent("silent: in the middle of a TLS handshake", hello, https, ends),
		silent("wrong: zero bytes on the HTTPS port", strings.Repeat("\x00", 600), https, ends),
		silent("wrong: TLS on the HTTP port", hello+strings.Repeat("\x00", 512-9+4), http, cut(400, 408)),
		silent("wrong: HTTP on the HTTPS port", "GET / HTTP/1.1\r\nHost: good.test\r\n\r\n", https, func(c *wireTap) error {
			_ = c.SetDeadline(time.Now().Add(answerLimit))
			r := c.reply("GET")
			if r.status != 400 || !strings.Contains(string(r.body), "HTTPS") {
				return fmt.Errorf("got %s %q; want a 400 that says HTTPS", r.verdict(), r.body)
			}
			return nil
		}),
		silent("silent: TLS and then nothing", "", https, func(c *wireTap) error {
			secure := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) // no secret goes over it
			_ = secure.SetDeadline(time.Now().Add(answerLimit))
			if err := secure.Handshake(); err != nil {
				return err
			}
			return (&wireTap{Conn: secure, in: newReader(secure)}).endsWithin(answerLimit)
		}),
		{"silent: after an answer", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			return errors.Join(c.say("GET /x HTTP/1.1\r\nHost: good.test\r\n\r\n"), c.expect(200, goodBody("x")), c.cutOff(408))
		}},
		{"silent: after Expect, small body", func(a *attack) error { return a.expects("Content-Length: 100", (*attack).nothingOf) }},
		{"silent: after Expect, big body", func(a *attack) error { return a.expects("Content-Length: 1000000", (*attack).neverWhole) }},
		{"silent: after Expect, chunked body", func(a *attack) error { return a.expects("Transfer-Encoding: chunked", (*attack).neverWhole) }},
	}
}

func (a *attack) nothingOf(token string) error { return a.member.nothing(token) }

// expects asks for leave to send a body, gets it or not, and then sends nothing.
func (a *attack) expects(framing string, check func(a *attack, token string) error) error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	token := a.token()
	err = errors.Join(c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\nExpect: 100-continue\r\n%s\r\n\r\n", token, framing), c.cutOff(408))
	return errors.Join(err, check(a, token))
}
