package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeLog is a log in memory with one event for each operation.
type fakeLog struct {
	Store // the rest of the port is not used

	mu     sync.Mutex
	events []Event
	oldest int64 // operations below were removed
	mark   uint32
	moved  chan struct{}
	quiet  bool // commits are those of another node: they close nothing
	heads  atomic.Int64
	reads  atomic.Int64
}

func newFakeLog() *fakeLog { return &fakeLog{mark: 7, oldest: 1, moved: make(chan struct{})} }

func (l *fakeLog) Name() string { return "shared" }

func (l *fakeLog) Moved() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

func (l *fakeLog) Head(ctx context.Context) (Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heads.Add(1)
	return Position{Seq: int64(len(l.events)), Item: EndOfOperation, Mark: l.mark}, ctx.Err()
}

func (l *fakeLog) Events(ctx context.Context, after Position, limit int) (EventPage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads.Add(1)
	if after.Mark != 0 && after.Mark != l.mark || after.Seq > int64(len(l.events)) || after.Seq+1 < l.oldest {
		return EventPage{}, &Error{Code: CodeGone, Err: &GoneError{Oldest: l.oldest}}
	}
	page := EventPage{Last: Position{after.Seq, after.Item, l.mark}}
	for _, e := range l.events {
		if after.Before(e.Position) && len(page.Events) < limit {
			page.Events, page.Last = append(page.Events, e), e.Position
		}
	}
	page.More = page.Last.Seq < int64(len(l.events))
	return page, ctx.Err()
}

func (l *fakeLog) add(paths ...Path) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range paths {
		l.events = append(l.events, Event{Position: Position{Seq: int64(len(l.events) + 1), Mark: l.mark}, Action: "update", Path: p})
	}
	if !l.quiet {
		close(l.moved)
		l.moved = make(chan struct{})
	}
}

// hidden is an authorizer by whom nobody reads one path.
type hidden struct {
	SignedIn // for nodes, which these tests have none of

	mu   sync.Mutex
	path Path
}

func (h *hidden) Authorize(_ context.Context, _ Actor, _ Right, p Path) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p == h.path {
		return Errorf(CodeDenied, "hidden")
	}
	return nil
}

func (h *hidden) hide(p Path) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.path = p
}

func watchService(t *testing.T, l *fakeLog, auth Authorizer) *Service {
	t.Helper()
	mounts, err := NewMounts(Mount{Path: "/m", Store: l, Target: "/t"})
	if err != nil {
		t.Fatal(err)
	}
	return NewService(Config{Mounts: mounts, Authorizer: auth, Limits: Limits{UserWatches: MaxWatches}})
}

func nobody() (Actor, error) { return Actor{User: "ann"}, nil }

// takeAll gives what a watch has to tell until it is idle.
func takeAll(t *testing.T, w *Watch) []string {
	t.Helper()
	var got []string
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 3*headPoll)
		events, err := w.Next(ctx, nobody)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			got = append(got, fmt.Sprintf("%d %s", e.Seq, e.Path))
		}
	}
}

func mustWatch(t *testing.T, s *Service, in WatchInput) *Watch {
	t.Helper()
	w, err := s.Watch(t.Context(), Actor{User: "ann"}, in)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWatch_TellsWhatItIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog()
		l.add("/t/old", "/t/a")
		s := watchService(t, l, SignedIn{})
		type watched struct {
			in   WatchInput
			want []string
		}
		start := Position{}
		cases := []watched{
			{WatchInput{Path: "/m"}, []string{"3 /m/a/x", "4 /m/a", "6 /m/ab", "7 /m/a", "8 /m/a/x/y"}},
			{WatchInput{Path: "/m", From: &start}, []string{"1 /m/old", "2 /m/a", "3 /m/a/x", "4 /m/a", "6 /m/ab", "7 /m/a", "8 /m/a/x/y"}},
			{WatchInput{Path: "/m/a"}, []string{"3 /m/a/x", "4 /m/a", "7 /m/a", "8 /m/a/x/y"}},
			{WatchInput{Path: "/m/a", Only: true}, []string{"4 /m/a", "7 /m/a"}},
			{WatchInput{Path: "/m/a/x", Only: true}, []string{"3 /m/a/x", "7 /m/a"}},
			{WatchInput{Path: "/m/a/x/deep"}, []string{"7 /m/a"}},
			{WatchInput{Path: "/m/b"}, nil},
			{WatchInput{Path: "/"}, []string{"3 /m/a/x", "4 /m/a", "6 /m/ab", "7 /m/a", "8 /m/a/x/y"}},
		}
		var watches []*Watch
		for _, c := range cases {
			watches = append(watches, mustWatch(t, s, c.in))
		}
		synctest.Wait()
		l.add("/t/a/x", "/t/a", "/other", "/t/ab", "/t/a", "/t/a/x/y")
		l.mu.Lock()
		l.events[6].Moves = true
		l.mu.Unlock()
		for i, w := range watches {
			if got := takeAll(t, w); !slices.Equal(got, cases[i].want) {
				t.Errorf("%+v: told %q, want %q", cases[i].in, got, cases[i].want)
			}
			if at := w.Position(); at.Seq != 8 || at.Mark != l.mark {
				t.Errorf("%+v: at %v after all", cases[i].in, at)
			}
			w.Close()
			w.Close()
		}
		synctest.Wait()
		before := l.heads.Load()
		time.Sleep(10 * headPoll)
		if l.heads.Load() != before || len(s.watching.hubs["shared"].byPath)+len(s.watching.hubs["shared"].paths) != 0 {
			t.Error("the log is asked although nobody watches")
		}
	})
}

// Any number of watchers costs one look at the head at a time, and one reading of the log for what is new.
func TestWatch_ReadsOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog()
		s := watchService(t, l, SignedIn{})
		const watchers = 2000
		var told sync.WaitGroup
		for i := range watchers {
			w := mustWatch(t, s, WatchInput{Path: Path(fmt.Sprintf("/m/%d", i%100))})
			told.Go(func() {
				defer w.Close()
				events, err := w.Next(t.Context(), nobody)
				if err != nil || len(events) != 1 || events[0].Seq != int64(i%100+1) {
					t.Errorf("watcher %d: %v, %v", i, events, err)
				}
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		heads, reads := l.heads.Load(), l.reads.Load()
		time.Sleep(10 * headPoll)
		if n := l.heads.Load() - heads; n < 9 || n > 11 || l.reads.Load() != reads {
			t.Errorf("in ten polls at rest the head was asked for %d times and the log read %d times", n, l.reads.Load()-reads)
		}
		l.mu.Lock()
		l.quiet = true // of another node: the head tells
		l.mu.Unlock()
		for i := range 100 {
			l.add(Path(fmt.Sprintf("/t/%d", i)))
		}
		started := time.Now()
		told.Wait()
		if took := time.Since(started); took > headPoll {
			t.Errorf("what another node wrote was told after %v", took)
		}
		if n := l.reads.Load() - reads; n > 2 {
			t.Errorf("the log was read %d times for %d watchers", n, watchers)
		}
	})
}

// A watcher that takes nothing for long holds up nobody, and misses nothing.
func TestWatch_MaySlumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog()
		s := watchService(t, l, SignedIn{})
		slow, quick, idle := mustWatch(t, s, WatchInput{Path: "/m"}), mustWatch(t, s, WatchInput{Path: "/m"}), mustWatch(t, s, WatchInput{Path: "/m/none"})
		defer slow.Close()
		defer quick.Close()
		defer idle.Close()
		takeAll(t, idle)
		const rounds, each = 40, 400
		want := make([]string, 0, rounds*each)
		for i := range rounds {
			for k := range each {
				p := Path(fmt.Sprintf("/t/%d", k))
				l.add(p)
				want = append(want, fmt.Sprintf("%d /m/%d", i*each+k+1, k))
			}
			synctest.Wait()
			if got := takeAll(t, quick); !slices.Equal(got, want[i*each:]) {
				t.Fatalf("round %d: the quick one was told %d of %d", i, len(got), each)
			}
		}
		slow.hub.mu.Lock()
		if n := len(slow.hub.kept); n > keptEvents*5/4+readEvents {
			t.Errorf("%d events are kept", n)
		}
		slow.hub.mu.Unlock()
		reads := l.reads.Load()
		if got := takeAll(t, slow); !slices.Equal(got, want) {
			t.Errorf("the slow one was told %d of %d, or in another order", len(got), len(want))
		}
		if l.reads.Load() == reads {
			t.Error("the slow one did not read the log: this test proves nothing")
		}
		reads = l.reads.Load()
		if got := takeAll(t, idle); got != nil || l.reads.Load() != reads {
			t.Errorf("one for whom there was nothing was told %v and read the log %d times", got, l.reads.Load()-reads)
		}
		l.add("/t/none")
		if got := takeAll(t, idle); len(got) != 1 || l.reads.Load() > reads+1 {
			t.Errorf("after a long time it was told %v, and the log was read %d times", got, l.reads.Load()-reads)
		}
	})
}

// A watcher that has just read the log itself may be ahead of the hub. What the hub then reads it must not be told again.
func TestWatch_MayBeAheadOfTheHub(t *testing.T) {
	h := newHub(newFakeLog(), nil)
	h.started = true
	w := &Watch{hub: h, under: "/t", wake: make(chan struct{}, 1), pos: Position{Seq: 10, Item: EndOfOperation}}
	w.given = w.pos
	h.byPath["/t"] = []*Watch{w}
	read := func(from, to int64, more bool) {
		page := EventPage{More: more}
		for seq := from; seq <= to; seq++ {
			e := Event{Position: Position{Seq: seq}, Path: "/t/x"}
			page.Events, page.Last = append(page.Events, e), e.Position
		}
		h.append(t.Context(), page)
	}
	read(5, 8, true)
	if piece, state, err := w.takeKept(); piece != nil || state != watchIdle || err != nil || w.Position().Seq != 10 {
		t.Errorf("took %v, and is at %v: %v", piece, w.Position(), err)
	}
	read(9, 12, false)
	piece, _, err := w.takeKept()
	if err != nil || len(piece.events) != 2 || piece.events[0].Seq != 11 || piece.to.Seq != 12 {
		t.Errorf("took %v: %v", piece, err)
	}
}

func TestWatch_HidesWhatMayNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, rule := newFakeLog(), &hidden{path: "/m/secret"}
		s := watchService(t, l, rule)
		if _, err := s.Watch(t.Context(), Actor{}, WatchInput{Path: "/m/secret"}); CodeOf(err) != CodeDenied {
			t.Errorf("a watch of what may not be read: %v", err)
		}
		w := mustWatch(t, s, WatchInput{Path: "/m"})
		defer w.Close()
		l.add("/t/secret", "/t/open")
		if got := takeAll(t, w); !slices.Equal(got, []string{"2 /m/open"}) {
			t.Errorf("told %q", got)
		}
		l.add("/t/open") // is read by the hub already, and then the right is taken away
		synctest.Wait()
		rule.hide("/m/open")
		if got := takeAll(t, w); got != nil {
			t.Errorf("told %q although the right was taken away before", got)
		}
		ended := errors.New("signed out")
		l.add("/t/other")
		if _, err := w.Next(t.Context(), func() (Actor, error) { return Actor{}, ended }); !errors.Is(err, ended) {
			t.Errorf("told after the session ended: %v", err)
		}
	})
}

func TestWatch_EndsWithTheLogOrTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog()
		l.add("/t/a", "/t/a", "/t/a")
		l.oldest = 3
		s := watchService(t, l, SignedIn{})
		for _, p := range []Position{{Seq: 1}, {Seq: 9}, {Seq: 3, Mark: 1}} {
			if _, err := s.Watch(t.Context(), Actor{User: "ann"}, WatchInput{Path: "/m", From: &p}); CodeOf(err) != CodeGone {
				t.Errorf("from %v: %v", p, err)
			}
		}
		w := mustWatch(t, s, WatchInput{Path: "/m", From: &Position{Seq: 2, Mark: 7}})
		if got := takeAll(t, w); len(got) != 1 {
			t.Errorf("told %q", got)
		}
		l.mu.Lock()
		l.mark, l.events = 8, l.events[:2] // restored to an older state
		l.mu.Unlock()
		if _, err := w.Next(t.Context(), nobody); CodeOf(err) != CodeGone {
			t.Errorf("after the database was restored: %v", err)
		}
		w.Close()
		w = mustWatch(t, s, WatchInput{Path: "/m"}) // a new reader begins
		l.add("/t/b")
		if got := takeAll(t, w); len(got) != 1 {
			t.Errorf("told %q", got)
		}
		s.EndWatches()
		if _, err := w.Next(t.Context(), nobody); CodeOf(err) != CodeUnavailable {
			t.Errorf("on a node that stops: %v", err)
		}
		if _, err := s.Watch(t.Context(), Actor{User: "ann"}, WatchInput{Path: "/m"}); CodeOf(err) != CodeUnavailable {
			t.Errorf("a watch that begins on a node that stops: %v", err)
		}
		w.Close()
		if _, err := s.Watch(t.Context(), Actor{User: "ann"}, WatchInput{Path: "/elsewhere"}); CodeOf(err) != CodeConflict {
			t.Errorf("where no store is mounted: %v", err)
		}
	})
}

func TestPosition_ReadsWhatItWrote(t *testing.T) {
	for _, p := range []Position{{}, {1, 0, 5}, {4711, EndOfOperation, 0xffffffff}} {
		if back, store, err := ParsePosition(p.String()); back != p || store != "" || err != nil {
			t.Errorf("%v is read as %v, %q, %v", p, back, store, err)
		}
	}
	for s, want := range map[string]Position{"7": {7, EndOfOperation, 0}, "7.2": {7, 2, 0}, "7.end": {7, EndOfOperation, 0}} {
		if p, _, err := ParsePosition(s); p != want || err != nil {
			t.Errorf("%s is read as %v, %v", s, p, err)
		}
	}
	if p, store, err := ParsePosition("a:b:7"); p.Seq != 7 || store != "a:b" || err != nil {
		t.Errorf("with a store: %v, %q, %v", p, store, err)
	}
	for _, s := range []string{"", "x", "-1", "1.", "1.-1", "1.0.", "1.0.zz", "1.0.1.2", "1.0.123456789", "99999999999999999999", "shared:", "1.end.+1"} {
		if p, _, err := ParsePosition(s); CodeOf(err) != CodeInvalid {
			t.Errorf("%q is read as %v, %v", s, p, err)
		}
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"1", "shared:1.2.3", "1.end.ff", "::.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, _, err := ParsePosition(s)
		if err != nil {
			return
		}
		if back, _, err := ParsePosition(p.String()); err != nil || back != p {
			t.Errorf("%q is %v, which is read as %v, %v", s, p, back, err)
		}
	})
}

func TestAgentOf_KeepsWhatCanBeShown(t *testing.T) {
	long := strings.Repeat("é", 100)
	for in, want := range map[string]string{
		"": "", "curl/8.5": "curl/8.5", "a\x00b\nc\xff\u202ed": "abcd", long: long[:maxAgent], strings.Repeat("x", 121): strings.Repeat("x", 120),
	} {
		if got := AgentOf(in); got != want {
			t.Errorf("AgentOf(%q) = %q, want %q", in, got, want)
		}
	}
}
