package e2e_test

// What a client over HTTP/2 expects of the load balancer.

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// finish waits for the end of a stream, or of its connection.
func (p *h2peer) finish(id uint32) (*h2answer, error) {
	s := p.streams[id]
	err := p.until(fmt.Sprintf("the end of stream %d", id), func() bool { return s.ended || s.reset })
	if err != nil {
		err = fmt.Errorf("%w: %v", err, s)
	}
	return s, err
}

// expect waits for a whole answer with that status and body ("" for any).
func (p *h2peer) expect(id uint32, status int, body string) error {
	s, err := p.finish(id)
	if err == nil && (!s.ended || s.status != status || body != "" && s.body.String() != body) {
		err = fmt.Errorf("stream %d: %v; want %d %.80q", id, s, status, body)
	}
	return err
}

// expectGood asks in the ordinary way on this connection.
func (p *h2peer) expectGood(a *attack) error {
	token := a.token()
	id := p.get("/" + token)
	_ = p.framer.WriteWindowUpdate(id, h2window) // the client may have begun with a window of 0
	if err := p.expect(id, 200, goodBody(token)); err != nil {
		return fmt.Errorf("a good request on the same connection: %w", err)
	}
	return nil
}

// expectGoodSoon is expectGood after the client has given many requests up: the load balancer may refuse more until it has ended them.
func (p *h2peer) expectGoodSoon(a *attack) error {
	for began := time.Now(); ; <-time.After(20 * time.Millisecond) {
		err := p.expectGood(a)
		if s := p.streams[p.next-2]; err == nil || s.code != http2.ErrCodeRefusedStream || time.Since(began) > noticeable {
			return err
		}
	}
}

// ping waits until the server has read all that was said before.
func (p *h2peer) ping() error {
	p.pings++
	number := p.pings
	_ = p.framer.WritePing(false, pingData(number))
	return p.until("a PING comes back", func() bool { return p.pong == number })
}

func pingData(number uint64) [8]byte { return [8]byte(fmt.Appendf(nil, "%08d", number)) }

// settle waits until both sides have the other's settings, and the first windows.
func (p *h2peer) settle() error {
	if err := p.until("the settings are exchanged", func() bool { return p.acks > 0 && len(p.settings) > 0 }); err != nil {
		return err
	}
	return p.ping()
}

// change changes settings of the client, and waits until the server knows.
func (p *h2peer) change(settings ...http2.Setting) error {
	want := p.acks + 1
	_ = p.framer.WriteSettings(settings...)
	return p.until("new settings are acknowledged", func() bool { return p.acks >= want })
}

// ends waits until the server ends the connection. It must say why: GOAWAY with one of the codes.
func (p *h2peer) ends(codes ...http2.ErrCode) error {
	if err := p.until("the end of the connection", func() bool { return p.over != nil }); err != nil {
		return err
	}
	if p.goAway == nil || !slices.Contains(codes, p.goAway.code) {
		return fmt.Errorf("the connection ended with %v, want GOAWAY with one of %v; %w", p.goAway, codes, p.over)
	}
	return nil
}

// refused waits until a stream is over without a good answer: reset with one of the codes, or answered with one of the statuses. The server may
// also take it for an error of the connection (RFC 9113 section 5.4).
func (p *h2peer) refused(id uint32, codes []http2.ErrCode, statuses ...int) error {
	s, err := p.finish(id)
	switch {
	case err != nil && p.goAway != nil && slices.Contains(codes, p.goAway.code):
		return nil
	case err != nil:
		return err
	case s.status != 0 && !slices.Contains(statuses, s.status), s.status == 0 && !slices.Contains(codes, s.code):
		return fmt.Errorf("stream %d: %v; want one of %v or %v", id, s, codes, statuses)
	}
	return nil
}

// codes is a list of one.
func codes(c ...http2.ErrCode) []http2.ErrCode { return c }

// h2suite is a load balancer before one member, with bystanders.
type h2suite struct {
	elb    *loneELB
	member *h2member
	others *bystanders
	n      int
}

func startH2Suite(t *testing.T) *h2suite {
	t.Helper()
	s := &h2suite{member: startH2Member(t)}
	s.elb = startLoneELB(t, "access_log: false\n"+evilTimeouts, []loneService{{"good.test", []string{s.member.addr}}, {"deaf.test", []string{startDeafMember(t)}}})
	s.others = startBystanders(t, s.elb)
	return s
}

// attack prepares a client.
func (s *h2suite) attack(t *testing.T) *attack {
	t.Helper()
	s.n++
	return &attack{elb: s.elb, member: s.member.witness, ctx: t.Context(), number: s.n}
}

// setting makes one.
func setting(id http2.SettingID, value uint32) http2.Setting {
	return http2.Setting{ID: id, Val: value}
}

func lengthOf(n int) []string { return []string{"content-length", strconv.Itoa(n)} }
