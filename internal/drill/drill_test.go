package drill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A loop counts from when a request was due: those that wait behind a stall are as late as their users see it, and none is left out.
func TestLoop_CountsFromTheTimeARequestIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stallOver := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stallOver) })
		l := Start(t.Context(), 100,
			Kind{"stalled", func(context.Context) error { <-stallOver; return nil }},
			Kind{"bad", func(context.Context) error { return &Error{"502", errors.New("as told")} }})
		time.Sleep(1995 * time.Millisecond)
		samples := l.Stop()
		if len(samples) != 200 {
			t.Fatalf("%d samples, want 100 a second for two seconds", len(samples))
		}
		stalled := Summarise(samples, func(s Sample) bool { return s.Kind == 0 })
		if stalled.Sent != 100 || stalled.OK != 100 || stalled.Max != time.Second || stalled.P50 != 0 && stalled.P50 > 20*time.Millisecond {
			t.Errorf("%v", stalled)
		}
		bad := Summarise(samples, func(s Sample) bool { return s.Kind == 1 })
		if bad.Failures() != 100 || bad.Failed["502"] != 100 || bad.First == nil {
			t.Errorf("%v", bad)
		}
	})
}

func TestLoop_FinishesWhatItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := Start(ctx, 10, Kind{"slow", func(ctx context.Context) error {
			time.Sleep(5 * time.Second)
			return ctx.Err()
		}})
		time.Sleep(50 * time.Millisecond)
		cancel()
		if s := l.Stop(); len(s) != 1 || s[0].Err != nil || l.Running(0) != 0 {
			t.Errorf("%+v, %d running", s, l.Running(0))
		}
	})
}

func TestQuantile(t *testing.T) {
	ten := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]time.Duration{0: 1, 0.1: 1, 0.5: 5, 0.51: 6, 0.99: 10, 1: 10} {
		if got := Quantile(ten, q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if Quantile(nil, 0.5) != 0 {
		t.Error("of nothing")
	}
}

// breaking is a server that does one thing to each connection once it has read a request's head.
func breaking(t *testing.T, does func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					does(conn)
				}
			})
		}
	})
	return l.Addr().String()
}

// Each way to fail has its word, and none is tried again.
func TestClient_NamesEachFault(t *testing.T) {
	t.Parallel()
	for word, does := range map[string]func(net.Conn){
		"closed":  func(net.Conn) {},
		"reset":   func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) },
		"timeout": func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) },
		"503":     func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n") },
		"wrong":   func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother") },
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			seen := make(chan struct{}, 10)
			c := &Client{Addr: breaking(t, func(c net.Conn) { seen <- struct{}{}; does(c) }), Host: "x", Limit: 300 * time.Millisecond}
			t.Cleanup(c.CloseIdle)
			err := c.Expect(t.Context(), "GET", "/", nil, func(a Reply) error {
				if string(a.Body) != "right" {
					return fmt.Errorf("it is %q", a.Body)
				}
				return nil
			})
			fault, ok := errors.AsType[*Error](err)
			if !ok || fault.Word != word || len(seen) != 1 {
				t.Errorf("%v, sent %d times", err, len(seen))
			}
		})
	}
	c := &Client{Addr: "127.0.0.1:1", Host: "x", Limit: time.Second}
	if _, err := c.Do(t.Context(), "GET", "/", nil); err == nil || !strings.HasPrefix(err.Error(), "refused: ") {
		t.Errorf("nobody listens: %v", err)
	}
}

// A member does its work, keeps connections, and notes what came while it drained. Its lines tell which POSTs its death would cost.
func TestMember_WorksAndDrains(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	m, err := ParseMember(Member{Name: "m", Addr: addr, Workers: 2, Service: time.Millisecond, DrainTimeout: 5 * time.Second}.String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := &lines{}
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, out) }()
	c := &Client{Addr: addr, Host: "x", Limit: 5 * time.Second}
	defer c.CloseIdle()
	for range 500 { // until it listens
		if _, err = c.Do(t.Context(), "GET", "/healthz", nil); err == nil {
			break
		}
		<-time.After(2 * time.Millisecond)
	}
	for _, method := range []string{"GET", "POST", "PUT"} {
		err := c.Expect(t.Context(), method, "/work/a", []byte("body"), func(a Reply) error {
			if string(a.Body) != Answer(method, "/work/a", 4) || a.Header.Get("Member") != "m" {
				return fmt.Errorf("%q %v", a.Body, a.Header)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	a, err := c.Do(t.Context(), "GET", "/control/requests", nil)
	if err != nil || string(a.Body) != "3" || Unanswered(out.String()) != 0 {
		t.Errorf("%v: %q requests; lines %q", err, a.Body, out)
	}
	if err := c.Expect(t.Context(), "POST", "/control/slow?by=1000", nil, nil); err != nil {
		t.Error(err)
	}
	slow := make(chan error, 1)
	go func() { slow <- c.Expect(t.Context(), "POST", "/work", nil, nil) }()
	for range 500 {
		if Unanswered(out.String()) == 1 {
			break
		}
		<-time.After(2 * time.Millisecond)
	}
	if n := Unanswered(out.String()); n != 1 {
		t.Errorf("%d POSTs are not answered", n)
	}
	cancel() // it answers what it has
	if err := errors.Join(<-slow, <-done); err != nil {
		t.Error(err)
	}
	if n := Unanswered(out.String()); n != 0 {
		t.Errorf("%d POSTs are not answered in the end", n)
	}
}

func TestLate(t *testing.T) {
	if got := Late("PASS\n" + lateWord + "12\n" + begunLine + lateWord + "700\n" + lateWord); len(got) != 2 || got[1] != 700*time.Millisecond {
		t.Error(got)
	}
}

func TestLeftOut(t *testing.T) {
	const log = `{"time":"2026-11-22T10:00:00Z","level":"WARN","msg":"member ejected","name":"m1"}
{"time":"2026-11-22T10:00:01Z","level":"WARN","msg":"member is down: it does not answer","name":"m2"}
{"time":"2026-11-22T10:00:02Z","level":"INFO","msg":"member is up","name":"m1"}
{"time":"2026-11-22T10:00:03Z","level":"WARN","msg":"member is down: it does not answer","name":"m1"}
`
	at := func(second int) time.Time { return time.Date(2026, 11, 22, 10, 0, second, 0, time.UTC) }
	for _, c := range []struct {
		after, want int
		ok          bool
	}{{-1, 0, true}, {0, 3, true}, {3, 0, false}} {
		if got, ok := LeftOut(log, "m1", at(c.after)); ok != c.ok || ok && !got.Equal(at(c.want)) {
			t.Errorf("after %d: %v, %t", c.after, got, ok)
		}
	}
}

func TestParseMember_Faults(t *testing.T) {
	for _, bad := range []string{"", "{", `{"name":"x"}`} {
		if _, err := ParseMember(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// lines is a buffer that can be looked at meanwhile.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
