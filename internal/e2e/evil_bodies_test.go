package e2e_test

import (
	"fmt"
	"strings"
	"time"
)

const (
	bigSize  = 1 << 20 // too big to be held back until it is whole
	chunkedH = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
)

func bigBody(string) string { return strings.Repeat("b", bigSize) }

// evilCuts are members that end the connection somewhere in an answer, by FIN and by RST. Before the head went to the client it is a 502 and the
// request can be sent again; after it, the client must notice that something is missing.
func evilCuts() []behaviour {
	const broken = "502|200…"
	cuts := []struct{ where, text, sees string }{
		{"before the status line", "", "502"},
		{"in the protocol", "HT", "502"},
		{"in the status line", "HTTP/1.1 2", "502"},
		{"after the status line", "HTTP/1.1 200 OK\r\n", "502"},
		{"in a field's name", "HTTP/1.1 200 OK\r\nContent-Le", "502"},
		{"in a field's value", "HTTP/1.1 200 OK\r\nContent-Length: 1", "502"},
		{"before the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "502"},
		{"in the empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r", "502"},
		{"after the head of a small body", okHead(100), "502"},
		{"in a small body", okHead(100) + "ninety-nine" + strings.Repeat(".", 88), "502"},
		{"in a body just small enough to be held", okHead(64<<10) + strings.Repeat("x", 64<<10-1), "502"},
		{"after the head of a big body", okHead(bigSize), broken},
		{"in a big body", okHead(bigSize) + strings.Repeat("x", 300<<10), broken},
		{"before the last byte of a big body", okHead(bigSize) + strings.Repeat("x", bigSize-1), broken},
		{"after the head of a chunked body", chunkedH, broken},
		{"in a chunk's size", chunkedH + "5", broken},
		{"after a chunk's size", chunkedH + "5\r\n", broken},
		{"in a chunk", chunkedH + "5\r\nhel", broken},
		{"after a chunk's data", chunkedH + "5\r\nhello", broken},
		{"between chunks", chunkedH + "5\r\nhello\r\n", broken},
		{"between big chunks", chunkedH + "40000\r\n" + strings.Repeat("x", 256<<10) + "\r\n", broken},
		{"in the last chunk", chunkedH + "5\r\nhello\r\n0\r", broken},
		{"before the trailers", chunkedH + "5\r\nhello\r\n0\r\n", broken},
		{"in the trailers", chunkedH + "5\r\nhello\r\n0\r\nX-T: a", broken},
		{"after the trailers", chunkedH + "5\r\nhello\r\n0\r\nX-T: a\r\n", broken},
		{"after an interim answer", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "502"},
		{"after an interim answer and a bit", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20", "502"},
	}
	list := []behaviour{
		{name: "close: after a body without length", sees: "200", does: func(c *evilConn) { c.say("HTTP/1.1 200 OK\r\n\r\n" + trueBody(c.token)) }},
		{name: "reset: in a body without length", sees: broken, does: func(c *evilConn) {
			c.say("HTTP/1.1 200 OK\r\n\r\n" + trueBody(c.token))
			c.reset()
		}},
		{name: "reset: after a whole small answer", sees: "200|502", does: func(c *evilConn) {
			c.say(c.own())
			c.reset()
		}},
	}
	for _, cut := range cuts {
		list = append(list,
			behaviour{name: "close: " + cut.where, sees: cut.sees, does: insteadAndClose(cut.text)},
			behaviour{name: "reset: " + cut.where, sees: cut.sees, does: func(c *evilConn) {
				c.say(cut.text)
				c.reset()
			}})
	}
	return list
}

// evilInterims: RFC 9110 section 15.2.
func evilInterims() []behaviour {
	before := func(name, sees, text string) behaviour {
		return behaviour{name: "interim: " + name, sees: sees, does: answering(func(c *evilConn) string { return text + c.own() })}
	}
	flood := func(name, text string) behaviour {
		return behaviour{name: "interim: " + name, sees: "502|504", does: func(c *evilConn) { c.flood(text) }}
	}
	switched := func(name, text string, asked bool) behaviour {
		return behaviour{name: "interim: " + name, sees: "502", does: func(c *evilConn) {
			c.say(text + "\r\n" + poisoned)
			c.untilGone()
		}, ask: func(q *question) {
			if asked {
				q.fields = []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
			}
		}}
	}
	// Over HTTP/2 and HTTP/1.0 nobody can ask for an upgrade this way, so the very same answer is an unasked one.
	return []behaviour{
		before("100 unasked", "200", "HTTP/1.1 100 Continue\r\n\r\n"),
		before("103, twice", "200", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n", 2)),
		before("a number that nobody knows", "200", "HTTP/1.1 199 What\r\n\r\n"),
		before("with a length", "502|200", "HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n"),
		before("with NUL in a field", "502", "HTTP/1.1 103 Early Hints\r\nX-A: a\x00b\r\n\r\n"),
		before("with a space before the colon", "502", "HTTP/1.1 103 Early Hints\r\nX-A : a\r\n\r\n"),
		flood("endless 100", "HTTP/1.1 100 Continue\r\n\r\n"),
		flood("endless 103 with fields", "HTTP/1.1 103 Early Hints\r\nLink: <"+strings.Repeat("a", 1000)+">\r\n\r\n"),
		switched("101 unasked", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", false),
		switched("101 to another protocol than asked", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", true),
		switched("101 that names no protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n", true),
	}
}

// evilBodiless: RFC 9112 section 6.3: these end with their heads, whatever the fields say.
func evilBodiless() []behaviour {
	none := func(string) string { return "" }
	lines := []struct{ name, sees, text string }{
		{"204 with a body", "204|502", "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n" + poison},
		{"204 with a chunked body", "204|502", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + poison + "\r\n0\r\n\r\n"},
		{"204 with a whole second answer", "204|502", "HTTP/1.1 204 No Content\r\n\r\n" + poisoned},
		{"304 with a body", "304|502", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 7\r\n\r\n" + poison},
		{"304 with a whole second answer", "304|502", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n" + poisoned},
	}
	var list []behaviour
	for _, l := range lines {
		list = append(list, behaviour{name: "no body: " + l.name, sees: l.sees, does: instead(l.text), wants: none, ask: func(q *question) { q.fields = []string{"If-None-Match", `"a"`} }})
	}
	askHead := func(q *question) { q.method = "HEAD" }
	return append(list,
		behaviour{name: "no body: HEAD with a body", sees: "200|502", does: instead(okHead(7) + poison), wants: none, ask: askHead},
		behaviour{name: "no body: HEAD with a chunked body", sees: "200|502", does: instead(chunkedH + "7\r\n" + poison + "\r\n0\r\n\r\n"), wants: none, ask: askHead},
		behaviour{name: "no body: HEAD with a whole second answer", sees: "200|502", does: instead(okHead(7) + poisoned), wants: none, ask: askHead},
	)
}

// evilSurplus are members that send more than their answer. None of it may reach anybody: whoever comes next would take it for an answer.
func evilSurplus() []behaviour {
	after := func(name, sees, text string) behaviour {
		return behaviour{name: "surplus: " + name, sees: sees, does: answering(func(c *evilConn) string { return c.own() + text })}
	}
	late := func(name, text string) behaviour {
		return behaviour{name: "surplus: " + name, sees: "200", does: func(c *evilConn) {
			for ok := true; ok; ok = c.next() {
				_ = c.say(c.own()) && c.pause(50*time.Millisecond) && c.say(text)
			}
		}}
	}
	return []behaviour{
		after("body longer than its length", "200|502", "and more"),
		after("one byte", "200|502", "x"),
		after("an empty line", "200|502", "\r\n"),
		after("a whole second answer", "200|502", poisoned),
		after("a whole second answer after an empty line", "200|502", "\r\n"+poisoned),
		after("the start of a second answer", "200|502", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\npoison"),
		after("a hundred answers", "200|502", strings.Repeat(poisoned, 100)),
		after("an interim answer", "200|502", "HTTP/1.1 103 Early Hints\r\n\r\n"),
		{name: "surplus: a whole second answer after a chunked one", sees: "200|502", does: answering(func(c *evilConn) string {
			return fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", chunkedH, len(trueBody(c.token)), trueBody(c.token)) + poisoned
		})},
		{name: "surplus: a whole second answer after a big one", sees: "200", wants: bigBody, does: instead(okHead(bigSize) + bigBody("") + poisoned)},
		{name: "surplus: endless", sees: "200|502", does: func(c *evilConn) {
			c.say(c.own())
			c.flood(poisoned)
		}},
		late("a whole second answer, late", poisoned),
		late("one byte, late", "x"),
		{name: "surplus: an answer before any request", sees: "502|200", wants: func(string) string { return poison }, opens: func(c *evilConn) {
			// Nobody can tell it from a quick answer, if it comes when the request is on its way; but it is worth one answer, not two.
			c.say(poisoned)
			if c.next() {
				c.say(c.own())
			}
			c.untilGone()
		}},
		{name: "surplus: garbage before any request", sees: "502", opens: func(c *evilConn) {
			c.say("220 mail.test ESMTP\r\n")
			c.untilGone()
		}},
	}
}

// evilPace are members that take their time.
func evilPace() []behaviour {
	const (
		step   = 4 * time.Millisecond   // 60 bytes take far less than a head may
		slowly = 100 * time.Millisecond // and 60 of these three times as long
	)
	return []behaviour{
		{name: "pace: head byte by byte, in time", sees: "200", does: func(c *evilConn) {
			for ok := true; ok; ok = c.next() {
				c.trickle(c.own(), step)
			}
		}},
		{name: "pace: head byte by byte, for ever", sees: "504", does: func(c *evilConn) {
			_ = c.say("HTTP/1.1 200 OK\r\nX-Slow: ") && c.trickle(strings.Repeat("z", 300), slowly)
		}},
		{name: "pace: interim answers for ever", sees: "504|502", does: func(c *evilConn) {
			for c.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") && c.pause(slowly) {
			}
		}},
		{name: "pace: small body byte by byte", sees: "200", does: func(c *evilConn) {
			for ok := true; ok; ok = c.next() {
				_ = c.say(okHead(len(trueBody(c.token)))) && c.trickle(trueBody(c.token), step)
			}
		}},
		{name: "pace: chunk by chunk", sees: "200", does: func(c *evilConn) {
			for ok := true; ok; ok = c.next() {
				c.say(chunkedH)
				for _, b := range trueBody(c.token) {
					_ = c.say(fmt.Sprintf("1\r\n%c\r\n", b)) && c.pause(step)
				}
				c.say("0\r\n\r\n")
			}
		}},
		{name: "pace: stops before the head", sees: "504", does: func(c *evilConn) { c.untilGone() }},
		{name: "pace: stops in the status line", sees: "504", does: instead("HTTP/1.1 20")},
		{name: "pace: stops in the fields", sees: "504", does: instead("HTTP/1.1 200 OK\r\nContent-Le")},
		{name: "pace: stops after 100", sees: "504", does: instead("HTTP/1.1 100 Continue\r\n\r\n")},
		{name: "pace: stops in a small body", sees: "504", does: instead(okHead(100) + "some")},
		{name: "pace: stops in a big body", sees: "504|200…", does: instead(okHead(bigSize) + strings.Repeat("x", 300<<10))},
		{name: "pace: stops in a chunk", sees: "504|200…", does: instead(chunkedH + "5\r\nhel")},
		{name: "pace: stops between chunks", sees: "504|200…", does: instead(chunkedH + "5\r\nhello\r\n")},
		{name: "pace: stops before the last chunk's end", sees: "504|200…", does: instead(chunkedH + "5\r\nhello\r\n0\r\n")},
		{name: "pace: stops in the trailers", sees: "504|200…", does: instead(chunkedH + "5\r\nhello\r\n0\r\nX-T: a")},
		{name: "pace: stops in a body without length", sees: "504|200…", does: func(c *evilConn) {
			c.say("HTTP/1.1 200 OK\r\n\r\n" + trueBody(c.token))
			c.untilGone()
		}},
	}
}

const (
	bigUpload  = 8 << 20  // passed on as it comes
	hugeUpload = 32 << 20 // and more than all sockets on its way hold
)

// evilUploads are members that do not take what they are sent.
func evilUploads() []behaviour {
	put := func(q *question) { q.method, q.upload = "PUT", bigUpload }
	putHuge := func(q *question) { q.method, q.upload = "PUT", hugeUpload }
	small := func(q *question) { q.method, q.upload = "PUT", 20<<10 }
	const refused = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\ntoo large\n"
	tooLarge := func(string) string { return "too large\n" }
	return []behaviour{
		{name: "upload: never reads it", sees: "504|502", ask: putHuge, does: func(c *evilConn) {
			c.rest()
			c.pause(evilPatience)
		}},
		{name: "upload: reads some and stops", sees: "504|502", ask: putHuge, does: func(c *evilConn) {
			c.upload(100 << 10)
			c.rest()
			c.pause(evilPatience)
		}},
		{name: "upload: closes unread", sees: "502", ask: put, does: func(*evilConn) {}},
		{name: "upload: closes in the middle", sees: "502", ask: put, does: func(c *evilConn) { c.upload(1 << 20) }},
		{name: "upload: resets in the middle", sees: "502", ask: put, does: func(c *evilConn) {
			c.upload(1 << 20)
			c.reset()
		}},
		{name: "upload: resets a small one", sees: "502", ask: small, does: func(c *evilConn) {
			c.upload(1 << 10)
			c.reset()
		}},
		{name: "upload: closes after a small one", sees: "502", ask: small, does: func(c *evilConn) { c.upload(20 << 10) }},
		{name: "upload: closes after a small POST", sees: "502", ask: func(q *question) { q.method, q.upload = "POST", 20<<10 }, does: func(c *evilConn) { c.upload(20 << 10) }},
		{name: "upload: refuses early and reads on", sees: "413", ask: put, wants: tooLarge, does: func(c *evilConn) {
			c.say(refused)
			c.untilGone()
		}},
		{name: "upload: refuses early and closes", sees: "413|502", ask: put, wants: tooLarge, does: insteadAndClose(refused)},
		{name: "upload: refuses early, reads no more and waits", sees: "413", ask: putHuge, wants: tooLarge, does: func(c *evilConn) {
			c.say(refused)
			c.rest()
			c.pause(evilPatience)
		}},
		{name: "upload: refuses in the middle and closes", sees: "413|502", ask: put, wants: tooLarge, does: func(c *evilConn) {
			c.upload(1 << 20)
			c.say(refused)
		}},
		{name: "upload: refuses in the middle and resets", sees: "413|502", ask: put, wants: tooLarge, does: func(c *evilConn) {
			c.upload(1 << 20)
			c.say(refused)
			c.reset()
		}},
		{name: "upload: says 417", sees: "417", ask: put, wants: func(string) string { return "" }, does: func(c *evilConn) {
			c.say("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
			c.untilGone()
		}},
		{name: "upload: garbage in the middle", sees: "502", ask: put, does: func(c *evilConn) {
			c.upload(1 << 20)
			c.say("garbage\r\n\r\n")
			c.untilGone()
		}},
		{name: "upload: takes it slowly", sees: "200", ask: func(q *question) { q.method, q.upload = "PUT", 256<<10 }, does: func(c *evilConn) {
			for ok := true; ok; ok = c.next() {
				for range 16 {
					c.upload(16 << 10)
					c.pause(20 * time.Millisecond)
				}
				c.say(c.own())
			}
		}},
	}
}

// evilConnections are members that mishandle the connection itself.
func evilConnections() []behaviour {
	post := func(q *question) { q.method, q.upload = "POST", 5 }
	closesSecond := func(end func(c *evilConn)) func(c *evilConn) {
		return func(c *evilConn) {
			c.upload(c.length)
			c.say(c.own())
			if c.next() {
				end(c)
			}
		}
	}
	closeNow := func(*evilConn) {}
	return []behaviour{
		{name: "connection: refused", sees: "502", gone: true},
		{name: "connection: never accepted", sees: "504", deaf: true},
		{name: "connection: closed when opened", sees: "502", opens: closeNow},
		{name: "connection: reset when opened", sees: "502", opens: (*evilConn).reset},
		{name: "connection: half-closed when opened", sees: "502|504", opens: func(c *evilConn) {
			_ = c.CloseWrite()
			c.untilGone()
		}},
		{name: "connection: half-closed instead of an answer", sees: "502", does: func(c *evilConn) {
			_ = c.CloseWrite()
			c.untilGone()
		}},
		{name: "connection: half-closed after the answer", sees: "200", does: func(c *evilConn) {
			c.say(c.own())
			_ = c.CloseWrite()
			c.untilGone()
		}},
		{name: "connection: closed after each answer, unannounced", sees: "200", does: func(c *evilConn) { c.say(c.own()) }},
		{name: "connection: closed a moment after each answer", sees: "200", does: func(c *evilConn) {
			c.say(c.own())
			c.rest()
			c.pause(time.Millisecond)
		}},
		{name: "connection: announced to close, and kept open", sees: "200", does: answering(func(c *evilConn) string { return c.ownBody("HTTP/1.1 200 OK\r\nConnection: close\r\n") })},
		// A GET that met a connection which the member was just giving up is sent again on a fresh one; a POST is not, since it may have been acted on.
		{name: "connection: closed on the second request", sees: "200", does: closesSecond(closeNow)},
		{name: "connection: reset on the second request", sees: "200", does: closesSecond((*evilConn).reset)},
		{name: "connection: closed on a second POST", sees: "200|502", ask: post, does: closesSecond(closeNow)},
		{name: "connection: garbage on the second request", sees: "200|502", does: closesSecond(func(c *evilConn) {
			c.say("garbage\r\n\r\n")
			c.untilGone()
		})},
		{name: "connection: a body without length that lingers, then closes", sees: "200", does: func(c *evilConn) {
			c.say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + trueBody(c.token))
			c.pause(300 * time.Millisecond)
		}},
		{name: "connection: keep-alive that lies", sees: "200", does: func(c *evilConn) {
			c.say(c.ownBody("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=600, max=1000\r\n"))
		}},
	}
}
