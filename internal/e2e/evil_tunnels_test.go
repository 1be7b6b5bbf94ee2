package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/net/websocket"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// tunnelClients leave a websocket behind, or speak HTTP/1.0.
func tunnelClients() []evilClient {
	ended := func(a *attack, token string) error {
		return a.member.await(a.ctx, token, "the websocket is over", func(v visit) bool { return v.came == 1 && v.ended == 1 })
	}
	return []evilClient{
		{"websocket: idles", func(a *attack) error {
			ws, c, token, err := a.websocket()
			if err != nil {
				return err
			}
			defer ws.Close()
			return errors.Join(c.endsWithin(answerLimit), ended(a, token))
		}},
		{"websocket: reset", func(a *attack) error {
			_, c, token, err := a.websocket()
			if err != nil {
				return err
			}
			c.reset()
			return ended(a, token)
		}},
		{"websocket: closed in the middle of a frame", func(a *attack) error {
			_, c, token, err := a.websocket()
			if err != nil {
				return err
			}
			err = c.say("\x82\xfe\x10\x00")
			_ = c.Close()
			return errors.Join(err, ended(a, token))
		}},
		{"websocket: sends and never reads", func(a *attack) error {
			ws, _, token, err := a.websocket()
			if err != nil {
				return err
			}
			defer ws.Close()
			frame := bytes.Repeat([]byte("x"), 32<<10)
			for sent := 0; sent < 64<<20; sent += len(frame) {
				if _, err := ws.Write(frame); err != nil {
					return ended(a, token)
				}
			}
			return errors.New("64 MiB went somewhere")
		}},
		{"websocket: asked for, and something else sent", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			token := a.token()
			// The member refuses: no key. What follows is a request like any other.
			return errors.Join(c.say("GET /ws/%s HTTP/1.1\r\nHost: good.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /%s HTTP/1.1\r\nHost: good.test\r\n\r\n", token, token),
				c.expectStatusIn(400, 403, 426), c.expectAny(200, goodBody(token)))
		}},
		{"HTTP/1.0: answered and closed", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			return errors.Join(c.say("GET /old HTTP/1.0\r\nHost: good.test\r\n\r\n"), c.expect(200, goodBody("old")), c.cutOff())
		}},
		{"HTTP/1.0: keep-alive is kept, or the end announced", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			for i := range 3 {
				token := a.token()
				if err := c.say("GET /%s HTTP/1.0\r\nHost: good.test\r\nConnection: keep-alive\r\n\r\n", token); err != nil {
					return err
				}
				r := c.reply("GET")
				if r.err != nil || r.status != 200 || string(r.body) != goodBody(token) {
					return errors.Join(fmt.Errorf("request %d: %s %q", i, r.verdict(), r.body), r.err)
				}
				if !strings.EqualFold(r.header.Get("Connection"), "keep-alive") {
					return c.cutOff()
				}
			}
			return nil
		}},
		{"HTTP/1.0: an answer in chunks comes without them", func(a *attack) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			if err := c.say("GET /chunks/%s/200000 HTTP/1.0\r\nHost: good.test\r\nConnection: keep-alive\r\n\r\n", a.token()); err != nil {
				return err
			}
			text, err := io.ReadAll(c.in)
			head, body, _ := strings.Cut(string(text), "\r\n\r\n")
			if err != nil || body != strings.Repeat("u", 200_000) || strings.Contains(strings.ToLower(head), "transfer-encoding") {
				return errors.Join(fmt.Errorf("head %q, %d bytes of body", head, len(body)), err)
			}
			return nil
		}},
	}
}

func (c *wireTap) expectStatusIn(statuses ...int) error {
	r := c.reply("GET")
	for _, s := range statuses {
		if r.err == nil && r.status == s {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("got %s, want one of %v", r.verdict(), statuses), r.err)
}

// expectAny takes a good answer, or the end of the connection.
func (c *wireTap) expectAny(status int, body string) error {
	if _, err := c.in.Peek(1); err != nil && !isTimeout(err) {
		return nil
	}
	return c.expect(status, body)
}

// websocket opens one to the member and sees that it echoes.
func (a *attack) websocket() (ws *websocket.Conn, c *wireTap, token string, err error) {
	if c, err = a.dial(); err != nil {
		return nil, nil, "", err
	}
	token = a.token()
	config, err := websocket.NewConfig("ws://good.test/ws/"+token, "http://good.test/")
	if err != nil {
		return nil, nil, "", err
	}
	if ws, err = websocket.NewClient(config, c.Conn); err != nil {
		return nil, nil, "", fmt.Errorf("websocket: %w", err)
	}
	got := make([]byte, 5)
	if _, err = ws.Write([]byte("hello")); err == nil {
		_, err = io.ReadFull(ws, got)
	}
	if err == nil && string(got) != "hello" {
		err = fmt.Errorf("the echo is %q", got)
	}
	return ws, c, token, err
}

// http2Clients abuse HTTP/2's own ways of being cheap for the client and dear for the server.
func http2Clients() []evilClient {
	return []evilClient{
		{"HTTP/2: rapid reset (CVE-2023-44487)", func(a *attack) error {
			f, err := a.http2()
			if err != nil {
				return err
			}
			for i := range uint32(3000) {
				if f.headers(2*i+1, "/slow/"+a.token(), true) != nil || f.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
					break // it had enough
				}
			}
			_ = f.conn.Close()
			return a.expectGood()
		}},
		{"HTTP/2: endless continuation (CVE-2023-45288)", func(a *attack) error {
			f, err := a.http2()
			if err != nil {
				return err
			}
			if err := f.headers(1, "/echo/"+a.token(), false); err != nil {
				return err
			}
			piece := bytes.Repeat(f.field("x-more", strings.Repeat("y", 500)), 16)
			for sent := 0; f.WriteContinuation(1, false, piece) == nil; sent += len(piece) {
				if sent > maxFlood {
					return fmt.Errorf("elb took %d MiB of a head", sent>>20)
				}
			}
			return a.expectGood()
		}},
		{"HTTP/2: never opens its window", func(a *attack) error {
			f, err := a.http2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			if err != nil {
				return err
			}
			token := a.token()
			if err := f.headers(1, "/big/"+token+"/64000000", true); err != nil {
				return err
			}
			return a.member.await(a.ctx, token, "the load balancer lets go of it", func(v visit) bool { return v.came == 1 && v.ended == 1 && v.refused == 1 })
		}},
		{"HTTP/2: a body that stops", func(a *attack) error {
			f, err := a.http2()
			if err != nil {
				return err
			}
			token := a.token()
			if err := f.headers(1, "/echo/"+token, true, "content-length", "1000000"); err != nil {
				return err
			}
			return a.member.await(a.ctx, token, "the body broke off", func(v visit) bool { return v.came == 1 && v.ended == 1 && v.whole == 0 })
		}},
		{"HTTP/2: settings and pings without end, never read", func(a *attack) error {
			f, err := a.http2()
			if err != nil {
				return err
			}
			for range 200_000 {
				if f.WriteSettings() != nil || f.WritePing(false, [8]byte{1}) != nil {
					break // it had enough
				}
			}
			_ = f.conn.Close()
			return a.expectGood()
		}},
		{"HTTP/2: silent after the handshake", func(a *attack) error {
			c, err := a.dialTLS("h2")
			if err != nil {
				return err
			}
			return c.endsWithin(answerLimit)
		}},
		{"HTTP/2: idle after the preface", func(a *attack) error {
			f, err := a.http2()
			if err != nil {
				return err
			}
			return (&wireTap{Conn: f.conn, in: newReader(f.conn)}).endsWithin(answerLimit)
		}},
		{"HTTP/2: garbage after the preface", func(a *attack) error {
			f, err := a.http2()
			if err != nil {
				return err
			}
			if _, err := f.conn.Write(bytes.Repeat([]byte("garbage "), 1000)); err != nil {
				return err
			}
			return (&wireTap{Conn: f.conn, in: newReader(f.conn)}).endsWithin(answerLimit)
		}},
	}
}

// framer is an HTTP/2 connection, frame by frame.
type framer struct {
	*http2.Framer
	conn net.Conn
	enc  *hpack.Encoder
	buf  bytes.Buffer
}

func (a *attack) http2(settings ...http2.Setting) (*framer, error) {
	c, err := a.dialTLS("h2")
	if err != nil {
		return nil, err
	}
	f := &framer{Framer: http2.NewFramer(c.Conn, c.Conn), conn: c.Conn}
	f.enc = hpack.NewEncoder(&f.buf)
	if err := c.say("%s", http2.ClientPreface); err != nil {
		return nil, err
	}
	return f, f.WriteSettings(settings...)
}

// field is one field of a head, encoded.
func (f *framer) field(name, value string) []byte {
	f.buf.Reset()
	_ = f.enc.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true}) // into a buffer: it cannot fail
	return bytes.Clone(f.buf.Bytes())
}

// headers opens a stream. more is further fields: with content-length it is the start of an upload.
func (f *framer) headers(stream uint32, path string, endHeaders bool, more ...string) error {
	method := "GET"
	if len(more) > 0 {
		method = "PUT"
	}
	var block []byte
	for _, kv := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "good.test"}, {":path", path}} {
		block = append(block, f.field(kv[0], kv[1])...)
	}
	for i := 0; i+1 < len(more); i += 2 {
		block = append(block, f.field(more[i], more[i+1])...)
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: endHeaders, EndStream: method == "GET"})
}
