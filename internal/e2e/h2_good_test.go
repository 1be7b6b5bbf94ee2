package e2e_test

// Good clients over HTTP/2 that ask for much, or for what is seldom asked for. Every byte is compared.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/regent-registry/regent/internal/e2e"
)

// h2Sizes are just around those at which something changes, and big ones.
func h2Sizes() []int {
	sizes := []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, h2window, h2window + 1, keepMost, keepMost + 1, 256<<10 + 1, 1 << 20}
	return append(sizes, 20<<20)
}

// TestHTTP2_GoodClients shares one load balancer; each case has a connection of its own.
func TestHTTP2_GoodClients(t *testing.T) {
	slow(t)
	t.Parallel()
	m := startH2Member(t)
	elb := startLoneELB(t, "access_log: false\ntimeouts: {idle: 5s, member_idle: 2s}\n", []loneService{{"good.test", []string{m.addr}}})
	cases := slices.Concat(h2Transfers(), h2Rare(), m.talks(), h2Early())
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := &attack{elb: elb, member: m.witness, ctx: t.Context(), number: i}
			defer a.close()
			if err := c.does(a); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("100 streams at once, net/http", func(t *testing.T) {
		front := newHTTP2Front(elb)
		defer front.close()
		manyStreams(t, front.client, front.url)
	})
	t.Run("100 streams at once, other settings", func(t *testing.T) {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: elb.tlsConfig(), ForceAttemptHTTP2: true, DisableCompression: true,
			HTTP2: &http.HTTP2Config{
				StrictMaxConcurrentRequests: true, MaxReadFrameSize: 256 << 10, MaxDecoderHeaderTableSize: 1 << 10,
				MaxReceiveBufferPerStream: 20 << 10, MaxReceiveBufferPerConnection: 100 << 10, SendPingTimeout: time.Second,
			},
		}}
		defer client.CloseIdleConnections()
		manyStreams(t, client, "https://"+elb.httpsAddr)
	})
	elb.checkBase(30 * time.Second)
}

// h2Transfers are downloads and uploads of all sizes, frame by frame.
func h2Transfers() []evilClient {
	down := func(how string) evilClient {
		return onPeer("downloads, "+how, func(a *attack, p *h2peer) error {
			for _, n := range h2Sizes() {
				id := p.get(fmt.Sprintf("/random/%s/%d/%s", a.token(), n, how))
				if err := p.expect(id, 200, ""); err != nil {
					return err
				}
				s := p.streams[id]
				if hashOf(s.body.Bytes()) != hashOf(randomBytes(n)) || how == "length" && s.value("content-length") != strconv.Itoa(n) {
					return fmt.Errorf("%d bytes: length %q, %v", n, s.value("content-length"), s)
				}
			}
			return nil
		})
	}
	up := func(how string, fields func(n int) []string) evilClient {
		return onPeer("uploads, "+how, func(a *attack, p *h2peer) error {
			for _, n := range h2Sizes() {
				id, data := p.open("POST", "/hash/"+a.token(), false, fields(n)...), randomBytes(n)
				want := fmt.Sprintf("%d %s te=\"\"", n, hashOf(data))
				if err := errors.Join(p.upload(id, true, data), p.expect(id, 200, want)); err != nil {
					return fmt.Errorf("%d bytes: %w", n, err)
				}
			}
			return nil
		})
	}
	return []evilClient{
		down("length"), down("chunked"),
		up("of known length", lengthOf), up("of unknown length", func(int) []string { return nil }),
		onPeer("1000 requests, one after the other", func(a *attack, p *h2peer) error {
			for range 1000 {
				if err := p.expectGood(a); err != nil {
					return err
				}
			}
			return nil
		}),
		// Whoever keeps to the limit is never refused: a stream that is over does not count (RFC 9113 section 5.1.2).
		onPeer("as many requests at once as there may be, all the time", func(a *attack, p *h2peer) error {
			limit, running := int(p.settings[http2.SettingMaxConcurrentStreams]), map[uint32]string{}
			for begun, total := 0, e2e.Scale(100_000, 5000); begun < total || len(running) > 0; {
				for begun < total && len(running) < limit {
					token := a.token()
					path := "/"
					if begun++; begun%50 == 0 {
						path = "/slow/"
					}
					running[p.get(path+token)] = goodBody(token)
				}
				before := len(running)
				err := p.until("an answer", func() bool {
					for id, want := range running {
						if s := p.streams[id]; s.reset || s.ended {
							if s.body.String() != want {
								return true // it stays, and there is no end
							}
							delete(running, id)
							delete(p.streams, id)
						}
					}
					return len(running) < before
				})
				if err != nil {
					return err
				}
				for id := range running {
					if s := p.streams[id]; s.reset {
						return fmt.Errorf("stream %d of %d: %v", id, begun, s)
					}
				}
			}
			return nil
		}),
	}
}

// manyStreams mixes sizes and directions on one connection.
func manyStreams(t *testing.T, client *http.Client, url string) {
	t.Helper()
	tally := e2e.NewTally()
	e2e.InParallel(100, func(i int) {
		began := time.Now()
		tally.Record("exchange", time.Since(began), func() error {
			n := []int{10, 5_000, 100_000, 500_000}[i%4] + i
			method, path, body, want := "GET", fmt.Sprintf("/random/m%d/%d/%s", i, n, []string{"length", "chunked"}[i/4%2]), io.Reader(nil), string(randomBytes(n))
			if i%3 == 0 {
				method, path, body, want = "POST", fmt.Sprintf("/hash/m%d", i), randomOf(n), fmt.Sprintf("%d %s te=\"\"", n, hashOf(randomBytes(n)))
			}
			req, err := http.NewRequestWithContext(t.Context(), method, url+path, body)
			if err != nil {
				return err
			}
			if req.Host = "good.test"; i%2 == 0 && body != nil {
				req.ContentLength = int64(n)
			}
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err == nil && (res.ProtoMajor != 2 || res.StatusCode != 200 || string(got) != want) {
				err = fmt.Errorf("%s %s: %s, %s, %d bytes, %.80q", method, path, res.Proto, res.Status, len(got), got[:min(80, len(got))])
			}
			return err
		}())
	})
	if tally.Failed() > 0 {
		t.Error(tally)
	}
}

// h2Rare are answers and requests of rare kinds.
func h2Rare() []evilClient {
	empty := func(name, method string, status int, length string) evilClient {
		return onPeer(name, func(a *attack, p *h2peer) error {
			id := p.open(method, "/status/"+a.token()+"/"+strconv.Itoa(status), true)
			err := p.expect(id, status, "")
			s := p.streams[id]
			if err == nil && (s.body.Len() > 0 || s.value("etag") != `"a"` || s.value("content-length") != length) {
				err = fmt.Errorf("%v, %v", s, s.fields)
			}
			return errors.Join(err, p.expectGood(a))
		})
	}
	return []evilClient{
		empty("HEAD", "HEAD", 200, "1234"), empty("204", "GET", 204, ""), empty("304", "GET", 304, ""),
		onPeer("103 is passed on", func(a *attack, p *h2peer) error { // RFC 8297
			token := a.token()
			id := p.get("/hints/" + token)
			if err := p.expect(id, 200, goodBody(token)); err != nil {
				return err
			}
			s := p.streams[id]
			if len(s.interim) != 1 || fieldValue(s.interim[0], ":status") != "103" || fieldValue(s.interim[0], "link") == "" || s.value("link") != "" {
				return fmt.Errorf("interim %v, final %v", s.interim, s.fields)
			}
			return p.expectGood(a)
		}),
		onPeer("cookies in crumbs", func(a *attack, p *h2peer) error { // RFC 9113 section 8.2.3
			id := p.get("/cookies/"+a.token(), "cookie", "a=1", "x-between", "y", "cookie", "b=2; c=3", "cookie", "d=4")
			return p.expect(id, 200, "a=1; b=2; c=3; d=4")
		}),
		onPeer("trailers both ways", func(a *attack, p *h2peer) error {
			for _, n := range []int{5, 200_000} {
				id, data := p.open("POST", "/hash/"+a.token(), false, "te", "trailers", "trailer", "x-sum"), randomBytes(n)
				if err := p.upload(id, false, data); err != nil {
					return err
				}
				p.trail(id, "x-sum", "abc", "x-unannounced", "def")
				if err := p.expect(id, 200, fmt.Sprintf("%d %s te=\"trailers\"", n, hashOf(data))); err != nil {
					return err
				}
				if s := p.streams[id]; fieldValue(s.trailers, "x-sum") != "abc" {
					return fmt.Errorf("trailers %v", s.trailers)
				}
			}
			return p.expectGood(a)
		}),
		onPeer("gRPC, the status in trailers", func(a *attack, p *h2peer) error {
			id := p.open("POST", "/rpc/"+a.token()+"/trailers", false, "te", "trailers", "content-type", "application/grpc")
			message := "\x00\x00\x00\x00\x05hello"
			if err := errors.Join(p.upload(id, true, []byte(message)), p.expect(id, 200, message)); err != nil {
				return err
			}
			if s := p.streams[id]; fieldValue(s.trailers, "grpc-status") != "0" || s.value("content-type") != "application/grpc" {
				return fmt.Errorf("fields %v, trailers %v", s.fields, s.trailers)
			}
			return nil
		}),
		onPeer("gRPC, trailers only", func(a *attack, p *h2peer) error {
			id := p.open("POST", "/rpc/"+a.token()+"/only", false, "te", "trailers", "content-type", "application/grpc")
			if err := errors.Join(p.upload(id, true, []byte("\x00\x00\x00\x00\x00")), p.expect(id, 200, "")); err != nil {
				return err
			}
			if s := p.streams[id]; s.value("grpc-status") != "5" || s.value("grpc-message") != "not found" || s.body.Len() > 0 || s.trailers != nil {
				return fmt.Errorf("fields %v, trailers %v, %v", s.fields, s.trailers, s)
			}
			return nil
		}),
	}
}

// talks are exchanges in which the member's pace counts.
func (m *h2member) talks() []evilClient {
	return []evilClient{
		onPeer("events come at once", func(a *attack, p *h2peer) error {
			id := p.get("/events/" + a.token() + "/10")
			s, want := p.streams[id], ""
			if err := p.until("the head, before any event", func() bool { return s.status != 0 }); err != nil {
				return err
			}
			for i := range 10 { // the member says the next one when this one was heard
				select {
				case m.next <- struct{}{}:
				case <-time.After(answerLimit):
					return errors.New("the member has gone")
				}
				want += fmt.Sprintf("data: %d\n\n", i)
				if err := p.until("event "+strconv.Itoa(i), func() bool { return s.body.Len() >= len(want) || s.reset }); err != nil {
					return err
				}
			}
			return p.expect(id, 200, want)
		}),
		onPeer("a talk in both directions", func(a *attack, p *h2peer) error {
			id := p.open("POST", "/pingpong/"+a.token(), false)
			s, want := p.streams[id], ""
			for i := range 50 {
				piece := strings.Repeat(strconv.Itoa(i)+" ", 1+i*100)
				want += piece
				if err := p.upload(id, false, []byte(piece)); err != nil {
					return err
				}
				if err := p.until("the echo of piece "+strconv.Itoa(i), func() bool { return s.body.Len() >= len(want) || s.reset }); err != nil {
					return err
				}
			}
			return errors.Join(p.upload(id, true, nil), p.expect(id, 200, want), p.expectGood(a))
		}),
		onPeer("an echo of 5 MiB as it comes", func(a *attack, p *h2peer) error {
			id, data := p.open("POST", "/pingpong/"+a.token(), false), randomBytes(5<<20)
			return errors.Join(p.upload(id, true, data), p.expect(id, 200, string(data)))
		}),
	}
}
