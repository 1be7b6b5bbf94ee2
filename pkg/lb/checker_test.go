package lb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeMember is a member whose checks do what a test says, in the time of a bubble.
type fakeMember struct {
	health *health
	asked  atomic.Int32

	mu      sync.Mutex // guards what follows
	answer  func(ctx context.Context) error
	began   time.Time
	changes []change
}

// answers sets what the checks meet from now on.
func (m *fakeMember) answers(answer func(ctx context.Context) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

func (m *fakeMember) probe(ctx context.Context) error {
	m.asked.Add(1)
	m.mu.Lock()
	answer := m.answer
	m.mu.Unlock()
	return answer(ctx)
}

func (m *fakeMember) done(_ checkResult, before, after int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before != after {
		m.changes = append(m.changes, change{time.Since(m.began), after})
	}
}

// change is a verdict, and when it came.
type change struct {
	at      time.Duration
	verdict int32
}

// watchMember starts a checker over a fake member; it ends with the test.
func watchMember(t *testing.T, spec HealthSpec, answer func(ctx context.Context) error) *fakeMember {
	t.Helper()
	m := &fakeMember{health: newHealth(true, time.Now()), answer: answer, began: time.Now()}
	c := &checker{health: m.health, spec: spec, probe: m.probe, done: m.done}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		c.run(ctx)
		close(ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return m
}

// after lets time pass, and gives the verdicts that came meanwhile.
func (m *fakeMember) after(d time.Duration) []change {
	m.mu.Lock()
	m.changes, m.began = nil, time.Now()
	m.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

func well(context.Context) error { return nil }

func frozen(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func refusing(context.Context) error { return syscall.ECONNREFUSED }

func unready(context.Context) error { return wrongAnswerError{errors.New("it answers 503")} }

func (m *fakeMember) expect(t *testing.T, what string, got []change, want ...int32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: verdicts %v, want %v", what, got, want)
	}
	for i := range want {
		if got[i].verdict != want[i] {
			t.Fatalf("%s: verdicts %v, want %v", what, got, want)
		}
	}
}

func TestChecker_ANewMemberIsUpWithItsFirstPassedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), func(context.Context) error {
			time.Sleep(time.Millisecond) // of the bubble: it passes when nobody looks any more
			return nil
		})
		if m.health.usable(time.Now().UnixNano()) || m.health.standing(time.Now().UnixNano()) != StandingUnproven {
			t.Error("in use before its first check")
		}
		m.expect(t, "at once", m.after(2*time.Millisecond), verdictUp)
		asked := m.asked.Load()
		m.after(10 * time.Second)
		if n := m.asked.Load() - asked; n < 9 || n > 11 {
			t.Errorf("%d checks in ten seconds, want one a second", n)
		}
	})
}

func TestChecker_AFrozenMemberIsDownInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := DefaultHealth()
		m := watchMember(t, spec, well)
		m.after(time.Second)
		m.answers(frozen)
		m.health.doubt() // a request waits
		got := m.after(5 * time.Second)
		m.expect(t, "frozen", got, verdictDead)
		if most := spec.soon() + spec.Timeout*3/2; got[0].at > most {
			t.Errorf("down after %v, want %v at most", got[0].at, most)
		}
		m.answers(well)
		got = m.after(3 * time.Second)
		m.expect(t, "thawed", got, verdictUp)
		if got[0].at > 2*time.Second {
			t.Errorf("up after %v", got[0].at)
		}
	})
}

func TestChecker_ARefusedConnectionNeedsNoSecondOpinion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(time.Second)
		m.answers(refusing)
		asked := m.asked.Load()
		m.expect(t, "refused", m.after(1200*time.Millisecond), verdictDead)
		if m.asked.Load() == asked {
			t.Error("it was not asked")
		}
	})
}

func TestChecker_OneFailureIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(time.Second)
		var asked atomic.Int32
		m.answers(func(ctx context.Context) error {
			if asked.Add(1) == 1 {
				return unready(ctx)
			}
			return nil
		})
		m.expect(t, "one failure", m.after(5*time.Second))
		if asked.Load() == 0 {
			t.Error("it did not fail")
		}
	})
}

func TestChecker_NotReadyIsNotDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(time.Second)
		m.answers(unready)
		m.expect(t, "not ready", m.after(3*time.Second), verdictUnready)
		m.answers(frozen)
		m.expect(t, "then silent", m.after(3*time.Second), verdictDead)
		m.answers(unready)
		m.expect(t, "then not ready", m.after(3*time.Second), verdictUnready)
		m.answers(well)
		m.expect(t, "then well", m.after(3*time.Second), verdictUp)
	})
}

// What is our own shortage, or comes far too late because we were held up, says nothing about the member.
func TestChecker_OurOwnTroubleDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := watchMember(t, DefaultHealth(), well)
		m.after(time.Second)
		m.answers(func(context.Context) error { return syscall.EMFILE })
		m.expect(t, "no descriptors", m.after(5*time.Second))
		m.answers(func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(300 * time.Millisecond) // this process stands still
			return ctx.Err()
		})
		m.expect(t, "held up", m.after(5*time.Second))
	})
}

func TestChecker_DoubtBringsTheCheckForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := DefaultHealth()
		spec.Interval = time.Hour
		spec.Timeout = time.Second
		m := watchMember(t, spec, well)
		m.after(30 * time.Minute)
		asked := m.asked.Load()
		m.health.doubt()
		m.after(time.Second)
		if m.asked.Load() != asked+1 {
			t.Errorf("%d checks after a doubt, want one", m.asked.Load()-asked)
		}
		for range 100 {
			m.health.doubt()
			m.after(time.Second)
		}
		if n := m.asked.Load() - asked; n > 2 {
			t.Errorf("%d checks: doubts are to be met a quarter of an interval apart", n)
		}
	})
}

func TestHealth_RunsOfTroubleEject(t *testing.T) {
	now := time.Now().UnixNano()
	h := &health{}
	for range 9 {
		if h.strike(offenceError, 10) {
			t.Fatal("too early")
		}
	}
	h.troubled(now)
	if !h.strike(offenceError, 10) {
		t.Error("the tenth in a row is the last straw; an answer of that kind does not end the row")
	}
	h.good(now)
	if h.strike(offenceError, 2) {
		t.Error("a good answer ends the row")
	}
	if h.strike(offenceTimeout, 0) {
		t.Error("0 is no limit")
	}
}

func TestHealth_TroubledProbeDoesNotEndTheEjectionForIt(t *testing.T) {
	for _, c := range []struct {
		cause offence
		ends  bool
	}{{offenceError, false}, {offenceConnect, true}} {
		h := &health{}
		now := time.Now().UnixNano()
		h.eject(now, now)
		h.noted(c.cause, Result{})
		h.troubled(now + 1)
		if ended := h.until.Load() == 0; ended != c.ends {
			t.Errorf("ejected for %s, then an answer 503: ended %t, want %t", c.cause, ended, c.ends)
		}
	}
}

// However many requests fail, half of the members stay; refused connections leave one.
func TestPool_SuspicionLeavesHalf(t *testing.T) {
	now := time.Now().UnixNano()
	for _, c := range []struct{ members, ejected, refused int }{{1, 0, 0}, {2, 1, 1}, {3, 1, 2}, {4, 2, 3}, {5, 2, 4}} {
		for _, direct := range []bool{false, true} {
			p := poolOf(c.members)
			ejected := 0
			for _, member := range p.active {
				if direct && p.eject(member, now, now) || !direct && p.ejectSuspected(member, now, now) {
					ejected++
				}
			}
			want := c.ejected
			if direct {
				want = c.refused
			}
			if ejected != want {
				t.Errorf("%d of %d ejected (direct evidence: %t), want %d", ejected, c.members, direct, want)
			}
		}
	}
}

// Who is asked, from best to worst: those in health, those not proven yet, those that are there at least, anybody.
func TestPool_OrderOfResorts(t *testing.T) {
	p := poolOf(5)
	now := time.Now().UnixNano()
	p.active[0].health.verdict.Store(verdictDead)
	p.active[1].health.verdict.Store(verdictUnready)
	p.active[2].health.eject(now, now)
	p.active[3].health.verdict.Store(verdictUnproven)
	order := []string{}
	var tried []*Target
	for range p.active {
		tried = append(tried, p.pickNow(tried...))
		order = append(order, tried[len(tried)-1].Member.ID)
	}
	slices.Sort(order[2:4]) // equal in rank
	if want := []string{"4", "3", "1", "2", "0"}; !slices.Equal(order, want) {
		t.Errorf("asked in the order %v, want %v", order, want)
	}
}

// What a check finds after its end is somebody else's affair by then.
func TestHealth_ChecksThatWereEndedDoNotCount(t *testing.T) {
	t.Parallel()
	h := newHealth(true, time.Now())
	ended, end := context.WithCancel(t.Context())
	end()
	for _, kind := range []checkKind{checkPassed, checkRefused, checkWrong} {
		if before, after := h.checked(ended, checkResult{kind: kind, at: time.Now()}, 1, 1); before != verdictUnproven || after != verdictUnproven {
			t.Errorf("%s: from %d to %d", kind, before, after)
		}
	}
	if h.tally != (tally{}) || !h.note.last.at.IsZero() {
		t.Errorf("it left %+v, %+v", h.tally, h.note)
	}
}

// Two checks run at a time while the first is not answered: what the older one finds in the end is older news.
func TestHealth_AnOvertakenCheckDoesNotCount(t *testing.T) {
	t.Parallel()
	began := time.Now()
	late := began.Add(time.Second)
	for _, tt := range []struct {
		name    string
		earlier int32 // the verdict before both
		later   checkKind
		older   checkKind
		want    int32
	}{
		{"it thaws", verdictDead, checkWrong, checkSilent, verdictUnready},
		{"it is up again", verdictDead, checkPassed, checkSilent, verdictUp},
		{"it passed before it died", verdictUp, checkRefused, checkPassed, verdictDead},
		{"our own trouble overtakes nobody", verdictUp, checkSkipped, checkSilent, verdictDead},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHealth(true, began)
			h.verdict.Store(tt.earlier)
			h.checked(t.Context(), checkResult{kind: tt.later, at: late}, 1, 1)
			_, got := h.checked(t.Context(), checkResult{kind: tt.older, at: began}, 1, 1)
			if got != tt.want {
				t.Errorf("verdict %d, want %d", got, tt.want)
			}
			if shown := h.note.last.kind; shown != tt.later && tt.later != checkSkipped {
				t.Errorf("the last check shown is %q, want %q", shown, tt.later)
			}
		})
	}
}

// A member that is not checked any more begins anew when it is checked again.
func TestHealth_UncheckedForgets(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	lost := checkResult{kind: checkLost, at: began, took: time.Second, err: errors.New("lost")}
	h := newHealth(true, began)
	h.checked(t.Context(), checkResult{kind: checkPassed, at: began}, 2, 2)
	h.checked(t.Context(), lost, 2, 2)
	h.unchecked(began.Add(time.Minute))
	if _, after := h.checked(t.Context(), lost, 2, 2); after != verdictUp {
		t.Errorf("the first failed check of two took it down: %d", after)
	}
	_, after := h.checked(t.Context(), lost, 2, 2)
	var s MemberStatus
	h.describe(&s, began.UnixNano())
	if after != verdictDead || s.Standing != StandingDown || s.Reason != "lost" || !s.StandingSince.Equal(began.Add(time.Second)) {
		t.Errorf("after two: %d, %+v", after, s)
	}
	h.unchecked(began.Add(time.Hour))
	h.describe(&s, began.UnixNano())
	if s.Standing != StandingUp || s.Reason != "" || !s.StandingSince.Equal(began.Add(time.Hour)) {
		t.Errorf("unchecked: %+v", s)
	}
}

// Checks come sooner while the next ones may decide something.
func TestHealth_InDoubt(t *testing.T) {
	t.Parallel()
	h := newHealth(true, time.Now())
	if !h.inDoubt() {
		t.Error("an unproven member is in no doubt")
	}
	for i, step := range []struct {
		kind checkKind
		want bool
	}{
		{checkPassed, false}, {checkLost, true}, {checkPassed, false}, {checkLost, true}, {checkLost, false}, {checkLost, false}, // down for good
		{checkPassed, true}, {checkLost, false}, {checkPassed, true}, {checkPassed, false},
	} {
		h.checked(t.Context(), checkResult{kind: step.kind, at: time.Now()}, 2, 2)
		if got := h.inDoubt(); got != step.want {
			t.Errorf("after check %d, %s: in doubt %t", i+1, step.kind, got)
		}
	}
}
