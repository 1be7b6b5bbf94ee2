package e2e_test

// The floods of TestHTTP2_Floods.

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// ask sends a request for whose answer nobody waits.
func ask(p *h2peer, path string, end bool, fields ...string) uint32 {
	id := p.open("GET", path, end, fields...)
	delete(p.streams, id)
	return id
}

// begun gives the requests that were sent time to be carried out, as far as they can.
func (p *h2peer) begun() {
	_ = p.flush()
	<-time.After(300 * time.Millisecond)
}

// resetFloods begin requests that end before they are answered.
func resetFloods() []flood {
	reset := func(path string, end bool) func(p *h2peer, i int) {
		return func(p *h2peer, i int) { _ = p.framer.WriteRSTStream(ask(p, path, end), http2.ErrCodeCancel) }
	}
	// made lets the server reset the stream.
	made := func(do func(p *h2peer, id uint32)) func(p *h2peer, i int) {
		return func(p *h2peer, i int) { do(p, ask(p, "/hold/f", true)) }
	}
	const made2025 = "CVE-2025-8671 (MadeYouReset)"
	return []flood{
		{name: "rapid reset", from: "CVE-2023-44487", n: 10_000, ends: true, reads: true, once: reset("/hold/f", true)},
		{name: "rapid reset, nothing read", from: "CVE-2023-44487", n: 10_000, ends: true, once: reset("/hold/f", true)},
		{name: "rapid reset of uploads", from: "CVE-2023-44487", n: 10_000, ends: true, reads: true, once: reset("/hold/f", false)},
		{name: "rapid reset of unknown hosts", from: "CVE-2023-44487", n: 10_000, ends: true, reads: true, once: func(p *h2peer, i int) {
			_ = p.framer.WriteRSTStream(ask(p, "/f", true, ":authority", "x.test"), http2.ErrCodeCancel)
		}},
		{name: "made reset: increment 0", from: made2025, n: 10_000, ends: true, reads: true, once: made(func(p *h2peer, id uint32) { _ = p.framer.WriteWindowUpdate(id, 0) })},
		{name: "made reset: window overflow", from: made2025, n: 10_000, ends: true, reads: true, once: made(func(p *h2peer, id uint32) { _ = p.framer.WriteWindowUpdate(id, h2most) })},
		{name: "made reset: depends on itself", from: made2025, n: 10_000, ends: true, reads: true, once: made(func(p *h2peer, id uint32) { _ = p.framer.WritePriority(id, http2.PriorityParam{StreamDep: id}) })},
		{name: "made reset: PRIORITY of 4 bytes", from: made2025, n: 10_000, ends: true, reads: true, once: made(func(p *h2peer, id uint32) { _ = p.framer.WriteRawFrame(http2.FramePriority, 0, id, make([]byte, 4)) })},
		{name: "made reset: DATA after the end", from: made2025, n: 10_000, ends: true, reads: true, once: made(func(p *h2peer, id uint32) { _ = p.framer.WriteData(id, true, []byte("x")) })},
		{name: "made reset: HEADERS after the end", from: made2025, n: 10_000, ends: true, reads: true, once: made(func(p *h2peer, id uint32) {
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: p.encode("x", "y"), EndHeaders: true, EndStream: true})
		})},
		{name: "made reset: more than its length", from: made2025, n: 10_000, ends: true, reads: true, once: func(p *h2peer, i int) {
			_ = p.framer.WriteData(ask(p, "/hold/f", false, lengthOf(1)...), false, []byte("xx"))
		}},
		{name: "malformed requests, nothing read", from: "CVE-2019-9514", n: 20_000, ends: true, once: func(p *h2peer, i int) { ask(p, "", true) }},
	}
}

// frameFloods are frames that the load balancer has to read, and perhaps to answer.
func frameFloods() []flood {
	return []flood{
		{name: "fields without names", from: "CVE-2019-9516", n: 2_000, reads: true, once: func(p *h2peer, i int) {
			ask(p, "/f", true, strings.Split(strings.Repeat("|", 1999), "|")...)
		}},
		{name: "endless continuation", from: "CVE-2024-27316, CVE-2023-45288", n: 1_000, reads: true, ends: true, start: startBlock, once: func(p *h2peer, i int) {
			_ = p.framer.WriteContinuation(1, false, p.encode("x-more", strings.Repeat("~", 4000)+fmt.Sprint(i), "x-more", strings.Repeat("!", 4000)+fmt.Sprint(i)))
		}},
		{name: "empty continuations", from: "CVE-2024-27316", n: 200_000, reads: true, ends: true, start: startBlock, once: func(p *h2peer, i int) { _ = p.framer.WriteContinuation(1, false, nil) }},
		{name: "continuations of table references", from: "CVE-2016-1544 (HPACK bomb)", n: 1_000, reads: true, ends: true, start: startBlock, once: func(p *h2peer, i int) {
			if i == 0 {
				_ = p.framer.WriteContinuation(1, false, p.encode("x-bomb", strings.Repeat("b", 4000)))
			}
			_ = p.framer.WriteContinuation(1, false, []byte(strings.Repeat("\xbe", 8000))) // index 62: the newest entry
		}},
		{name: "heads of table references", from: "CVE-2016-1544 (HPACK bomb)", n: 500, reads: true, start: func(p *h2peer) { ask(p, "/f", true, "x-bomb", strings.Repeat("b", 4000)) }, once: func(p *h2peer, i int) {
			id := p.next
			p.next += 2
			block := append(p.encode(":method", "GET", ":scheme", "https", ":path", "/"), strings.Repeat("\xbe", 8000)...)
			_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndHeaders: true, EndStream: true, BlockFragment: block})
		}},
		{name: "SETTINGS, nothing read", from: "CVE-2019-9515", n: 200_000, ends: true, once: func(p *h2peer, i int) { _ = p.framer.WriteSettings() }},
		{name: "SETTINGS", from: "CVE-2019-9515", n: 50_000, ends: true, reads: true, once: func(p *h2peer, i int) {
			_ = p.framer.WriteSettings(setting(http2.SettingInitialWindowSize, uint32(i%1000)), setting(http2.SettingHeaderTableSize, uint32(i%4096)))
		}},
		{name: "PING, nothing read", from: "CVE-2019-9512", n: 200_000, ends: true, once: func(p *h2peer, i int) { _ = p.framer.WritePing(false, [8]byte{1}) }},
		{name: "PING", from: "CVE-2019-9512", n: 50_000, ends: true, reads: true, once: func(p *h2peer, i int) { _ = p.framer.WritePing(false, [8]byte{1}) }},
		{name: "empty DATA", from: "CVE-2019-9518", n: 100_000, ends: true, reads: true, start: startUpload, once: func(p *h2peer, i int) { _ = p.framer.WriteData(1, false, nil) }},
		{name: "DATA of padding alone", from: "CVE-2019-9518", n: 50_000, ends: true, reads: true, start: startUpload, once: func(p *h2peer, i int) { _ = p.framer.WriteDataPadded(1, false, nil, make([]byte, 8)) }},
		{name: "PRIORITY", from: "CVE-2019-9513", n: 100_000, ends: true, reads: true, once: func(p *h2peer, i int) {
			_ = p.framer.WritePriority(uint32(2*i+1)%(1<<20), http2.PriorityParam{StreamDep: uint32(2*i + 3), Weight: byte(i)})
		}},
		{name: "WINDOW_UPDATE", from: "RFC 9113 section 10.5", n: 100_000, reads: true, once: func(p *h2peer, i int) { _ = p.framer.WriteWindowUpdate(0, 1) }},
		{name: "unknown frames", from: "RFC 9113 section 10.5", n: 100_000, ends: true, reads: true, once: func(p *h2peer, i int) { _ = p.framer.WriteRawFrame(0x42, 0xff, uint32(i), []byte("x")) }},
		{name: "answers that are not read", from: "CVE-2019-9517", n: 200, never: true, settings: []http2.Setting{setting(http2.SettingInitialWindowSize, h2most)}, start: func(p *h2peer) {
			_ = p.framer.WriteWindowUpdate(0, h2most-h2window)
		}, once: func(p *h2peer, i int) { ask(p, "/big/f/8000000", true) }},
		{name: "windows of one byte", from: "CVE-2019-9511", n: 50_000, reads: true, settings: []http2.Setting{setting(http2.SettingInitialWindowSize, 1)}, start: func(p *h2peer) {
			for range 50 {
				ask(p, "/big/f/100000", true)
			}
			p.begun()
		}, once: func(p *h2peer, i int) { _ = p.framer.WriteWindowUpdate(uint32(i%50)*2+1, 1) }},
		// Each byte is room for all 100.
		{name: "windows of one byte, of the connection", from: "CVE-2019-9511", n: 50_000, reads: true, settings: []http2.Setting{setting(http2.SettingInitialWindowSize, h2most)}, start: func(p *h2peer) {
			for range 100 {
				ask(p, "/big/f/1000000", true)
			}
			p.begun()
		}, once: func(p *h2peer, _ int) { _ = p.framer.WriteWindowUpdate(0, 1) }},
		// Each of the settings is one for all 100.
		{name: "2,700 windows in a frame", from: "CVE-2019-9515", n: 2000, reads: true, start: func(p *h2peer) {
			for range 100 {
				ask(p, "/hold/f", true)
			}
			p.begun()
		}, once: func(p *h2peer, i int) {
			var all []http2.Setting
			for j := range 2700 {
				all = append(all, setting(http2.SettingInitialWindowSize, uint32(i+j)))
			}
			_ = p.framer.WriteSettings(all...)
		}},
	}
}

// startBlock begins a head that does not end.
func startBlock(p *h2peer) {
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: p.stream(), BlockFragment: p.head("GET", "/f"), EndStream: true})
}

// startUpload begins a request whose body does not come.
func startUpload(p *h2peer) { p.open("POST", "/hash/f", false) }
