package e2e_test

// HTTP/2 clients that stop in the middle, or take nothing: what they hold is let go in time, and their other streams go on.

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/http2"
)

// h2Silent are clients that stop.
func h2Silent() []evilClient {
	// silent is a client that says something and nothing more. Its connection is ended.
	silent := func(name string, says func(p *h2peer), want ...http2.ErrCode) evilClient {
		return evilClient{"silent: " + name, func(a *attack) error {
			p, err := a.barePeer()
			if err != nil {
				return err
			}
			p.mute = true
			says(p)
			if len(want) > 0 {
				return p.ends(want...)
			}
			return p.until("the end of the connection", func() bool { return p.over != nil })
		}}
	}
	greet := func(next func(p *h2peer)) func(p *h2peer) {
		return func(p *h2peer) {
			p.write([]byte(http2.ClientPreface))
			_ = p.framer.WriteSettings()
			_ = p.framer.WriteSettingsAck()
			next(p)
		}
	}
	// body is a request whose body stops. It must not get to the member whole.
	body := func(name string, part int, fields ...string) evilClient {
		return onPeer("silent: in a body, "+name, func(a *attack, p *h2peer) error {
			token := a.token()
			id := p.open("POST", "/echo/"+token, false, fields...)
			if err := p.upload(id, false, make([]byte, part)); err != nil {
				return err
			}
			err := p.refused(id, codes(http2.ErrCodeCancel, http2.ErrCodeInternal, http2.ErrCodeProtocol, http2.ErrCodeNo, http2.ErrCodeEnhanceYourCalm), 408, 502, 504)
			if err == nil && p.goAway == nil && p.over == nil {
				err = p.expectGood(a)
			}
			return errors.Join(err, a.neverWhole(token))
		})
	}
	return []evilClient{
		silent("no preface", func(*h2peer) {}),
		silent("half a preface", func(p *h2peer) { p.write([]byte(http2.ClientPreface[:10])) }),
		silent("no settings", func(p *h2peer) { p.write([]byte(http2.ClientPreface)) }),
		silent("idle", greet(func(*h2peer) {}), http2.ErrCodeNo),
		silent("half a frame's head", greet(func(p *h2peer) { p.write([]byte("\x00\x00\x08\x06")) })),
		silent("half a PING", greet(func(p *h2peer) { p.write([]byte("\x00\x00\x08\x06\x00\x00\x00\x00\x00half")) })),
		silent("half a HEADERS", greet(func(p *h2peer) { p.write([]byte("\x00\x00\x20\x01\x05\x00\x00\x00\x01\x82\x87")) })),
		silent("a head without an end", greet(startBlock)),
		silent("settings are not acknowledged", func(p *h2peer) {
			p.write([]byte(http2.ClientPreface))
			_ = p.framer.WriteSettings()
		}),
		// The other stream goes on all the time, so this connection is never idle.
		onPeer("silent: a head without an end, beside a download", func(a *attack, p *h2peer) error {
			_ = p.framer.WriteWindowUpdate(0, h2most-h2window)
			p.get("/big/" + a.token() + "/1000000000")
			startBlock(p)
			p.mute = true
			if err := p.flush(); err != nil {
				return err
			}
			began := time.Now()
			for p.over == nil {
				_ = p.conn.SetReadDeadline(time.Now().Add(answerLimit))
				if err := p.step(); err != nil {
					return err
				}
				p.streams[1].body.Reset()
				if <-time.After(time.Millisecond); time.Since(began) > answerLimit {
					return fmt.Errorf("the connection is still there after %v", answerLimit)
				}
			}
			return nil
		}, setting(http2.SettingInitialWindowSize, h2most)),
		body("kept, nothing of it", 0, lengthOf(100)...),
		body("kept, a part of it", 10, lengthOf(100)...),
		body("streamed, nothing of it", 0, lengthOf(1_000_000)...),
		body("streamed, a part of it", 30_000, lengthOf(1_000_000)...),
		body("of unknown length, nothing of it", 0),
		body("of unknown length, a part of it", 30_000),
		onPeer("silent: in a body, beside others", func(a *attack, p *h2peer) error {
			p.open("POST", "/echo/"+a.token(), false, lengthOf(100)...)
			p.open("POST", "/echo/"+a.token(), false)
			for range 20 {
				if err := p.expectGood(a); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// h2Unreading are clients that do not take what they asked for.
func h2Unreading() []evilClient {
	// gone is what the member sees when the load balancer has let go of an answer.
	gone := func(v visit) bool { return v.came == 1 && v.ended == 1 && v.refused == 1 }
	closed := func(name, path string, settings ...http2.Setting) evilClient {
		return onPeer("unread: "+name, func(a *attack, p *h2peer) error {
			token := a.token()
			p.mute = true
			id := p.get("/" + path + "/" + token + "/64000000")
			if err := p.refused(id, codes(http2.ErrCodeCancel, http2.ErrCodeInternal, http2.ErrCodeFlowControl, http2.ErrCodeNo, http2.ErrCodeEnhanceYourCalm), 200); err != nil {
				return err
			}
			if s := p.streams[id]; s.ended {
				return fmt.Errorf("a part looks like the whole: %v", s)
			}
			return a.member.await(a.ctx, token, "the load balancer lets go of it", gone)
		}, settings...)
	}
	return []evilClient{
		closed("a window of 0", "big", setting(http2.SettingInitialWindowSize, 0)),
		closed("a window of 0, in chunks", "chunks", setting(http2.SettingInitialWindowSize, 0)),
		closed("the first window and no more", "big"),
		closed("the connection's window and no more", "big", setting(http2.SettingInitialWindowSize, h2most)),
		onPeer("unread: a window of 0, a small answer", func(a *attack, p *h2peer) error {
			id := p.get("/" + a.token())
			s, err := p.finish(id)
			if err == nil && s.ended {
				err = fmt.Errorf("it looks whole: %v", s)
			}
			if err != nil && p.goAway != nil {
				return nil // that is an end too
			}
			return err
		}, setting(http2.SettingInitialWindowSize, 0)),
		onPeer("unread: a window of 0, no content", func(a *attack, p *h2peer) error { // nothing to wait for, RFC 9113 section 6.9
			return errors.Join(p.expect(p.get("/status/"+a.token()+"/204"), 204, ""), p.expect(p.open("HEAD", "/status/"+a.token()+"/200", true), 200, ""))
		}, setting(http2.SettingInitialWindowSize, 0)),
		onPeer("unread: 50 answers, windows open, nothing read", func(a *attack, p *h2peer) error { // CVE-2019-9517
			_ = p.framer.WriteWindowUpdate(0, h2most-h2window)
			token := a.token()
			for range 50 {
				p.get("/big/" + token + "/8000000")
			}
			if err := p.flush(); err != nil {
				return err
			}
			return a.member.await(a.ctx, token, "the load balancer lets go of all", func(v visit) bool { return v.came == v.ended && v.refused > 25 })
		}, setting(http2.SettingInitialWindowSize, h2most)),
		onPeer("unread: a slow reader gets it all", func(a *attack, p *h2peer) error {
			id := p.get("/random/" + a.token() + "/400000/length")
			p.stingy[id] = true
			s := p.streams[id]
			for s.body.Len() < 400_000 { // 33 times 12 KiB, for longer than any deadline
				want := min(400_000, s.body.Len()+1)
				if err := p.until("more of it", func() bool { return s.body.Len() >= want || s.reset }); err != nil || s.reset {
					return errors.Join(err, fmt.Errorf("%v", s))
				}
				if s.body.Len() >= h2window {
					<-time.After(120 * time.Millisecond)
					_ = p.framer.WriteWindowUpdate(id, 12<<10)
				}
			}
			return p.expect(id, 200, string(randomBytes(400_000)))
		}),
		onPeer("unread: one answer, beside others", func(a *attack, p *h2peer) error {
			_ = p.framer.WriteWindowUpdate(0, 1<<20)
			id := p.get("/big/" + a.token() + "/64000000")
			p.stingy[id] = true
			if err := p.until("the first window", func() bool { return p.streams[id].body.Len() == h2window }); err != nil {
				return err
			}
			return p.others(a)
		}),
		onPeer("unread: uploads that the member does not take, beside others", func(a *attack, p *h2peer) error {
			var ids []uint32
			for range 4 {
				ids = append(ids, p.open("POST", "/", false, ":authority", "deaf.test"))
			}
			stuck := func() bool {
				for _, id := range ids {
					if p.streams[id].window > 0 {
						return false
					}
				}
				return true
			}
			if err := p.fill(ids, stuck); err != nil {
				return err
			}
			return p.others(a)
		}),
	}
}

// others does uploads and downloads on the same connection. If that takes long, it has to be the machine: the same on a connection of its
// own is slow as well.
func (p *h2peer) others(a *attack) error {
	took, err := p.work(a)
	if err != nil || took <= noticeable {
		return err
	}
	alone, err := a.peer()
	if err != nil {
		return err
	}
	if err := alone.settle(); err != nil {
		return err
	}
	usual, err := alone.work(a)
	if err == nil && took > noticeable+2*usual {
		err = fmt.Errorf("it took %v, and %v on a connection of its own", took, usual)
	}
	return err
}

// work does uploads and downloads one after the other, and tells how long they took.
func (p *h2peer) work(a *attack) (took time.Duration, err error) {
	began := time.Now()
	for range 5 {
		token := a.token()
		up := p.open("POST", "/echo/"+token, false)
		if err := p.upload(up, true, make([]byte, 200_000)); err != nil {
			return 0, err
		}
		err := errors.Join(p.expect(up, 200, echoBody(token, 200_000)), p.expect(p.get("/random/"+a.token()+"/200000/chunked"), 200, string(randomBytes(200_000))), p.expectGood(a))
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
