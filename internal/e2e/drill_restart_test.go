package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
)

// What the rolling restart demands.
const (
	lastRequest  = 500 * time.Millisecond // after a member said that it drains
	rollingDelay = time.Second            // for which a member goes on; longer than lastRequest, or nothing would be proved
	rollingSize  = 5
)

// TestELB_RollingRestartCostsNothing restarts members one by one and two at a time, under GETs, POSTs, PUTs and websockets through two load
// balancers. Nothing fails, no member gets a request later than half a second after it said that it drains, and a long download is finished.
func TestELB_RollingRestartCostsNothing(t *testing.T) {
	slow(t)
	f := startDrillField(t, rollingSize, drill.Member{
		Workers: 32, Service: 5 * time.Millisecond, DrainDelay: rollingDelay, DrainTimeout: 30 * time.Second,
	}, noLines)
	body := []byte(strings.Repeat("x", 2000))
	var kinds []drill.Kind
	for _, b := range f.elbs {
		kinds = append(kinds, f.kind(b, "GET", nil), f.kind(b, "POST", body), f.kind(b, "GET", nil), f.kind(b, "PUT", body))
	}
	load := f.load(e2e.Scale(400, 200), kinds...)
	sockets := f.openSockets(10)
	got, member := f.download(time.Duration(e2e.Scale(20, 3)) * time.Second)

	f.restart(member) // with the download on it
	if err := <-got; err != nil {
		t.Errorf("the download: %v", err)
	}
	restarts := 1
	for round := 0; ; round++ {
		for i := range e2e.Scale(rollingSize, 1) {
			f.restart((member + 1 + i) % rollingSize)
			restarts++
		}
		for i := 0; i < e2e.Scale(rollingSize, 2); i += 2 {
			f.restart((member+2+i)%rollingSize, (member+3+i)%rollingSize)
			restarts += 2
		}
		if !e2e.Full() || len(load.Samples()) >= 50_000 {
			break
		}
	}
	all := drill.Summarise(load.Stop(), func(drill.Sample) bool { return true })
	echoes, opened, faults := sockets.stop()
	late := f.late()
	t.Logf("%d restarts: %v; websockets: %d echoes, opened %d times; %d requests came to members while they drained, the last one %v after they said so",
		restarts, all, echoes, opened, len(late), drill.Quantile(late, 1))
	if all.Failures() > 0 {
		t.Errorf("requests failed: %v", all)
	}
	for _, fault := range faults {
		t.Errorf("websocket: %v", fault)
	}
	if opened <= 10 || echoes == 0 {
		t.Error("no websocket was opened again, so this proves nothing of them")
	}
	if worst := drill.Quantile(late, 1); worst > lastRequest {
		t.Errorf("a request came %v after its member had said that it drains", worst)
	}
}

// restart stops members at the same time as an operator does, starts them again, and waits until all are in use.
func (f *drillField) restart(members ...int) {
	f.t.Helper()
	e2e.InParallel(len(members), func(i int) { f.members[members[i]].Stop() })
	for _, i := range members {
		f.members[i].start()
	}
	f.awaitUp(len(f.members))
}

// late is how long after a member's word each request came to it, over all members and starts, in order.
func (f *drillField) late() (late []time.Duration) {
	for _, m := range f.members {
		late = append(late, drill.Late(m.Log())...)
	}
	slices.Sort(late)
	return late
}

// download begins a download that takes so long, and tells by which member; the channel gives how it ended.
func (f *drillField) download(d time.Duration) (<-chan error, int) {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, fmt.Sprintf("http://%s/download?for=%v", f.elbs[0].addr, d), http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Host = fieldHost
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	name := response.Header.Get("Member")
	done := make(chan error, 1)
	go func() {
		defer response.Body.Close()
		n, err := io.Copy(io.Discard, response.Body)
		if err == nil && n != drill.DownloadSize {
			err = fmt.Errorf("%d bytes of %d", n, drill.DownloadSize)
		}
		done <- err
	}()
	for i, m := range f.members {
		if m.Name == name {
			return done, i
		}
	}
	f.t.Fatalf("the download is from %q: %s", name, response.Status)
	return nil, 0
}

// sockets are websockets that echo all the time, and are opened again when a member ends them.
type sockets struct {
	cancel         context.CancelFunc
	done           sync.WaitGroup
	echoes, opened atomic.Int64

	mu     sync.Mutex
	faults []error
}

// openSockets opens so many, over both load balancers in turn.
func (f *drillField) openSockets(n int) *sockets {
	ctx, cancel := context.WithCancel(f.t.Context())
	s := &sockets{cancel: cancel}
	for i := range n {
		s.done.Go(func() {
			for ctx.Err() == nil {
				if err := s.one(ctx, f.elbs[i%len(f.elbs)].addr); err != nil {
					s.mu.Lock()
					s.faults = append(s.faults, err)
					s.mu.Unlock()
				}
			}
		})
	}
	f.t.Cleanup(func() { s.stop() })
	return s
}

// one opens a websocket and echoes until it ends. That it ends is no fault; that it cannot be opened is, or an answer that is not the echo.
func (s *sockets) one(ctx context.Context, addr string) error {
	config, err := websocket.NewConfig("ws://"+fieldHost+"/ws/drill", "http://"+fieldHost+"/")
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{Timeout: fieldLimit}).DialContext(context.WithoutCancel(ctx), "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(fieldLimit)); err != nil {
		return err
	}
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	s.opened.Add(1)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		said, heard := fmt.Sprintf("hello %d", n), ""
		if websocket.Message.Send(ws, said) != nil || websocket.Message.Receive(ws, &heard) != nil {
			if n == 0 {
				return fmt.Errorf("it ended before its first echo")
			}
			return nil // the member ended it
		}
		if heard != said {
			return fmt.Errorf("%q came back for %q", heard, said)
		}
		s.echoes.Add(1)
		_ = conn.SetDeadline(time.Now().Add(fieldLimit)) // the next exchange finds out
	}
}

// stop ends them; it may be called again.
func (s *sockets) stop() (echoes, opened int64, faults []error) {
	s.cancel()
	s.done.Wait()
	return s.echoes.Load(), s.opened.Load(), s.faults
}
