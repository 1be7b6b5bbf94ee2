package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// rules is an authorizer that answers by path; no answer allows.
type rules struct {
	SignedIn // for nodes, which these tests have none of

	mu     sync.Mutex
	answer map[Path]error
}

func (r *rules) Authorize(_ context.Context, _ Actor, _ Right, p Path) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answer[p]
}

func (r *rules) set(p Path, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = map[Path]error{p: err}
}

// Where a watch stands is where its client will come back: before all that was not given out yet, whatever has been read.
func TestWatch_StandsBeforeWhatItHasNotGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, rule := newFakeLog(), &rules{}
		l.add("/t/a", "/t/b", "/t/c")
		s := watchService(t, l, rule)
		start := Position{Seq: 1, Mark: 7}
		w := mustWatch(t, s, WatchInput{Path: "/m", From: &start})
		defer w.Close()
		synctest.Wait()
		if at := w.Position(); at != start {
			t.Errorf("before anything was given it is at %v, not %v", at, start)
		}
		ended := errors.New("signed out")
		if _, err := w.Next(t.Context(), func() (Actor, error) { return Actor{}, ended }); !errors.Is(err, ended) {
			t.Errorf("after the session ended: %v", err)
		}
		rule.set("/m/c", Errorf(CodeUnavailable, "nobody knows who may read what"))
		if events, err := w.Next(t.Context(), nobody); CodeOf(err) != CodeUnavailable || events != nil {
			t.Errorf("while nobody knows who may read what it told %v, %v", events, err)
		}
		if at := w.Position(); at != start {
			t.Errorf("after two failures it is at %v, not %v", at, start)
		}
		rule.set("/m/b", Errorf(CodeDenied, "hidden"))
		if got := takeAll(t, w); !slices.Equal(got, []string{"3 /m/c"}) {
			t.Errorf("then it told %q", got)
		}
		if at := w.Position(); at.Seq != 3 {
			t.Errorf("after all it is at %v", at)
		}
	})
}

// Watchers that still have to notice that their log is gone must not spoil the watches that begin meanwhile.
func TestWatch_BeginsAnewBesideFailedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog()
		l.add("/t/a", "/t/a")
		s := watchService(t, l, SignedIn{})
		old := mustWatch(t, s, WatchInput{Path: "/m"})
		defer old.Close()
		synctest.Wait()
		l.mu.Lock()
		l.mark, l.events = 8, l.events[:1] // restored to an older state
		l.mu.Unlock()
		l.add()
		synctest.Wait()
		fresh := mustWatch(t, s, WatchInput{Path: "/m"})
		defer fresh.Close()
		l.add("/t/b")
		if got := takeAll(t, fresh); !slices.Equal(got, []string{"2 /m/b"}) {
			t.Errorf("the new watch was told %q", got)
		}
		if _, err := old.Next(t.Context(), nobody); CodeOf(err) != CodeGone {
			t.Errorf("the old watch: %v", err)
		}
		s.EndWatches()
	})
}

// The one filter: what an actor may not read is not told, neither as the path of an event nor as the other path in it.
func TestEventFilter_TellsOnlyWhatMayBeRead(t *testing.T) {
	l := newFakeLog()
	other := &namedStore{fakeLog: newFakeLog(), name: "other"}
	mounts, err := NewMounts(Mount{Path: "/m", Store: l, Target: "/t"}, Mount{Path: "/n", Store: l, Target: "/u"}, Mount{Path: "/m/over", Store: other, Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	rule := &rules{answer: map[Path]error{
		"/m/secret": Errorf(CodeDenied, "hidden"), "/m/odd": Errorf(CodeUnavailable, "nobody knows"),
	}}
	s := NewService(Config{Mounts: mounts, Authorizer: rule})
	for _, c := range []struct {
		what  string
		scope Path
		full  bool
		above bool
		event Event
		want  string // path, other path, client; "" for nothing
	}{
		{"a readable one", "/m", false, false, Event{Path: "/t/a", Client: "c"}, "/m/a||"},
		{"to an auditor", "/m", true, false, Event{Path: "/t/a", Client: "c"}, "/m/a||c"},
		{"an unreadable one", "/m", true, false, Event{Path: "/t/secret"}, ""},
		{"what moved to where it may not be read", "/m", false, false, Event{Path: "/t/a", Related: "/t/secret", Other: ID{1}}, "/m/a||"},
		{"what moved out of the scope", "/m", false, false, Event{Path: "/t/a", Related: "/u/b", Other: ID{1}}, "/m/a|/n/b|"},
		{"what moved out of sight", "/m", false, false, Event{Path: "/t/a", Related: "/v/b", Other: ID{1}}, "/m/a||"},
		{"what another mount hides", "/m", false, false, Event{Path: "/t/over/x"}, ""},
		{"an account", "/", true, false, Event{Subject: "ann"}, "||"},
		{"an account to others", "/", false, false, Event{Subject: "ann"}, ""},
		{"an account elsewhere", "/m", true, false, Event{Subject: "ann"}, ""},
		{"what moved the scope", "/m/secret/x", false, true, Event{Path: "/t/secret", Moves: true}, "/m/secret||"},
		{"what moved the scope, in a list", "/m/secret/x", false, false, Event{Path: "/t/secret", Moves: true}, ""},
		{"nobody knows", "/m", false, false, Event{Path: "/t/odd"}, "unavailable"},
		{"nobody knows the other path", "/m", false, false, Event{Path: "/t/a", Related: "/t/odd", Other: ID{1}}, "unavailable"},
	} {
		sc, err := s.scopeOf(c.scope, "")
		if c.scope == "/" {
			sc, err = s.scopeOf(c.scope, "shared")
		}
		if err != nil {
			t.Fatal(err)
		}
		f := eventFilter{auth: rule, scope: sc, full: c.full, above: c.above}
		list, err := f.pass(t.Context(), Actor{User: "ann"}, []Event{c.event})
		got := string(CodeOf(err))
		if len(list) > 0 {
			e := list[0]
			got = strings.Join([]string{string(e.Path), string(e.Related), e.Client}, "|")
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// namedStore is a log with another name.
type namedStore struct {
	*fakeLog
	name string
}

func (s *namedStore) Name() string { return s.name }
