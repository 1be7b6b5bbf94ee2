package accesslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// sink is a writer that keeps what it gets.
type sink struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.text.Write(p)
}

func (s *sink) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.SplitAfter(s.text.String(), "\n")[:strings.Count(s.text.String(), "\n")]
}

// gate is a writer that lets nothing through until it is opened.
type gate struct {
	sink
	entered chan struct{} // gets a signal when a write begins
	open    chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan struct{}, 100), open: make(chan struct{})} }

func (g *gate) Write(p []byte) (int, error) {
	g.entered <- struct{}{}
	<-g.open
	return g.sink.Write(p)
}

// numbered is a record that its line can be told by.
func numbered(i int) *Record {
	r := usual()
	r.RequestID = fmt.Appendf(nil, "%d", i)
	return r
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantIDs checks that the lines are those of the records from first on, in order.
func wantIDs(t *testing.T, lines []string, first, count int) {
	t.Helper()
	if len(lines) != count {
		t.Fatalf("%d lines, want %d", len(lines), count)
	}
	for i, line := range lines {
		got, err := fields(line)
		if err != nil || got["request_id"] != fmt.Sprint(first+i) {
			t.Fatalf("line %d: %v, %v", i, got, err)
		}
	}
}

func TestLog_WritesAfterFlushEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		l := newLog(t, &s, Text, Options{FlushEvery: 200 * time.Millisecond})
		l.Add(numbered(0))
		l.Add(numbered(1))
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		if n := len(s.lines()); n != 0 {
			t.Errorf("%d lines too early", n)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantIDs(t, s.lines(), 0, 2)
		if s.writes != 1 {
			t.Errorf("%d writes", s.writes)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if s.writes != 1 {
			t.Errorf("%d writes, though nothing was added", s.writes)
		}
		closeLog(t, l)
	})
}

func TestLog_WritesWhenAHalfIsHalfFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		l := newLog(t, &s, Text, Options{Buffer: minBuffer, FlushEvery: time.Hour})
		perHalf := minBuffer / 2 / len(format(Text, numbered(10)))
		for i := range perHalf - 5 {
			l.Add(numbered(i))
		}
		synctest.Wait()
		if n := len(s.lines()); n != 0 {
			t.Errorf("%d lines too early", n)
		}
		for i := range 10 {
			l.Add(numbered(perHalf - 5 + i))
		}
		synctest.Wait()
		if n := len(s.lines()); n < perHalf-5 {
			t.Errorf("%d lines were written", n)
		}
		closeLog(t, l)
		wantIDs(t, s.lines(), 0, perHalf+5)
	})
}

func TestLog_FlushWritesWhatWasAdded(t *testing.T) {
	var s sink
	l := newLog(t, &s, Text, Options{FlushEvery: time.Hour})
	for i := range 3 {
		l.Add(numbered(i))
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantIDs(t, s.lines(), 0, i+1)
	}
	closeLog(t, l)
	if err := l.Flush(t.Context()); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestLog_CloseLosesNothing(t *testing.T) {
	const count = 1000 // more than a half holds
	var s sink
	l := newLog(t, &s, Text, Options{FlushEvery: time.Hour})
	for i := range count {
		l.Add(numbered(i))
	}
	closeLog(t, l)
	closeLog(t, l)
	wantIDs(t, s.lines(), 0, count)
	l.Add(numbered(count))
	if l.dropped.Load() != 1 || len(s.lines()) != count {
		t.Errorf("a record after Close: %d dropped, %d lines", l.dropped.Load(), len(s.lines()))
	}
}

// While the writer is blocked, the half that it does not have takes records; the rest is dropped, counted and told, and nothing waits.
func TestLog_BlockedWriterDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const extra = 50
		g, registry, warnings := newGate(), prometheus.NewRegistry(), &sink{}
		l := newLog(t, g, Text, Options{Buffer: minBuffer, Registerer: registry, Logger: slog.New(slog.NewTextHandler(warnings, nil))})
		l.Add(numbered(0))
		<-g.entered
		kept := 1
		for l.dropped.Load() == 0 {
			l.Add(numbered(kept))
			kept++
		}
		kept-- // the last one was dropped
		for range extra - 1 {
			l.Add(numbered(-1))
		}
		if want := minBuffer / len(format(Text, numbered(100))); kept < want*9/10 {
			t.Errorf("%d records were taken, room is for %d", kept, want)
		}
		metric(t, registry, "elb_access_log_dropped_total", extra)
		metric(t, registry, "elb_access_log_errors_total", 0)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Flush(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Flush: %v", err)
		}
		if err := l.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		close(g.open)
		closeLog(t, l)
		wantIDs(t, g.lines(), 0, kept)
		if got := warnings.lines(); len(got) != 1 || !strings.Contains(got[0], "records=50") || !strings.Contains(got[0], "too slow") {
			t.Errorf("warnings: %q", got)
		}
	})
}

// A burst may fill both halves before the goroutine runs for the first time.
func TestLog_BothHalvesTakeABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		l := newLog(t, &s, Text, Options{Buffer: minBuffer, FlushEvery: time.Hour})
		l.mu.Lock() // keeps the goroutine out
		count := 0
		for r := numbered(count); l.reserve(r.room("")); r = numbered(count) {
			l.line.record(r, "", &l.clock)
			count++
		}
		l.mu.Unlock()
		if want := 2 * minBuffer / len(format(Text, numbered(100))); count < want*9/10 {
			t.Errorf("%d records were taken, room is for %d", count, want)
		}
		closeLog(t, l)
		wantIDs(t, s.lines(), 0, count)
	})
}

func metric(t *testing.T, r prometheus.Gatherer, name string, want int) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			if got := f.GetMetric()[0].GetCounter().GetValue(); got != float64(want) {
				t.Errorf("%s is %v, want %d", name, got, want)
			}
			return
		}
	}
	t.Errorf("no metric %s", name)
}

// failing is a writer that takes some bytes and then gives an error, for as long as told.
type failing struct {
	sink
	takes int // bytes of the next write; < 0 is all
}

func (f *failing) Write(p []byte) (int, error) {
	if f.takes < 0 || f.takes >= len(p) {
		return f.sink.Write(p)
	}
	n, _ := f.sink.Write(p[:f.takes])
	return n, io.ErrShortWrite
}

func TestLog_FailingWriter(t *testing.T) {
	registry := prometheus.NewRegistry()
	w := &failing{takes: len(format(Text, numbered(0))) + 10}
	l := newLog(t, w, Text, Options{FlushEvery: time.Hour, Registerer: registry})
	add := func(first, count int) {
		t.Helper()
		for i := range count {
			l.Add(numbered(first + i))
		}
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	add(0, 4) // one line and a piece are taken
	metric(t, registry, "elb_access_log_dropped_total", 3)
	w.takes = 0
	add(4, 2) // not even the end of the torn line
	metric(t, registry, "elb_access_log_dropped_total", 5)
	metric(t, registry, "elb_access_log_errors_total", 2)
	w.takes = -1
	add(6, 2)
	closeLog(t, l)
	lines := w.lines()
	if len(lines) != 4 || len(lines[1]) != 11 {
		t.Fatalf("lines: %q", lines)
	}
	wantIDs(t, lines[:1], 0, 1)
	wantIDs(t, lines[2:], 6, 2)
}

// However much is lost, there is one warning a minute, and it tells of all that is new.
func TestLog_WarnsOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var warnings sink
		w := &failing{}
		l := newLog(t, w, Text, Options{Logger: slog.New(slog.NewTextHandler(&warnings, nil))})
		const seconds = 150
		for range seconds {
			l.Add(usual())
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := warnings.lines(); len(got) != 3 || !strings.Contains(got[0], "records=1 ") || !strings.Contains(got[1], "records=60 ") || !strings.Contains(got[2], "records=60 ") {
			t.Errorf("warnings: %q", got)
		}
		closeLog(t, l)
		if got := warnings.lines(); len(got) != 4 || !strings.Contains(got[3], `records=29 error="short write"`) {
			t.Errorf("warnings: %q", got)
		}
	})
}

func TestNew_MetricsOfTheSameName(t *testing.T) {
	registry := prometheus.NewRegistry()
	l := newLog(t, io.Discard, Text, Options{Registerer: registry})
	defer closeLog(t, l)
	if _, err := New(io.Discard, Text, Options{Registerer: registry}); err == nil {
		t.Error("no error")
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) != 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// Records of many goroutines come out whole, each once, and in the order of each goroutine.
func TestLog_ManyGoroutines(t *testing.T) {
	const writers, each = 8, 500
	var s sink // the buffer holds all records, so that none is dropped while the writer waits for a processor
	l := newLog(t, &s, Text, Options{Buffer: 4 << 20, FlushEvery: time.Millisecond})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				r := numbered(i)
				r.Member = fmt.Sprint(w)
				l.Add(r)
				if i%100 == 0 {
					if err := l.Flush(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	closeLog(t, l)
	next := map[string]int{}
	for _, line := range s.lines() {
		got, err := fields(line)
		if err != nil {
			t.Fatal(err)
		}
		if got["request_id"] != fmt.Sprint(next[got["member"]]) {
			t.Fatalf("record %s of goroutine %s, want %d", got["request_id"], got["member"], next[got["member"]])
		}
		next[got["member"]]++
	}
	if n := len(s.lines()); n != writers*each || l.dropped.Load() != 0 {
		t.Errorf("%d lines, %d dropped", n, l.dropped.Load())
	}
}

// Close while others add: what is not written is counted.
func TestLog_CloseWhileOthersAdd(t *testing.T) {
	const writers, each = 4, 500
	var s sink
	l := newLog(t, &s, JSON, Options{})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if l.Add(usual()); w == 0 && i == each/2 {
					if err := l.Close(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if n, dropped := len(s.lines()), int(l.dropped.Load()); n+dropped != writers*each || dropped == 0 {
		t.Errorf("%d lines, %d dropped", n, dropped)
	}
}

func TestAdd_DoesNotAllocate(t *testing.T) {
	escaped := failed()
	escaped.Path, escaped.Host = []byte("/\n\x1b\u202e\xff\U000e0001 x"), bytes.Repeat([]byte("é"), 400)
	for _, r := range []*Record{usual(), failed(), escaped} {
		for _, f := range []Format{Text, JSON} {
			l := newLog(t, io.Discard, f, Options{})
			at := r.Time
			if n := testing.AllocsPerRun(2000, func() {
				r.Time = r.Time.Add(300 * time.Millisecond)
				l.Add(r)
			}); n != 0 {
				t.Errorf("format %d: %v allocations for %s", f, n, format(f, r))
			}
			r.Time = at
			closeLog(t, l)
		}
	}
}
