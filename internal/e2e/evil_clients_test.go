package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// evilClient is one way in which a client can be evil. does gives what was wrong with how the load balancer took it.
type evilClient struct {
	name string
	does func(a *attack) error
}

// TestELB_EvilClients lets clients do what slow, broken and hostile ones do. Each must be answered or cut off within bounded time, what it did not
// send whole must not reach a member whole, other clients must notice nothing, and in the end nothing of it may be left in the load balancer.
func TestELB_EvilClients(t *testing.T) {
	slow(t)
	member := startWitness(t)
	elb := startLoneELB(t, evilTimeouts, []loneService{{"good.test", []string{member.addr}}})
	bystanders := startBystanders(t, elb)
	cases := slices.Concat(slowClients(), unreadingClients(), brokenClients(), pipeliningClients(), oversizedClients(), silentClients(), tunnelClients(), http2Clients())
	attackAll(t, cases, func(i int) *attack { return &attack{elb: elb, member: member, ctx: t.Context(), number: i} })
	bystanders.check(t)
	elb.checkBase(30 * time.Second)
}

// attackAll lets all clients at work at once, and tells of each what it found wrong. prepare makes the attack of the case at that index.
func attackAll(t *testing.T, cases []evilClient, prepare func(i int) *attack) {
	t.Helper()
	found := make([]error, len(cases))
	var all sync.WaitGroup
	for i, c := range cases {
		a := prepare(i)
		all.Go(func() {
			defer a.close()
			found[i] = c.does(a)
		})
	}
	all.Wait()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if found[i] != nil {
				t.Error(found[i])
			}
		})
	}
}

// attack is one evil client at work. One goroutine uses it, but for token.
type attack struct {
	elb    *loneELB
	member *witness
	ctx    context.Context //nolint:containedctx // the test's
	number int
	tokens atomic.Int64
	conns  []net.Conn
}

func (a *attack) close() {
	for _, c := range a.conns {
		_ = c.Close()
	}
}

// token is a new name for a request.
func (a *attack) token() string { return fmt.Sprintf("c%d-%d", a.number, a.tokens.Add(1)) }

// dial opens a connection that no wait outlives.
func (a *attack) dial() (*wireTap, error) {
	conn, err := a.elb.dial()
	return a.tap(conn, err)
}

func (a *attack) dialTLS(protocol string) (*wireTap, error) {
	conn, err := a.elb.dialTLS(protocol)
	return a.tap(conn, err)
}

func (a *attack) tap(conn net.Conn, err error) (*wireTap, error) {
	if err != nil {
		return nil, err
	}
	a.conns = append(a.conns, conn)
	_ = conn.SetDeadline(time.Now().Add(answerLimit))
	return &wireTap{Conn: conn, in: bufio.NewReader(conn)}, nil
}

// wireTap is a client's connection, by hand.
type wireTap struct {
	net.Conn
	in *bufio.Reader
}

func (c *wireTap) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c, format, args...)
	return err
}

// reset ends the connection by RST.
func (c *wireTap) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// reply reads one answer.
func (c *wireTap) reply(method string) reply {
	r, _ := readReply(c.in, method)
	return r
}

// expect reads one answer, which must be whole, with that status and body ("" for any).
func (c *wireTap) expect(status int, body string) error {
	r := c.reply("GET")
	if r.err != nil || r.status != status || body != "" && string(r.body) != body {
		return errors.Join(fmt.Errorf("got %s, body %.80q; want %d %.80q", r.verdict(), r.body, status, body), r.err)
	}
	return nil
}

// cutOff waits until the load balancer ends the connection. Before that it may say one refusal, with one of the statuses.
func (c *wireTap) cutOff(statuses ...int) error {
	r, _ := readReply(c.in, "GET")
	switch {
	case errors.Is(r.err, os.ErrDeadlineExceeded):
		return fmt.Errorf("not cut off within %v", answerLimit)
	case r.status == 0:
		return nil
	case !slices.Contains(statuses, r.status):
		return fmt.Errorf("answered with %d, %.80q; want one of %v", r.status, r.body, statuses)
	}
	rest, err := io.Copy(io.Discard, c.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("answered with %d, but not cut off within %v", r.status, answerLimit)
	}
	if rest > 0 {
		return fmt.Errorf("%d bytes came after the answer %d", rest, r.status)
	}
	return nil
}

// drip sends a text's bytes one by one, again and again, that many in all, or until the connection ends.
func (c *wireTap) drip(text string, every time.Duration, bytes int) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range bytes {
		if c.say("%c", text[i%len(text)]) != nil {
			return
		}
		<-tick.C
	}
}

// expectGood asks in the ordinary way, on a connection of its own.
func (a *attack) expectGood() error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	token := a.token()
	return errors.Join(c.say("GET /%s HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n", token), c.expect(200, goodBody(token)))
}

// slowClients send less than they announced.
func slowClients() []evilClient {
	return []evilClient{
		{"slowloris: head byte by byte", func(a *attack) error { return a.slowloris((*attack).dial, "") }},
		{"slowloris: the same over TLS", func(a *attack) error {
			return a.slowloris(func(a *attack) (*wireTap, error) { return a.dialTLS("http/1.1") }, "")
		}},
		{"slowloris: on a connection that was good", func(a *attack) error {
			return a.slowloris((*attack).dial, "GET /first HTTP/1.1\r\nHost: good.test\r\n\r\n")
		}},
		{"slow body: small, stops", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			return errors.Join(c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\nContent-Length: 100\r\n\r\n0123456789", token),
				c.cutOff(408), a.member.nothing(token))
		}},
		{"slow body: small, over HTTP/1.0", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			return errors.Join(c.say("PUT /echo/%s HTTP/1.0\r\nHost: good.test\r\nContent-Length: 100\r\n\r\n0123456789", token),
				c.cutOff(408), a.member.nothing(token))
		}},
		{"slow body: big, stops", func(a *attack) error {
			return a.stopsMidway("Content-Length: 1000000", strings.Repeat("x", 100_000))
		}},
		{"slow body: chunked, stops in a chunk", func(a *attack) error { return a.stopsMidway("Transfer-Encoding: chunked", "64\r\n0123456789") }},
		{"slow body: chunked, stops between chunks", func(a *attack) error { return a.stopsMidway("Transfer-Encoding: chunked", "a\r\n0123456789\r\n") }},
		{"slow body: chunked, stops before its end", func(a *attack) error {
			return a.stopsMidway("Transfer-Encoding: chunked", "a\r\n0123456789\r\n0\r\n")
		}},
		{"slow body: byte by byte, in time", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			if err := c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\nContent-Length: 60\r\n\r\n", token); err != nil {
				return err
			}
			c.drip("x", 50*time.Millisecond, 60)
			return c.expect(200, echoBody(token, 60))
		}},
		{"slow body: big, piece by piece, for longer than any deadline", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			piece := strings.Repeat("x", 20_000)
			if err := c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\nContent-Length: %d\r\n\r\n", token, 10*len(piece)); err != nil {
				return err
			}
			for range 10 { // five seconds: the member's time to answer begins with the end of the request
				<-time.After(500 * time.Millisecond)
				if err := c.say("%s", piece); err != nil {
					return err
				}
			}
			return c.expect(200, echoBody(token, int64(10*len(piece))))
		}},
	}
}

// slowloris drips a head that never ends.
func (a *attack) slowloris(dial func(a *attack) (*wireTap, error), first string) error {
	c, err := dial(a)
	if err != nil {
		return err
	}
	if first != "" {
		if err := errors.Join(c.say("%s", first), c.expect(200, goodBody("first"))); err != nil {
			return err
		}
	}
	token := a.token()
	if err := c.say("GET /echo/%s HTTP/1.1\r\nHost: good.test\r\n", token); err != nil {
		return err
	}
	var dripping sync.WaitGroup
	dripping.Go(func() { c.drip("X: y\r\n", 100*time.Millisecond, 1000) })
	err = c.cutOff(408, 400)
	_ = c.Close()
	dripping.Wait()
	return errors.Join(err, a.member.nothing(token))
}

// stopsMidway sends a part of a body that is passed on as it comes: the member must not take it for the whole.
func (a *attack) stopsMidway(framing, part string) error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	token := a.token()
	err = errors.Join(c.say("PUT /echo/%s HTTP/1.1\r\nHost: good.test\r\n%s\r\n\r\n%s", token, framing, part), c.cutOff(408))
	return errors.Join(err, a.neverWhole(token))
}

// neverWhole is nil when the member, if it was asked at all, saw that the body broke off.
func (a *attack) neverWhole(token string) error {
	return a.member.await(a.ctx, token, "the body broke off", func(v visit) bool { return v.came == v.ended && v.whole == 0 })
}
