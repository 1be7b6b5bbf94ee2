package e2e_test

// HTTP/2 requests that are too much, and clients that are only odd: the connection goes on.

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// long sends a request whose head takes as many frames as it needs.
func (p *h2peer) long(fields ...string) uint32 {
	id := p.stream()
	block := p.head("GET", "/f", fields...)
	first := min(len(block), h2frame)
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:first], EndHeaders: first == len(block), EndStream: true})
	for block = block[first:]; len(block) > 0; {
		n := min(len(block), h2frame)
		_ = p.framer.WriteContinuation(id, n == len(block), block[:n])
		block = block[n:]
	}
	return id
}

// h2Refusals are errors of one stream.
func h2Refusals() []evilClient {
	const protocol, flow, closed, refusedStream = http2.ErrCodeProtocol, http2.ErrCodeFlowControl, http2.ErrCodeStreamClosed, http2.ErrCodeRefusedStream
	const calm, compression = http2.ErrCodeEnhanceYourCalm, http2.ErrCodeCompression
	// tooLarge must be refused without ending the connection: the next head is understood, so the tables are in step.
	tooLarge := func(name string, fields ...string) evilClient {
		return onPeer("refused: "+name, func(a *attack, p *h2peer) error {
			id := p.long(fields...)
			s, err := p.finish(id)
			if err == nil && s.status != 431 && !s.reset {
				err = fmt.Errorf("it was not refused: %v", s)
			}
			return errors.Join(err, p.expectGood(a))
		})
	}
	// stream is an error of a stream, after which the connection goes on unless the server takes it for one of the connection.
	stream := func(name string, list []http2.ErrCode, does func(p *h2peer) uint32, statuses ...int) evilClient {
		return onPeer("refused: "+name, func(a *attack, p *h2peer) error {
			if err := p.refused(does(p), list, statuses...); err != nil || p.goAway != nil {
				return err
			}
			return p.expectGood(a)
		})
	}
	var many []string
	for i := range 300 {
		many = append(many, "x-"+strconv.Itoa(i), "y")
	}
	return []evilClient{
		tooLarge("70 KiB of head", strings.Split(strings.Repeat("x-large|"+strings.Repeat("~", 1000)+"|", 69)+"x|y", "|")...),
		// A string that is not stored cannot be put into the table: that may end the connection.
		stream("one field of 70 KiB", codes(protocol, calm, compression), func(p *h2peer) uint32 { return p.long("x-large", strings.Repeat("~", 70<<10)) }, 431),
		stream("a name of 70 KiB", codes(protocol, calm, compression), func(p *h2peer) uint32 { return p.long(strings.Repeat("x", 70<<10), "y") }, 431),
		tooLarge("300 fields", many...),
		tooLarge("300 fields from the table", strings.Split(strings.Repeat("x-small|y|", 299)+"x|y", "|")...),
		tooLarge("a field of 4,000 bytes 100 times, from the table", strings.Split(strings.Repeat("x-bomb|"+strings.Repeat("b", 4000)+"|", 99)+"x|y", "|")...),

		// RFC 9113 section 5.1.2: the requests that were refused did not get to a member, and can be repeated.
		onPeer("refused: 400 requests at once", func(a *attack, p *h2peer) error {
			token := a.token()
			var ids []uint32
			for range 400 {
				ids = append(ids, p.get("/hold/"+token))
			}
			if err := p.ping(); err != nil {
				return err
			}
			refused := 0
			for _, id := range ids {
				switch s := p.streams[id]; {
				case s.reset && (s.code == refusedStream || s.code == protocol):
					refused++
				case s.reset || s.ended:
					return fmt.Errorf("stream %d: %v", id, s)
				default:
					_ = p.framer.WriteRSTStream(id, http2.ErrCodeCancel)
				}
			}
			if limit := int(p.settings[http2.SettingMaxConcurrentStreams]); limit == 0 || refused != 400-limit {
				return fmt.Errorf("%d of 400 requests are refused; the limit is %d", refused, limit)
			}
			if came := a.member.visit(token).came; came > 400-refused {
				return fmt.Errorf("%d requests came to the member, %d were refused", came, refused)
			}
			return p.expectGoodSoon(a)
		}),
		// A client may begin before it knows the limit. What follows on streams that were refused was on its way (RFC 9113 section 5.1).
		{"refused: 400 uploads with trailers, before the limit is known", func(a *attack) error {
			p, err := a.peer()
			if err != nil {
				return err
			}
			var ids []uint32
			for range 400 {
				ids = append(ids, p.open("POST", "/hash/"+a.token(), false, "trailer", "x-sum"))
			}
			for _, id := range ids {
				p.data(id, false, []byte("12345"))
			}
			for _, id := range ids {
				p.trail(id, "x-sum", "abc")
			}
			answered := 0
			for _, id := range ids {
				s, err := p.finish(id)
				switch {
				case err != nil:
					return err
				case s.ended && s.status == 200:
					answered++
				case s.code != refusedStream && s.code != protocol:
					return fmt.Errorf("stream %d: %v", id, s)
				}
			}
			if answered < 100 {
				return fmt.Errorf("%d of 400 are answered", answered)
			}
			return p.expectGoodSoon(a)
		}},
		onPeer("refused: an idle stream that depends on itself", func(_ *attack, p *h2peer) error { // RST_STREAM on an idle stream may not be
			_ = p.framer.WritePriority(101, http2.PriorityParam{StreamDep: 101})
			if err := p.ping(); err != nil && (p.goAway == nil || p.goAway.code != protocol) {
				return err
			}
			return nil
		}),
		stream("a window overflows", codes(flow), func(p *h2peer) uint32 {
			id := p.open("POST", "/hash/x", false)
			_ = p.framer.WriteWindowUpdate(id, h2most)
			return id
		}),
		stream("increment 0", codes(protocol), func(p *h2peer) uint32 {
			id := p.open("POST", "/hash/x", false)
			_ = p.framer.WriteWindowUpdate(id, 0)
			return id
		}),
		stream("it depends on itself", codes(protocol), func(p *h2peer) uint32 {
			id := p.stream()
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.head("POST", "/hash/x"), EndHeaders: true, Priority: http2.PriorityParam{StreamDep: id, Weight: 1}})
			return id
		}),
		stream("DATA after the end", codes(closed), func(p *h2peer) uint32 {
			id := p.get("/hold/x")
			p.data(id, true, []byte("x"))
			return id
		}),
		stream("two heads", codes(protocol), func(p *h2peer) uint32 {
			id := p.open("POST", "/hash/x", false)
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode("x", "y"), EndHeaders: true})
			return id
		}),
		stream("a field without a name", codes(protocol), func(p *h2peer) uint32 { return p.get("/f", "", "y") }, 400),
		stream("more than its length, kept", codes(protocol), func(p *h2peer) uint32 {
			id := p.open("POST", "/hash/x", false, lengthOf(5)...)
			p.data(id, true, []byte("123456"))
			return id
		}, 400),
		stream("less than its length, kept", codes(protocol), func(p *h2peer) uint32 {
			id := p.open("POST", "/hash/x", false, lengthOf(5)...)
			p.data(id, true, []byte("1234"))
			return id
		}, 400),
		stream("less than its length, streamed", codes(protocol), func(p *h2peer) uint32 {
			id := p.open("POST", "/hash/x", false, lengthOf(100_000)...)
			p.data(id, false, make([]byte, 10_000))
			p.data(id, true, make([]byte, 10_000))
			return id
		}, 400, 502),
		stream("no body at all, and a length", codes(protocol), func(p *h2peer) uint32 { return p.open("POST", "/hash/x", true, lengthOf(100_000)...) }, 400),
	}
}

// h2Odd are clients that do what is allowed, and seldom done.
func h2Odd() []evilClient {
	return []evilClient{
		onPeer("odd: unknown frames, flags and settings", func(a *attack, p *h2peer) error { // RFC 9113 sections 4.1, 5.5, 6.5.2
			id, token := p.stream(), a.token()
			_ = p.framer.WriteRawFrame(0x42, 0xff, 0, []byte("unknown"))
			_ = p.framer.WriteSettings(setting(0x4242, 1), setting(0xff, h2most))
			_ = p.framer.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders|0xc2, id, p.head("POST", "/echo/"+token))
			_ = p.framer.WriteRawFrame(0x43, 0xff, id, []byte("unknown"))
			_ = p.framer.WriteRawFrame(http2.FrameData, 0xf6, id, []byte("12345"))
			_ = p.framer.WriteRawFrame(http2.FrameData, http2.FlagDataEndStream|0xf6, id, []byte("67890"))
			_ = p.framer.WriteRawFrame(http2.FramePing, 0xfe, 0, make([]byte, 8))
			_ = p.framer.WriteRawFrame(http2.FrameWindowUpdate, 0xff, 0, []byte{0x80, 0, 0, 1}) // the first bit is reserved
			return errors.Join(p.expect(id, 200, echoBody(token, 10)), p.expectGood(a))
		}),
		onPeer("odd: priorities of all kinds", func(a *attack, p *h2peer) error { // RFC 9113 section 5.3.2
			_ = p.framer.WritePriority(1, http2.PriorityParam{StreamDep: 3, Exclusive: true, Weight: 255})
			_ = p.framer.WritePriority(201, http2.PriorityParam{StreamDep: 1})
			id, token := p.stream(), a.token()
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.head("GET", "/"+token, "priority", "u=1, i"), EndHeaders: true, EndStream: true, PadLength: 255, Priority: http2.PriorityParam{StreamDep: 99, Weight: 1}})
			return errors.Join(p.expect(id, 200, goodBody(token)), p.expectGood(a))
		}),
		onPeer("odd: a byte of content in 256 of padding", func(a *attack, p *h2peer) error { // RFC 9113 section 6.1: padding counts
			token := a.token()
			id := p.open("POST", "/echo/"+token, false)
			for i := range 2000 {
				if err := p.until("room to send", func() bool { return p.room(id) >= 257 }); err != nil {
					return err
				}
				_ = p.framer.WriteDataPadded(id, i == 1999, []byte("x"), make([]byte, 255))
				p.window -= 257
				p.streams[id].window -= 257
			}
			return p.expect(id, 200, echoBody(token, 2000))
		}),
		onPeer("odd: a head in pieces of one byte", func(a *attack, p *h2peer) error {
			id, token := p.stream(), a.token()
			block := p.head("GET", "/"+token)
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: true})
			for i := range block {
				_ = p.framer.WriteContinuation(id, i == len(block)-1, block[i:i+1])
			}
			return errors.Join(p.expect(id, 200, goodBody(token)), p.expectGood(a))
		}),
		// Each write ends in the middle of a frame, so that there is always one that has only begun: all are in time.
		onPeer("odd: a long upload that always has begun a frame", func(a *attack, p *h2peer) error {
			token := a.token()
			id := p.open("POST", "/echo/"+token, false)
			var frames bytes.Buffer
			writer := http2.NewFramer(&frames, nil)
			for i := range 12 {
				_ = writer.WriteData(id, i == 11, make([]byte, h2frame))
			}
			for piece := frames.Next(1000); len(piece) > 0; piece = frames.Next(1000) {
				p.write(piece)
				if err := p.flush(); err != nil {
					p.drain()
					return fmt.Errorf("%w: %v, %v", err, p, p.streams[id])
				}
				<-time.After(20 * time.Millisecond) // four seconds in all, and a third of one for each frame
			}
			return p.expect(id, 200, echoBody(token, 12*h2frame))
		}),
		onPeer("odd: no header table", func(a *attack, p *h2peer) error { // RFC 7541 section 4.2
			if err := p.expectGood(a); err != nil {
				return err
			}
			if err := p.change(setting(http2.SettingHeaderTableSize, 0)); err != nil {
				return err
			}
			p.framer.ReadMetaHeaders.SetAllowedMaxDynamicTableSize(0)
			p.framer.ReadMetaHeaders.SetMaxDynamicTableSize(0) // a reference to what was there is an error from now on
			err := errors.Join(p.expectGood(a), p.expectGood(a))
			p.framer.ReadMetaHeaders.SetAllowedMaxDynamicTableSize(4096)
			return errors.Join(err, p.change(setting(http2.SettingHeaderTableSize, 4096)), p.expectGood(a))
		}),
		onPeer("odd: a header list of 100 bytes", func(a *attack, p *h2peer) error { // advice only, RFC 9113 section 6.5.2
			return p.expectGood(a)
		}, setting(http2.SettingMaxHeaderListSize, 100)),
		onPeer("odd: the initial window grows, and shrinks below what was sent", func(a *attack, p *h2peer) error { // RFC 9113 section 6.9.2
			id := p.get("/big/" + a.token() + "/1000000")
			s := p.streams[id]
			p.stingy[id] = true
			exactly := func(n int) error {
				if err := p.until(strconv.Itoa(n)+" bytes", func() bool { return s.body.Len() >= n || s.reset || s.ended }); err != nil {
					return err
				}
				if err := errors.Join(p.ping(), p.ping()); err != nil || s.body.Len() != n {
					return errors.Join(err, fmt.Errorf("%v; the window allows %d bytes", s, n))
				}
				return nil
			}
			window := func(n uint32) error { return p.change(setting(http2.SettingInitialWindowSize, n)) }
			err := errors.Join(exactly(h2window), window(100_000), exactly(100_000), window(10_000), exactly(100_000)) // now it is -90,000
			_ = p.framer.WriteWindowUpdate(id, 90_000)
			err = errors.Join(err, exactly(100_000))
			_ = p.framer.WriteWindowUpdate(id, 1)
			err = errors.Join(err, exactly(100_001))
			_ = p.framer.WriteWindowUpdate(id, 1_000_000)
			return errors.Join(err, p.expect(id, 200, ""), exactly(1_000_000))
		}),
		onPeer("odd: the largest frame that the client takes", func(a *attack, p *h2peer) error { // others see that 16 KiB are not exceeded
			p.framer.SetMaxReadFrameSize(1 << 20)
			id := p.get("/random/" + a.token() + "/3000000/length")
			if err := p.expect(id, 200, ""); err != nil || hashOf(p.streams[id].body.Bytes()) != hashOf(randomBytes(3_000_000)) {
				return errors.Join(err, fmt.Errorf("3,000,000 bytes: %v", p.streams[id]))
			}
			return nil
		}, setting(http2.SettingMaxFrameSize, 1<<20), setting(http2.SettingInitialWindowSize, 4<<20)),
		onPeer("odd: an answer whose head takes three frames", func(a *attack, p *h2peer) error {
			token := a.token()
			return errors.Join(p.expect(p.get("/fat/"+token+"/45000"), 200, goodBody(token)), p.expectGood(a))
		}),
		onPeer("odd: says GOAWAY, and gets its answers", func(a *attack, p *h2peer) error { // RFC 9113 section 6.8
			token, big := a.token(), p.get("/random/"+a.token()+"/1000000/chunked")
			slow := p.get("/slow/" + token)
			_ = p.framer.WriteGoAway(0, http2.ErrCodeNo, nil)
			return errors.Join(p.expect(slow, 200, goodBody(token)), p.expect(big, 200, string(randomBytes(1_000_000))),
				p.until("the end of the connection", func() bool { return p.over != nil }))
		}),
	}
}
