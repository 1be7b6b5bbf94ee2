package e2e_test

// HTTP/2 clients that break the protocol. What is wrong with a stream ends that stream, what is wrong with the connection ends it with GOAWAY.

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestHTTP2_HostileClients lets clients break the protocol, stop in the middle and take nothing, all at the same time. Each must be cut off in bounded
// time where the protocol or prudence asks for it, other streams and other clients must notice nothing, and in the end nothing may be left.
func TestHTTP2_HostileClients(t *testing.T) {
	slow(t)
	t.Parallel()
	s := startH2Suite(t)
	cases := slices.Concat(h2Violations(), h2Refusals(), h2Odd(), h2Silent(), h2Unreading(), h2Leaving())
	attackAll(t, cases, func(int) *attack { return s.attack(t) })
	s.others.check(t)
	s.elb.checkBase(30 * time.Second)
}

// onPeer makes a case of what is done on a connection whose settings are exchanged.
func onPeer(name string, does func(a *attack, p *h2peer) error, settings ...http2.Setting) evilClient {
	return evilClient{name, func(a *attack) error {
		p, err := a.peer(settings...)
		if err != nil {
			return err
		}
		if err := p.settle(); err != nil {
			return err
		}
		return does(a, p)
	}}
}

// h2Violations are errors of the connection.
func h2Violations() []evilClient {
	violation := func(name string, code http2.ErrCode, does func(p *h2peer)) evilClient {
		return onPeer("violation: "+name, func(_ *attack, p *h2peer) error {
			does(p)
			return p.ends(code)
		})
	}
	block := func(next func(p *h2peer)) func(p *h2peer) {
		return func(p *h2peer) {
			startBlock(p)
			next(p)
		}
	}
	const protocol, flow, size = http2.ErrCodeProtocol, http2.ErrCodeFlowControl, http2.ErrCodeFrameSize
	return []evilClient{
		// RFC 9113 section 6.10
		violation("PING in a head", protocol, block(func(p *h2peer) { _ = p.framer.WritePing(false, [8]byte{}) })),
		violation("DATA in a head", protocol, block(func(p *h2peer) { _ = p.framer.WriteData(1, false, []byte("x")) })),
		violation("SETTINGS in a head", protocol, block(func(p *h2peer) { _ = p.framer.WriteSettings() })),
		violation("an unknown frame in a head", protocol, block(func(p *h2peer) { _ = p.framer.WriteRawFrame(0x42, 0, 1, nil) })),
		violation("another head in a head", protocol, block(func(p *h2peer) { p.get("/x") })),
		violation("another stream's continuation", protocol, block(func(p *h2peer) { _ = p.framer.WriteContinuation(3, true, nil) })),
		violation("a continuation of nothing", protocol, func(p *h2peer) { _ = p.framer.WriteContinuation(1, true, nil) }),
		// RFC 9113 section 5.1
		violation("RST_STREAM on an idle stream", protocol, func(p *h2peer) { _ = p.framer.WriteRSTStream(101, http2.ErrCodeCancel) }),
		violation("DATA on an idle stream", protocol, func(p *h2peer) { _ = p.framer.WriteData(101, false, []byte("x")) }),
		violation("WINDOW_UPDATE on an idle stream", protocol, func(p *h2peer) { _ = p.framer.WriteWindowUpdate(101, 1) }),
		violation("a stream of the server's", protocol, func(p *h2peer) { p.next = 2; p.get("/x") }),
		violation("PUSH_PROMISE", protocol, func(p *h2peer) {
			_ = p.framer.WriteRawFrame(http2.FramePushPromise, http2.Flags(4), 1, make([]byte, 4))
		}),
		// RFC 9113 section 6.9
		violation("the connection's window overflows", flow, func(p *h2peer) { _ = p.framer.WriteWindowUpdate(0, h2most) }),
		violation("increment 0 for the connection", protocol, func(p *h2peer) { _ = p.framer.WriteWindowUpdate(0, 0) }),
		violation("a new initial window overflows a stream's", flow, func(p *h2peer) {
			_ = p.framer.WriteWindowUpdate(p.open("POST", "/hash/x", false), h2most-h2window)
			_ = p.framer.WriteSettings(setting(http2.SettingInitialWindowSize, h2window+1))
		}),
		violation("a frame of 16 KiB and a byte", size, func(p *h2peer) { p.data(p.open("POST", "/hash/x", false), false, make([]byte, h2frame+1)) }),
		violation("a frame that says 16 MiB", size, func(p *h2peer) { p.write([]byte("\xff\xff\xff\x00\x00\x00\x00\x00\x01")) }),
		// RFC 7541
		violation("a block that is none", http2.ErrCodeCompression, func(p *h2peer) {
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), EndHeaders: true, EndStream: true})
		}),
		violation("a table above the limit", http2.ErrCodeCompression, func(p *h2peer) {
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x3f\xe2\x1f\x82"), EndHeaders: true, EndStream: true}) // 4097
		}),
		violation("a head of half a field", http2.ErrCodeCompression, func(p *h2peer) {
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x82\x87\x40\x0a"), EndHeaders: true, EndStream: true})
		}),
		// RFC 9113 section 3.4
		{"violation: HTTP/1 where HTTP/2 was agreed on", func(a *attack) error {
			p, err := a.barePeer()
			if err != nil {
				return err
			}
			token := a.token()
			p.write([]byte("GET /echo/" + token + " HTTP/1.1\r\nHost: good.test\r\n\r\n" + strings.Repeat("x", 100)))
			return errors.Join(p.until("the end", func() bool { return p.over != nil }), a.member.nothing(token))
		}},
		onPeer("violation: HTTP/1 after the preface", func(a *attack, p *h2peer) error {
			token := a.token()
			p.write([]byte("GET /echo/" + token + " HTTP/1.1\r\nHost: good.test\r\n\r\n"))
			return errors.Join(p.until("the end", func() bool { return p.over != nil }), a.member.nothing(token))
		}),
		onPeer("violation: DATA beyond the connection's window", func(_ *attack, p *h2peer) error {
			// As many streams as it takes: one alone must not use up the connection's window.
			streams := p.window/int64(p.settings[http2.SettingInitialWindowSize]) + 2
			if streams < 4 || streams > h2streams {
				return fmt.Errorf("a connection's window of %d beside %v", p.window, p.settings)
			}
			var ids []uint32
			for range streams {
				ids = append(ids, p.open("POST", "/", false, ":authority", "deaf.test"))
			}
			if err := p.fill(ids, func() bool { return p.window <= 0 }); err != nil {
				return err
			}
			for _, id := range ids {
				for p.streams[id].window > 0 && p.window > -h2window {
					p.data(id, false, make([]byte, min(p.streams[id].window, 1000)))
				}
			}
			return p.ends(flow)
		}),
		onPeer("violation: DATA beyond a stream's window", func(a *attack, p *h2peer) error {
			id := p.open("POST", "/", false, ":authority", "deaf.test")
			if err := p.fill([]uint32{id}, func() bool { return p.streams[id].window <= 0 }); err != nil {
				return err
			}
			for range 4 {
				p.data(id, false, make([]byte, min(p.window, h2frame)))
			}
			return p.refused(id, codes(flow))
		}),
	}
}

// fill sends on streams as the windows allow, until a window is used up and stays so.
func (p *h2peer) fill(ids []uint32, full func() bool) error {
	piece := make([]byte, h2frame)
	for pauses := 0; pauses < 20; {
		sent := false
		for _, id := range ids {
			if n := min(p.room(id), int64(len(piece))); n > 0 && !p.streams[id].reset {
				p.data(id, false, piece[:n])
				sent = true
			}
		}
		if !sent {
			pauses++
			<-time.After(50 * time.Millisecond)
		}
		if err := p.ping(); err != nil {
			return err
		}
		if !sent && p.room(ids[0]) <= 0 && full() {
			return nil
		}
	}
	return fmt.Errorf("the windows are not used up: %d, first stream %d", p.window, p.streams[ids[0]].window)
}

// h2Leaving are clients that go away in the middle.
func h2Leaving() []evilClient {
	var list []evilClient
	for _, leave := range []struct {
		how string
		do  func(p *h2peer, id uint32)
	}{
		{"resets the stream", func(p *h2peer, id uint32) { _ = p.framer.WriteRSTStream(id, http2.ErrCodeCancel) }},
		{"says GOAWAY and closes", func(p *h2peer, _ uint32) {
			_ = p.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
			_ = p.flush()
			_ = p.Close()
		}},
		{"closes", func(p *h2peer, _ uint32) { _ = p.Close() }},
		{"resets the connection", func(p *h2peer, _ uint32) { p.cut() }},
		{"sends garbage", func(p *h2peer, _ uint32) { p.write([]byte(strings.Repeat("garbage ", 100))) }},
		{"says GOAWAY and sends garbage", func(p *h2peer, _ uint32) {
			_ = p.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
			p.write([]byte(strings.Repeat("garbage ", 100)))
		}},
	} {
		list = append(list,
			onPeer("leaving: in a download, "+leave.how, func(a *attack, p *h2peer) error {
				token := a.token()
				id := p.get("/chunks/" + token + "/64000000")
				if err := p.until("a part of it", func() bool { return p.streams[id].body.Len() > 300_000 }); err != nil {
					return err
				}
				leave.do(p, id)
				_ = p.flush()
				return a.member.await(a.ctx, token, "the client is gone", func(v visit) bool { return v.ended == 1 && v.refused == 1 })
			}),
			onPeer("leaving: in an upload, "+leave.how, func(a *attack, p *h2peer) error {
				token := a.token()
				id := p.open("POST", "/echo/"+token, false)
				if err := p.upload(id, false, make([]byte, 300_000)); err != nil {
					return err
				}
				if err := a.member.await(a.ctx, token, "the request came", func(v visit) bool { return v.came == 1 }); err != nil {
					return err
				}
				leave.do(p, id)
				_ = p.flush()
				return a.member.await(a.ctx, token, "the body broke off", func(v visit) bool { return v.ended == 1 && v.whole == 0 })
			}))
	}
	return append(list,
		onPeer("leaving: half-closes, and takes what it asked for or an end", func(a *attack, p *h2peer) error {
			token := a.token()
			p.get("/slow/" + token)
			if err := p.flush(); err != nil {
				return err
			}
			if half, ok := p.conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
				return fmt.Errorf("no close_notify on %T", p.conn)
			}
			p.mute = true // nothing can be said any more
			return p.until("the end", func() bool { return p.over != nil })
		}),
		onPeer("leaving: the stream is over, the connection is not", func(a *attack, p *h2peer) error {
			for range 20 {
				id := p.get("/chunks/" + a.token() + "/1000000")
				if err := p.until("a part of it", func() bool { return p.streams[id].body.Len() > 10_000 }); err != nil {
					return err
				}
				_ = p.framer.WriteRSTStream(id, http2.ErrCodeCancel)
				_ = p.framer.WriteWindowUpdate(0, h2window) // what was on its way counts
			}
			return p.expectGood(a)
		}),
	)
}

// cut ends the connection by a TCP reset.
func (p *h2peer) cut() {
	if secure, ok := p.conn.(interface{ NetConn() net.Conn }); ok {
		if tcp, ok := secure.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			_ = tcp.Close()
		}
	}
}
