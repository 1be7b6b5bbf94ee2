package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// patient is a transport that waits for the server's word before it sends a body.
func patient(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

type countingDialer struct{ dials atomic.Int64 }

func (d *countingDialer) transport(t *testing.T) *http.Transport {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		d.dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// answers is a server in a bubble: its n-th answer is that of the n-th function, the last one again and again.
type answers struct {
	t     *testing.T
	serve []func(*http.Request) *http.Response
	at    []time.Duration // when it was asked, since the start
	start time.Time
	seen  []http.Header
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	a.at = append(a.at, time.Since(a.start))
	a.seen = append(a.seen, r.Header)
	res := a.serve[min(len(a.at), len(a.serve))-1](r)
	if res == nil { // none came in time
		return nil, r.Context().Err()
	}
	res.Request = r
	return res, nil
}

func (a *answers) dial(t *testing.T, change ...func(*client.Config)) *client.Client {
	t.Helper()
	a.t, a.start = t, time.Now()
	config := client.Config{URL: "https://registry.example", HTTP: &http.Client{Transport: a}}
	for _, f := range change {
		f(&config)
	}
	c, err := client.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(status int, body string, headers ...string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response {
		res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			res.Header.Set(name, value)
		}
		return res
	}
}

func TestClient_WaitsAsTheServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{serve: []func(*http.Request) *http.Response{
			answer(503, "", "Retry-After: 7"), answer(503, "", "Retry-After: "+time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), answer(200, `{"user":"u"}`),
		}}
		if _, err := a.dial(t).Whoami(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(a.at) != 3 || a.at[1] < 7*time.Second || a.at[1] > 14*time.Second || a.at[2] < 19*time.Second {
			t.Errorf("asked at %v", a.at)
		}
	})
}

func TestClient_DoesNotWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{serve: []func(*http.Request) *http.Response{answer(503, "", "Retry-After: 600")}}
		_, err := a.dial(t).Whoami(t.Context())
		e, ok := errors.AsType[*client.Error](err)
		if !ok || e.RetryAfter != 10*time.Minute || len(a.at) != 1 {
			t.Errorf("%v after %d requests", err, len(a.at))
		}
	})
}

func TestClient_AttemptsAreBoundedAndSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{serve: []func(*http.Request) *http.Response{answer(503, "")}}
		_, err := a.dial(t, func(c *client.Config) { c.Attempts = 9 }).Whoami(t.Context())
		wantErr(t, "a server that never can", err, client.ErrUnavailable)
		if len(a.at) != 9 || a.at[8] < 5*time.Second || a.at[8] > 40*time.Second {
			t.Errorf("asked at %v", a.at)
		}
	})
}

func TestClient_ContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{serve: []func(*http.Request) *http.Response{answer(503, "", "Retry-After: 20")}}
		c := a.dial(t)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := c.Whoami(ctx)
		wantErr(t, "whoami", err, client.ErrUnavailable)
		if since := time.Since(a.start); since != 3*time.Second || len(a.at) != 1 {
			t.Errorf("%d requests in %v", len(a.at), since)
		}
	})
}

func TestClient_OtherRefusalsAreFinal(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 412, 413, 415, 416, 429, 500, 501} {
		a := &answers{serve: []func(*http.Request) *http.Response{answer(status, "")}}
		_, err := a.dial(t).Whoami(t.Context())
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != status || e.Code == "" || len(a.at) != 1 {
			t.Errorf("%d: %v after %d requests", status, err, len(a.at))
		}
	}
}

// stalling is a body that stands still after its text until it is closed.
type stalling struct {
	text  *strings.Reader
	ended <-chan struct{}
}

func (s *stalling) Read(b []byte) (int, error) {
	if n, err := s.text.Read(b); err == nil {
		return n, nil
	}
	<-s.ended
	return 0, errors.New("the attempt was ended")
}

func (*stalling) Close() error { return nil }

// TestGet_StandingStill: a download that stands still is taken up again, by a new request.
func TestGet_StandingStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const digest = "Repr-Digest: sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:" // of 0123456789
		stall := func(r *http.Request) *http.Response {
			res := answer(200, "", digest, "Registry-Version: 3")(r)
			res.ContentLength, res.Body = 10, &stalling{strings.NewReader("0123"), r.Context().Done()}
			return res
		}
		a := &answers{serve: []func(*http.Request) *http.Response{stall, answer(206, "456789", digest, "Content-Range: bytes 4-9/10", "Registry-Version: 3")}}
		c := a.dial(t, func(c *client.Config) { c.Patience = 5 * time.Second })
		content, err := c.Get(t.Context(), "/x", client.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(content)
		if string(b) != "0123456789" || err != nil {
			t.Errorf("read %q, %v", b, err)
		}
		if len(a.at) != 2 || a.at[1] < 5*time.Second || a.seen[1].Get("Range") != "bytes=4-9" {
			t.Errorf("asked at %v", a.at)
		}
		content.Close()
	})
}

func TestClient_SessionReads(t *testing.T) {
	mounts := answer(200, `{"mounts":[{"path":"/","store":"top"},{"path":"/a","store":"shared"},{"path":"/a/local","store":"local"}]}`)
	a := &answers{serve: []func(*http.Request) *http.Response{
		answer(204, "", "Registry-Seq: shared:41"), mounts, answer(200, "{}", "Registry-Seq: shared:40"), answer(200, "{}"), answer(200, "{}"), answer(200, "{}", "Registry-Seq: shared:57"), answer(200, "{}"),
	}}
	c := a.dial(t, func(c *client.Config) { c.SessionReads = true })
	ctx := t.Context()
	if err := c.Delete(ctx, "/a/x", client.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a/x", "/a/local/x", "/ab", "/a", "/a/b"} {
		if _, err := c.Stat(ctx, path, 0); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"", "", "shared:41", "", "", "shared:41", "shared:57"}
	for i, h := range a.seen {
		if got := h.Get("Registry-Min-Seq"); got != want[i] {
			t.Errorf("request %d: Registry-Min-Seq is %q, want %q", i, got, want[i])
		}
	}
	if len(a.seen) != len(want) {
		t.Errorf("%d requests, want %d", len(a.seen), len(want))
	}
}

func TestClient_AnswersThatAreNoRegistrys(t *testing.T) {
	for _, body := range []string{"", "<html>", "[]", `{"user":7}`} {
		a := &answers{serve: []func(*http.Request) *http.Response{answer(200, body)}}
		if _, err := a.dial(t).Whoami(t.Context()); err == nil || !strings.Contains(err.Error(), "https://registry.example") {
			t.Errorf("%q: %v", body, err)
		}
	}
	page := answer(200, `{"entries":[{"path":"/a","name":"a"}],"next":"again"}`)
	a := &answers{serve: []func(*http.Request) *http.Response{page}}
	n := 0
	var last error
	for _, err := range a.dial(t).Children(t.Context(), "/", client.ListOptions{}) {
		n++
		last = err
	}
	if last == nil || n > 3 {
		t.Errorf("%d entries of a list without end, %v", n, last)
	}
}
