package lb

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestChecker_AHintBringsTheCheckAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(1500 * time.Millisecond)
		m.answers(refusing)
		m.health.hint()
		got := m.after(200 * time.Millisecond)
		m.expect(t, "gone", got, verdictDead)
		if got[0].at > 50*time.Millisecond {
			t.Errorf("down %v after the hint", got[0].at)
		}
	})
}

// A hint alone takes no member out of use, however often it comes, and costs no more than a check in a twentieth of the interval.
func TestChecker_LyingHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(2 * time.Second)
		asked := m.asked.Load()
		for range 10000 {
			m.health.hint()
			time.Sleep(time.Millisecond)
		}
		m.expect(t, "lies", m.after(time.Second))
		if n := m.asked.Load() - asked; n < 10 || n > 10000/50+3 {
			t.Errorf("%d checks in ten seconds", n)
		}
	})
}

// Hints while a check runs wait for it: a silent member is found out no sooner for them, and not later.
func TestChecker_HintsAboutASilentMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(2 * time.Second)
		m.answers(frozen)
		var done atomic.Bool
		go func() {
			for !done.Load() {
				m.health.hint()
				time.Sleep(10 * time.Millisecond)
			}
		}()
		got := m.after(2 * time.Second)
		done.Store(true)
		m.expect(t, "silent", got, verdictDead)
		if got[0].at > 800*time.Millisecond {
			t.Errorf("down after %v", got[0].at)
		}
		time.Sleep(20 * time.Millisecond)
	})
}

// trouble gives the members that the discovery tells trouble of.
func (b *bench) trouble() <-chan MemberKey {
	told := make(chan MemberKey, 100)
	b.discovery.TellTrouble(func(m MemberKey) {
		select {
		case told <- m:
		default:
		}
	})
	return told
}

func awaitTrouble(t *testing.T, told <-chan MemberKey, id string) {
	t.Helper()
	select {
	case m := <-told:
		if m != (MemberKey{testDomain, "", id}) {
			t.Errorf("told of %+v, want %s", m, id)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was told")
	}
}

func TestDiscovery_TellsTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		checked bool
		status  int // of the member's answers in the end; 0 = it is gone
	}{
		"ejected for a refused connection": {false, 0},
		"a check is refused":               {true, 0},
		"a check is answered with 503":     {true, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			if c.checked {
				b = checkedBench(t)
			}
			told := b.trouble()
			var status atomic.Int32
			status.Store(http.StatusOK)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
			defer server.Close()
			b.members(strings.TrimPrefix(server.URL, "http://"), goodMember(t, "well"))
			b.awaitStanding(0, StandingUp)
			b.awaitStanding(1, StandingUp)
			status.Store(int32(c.status))
			if c.status == 0 {
				server.Close()
			}
			for range 2 {
				if !c.checked {
					b.get("/")
				}
			}
			awaitTrouble(t, told, "m0")
		})
	}
}

func TestDiscovery_Hint(t *testing.T) {
	t.Parallel()
	b := checkedBench(t)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	well := gossiped(t, "well", goodMember(t, "well"))
	dying := gossiped(t, "dying", strings.TrimPrefix(server.URL, "http://"))
	leaving := gossiped(t, "leaving", goodMember(t, "leaving"))
	leaving.State = membership.StateDraining
	b.discovery.Update(testDomain, []membership.Member{dying, leaving, well})
	b.awaitStanding(0, StandingUp)
	b.awaitStanding(2, StandingUp)
	hint := func(id string) HintResult { return b.discovery.Hint(MemberKey{testDomain, "", id}) }
	for _, c := range []struct {
		of   MemberKey
		want HintResult
	}{
		{MemberKey{testDomain, "", "well"}, HintChecked},
		{MemberKey{testDomain, "", "nobody"}, HintUnknown},
		{MemberKey{testDomain, "mgt", "well"}, HintUnknown},
		{MemberKey{"other.domain", "", "well"}, HintUnknown},
		{MemberKey{testDomain, "", "leaving"}, HintUnchecked},
	} {
		if got := b.discovery.Hint(c.of); got != c.want {
			t.Errorf("%+v: %s, want %s", c.of, got, c.want)
		}
	}
	server.Close()
	hint("dying")
	b.awaitStanding(0, StandingDown)
	if got := hint("dying"); got != HintKnown {
		t.Errorf("of a member that is down: %s", got)
	}
	if s := b.standing(2); s.Standing != StandingUp || s.Ejections != 0 {
		t.Errorf("the member that is well: %+v", s)
	}
}

// A check that runs when a hint comes may have been answered before the trouble began: it is followed by another one at once.
func TestChecker_AHintDuringACheckIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := DefaultHealth()
		took := spec.Timeout / 4
		m := watchMember(t, spec, func(context.Context) error {
			time.Sleep(took)
			return nil
		})
		m.after(1500 * time.Millisecond)
		for asked := m.asked.Load(); m.asked.Load() == asked; {
			time.Sleep(time.Millisecond)
		}
		m.answers(refusing)
		m.health.hint()
		got := m.after(time.Second / 2)
		m.expect(t, "gone", got, verdictDead)
		if most := took + 50*time.Millisecond; got[0].at > most {
			t.Errorf("down %v after the hint, want at most %v", got[0].at, most)
		}
	})
}

// Hints come while members come and go, and their domain with them.
func TestDiscovery_HintsWhileTablesChange(t *testing.T) {
	t.Parallel()
	b := checkedBench(t)
	told := b.trouble()
	well := gossiped(t, "well", goodMember(t, "well"))
	gone := gossiped(t, "gone", refusedAddr(t))
	var hinting sync.WaitGroup
	ended := make(chan struct{})
	for _, id := range []string{"well", "gone", "nobody"} {
		hinting.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					b.discovery.Hint(MemberKey{testDomain, "", id})
					b.discovery.Members()
				}
			}
		})
	}
	for i := range 60 {
		b.discovery.Update(testDomain, []membership.Member{gone, well}[i%2:])
		if i%7 == 0 {
			b.discovery.Forget(testDomain)
		}
		if i%5 == 0 {
			b.discovery.UseRoutes(b.routes)
		}
		time.Sleep(time.Millisecond)
	}
	b.discovery.Update(testDomain, []membership.Member{gone, well})
	b.awaitStanding(0, StandingDown)
	b.awaitStanding(1, StandingUp)
	close(ended)
	hinting.Wait()
	awaitTrouble(t, told, "gone")
	if got := b.discovery.Hint(MemberKey{testDomain, "", "gone"}); got != HintKnown {
		t.Errorf("of a member that is down: %s", got)
	}
}

// A pool without checks checks nothing for the sake of a hint.
func TestDiscovery_HintInAPoolWithoutChecks(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.discovery.Update(testDomain, []membership.Member{gossiped(t, "gone", refusedAddr(t))})
	if got := b.discovery.Hint(MemberKey{testDomain, "", "gone"}); got != HintUnchecked {
		t.Errorf("%s", got)
	}
	if s := b.standing(0); s.Standing != StandingUp {
		t.Errorf("%+v", s)
	}
}
