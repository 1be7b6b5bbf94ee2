package registry

import (
	"fmt"
	"testing"
	"testing/synctest"
)

// A user has so many watches at a node and no more; what ends makes room, once. Nobody else is touched.
func TestWatch_HasALimitForEachUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFakeLog()
		mounts, err := NewMounts(Mount{Path: Root, Store: l, Target: Root})
		if err != nil {
			t.Fatal(err)
		}
		s := NewService(Config{Mounts: mounts, Authorizer: &hidden{}, Limits: Limits{UserWatches: 3}})
		var open []*Watch
		watch := func(a Actor, want Code) {
			t.Helper()
			w, err := s.Watch(t.Context(), a, WatchInput{Path: Path(fmt.Sprint("/", len(open)%2))})
			if CodeOf(err) != want {
				t.Errorf("%+v: %v, want %q", a, err, want)
			}
			if e, ok := err.(*Error); ok && e.RetryAfter != watchRetry { //nolint:errorlint // the very error
				t.Errorf("come again in %v", e.RetryAfter)
			}
			if err == nil {
				open = append(open, w)
			}
		}
		ann, bob := Actor{User: "ann"}, Actor{User: "bob"}
		here, there := Actor{Client: "192.0.2.1"}, Actor{Client: "192.0.2.2"}
		for range 3 {
			watch(ann, "")
			watch(here, "")
		}
		watch(ann, CodeThrottled)
		watch(here, CodeThrottled)
		watch(bob, "")
		watch(there, "")
		open[0].Close()
		open[0].Close() // again makes no more room
		watch(ann, "")
		watch(ann, CodeThrottled)
		for _, w := range open {
			w.Close()
		}
		if n := len(s.watching.users); n != 0 {
			t.Errorf("%d users are remembered after their last watch", n)
		}
		for range 3 {
			watch(ann, "")
		}
		s.EndWatches()
		for _, w := range open {
			w.Close()
		}
		if n := len(s.watching.users); n != 0 {
			t.Errorf("%d users are remembered after the end", n)
		}
	})
}
