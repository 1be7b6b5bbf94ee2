package auth

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// gatedVerifier counts hashes and holds each until the gate is closed. The right password of any PHC string is "right".
func gatedVerifier() (v *verifier, gate chan struct{}, running, total *atomic.Int64) {
	v, gate, running, total = newVerifier(), make(chan struct{}), new(atomic.Int64), new(atomic.Int64)
	v.verify = func(_, password string) (bool, error) {
		total.Add(1)
		running.Add(1)
		<-gate
		running.Add(-1)
		return password == "right", nil
	}
	return v, gate, running, total
}

func TestVerifier_HashesOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, gate, _, total := gatedVerifier()
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if ok, err := v.check(t.Context(), "ann", "right", "phc"); err != nil || !ok {
					t.Errorf("check = %v, %v", ok, err)
				}
			})
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		if n := total.Load(); n != 1 {
			t.Errorf("64 equal checks took %d hashes", n)
		}
		if ok, err := v.check(t.Context(), "ann", "right", "phc"); err != nil || !ok {
			t.Errorf("the same again = %v, %v", ok, err)
		}
		if n := total.Load(); n != 1 {
			t.Errorf("a verified credential was hashed again (%d hashes)", n)
		}
	})
}

func TestVerifier_OutlivesTheRequestThatCameFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, gate, _, total := gatedVerifier()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = v.check(ctx, "ann", "right", "phc") })
		synctest.Wait()
		wg.Go(func() {
			if ok, err := v.check(t.Context(), "ann", "right", "phc"); err != nil || !ok {
				t.Errorf("the second request = %v, %v", ok, err)
			}
		})
		synctest.Wait()
		cancel()
		close(gate)
		wg.Wait()
		if n := total.Load(); n != 1 {
			t.Errorf("%d hashes, want 1", n)
		}
	})
}

func TestVerifier_BoundsHashesAtATimeAndThoseWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, gate, running, _ := gatedVerifier()
		var busy atomic.Int64
		var wg sync.WaitGroup
		for i := range waitingHashes + 10 {
			wg.Go(func() {
				_, err := v.check(t.Context(), fmt.Sprint("user", i), "right", "phc")
				if registry.CodeOf(err) == registry.CodeUnavailable {
					busy.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := running.Load(); n != parallelHashes {
			t.Errorf("%d hashes at a time, want %d", n, parallelHashes)
		}
		if n := busy.Load(); n != 10 {
			t.Errorf("%d checks were turned away, want 10", n)
		}
		<-time.After(hashWait) // fake time: those who wait give up, those who hash go on
		synctest.Wait()
		if n := busy.Load(); n != 10+waitingHashes-parallelHashes {
			t.Errorf("%d checks were turned away after the longest wait", n)
		}
		close(gate)
		wg.Wait()
		if n := v.waiting.Load(); n != 0 {
			t.Errorf("%d still count as waiting", n)
		}
	})
}

func TestVerifier_RemembersOnlyWhatIsRightForTheCurrentHash(t *testing.T) {
	v, gate, _, total := gatedVerifier()
	close(gate)
	steps := []struct {
		name, password, phc string
		want                bool
		hashes              int64
	}{
		{"ann", "wrong", "one", false, 1},
		{"ann", "wrong", "one", false, 2}, // wrong answers are not remembered
		{"ann", "right", "one", true, 3},
		{"ann", "right", "one", true, 3},
		{"bob", "right", "one", true, 4},  // another user
		{"ann", "right", "two", true, 5},  // a changed hash makes the memory void
		{"annr", "ight", "two", false, 6}, // the border between name and password counts
	}
	for _, s := range steps {
		got, err := v.check(t.Context(), s.name, s.password, s.phc)
		if err != nil || got != s.want || total.Load() != s.hashes {
			t.Errorf("check(%s, %s, %s) = %v, %v after %d hashes; want %v after %d", s.name, s.password, s.phc, got, err, total.Load(), s.want, s.hashes)
		}
	}
}
