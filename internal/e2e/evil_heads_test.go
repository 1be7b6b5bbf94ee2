package e2e_test

import (
	"fmt"
	"slices"
	"strings"
)

// evilBehaviours is the whole table.
func evilBehaviours() []behaviour {
	return slices.Concat(evilProtocols(), evilStatusLines(), evilFields(), evilLengths(), evilChunks(), evilCuts(), evilInterims(), evilBodiless(),
		evilSurplus(), evilPace(), evilUploads(), evilConnections())
}

// answering writes a text in place of an answer to each request that comes on the connection.
func answering(text func(c *evilConn) string) func(c *evilConn) {
	return func(c *evilConn) {
		for ok := true; ok; ok = c.next() {
			c.say(text(c))
		}
	}
}

// instead is answering with always the same.
func instead(text string) func(c *evilConn) {
	return answering(func(*evilConn) string { return text })
}

// insteadAndClose writes text in place of an answer and closes.
func insteadAndClose(text string) func(c *evilConn) {
	return func(c *evilConn) { c.say(text) }
}

// evilProtocols are members that speak something else. None of them ever reads like an answer.
func evilProtocols() []behaviour {
	return []behaviour{
		{name: "protocol: HTTP/0.9, a body and nothing else", sees: "502", does: insteadAndClose("<html>hello</html>\r\n")},
		{name: "protocol: HTTP/2 settings and goaway", sees: "502", does: insteadAndClose("\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")},
		{name: "protocol: HTTP/2 client preface", sees: "502", does: insteadAndClose("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{name: "protocol: TLS alert", sees: "502", does: insteadAndClose("\x15\x03\x01\x00\x02\x02\x46")},
		{name: "protocol: SSH banner", sees: "502", does: insteadAndClose("SSH-2.0-OpenSSH_9.6\r\n")},
		{name: "protocol: a request instead of an answer", sees: "502", does: insteadAndClose("GET / HTTP/1.1\r\nHost: x\r\n\r\n")},
		{name: "protocol: bare JSON", sees: "502", does: insteadAndClose("{\"ok\": true}\n")},
		{name: "protocol: zero bytes", sees: "502", does: insteadAndClose(strings.Repeat("\x00", 512))},
		{name: "protocol: empty lines and nothing else", sees: "502", does: insteadAndClose("\r\n\r\n\r\n\r\n")},
		{name: "protocol: empty lines without end", sees: "502", does: func(c *evilConn) { c.flood("\r\n") }},
		{name: "protocol: HTTP/1.0 with a length", sees: "200", does: func(c *evilConn) { c.say(c.ownBody("HTTP/1.0 200 OK\r\n")) }},
		{name: "protocol: HTTP/1.0 without a length", sees: "200", does: func(c *evilConn) { c.say("HTTP/1.0 200 OK\r\n\r\n" + trueBody(c.token)) }},
	}
}

// evilStatusLines: RFC 9112 section 4, status-line = HTTP-version SP 3DIGIT SP [ reason-phrase ].
func evilStatusLines() []behaviour {
	line := func(name, sees, line string) behaviour {
		return behaviour{name: "status line: " + name, sees: sees, does: answering(func(c *evilConn) string { return c.ownBody(line + "\r\n") })}
	}
	return []behaviour{
		line("two digits", "502", "HTTP/1.1 20 OK"),
		line("four digits", "502", "HTTP/1.1 2000 OK"),
		line("letters", "502", "HTTP/1.1 abc OK"),
		line("negative", "502", "HTTP/1.1 -20 OK"),
		line("plus sign", "502", "HTTP/1.1 +20 OK"),
		line("code 000", "502", "HTTP/1.1 000 OK"),
		line("code 099", "502", "HTTP/1.1 099 OK"),
		line("code and reason in one", "502", "HTTP/1.1 200OK"),
		line("no code", "502", "HTTP/1.1 OK"),
		line("version alone", "502", "HTTP/1.1"),
		line("no space after the code", "502|200", "HTTP/1.1 200"),
		line("empty reason", "200", "HTTP/1.1 200 "),
		line("protocol in lower case", "502", "http/1.1 200 OK"),
		line("version 2.0", "502", "HTTP/2.0 200 OK"),
		line("version 1.2", "502", "HTTP/1.2 200 OK"),
		line("version 1.10", "502", "HTTP/1.10 200 OK"),
		line("version 01.1", "502", "HTTP/01.1 200 OK"),
		line("another protocol", "502", "ICY 200 OK"),
		line("two spaces", "502", "HTTP/1.1  200 OK"),
		line("tabs", "502", "HTTP/1.1\t200\tOK"),
		line("leading space", "502", " HTTP/1.1 200 OK"),
		line("NUL in the reason", "502", "HTTP/1.1 200 O\x00K"),
		line("bare CR in the reason", "502", "HTTP/1.1 200 OK\rX: y"),
		line("control byte in the reason", "502", "HTTP/1.1 200 O\x08K"),
		line("70 KiB of reason", "502", "HTTP/1.1 200 "+strings.Repeat("x", 70<<10)),
		line("code 600", "502|600", "HTTP/1.1 600 What"),
		line("after an empty line", "502|200", "\r\nHTTP/1.1 200 OK"),
	}
}

// evilFields: RFC 9112 section 5, RFC 9110 section 5.
func evilFields() []behaviour {
	fields := func(name, sees, lines string) behaviour {
		return behaviour{name: "fields: " + name, sees: sees, does: answering(func(c *evilConn) string { return c.ownBody("HTTP/1.1 200 OK\r\n" + lines) })}
	}
	endless := func(name, piece string) behaviour {
		return behaviour{name: "fields: " + name, sees: "502", does: func(c *evilConn) {
			c.say("HTTP/1.1 200 OK\r\nX-Long: ")
			c.flood(piece)
		}}
	}
	return []behaviour{
		fields("NUL in a value", "502", "X-A: a\x00b\r\n"),
		fields("NUL in a name", "502", "X-\x00A: ab\r\n"),
		fields("control byte in a value", "502", "X-A: a\x07b\r\n"),
		fields("DEL in a value", "502", "X-A: a\x7fb\r\n"),
		fields("bare CR in a value", "502", "X-A: a\rX-B: b\r\n"),
		fields("bare LF as the end of a line", "502", "X-A: a\nX-B: b\r\n"),
		fields("CR CR LF as the end of a line", "502", "X-A: a\r\r\n"),
		{name: "fields: LF alone everywhere", sees: "502", does: answering(func(c *evilConn) string { return strings.ReplaceAll(c.own(), "\r\n", "\n") })},
		fields("folded value", "502", "X-A: a\r\n b\r\n"),
		fields("folded value by a tab", "502", "X-A: a\r\n\tb\r\n"),
		fields("first line folded", "502", " X-A: a\r\n"),
		fields("space before the colon", "502", "X-A : a\r\n"),
		fields("space before the colon of Content-Length", "502", "Content-Length : 3\r\n"),
		fields("tab before the colon", "502", "X-A\t: a\r\n"),
		fields("no colon", "502", "X-A\r\n"),
		fields("empty name", "502", ": a\r\n"),
		fields("space in a name", "502", "X A: a\r\n"),
		fields("parenthesis in a name", "502", "X(A): a\r\n"),
		fields("8-bit name", "502", "X-\xe9: a\r\n"),
		fields("8-bit value", "200", "X-A: caf\xe9\r\n"),
		fields("1,000 of them", "502|200", strings.Repeat("X-A: a\r\n", 1000)),
		fields("70 KiB of head", "502", strings.Repeat("X-A: "+strings.Repeat("a", 2040)+"\r\n", 35)),
		fields("one of 70 KiB", "502", "X-A: "+strings.Repeat("a", 70<<10)+"\r\n"),
		fields("60 KiB of head", "200", strings.Repeat("X-A: "+strings.Repeat("a", 1017)+"\r\n", 60)),
		endless("endless line", "a"),
		endless("flood", "a\r\nX-More: "),
		endless("endless name", "a\r\nXXXXXXXX"),
	}
}

// evilLengths: RFC 9112 section 6.3. Two ways of saying where a body ends are a way of saying two things.
func evilLengths() []behaviour {
	framed := func(name, sees, lines, body string) behaviour {
		return behaviour{name: "length: " + name, sees: sees, does: instead("HTTP/1.1 200 OK\r\n" + lines + "\r\n" + body), wants: func(string) string { return "hello" }}
	}
	chunked := "5\r\nhello\r\n0\r\n\r\n"
	list := []behaviour{
		framed("with chunked", "502", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", chunked),
		framed("chunked with a length", "502", "Transfer-Encoding: chunked\r\nContent-Length: 15\r\n", chunked),
		framed("two that differ", "502", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
		framed("two that differ in a list", "502", "Content-Length: 5, 6\r\n", "hello!"),
		framed("twice the same", "502|200", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
		framed("the same in a list", "502|200", "Content-Length: 5, 5\r\n", "hello"),
		framed("huge", "502", "Content-Length: 99999999999999999999\r\n", "hello"),
		framed("unsigned overflow", "502", "Content-Length: 18446744073709551621\r\n", "hello"),
	}
	for _, value := range []string{"+5", "-5", "0x5", "5 5", "5;", "five", "", "5.0", "\"5\"", "5,"} {
		list = append(list, framed(fmt.Sprintf("%q", value), "502", "Content-Length: "+value+"\r\n", "hello"))
	}
	for _, value := range []string{"gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "x chunked", "chunked;q=1", "chunke", "", "\vchunked"} {
		list = append(list, framed(fmt.Sprintf("transfer encoding %q", value), "502", "Transfer-Encoding: "+value+"\r\n", chunked))
	}
	return append(list,
		framed("transfer encoding twice", "502", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunked),
		framed("transfer encoding hidden by a space", "502", "Transfer-Encoding : chunked\r\nContent-Length: 15\r\n", chunked),
		framed("transfer encoding in capitals", "200", "TRANSFER-ENCODING: Chunked\r\n", chunked),
		behaviour{name: "length: transfer encoding in HTTP/1.0", sees: "502", does: insteadAndClose("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)},
		behaviour{name: "length: transfer encoding gzip until the end", sees: "502", does: insteadAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello")},
	)
}

// evilChunks: RFC 9112 section 7.1. When the head went to the client already, the answer must visibly break off.
func evilChunks() []behaviour {
	const start = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const broken = "502|200…"
	chunks := func(name, sees, body string) behaviour {
		return behaviour{name: "chunks: " + name, sees: sees, does: instead(start + body), wants: func(string) string { return "hello" }}
	}
	flood := func(name, first, piece string) behaviour {
		return behaviour{name: "chunks: " + name, sees: broken, does: func(c *evilConn) {
			c.say(start + first)
			c.flood(piece)
		}}
	}
	var list []behaviour
	for _, size := range []string{"zz", "", "-5", "+5", "0x5", " 5", "5,", "\t5", "FFFFFFFFFFFFFFFFF", "10000000000000005", "8000000000000000", "5g"} {
		list = append(list, chunks(fmt.Sprintf("size %q", size), broken, size+"\r\nhello\r\n0\r\n\r\n"))
	}
	return append(list,
		chunks("proper", "200", "5\r\nhello\r\n0\r\n\r\n"),
		chunks("proper, with an extension", "200", "5;a=\"b;c\"\r\nhello\r\n0;x\r\n\r\n"),
		chunks("proper, with a trailer", "200", "5\r\nhello\r\n0\r\nX-T: t\r\n\r\n"),
		chunks("padded size, as old servers write it", broken+"|200", "5  \r\nhello\r\n0\r\n\r\n"),
		chunks("garbage after a good one", broken, "5\r\nhello\r\nzz\r\n"),
		chunks("no CR LF after the data", broken, "5\r\nhello0\r\n\r\n"),
		chunks("longer than their size", broken, "3\r\nhello\r\n0\r\n\r\n"),
		chunks("LF alone after the size", broken, "5\nhello\r\n0\r\n\r\n"),
		chunks("LF alone after the data", broken, "5\r\nhello\n0\r\n\r\n"),
		chunks("CR alone after the size", broken, "5\rhello\r\n0\r\n\r\n"),
		chunks("NUL in an extension", broken, "5;a\x00b\r\nhello\r\n0\r\n\r\n"),
		chunks("LF in an extension", broken, "5;a\nb\r\nhello\r\n0\r\n\r\n"),
		chunks("NUL in a trailer", broken, "5\r\nhello\r\n0\r\nX-T: a\x00b\r\n\r\n"),
		chunks("folded trailer", broken, "5\r\nhello\r\n0\r\nX-T: a\r\n b\r\n\r\n"),
		chunks("trailer without a colon", broken, "5\r\nhello\r\n0\r\nX-T\r\n\r\n"),
		chunks("trailer of 70 KiB", broken, "5\r\nhello\r\n0\r\nX-T: "+strings.Repeat("a", 70<<10)+"\r\n\r\n"),
		flood("endless size", "", "0"),
		flood("endless extension", "5;a=", "a"),
		flood("an extension on each of endless small ones", "", "1;"+strings.Repeat("a", 1000)+"\r\nx\r\n"),
		flood("endless trailer", "5\r\nhello\r\n0\r\nX-T: ", "a"),
		flood("flood of trailers", "5\r\nhello\r\n0\r\n", "X-T: a\r\n"),
	)
}
