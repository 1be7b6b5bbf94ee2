package e2e_test

// Answers that come before the request is complete: permission to send it, or the final one.

import (
	"errors"
	"fmt"

	"golang.org/x/net/http2"
)

// h2Early are uploads that are answered before their end.
func h2Early() []evilClient {
	permitted := func(name string, n int, fields ...string) evilClient {
		return onPeer("100 comes before the body, "+name, func(a *attack, p *h2peer) error { // RFC 9110 section 10.1.1
			data := randomBytes(n)
			id := p.open("POST", "/hash/"+a.token(), false, append(fields, "expect", "100-continue")...)
			s := p.streams[id]
			if err := p.until("100", func() bool { return len(s.interim) > 0 || s.status != 0 || s.reset }); err != nil {
				return err
			}
			if len(s.interim) != 1 || fieldValue(s.interim[0], ":status") != "100" {
				return fmt.Errorf("interim %v, %v", s.interim, s)
			}
			return errors.Join(p.upload(id, true, data), p.expect(id, 200, fmt.Sprintf("%d %s te=\"\"", n, hashOf(data))), p.expectGood(a))
		})
	}
	// early is an upload that the member answers without reading it. The client then goes on, since it does not know yet, or knows and stops. The
	// server says with RST_STREAM and NO_ERROR that it needs no more (RFC 9113 section 8.1), and takes what was on its way (section 5.1).
	early := func(name string, after func(p *h2peer, id uint32), fields ...string) evilClient {
		return onPeer("early answer, "+name, func(a *attack, p *h2peer) error {
			for range 3 {
				token := a.token()
				id := p.open("POST", "/early/"+token+"/403", false, fields...)
				if err := p.upload(id, false, randomBytes(100_000)); err != nil {
					return err
				}
				s := p.streams[id]
				if err := p.until("the answer", func() bool { return s.ended || s.reset }); err != nil || !s.ended || s.status != 403 || s.body.String() != goodBody(token) {
					return errors.Join(err, fmt.Errorf("%v", s))
				}
				if err := p.until("RST_STREAM after the answer", func() bool { return s.reset }); err != nil || s.code != http2.ErrCodeNo {
					return errors.Join(err, fmt.Errorf("%v", s))
				}
				after(p, id)
				if err := p.expectGood(a); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return []evilClient{
		permitted("kept", 5, lengthOf(5)...),
		permitted("streamed", 200_000, lengthOf(200_000)...),
		permitted("of unknown length", 200_000),
		onPeer("no 100, but the final answer", func(a *attack, p *h2peer) error {
			token := a.token()
			id := p.open("POST", "/early/"+token+"/403", false, append(lengthOf(200_000), "expect", "100-continue")...)
			if err := p.expect(id, 403, goodBody(token)); err != nil {
				return err
			}
			if s := p.streams[id]; len(s.interim) > 0 {
				return fmt.Errorf("interim %v", s.interim)
			}
			return p.expectGood(a)
		}),
		early("and the client stops", func(*h2peer, uint32) {}, lengthOf(10_000_000)...),
		early("and the client resets", func(p *h2peer, id uint32) { _ = p.framer.WriteRSTStream(id, http2.ErrCodeCancel) }, lengthOf(10_000_000)...),
		early("and content was on its way", func(p *h2peer, id uint32) {
			p.data(id, false, make([]byte, 10_000))
			p.data(id, true, make([]byte, 10_000))
		}),
		early("and trailers were on their way", func(p *h2peer, id uint32) {
			p.data(id, false, make([]byte, 10_000))
			p.trail(id, "x-sum", "abc")
		}, "trailer", "x-sum"),
		// All that the windows allow is on its way when they are answered.
		onPeer("early answer, 100 at once", func(a *attack, p *h2peer) error {
			ids := map[uint32]string{}
			for range 100 {
				token := a.token()
				ids[p.open("POST", "/early/"+token+"/413", false)] = token
			}
			for range 4 {
				for id := range ids {
					for range 4 {
						if p.room(id) >= 8<<10 {
							p.data(id, false, make([]byte, 8<<10))
						}
					}
				}
				if err := p.flush(); err != nil {
					return err
				}
			}
			for id, token := range ids {
				if err := p.expect(id, 413, goodBody(token)); err != nil {
					return err
				}
			}
			return p.expectGoodSoon(a)
		}),
		onPeer("early answer, and the connection's window comes back", func(a *attack, p *h2peer) error {
			for range 100 { // of 100,000 bytes each, which nobody reads: more than any window
				token := a.token()
				id := p.open("POST", "/early/"+token+"/403", false)
				if err := p.upload(id, false, make([]byte, 100_000)); err != nil {
					return err
				}
				if err := p.expect(id, 403, goodBody(token)); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}
