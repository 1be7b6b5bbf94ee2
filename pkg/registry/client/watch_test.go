package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// logged is a server in a bubble that tells a log of events, from the position that it is asked for; with again, the operation that the position is in is
// told once more, as a server may.
type logged struct {
	ids   []string
	again bool
}

// blocks is the stream after a position.
func (l *logged) blocks(from string) string {
	var b strings.Builder
	from = strings.TrimPrefix(from, "shared:")
	b.WriteString("retry: 500\nid: " + from + "\n\n")
	skip := from != "0"
	for _, id := range l.ids {
		operation, _, _ := strings.Cut(id, ".")
		if skip && l.again && strings.HasPrefix(from, operation+".") {
			skip = false
		}
		if !skip {
			fmt.Fprintf(&b, "id: %s\ndata: {\"id\":%q,\"action\":\"update\",\ndata: \"path\":\"/a: b\"}\n\n: heartbeat\nid: %s\n\n", id, id, id)
		}
		if id == from {
			skip = false
		}
	}
	return b.String()
}

// body is a body that ends as it is told to after its text.
type body struct {
	*strings.Reader
	end func() error
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		return 0, b.end()
	}
	return n, nil
}

func (*body) Close() error { return nil }

func events(text string, end func() error) *http.Response {
	h := http.Header{"Content-Type": {"text/event-stream"}, "Registry-Seq": {"shared:0"}}
	return &http.Response{StatusCode: 200, Header: h, ContentLength: -1, Body: &body{strings.NewReader(text), end}}
}

func reset() error { return errors.New("connection reset by peer") }

// TestWatch_WhereverItIsCut: a stream that breaks at any byte, gently or not, makes the watch miss nothing and repeat nothing.
func TestWatch_WhereverItIsCut(t *testing.T) {
	ids := []string{"1.0.aa", "1.1.aa", "2.0.bb", "11.2.cc", "11.10.cc"}
	for _, again := range []bool{false, true} {
		l := &logged{ids: ids, again: again}
		whole := len(l.blocks("shared:0"))
		for cut := range whole + 1 {
			synctest.Test(t, func(t *testing.T) {
				first := true
				asked := 0
				serve := func(r *http.Request) *http.Response {
					query := r.URL.Query()
					if asked++; asked > 10 {
						return answer(400, "")(r)
					}
					if r.URL.Path != "/api/v1/watch/a" || !first && query.Get("store") != "shared" {
						t.Errorf("cut at %d: asked for %s", cut, r.URL)
					}
					text, end := l.blocks(query.Get("from")), func() error { return io.EOF }
					if first && cut < whole {
						text = text[:cut]
						if cut%2 == 0 {
							end = reset
						}
					}
					first = false
					return events(text, end)
				}
				a := &answers{serve: []func(*http.Request) *http.Response{serve}}
				var got []string
				for e, err := range a.dial(t).Watch(t.Context(), "/a", client.WatchOptions{From: "shared:0"}) {
					if err != nil {
						t.Fatalf("cut at %d: %v", cut, err)
					}
					if got = append(got, e.ID); e.Path != "/a: b" || len(got) == len(ids) {
						break
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(ids) {
					t.Errorf("cut at byte %d, told again %t: told %v, want %v", cut, again, got, ids)
				}
			})
		}
	}
}

// watchFor collects what a watch tells.
func watchFor(ctx context.Context, c *client.Client, o client.WatchOptions) (ids []string, err error) {
	for e, err := range c.Watch(ctx, "/a", o) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, e.ID)
	}
	return ids, nil
}

const oneEvent = "id: 1.0.aa\ndata: {\"id\":\"1.0.aa\"}\n\n"

// TestWatch_RefusalsEndIt: what would be refused again ends the watch, at its begin and later; what passes does not.
func TestWatch_RefusalsEndIt(t *testing.T) {
	stream := func(*http.Request) *http.Response { return events(oneEvent, reset) }
	ended := func(code string) func(*http.Request) *http.Response {
		return func(*http.Request) *http.Response {
			return events(oneEvent+"event: end\ndata: {\"code\":\""+code+"\",\"detail\":\"why\"}\n\n", func() error { return io.EOF })
		}
	}
	gone := answer(410, `{"code":"gone","detail":"the log begins later"}`, "Content-Type: application/problem+json", "Registry-Oldest-Seq: 77")
	for name, tt := range map[string]struct {
		serve []func(*http.Request) *http.Response
		want  client.CodeError
		asked int
	}{
		"no such position":       {[]func(*http.Request) *http.Response{answer(400, "")}, client.ErrInvalid, 1},
		"gone":                   {[]func(*http.Request) *http.Response{gone}, client.ErrGone, 1},
		"gone meanwhile":         {[]func(*http.Request) *http.Response{stream, gone}, client.ErrGone, 2},
		"signed out meanwhile":   {[]func(*http.Request) *http.Response{stream, answer(401, "")}, client.ErrUnauthenticated, 2},
		"never there":            {[]func(*http.Request) *http.Response{answer(503, "")}, client.ErrUnavailable, 4},
		"throttled at its begin": {[]func(*http.Request) *http.Response{answer(429, "")}, client.ErrThrottled, 1},
		"denied in the stream":   {[]func(*http.Request) *http.Response{ended("denied")}, client.ErrDenied, 1},
		"comes and goes": {[]func(*http.Request) *http.Response{
			ended("unavailable"), answer(503, "", "Retry-After: 3"), answer(502, ""), answer(500, ""), answer(504, ""), answer(429, "", "Retry-After: 5"), stream, stream, gone,
		}, client.ErrGone, 9},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{serve: tt.serve}
			ids, err := watchFor(t.Context(), a.dial(t), client.WatchOptions{})
			wantErr(t, name, err, tt.want)
			if len(a.at) != tt.asked || len(ids) > 1 {
				t.Errorf("%s: told %v by %d requests, want %d", name, ids, len(a.at), tt.asked)
			}
			if e, ok := errors.AsType[*client.Error](err); tt.want == client.ErrGone && (!ok || e.OldestSeq != 77) {
				t.Errorf("%s: %v does not tell the oldest position", name, err)
			}
		})
	}
}

// TestWatch_WhatIsNoStream ends it: it would not become one.
func TestWatch_WhatIsNoStream(t *testing.T) {
	for name, serve := range map[string]func(*http.Request) *http.Response{
		"a page":           answer(200, "<html>", "Content-Type: text/html"),
		"no JSON":          func(*http.Request) *http.Response { return events("id: 1.0.a\ndata: {\n\n", reset) },
		"an id of its own": func(*http.Request) *http.Response { return events("id: 1.0.a\ndata: {\"id\":\"2.0.a\"}\n\n", reset) },
		"without an end":   func(*http.Request) *http.Response { return events("data: "+strings.Repeat("x", 2<<20), reset) },
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{serve: []func(*http.Request) *http.Response{serve}}
			if ids, err := watchFor(t.Context(), a.dial(t), client.WatchOptions{}); err == nil || len(ids) > 0 || len(a.at) != 1 {
				t.Errorf("%s: told %v by %d requests, %v", name, ids, len(a.at), err)
			}
		})
	}
}

// TestWatch_StandingStill: heartbeats keep a stream, silence ends it, and neither counts while the caller is busy with an event.
func TestWatch_StandingStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beats := 0
		var a *answers
		a = &answers{serve: []func(*http.Request) *http.Response{func(r *http.Request) *http.Response {
			in, out := io.Pipe()
			go func() {
				id := fmt.Sprintf("%d.0.a", len(a.at))
				_, _ = io.WriteString(out, "id: "+id+"\ndata: {\"id\":\""+id+"\"}\n\n")
				for range 20 {
					select {
					case <-time.After(15 * time.Second):
					case <-r.Context().Done():
					}
					if _, err := io.WriteString(out, ": heartbeat\n\n"); err == nil {
						beats++
					}
				}
				<-r.Context().Done() // silence, until the client has had enough
				_ = out.CloseWithError(r.Context().Err())
			}()
			res := events("", nil)
			res.Body = in
			return res
		}}}
		c := a.dial(t, func(c *client.Config) { c.Patience = 20 * time.Second })
		var told []time.Duration
		lost := 0
		for e, err := range c.Watch(t.Context(), "/a", client.WatchOptions{Lost: func(error) { lost++ }}) {
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, time.Since(a.start))
			if len(told) == 1 {
				time.Sleep(2 * time.Minute) // the caller is slow, and the stream waits for it
			}
			if e.Seq = int64(len(told)); e.Seq == 2 {
				break
			}
		}
		// 2 min of the caller's own, in which the first beat waits, 19 beats of 15 s, and 20 s of patience.
		if len(a.at) != 2 || lost != 1 || beats != 20 || told[1] < 7*time.Minute+5*time.Second || told[1] > 7*time.Minute+6*time.Second {
			t.Errorf("%d requests, %d heartbeats, told at %v", len(a.at), beats, told)
		}
	})
}

// TestWatch_Bounds: the context ends a watch at once, an outage when the caller says so; the waits grow up to seconds.
func TestWatch_Bounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(r *http.Request) *http.Response {
			return events(oneEvent, func() error { <-r.Context().Done(); return context.Cause(r.Context()) })
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		a := &answers{serve: []func(*http.Request) *http.Response{silent}}
		ids, err := watchFor(ctx, a.dial(t), client.WatchOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || len(ids) != 1 || time.Since(a.start) != 3*time.Second {
			t.Errorf("told %v, %v after %v", ids, err, time.Since(a.start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := &answers{serve: []func(*http.Request) *http.Response{
			func(*http.Request) *http.Response { return events("retry: 500\n"+oneEvent, reset) }, answer(503, ""),
		}}
		_, err := watchFor(t.Context(), a.dial(t), client.WatchOptions{GiveUp: time.Minute})
		wantErr(t, "an outage", err, client.ErrUnavailable)
		took := time.Since(a.start)
		if took < time.Minute || took > 71*time.Second || len(a.at) < 10 || len(a.at) > 25 || a.at[1] < 500*time.Millisecond || !strings.Contains(err.Error(), "after position 1.0.aa") {
			t.Errorf("%v after %v, asked at %v", err, took, a.at)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a node that takes the request and says nothing is left for another
		a := &answers{serve: []func(*http.Request) *http.Response{
			func(*http.Request) *http.Response { return events(oneEvent, reset) },
			func(r *http.Request) *http.Response { <-r.Context().Done(); return nil },
			answer(410, ""),
		}}
		_, err := watchFor(t.Context(), a.dial(t, func(c *client.Config) { c.Patience = 20 * time.Second }), client.WatchOptions{})
		wantErr(t, "after a frozen node", err, client.ErrGone)
		if took := time.Since(a.start); len(a.at) != 3 || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("asked at %v, ended after %v", a.at, took)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a stream that ends at once is no hammer
		a := &answers{serve: []func(*http.Request) *http.Response{func(*http.Request) *http.Response { return events("", reset) }}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := watchFor(ctx, a.dial(t), client.WatchOptions{}); !errors.Is(err, context.DeadlineExceeded) || len(a.at) > 25 {
			t.Errorf("%v after %d requests", err, len(a.at))
		}
	})
}

// TestWatch_OfTheRegistry: the real API, cut off again and again.
func TestWatch_OfTheRegistry(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	before := c.Seq("shared")
	put(t, c, config+"/w/before", "1")
	began := c.Seq("shared")
	if began == before {
		t.Fatal("a write gave no position")
	}
	const most = 40
	go func() {
		for i := range most {
			if _, err := c.Put(t.Context(), fmt.Sprintf("%s/w/%02d", config, i), stringReader("x"), client.PutOptions{}); err != nil {
				t.Error(err)
			}
			if i%7 == 0 {
				s.CloseClientConnections()
			}
		}
	}()
	watcher := s.dial(t)
	n := 0
	for e, err := range watcher.Watch(t.Context(), config+"/w", client.WatchOptions{From: fmt.Sprintf("shared:%d", began)}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%s/w/%02d", config, n); e.Path != want || e.Action != "create" || e.User != "admin" || e.Version != 1 {
			t.Fatalf("told %+v, want %s", e, want)
		}
		if n++; n == most {
			break
		}
	}
	for _, err := range watcher.Watch(t.Context(), config+"/w", client.WatchOptions{From: "nonsense"}) {
		wantErr(t, "a position that is none", err, client.ErrInvalid)
	}
	for _, err := range watcher.Watch(t.Context(), config+"/w", client.WatchOptions{From: "shared:999999"}) {
		wantErr(t, "a position of the future", err, client.ErrGone)
	}
}
