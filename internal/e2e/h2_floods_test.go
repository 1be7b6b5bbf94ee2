package e2e_test

// Floods over one HTTP/2 connection: frames that cost the client little. Each is tried alone, so that what it costs the load balancer is known.

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/regent-registry/regent/internal/e2e"
)

// What one connection may cost at most, above the base.
const (
	// floodHeap is live and dead memory at any time.
	floodHeap = 64 << 20
	// floodGoroutines allows for four of each stream.
	floodGoroutines = 4*h2streams + 100
	// h2streams is how many requests a connection may have at once.
	h2streams = 250
	// floodCPU is seconds of work for one flood. What is work for the client as well takes less than half of it.
	floodCPU = 1.0
	// floodTime is for how long a flood goes on when the load balancer takes it slowly, or no more.
	floodTime = 4 * time.Second
)

// flood is a way of being cheap for the client and dear for the server.
type flood struct {
	name  string
	from  string // what describes it
	n     int    // times; ten times as often in the full run
	reads bool
	never bool // it reads nothing after the flood either
	// settings are the client's.
	settings []http2.Setting
	// start prepares the connection.
	start func(p *h2peer)
	// once writes one piece.
	once func(p *h2peer, i int)
	// ends tells that the load balancer must end the connection before the flood does.
	ends bool
}

// poured is what became of a flood.
type poured struct {
	sent  int
	ended bool // by the load balancer
	took  time.Duration
	err   error
}

// TestHTTP2_Floods lets each flood come over one connection. The bystanders must notice nothing, the load balancer must neither store it nor work on
// more requests than a connection may have, and nothing may be left of it.
func TestHTTP2_Floods(t *testing.T) {
	slow(t)
	t.Parallel()
	for name, list := range map[string][]flood{"resets": resetFloods(), "frames": frameFloods()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startH2Suite(t)
			for _, f := range list {
				t.Run(f.name, func(t *testing.T) { s.flood(t, f) })
			}
			s.others.check(t)
			s.elb.checkBase(30 * time.Second)
			if most := s.member.most.Load(); most > 2*h2streams { // what was given up may not be over yet
				t.Errorf("the member had %d requests of one connection at once", most)
			}
		})
	}
}

func (s *h2suite) flood(t *testing.T, f flood) {
	a := s.attack(t)
	defer a.close()
	p, err := a.peer(f.settings...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	s.elb.collect()
	before := s.elb.measure()
	done := make(chan poured, 1)
	go func() { done <- p.pour(f) }()
	var o poured
	var peak gauges
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		select {
		case o = <-done:
			running = false
		case <-tick.C:
		}
		now := s.elb.measure()
		peak.heap, peak.goroutines, peak.inFlight = max(peak.heap, now.heap), max(peak.goroutines, now.goroutines), max(peak.inFlight, now.inFlight)
		peak.cpu = now.cpu
	}
	t.Logf("%s: %d times in %v, ended %t (%v, %v); at most %.1f MiB, %.0f goroutines, %.0f requests; %.2f s of CPU; member had %d", f.from, o.sent, o.took.Round(time.Millisecond),
		o.ended, p.goAway, o.err, (peak.heap-before.heap)/(1<<20), peak.goroutines-before.goroutines, peak.inFlight, peak.cpu-before.cpu, s.member.most.Load())
	if peak.heap > before.heap+floodHeap || peak.goroutines > before.goroutines+floodGoroutines || peak.inFlight > before.inFlight+h2streams+10 {
		t.Errorf("it costs too much: %+v, at first %+v", peak, before)
	}
	most := float64(e2e.Scale(10, 1)) * floodCPU
	if raceDetector() {
		most *= 10
	}
	if peak.cpu > before.cpu+most {
		t.Errorf("it costs %.2f s of CPU", peak.cpu-before.cpu)
	}
	if f.ends && !o.ended {
		t.Errorf("after %d times the connection still goes on", o.sent)
	}
	if f.ends && p.goAway != nil && p.goAway.code != http2.ErrCodeEnhanceYourCalm { // it may get lost when much was on its way
		t.Error(p.goAway)
	}
	if o.err != nil {
		t.Error(o.err)
	}
	e2e.Await(t, answerLimit, "the requests of the flood are over", func() error {
		if now := s.elb.measure(); now.inFlight > 2 { // of bystanders
			return fmt.Errorf("%v are in flight", now.inFlight)
		}
		return nil
	})
}

// pour sends the flood until it is over, the load balancer ends it, or takes no more of it for floodTime. Then it waits until what was sent is read.
func (p *h2peer) pour(f flood) (o poured) {
	p.mute, p.framer.ReadMetaHeaders = true, nil
	if f.start != nil {
		f.start(p)
	}
	began := time.Now()
	reading := make(chan struct{})
	skim := func() {
		defer close(reading)
		p.skim(began.Add(floodTime + answerLimit))
	}
	if f.reads {
		go skim()
	}
	_ = p.conn.SetWriteDeadline(began.Add(floodTime))
	var err error
	for n := e2e.Scale(10, 1) * f.n; err == nil && o.sent < n && time.Since(began) < floodTime; o.sent++ {
		f.once(p, o.sent)
		_, err = p.out.Write(nil) // the first error of all
	}
	if err == nil {
		_ = p.framer.WritePing(false, pingData(lastPing))
		err = p.out.Flush()
	}
	if !f.reads {
		<-time.After(500 * time.Millisecond) // for what is kept to be seen
	}
	if f.never {
		_ = p.conn.Close()
	}
	if !f.reads {
		go skim()
	}
	<-reading
	o.took = time.Since(began)
	o.ended = p.over != nil && !isTimeout(p.over)
	if isTimeout(p.over) || isTimeout(err) && !o.ended {
		o.err = fmt.Errorf("the connection hangs: %w, %w", err, p.over)
	}
	_ = p.conn.Close()
	return o
}

// lastPing is sent after a flood.
const lastPing = 99

// skim reads frames until lastPing comes back, or the connection ends, for which p.over says why.
func (p *h2peer) skim(until time.Time) {
	_ = p.conn.SetReadDeadline(until)
	for p.pong != lastPing && p.over == nil {
		f, err := p.framer.ReadFrame()
		switch f := f.(type) {
		case nil:
			p.over = err
		case *http2.PingFrame, *http2.GoAwayFrame:
			_ = p.take(f) // they are never wrong
		}
	}
}
