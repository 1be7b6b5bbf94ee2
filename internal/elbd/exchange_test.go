package elbd

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/membership/membershiptest"
)

// talker is an exchange over simulated gossip, with members and checks that a test makes up.
type talker struct {
	*exchange
	group *membership.Group
	log   *lines
	own   atomic.Uint32 // epoch
	stop  func()

	mu    sync.Mutex
	list  []lb.MemberStatus
	asked []lb.MemberKey
}

func (k *talker) use(list ...lb.MemberStatus) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = list
}

// hinted are the members that checks were asked for since the last call.
func (k *talker) hinted() []lb.MemberKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := k.asked
	k.asked = nil
	return asked
}

// verdictsOf are the others' verdicts on a member, as name=condition.
func (k *talker) verdictsOf(id string) string {
	list := []lb.MemberStatus{{Domain: "d", ID: id}}
	k.annotate(list)
	var words []string
	for _, v := range list[0].Verdicts {
		words = append(words, v.ELB+"="+string(v.Condition))
	}
	return strings.Join(words, " ")
}

// startTalkers opens n ELBs "elb1", … that see each other in a simulated network.
func startTalkers(t *testing.T, n int) (*membershiptest.Network, []*talker) {
	t.Helper()
	network := membershiptest.NewNetwork(1)
	var all []*talker
	for i := range n {
		k := &talker{log: &lines{}}
		k.own.Store(7)
		id, err := membership.NewID()
		if err != nil {
			t.Fatal(err)
		}
		k.exchange = &exchange{
			self: id, epoch: k.own.Load, log: slog.New(slog.NewTextHandler(k.log, nil)), alarms: make(chan lb.MemberKey, alarmsMost),
			busy: map[string]bool{}, heard: map[string]*voice{}, differs: map[string]*differing{},
			groups: func() []*group { return []*group{{domain: ownDomain, group: k.group}} },
			members: func() []lb.MemberStatus {
				k.mu.Lock()
				defer k.mu.Unlock()
				return slices.Clone(k.list)
			},
			hint: func(m lb.MemberKey) lb.HintResult {
				k.mu.Lock()
				defer k.mu.Unlock()
				k.asked = append(k.asked, m)
				return lb.HintChecked
			},
		}
		k.metrics = newExchangeMetrics(k.countPeers)
		k.group, err = membership.Open(t.Context(), membership.Config{
			Local: membership.Member{ID: id, Name: fmt.Sprintf("elb%d", i+1), Domain: ownDomain, State: membership.StateActive, Balancer: true, Epoch: 7, Version: daemon.Version(), StartedAt: time.Now()},
			Seeds: []string{"10.0.0.1:4000"}, InsecureGossip: true, Transport: network.Node(fmt.Sprintf("10.0.0.%d:4000", i+1)), Receive: k.receive,
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	for _, k := range all {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			k.run(ctx)
			close(ended)
		}()
		k.stop = sync.OnceFunc(func() {
			cancel()
			_ = k.group.Leave(context.Background())
			<-ended
		})
	}
	t.Cleanup(func() {
		var leaving sync.WaitGroup
		for _, k := range all {
			leaving.Go(k.stop)
		}
		leaving.Wait()
		time.Sleep(20 * time.Second) // memberlist ends what is under way
	})
	for range 100 {
		time.Sleep(50 * time.Millisecond)
		if !slices.ContainsFunc(all, func(k *talker) bool { return len(k.group.Members()) != n }) {
			return network, all
		}
	}
	t.Fatal("they do not find each other")
	return nil, nil
}

// told is a member with its condition, that began so long ago.
func told(id string, c lb.Condition, ago time.Duration) lb.MemberStatus {
	return lb.MemberStatus{Domain: "d", ID: id, Condition: c, ConditionSince: time.Now().Add(-ago).UTC()}
}

func key(id string) lb.MemberKey { return lb.MemberKey{Domain: "d", ID: id} }

func TestExchange_AnAlarmIsHeardAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := startTalkers(t, 3)
		time.Sleep(2 * time.Second)
		a := all[0]
		a.use(told("up", lb.ConditionUp, time.Hour), told("m", lb.ConditionUp, time.Hour), told("n", lb.ConditionUp, time.Hour))
		time.Sleep(2 * time.Second)
		a.use(told("up", lb.ConditionUp, time.Hour), told("m", lb.ConditionDown, 0), told("n", lb.ConditionEjected, 0))
		a.alarm(key("m"))
		a.alarm(key("n"))
		a.alarm(key("m"))
		time.Sleep(20 * time.Millisecond)
		for _, k := range all[1:] {
			if got := k.hinted(); len(got) != 2 || !slices.Contains(got, key("m")) || !slices.Contains(got, key("n")) {
				t.Errorf("asked for checks of %v", got)
			}
			if k.verdictsOf("m") != "elb1=down" || k.verdictsOf("n") != "elb1=ejected" {
				t.Errorf("it heard %q, %q", k.verdictsOf("m"), k.verdictsOf("n"))
			}
		}
		if got := a.hinted(); len(got) > 0 {
			t.Errorf("its own alarm came back: %v", got)
		}
		if n := testutil.ToFloat64(a.metrics.sent); n != 4 {
			t.Errorf("%v hints were counted", n)
		}
		time.Sleep(10 * time.Second) // whole reports tell the same
		for _, k := range all[1:] {
			if got := k.hinted(); len(got) > 0 {
				t.Errorf("asked again for checks of %v", got)
			}
		}
	})
}

// Packets are lost: the whole report that comes soon has a member checked, too.
func TestExchange_ALostHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, all := startTalkers(t, 2)
		time.Sleep(2 * time.Second)
		network.SetLoss(1)
		all[0].use(told("m", lb.ConditionDown, 0))
		all[0].alarm(key("m"))
		time.Sleep(10 * time.Millisecond)
		network.SetLoss(0)
		if got := all[1].hinted(); len(got) > 0 {
			t.Fatal("nothing was lost")
		}
		time.Sleep(exchangeTick + 10*time.Millisecond)
		if got := all[1].hinted(); !slices.Equal(got, []lb.MemberKey{key("m")}) {
			t.Errorf("asked for checks of %v", got)
		}
	})
}

func TestExchange_VerdictsTravelAndFade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, all := startTalkers(t, 3)
		a, b, c := all[0], all[1], all[2]
		a.use(told("m", lb.ConditionUp, time.Minute))
		b.use(told("m", lb.ConditionDown, 3*time.Second))
		time.Sleep(exchangeTick + 100*time.Millisecond)
		if got := c.verdictsOf("m"); got != "elb1=up elb2=down" {
			t.Errorf("heard %q", got)
		}
		if got := a.verdictsOf("m"); got != "elb2=down" {
			t.Errorf("heard %q", got)
		}
		list := []lb.MemberStatus{{Domain: "d", ID: "m"}}
		c.annotate(list)
		if since := time.Since(list[0].Verdicts[1].Since); since < 3*time.Second || since > 5*time.Second {
			t.Errorf("for %v", since)
		}
		b.use(told("m", lb.ConditionUp, 0))
		time.Sleep(exchangeTick + 100*time.Millisecond)
		if got := c.verdictsOf("m"); got != "elb1=up elb2=up" {
			t.Errorf("heard %q", got)
		}
		b.use() // it forgets the member
		time.Sleep(exchangeTick + 100*time.Millisecond)
		if got := c.verdictsOf("m"); got != "elb1=up" {
			t.Errorf("heard %q", got)
		}
		a.stop()
		time.Sleep(2 * time.Second)
		if got := c.verdictsOf("m"); got != "" {
			t.Errorf("after it left: %q", got)
		}
		b.use(told("m", lb.ConditionUp, 0))
		time.Sleep(2 * time.Second)
		network.Crash("10.0.0.2:4000")
		time.Sleep(fadesAfter + 2*time.Second)
		if got := c.verdictsOf("m"); got != "" {
			t.Errorf("after it was cut off: %q", got)
		}
		c.exchange.mu.Lock()
		defer c.exchange.mu.Unlock()
		if len(c.heard) > 0 {
			t.Errorf("%d ELBs that are gone are remembered", len(c.heard))
		}
	})
}

// Many members take a stream, and arrive all the same.
func TestExchange_ManyMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := startTalkers(t, 2)
		var list []lb.MemberStatus
		for i := range 500 {
			list = append(list, told(fmt.Sprintf("%026d", i), lb.ConditionUp, time.Hour))
		}
		list = append(list, told("last", lb.ConditionDown, time.Second))
		all[0].use(list...)
		time.Sleep(2 * time.Second)
		if got := all[1].verdictsOf(fmt.Sprintf("%026d", 499)) + all[1].verdictsOf("last"); got != "elb1=upelb1=down" {
			t.Errorf("heard %q", got)
		}
		down := slices.Clone(list) // a whole rack
		for i := range down {
			down[i] = told(list[i].ID, lb.ConditionDown, 0)
		}
		all[0].use(down...)
		for i := range down {
			all[0].alarm(key(down[i].ID))
		}
		time.Sleep(50 * time.Millisecond)
		soon := len(all[1].hinted())
		time.Sleep(5 * time.Second)
		if n := soon + len(all[1].hinted()); soon == 0 || n < 2*hintsMost/3 || n > 501 {
			t.Errorf("%d, then %d checks were asked for", soon, n)
		}
	})
}

func TestExchange_AnotherConfigurationIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := startTalkers(t, 2)
		a, b := all[0], all[1]
		count := func(message string) int { return bytes.Count([]byte(a.log.String()), []byte(message)) }
		peers := func() map[string]int { return a.countPeers() }
		if p := peers(); p["same"] != 1 || p["other"]+p["unknown"] != 0 {
			t.Errorf("peers: %v", p)
		}
		b.own.Store(8) // a change that is rolled out
		time.Sleep(5 * time.Second)
		if p := peers(); p["other"] != 1 {
			t.Errorf("peers: %v", p)
		}
		time.Sleep(differsFor / 2)
		a.own.Store(8)
		time.Sleep(2 * differsFor)
		if n := count("another ELB"); n != 0 {
			t.Errorf("told of a change that was rolled out:\n%s", a.log)
		}
		b.own.Store(9)
		time.Sleep(5 * differsFor)
		if count("another ELB has another configuration") != 1 || !strings.Contains(a.log.String(), "name=elb2") || !strings.Contains(a.log.String(), "epoch=00000009 own_epoch=00000008") {
			t.Errorf("log:\n%s", a.log)
		}
		b.own.Store(8)
		time.Sleep(5 * time.Second)
		if count("another ELB has the same configuration again") != 1 || peers()["same"] != 1 {
			t.Errorf("peers: %v, log:\n%s", peers(), a.log)
		}
	})
}

// Another version of the program has other keys and defaults, so that its epoch tells nothing unless it is the same.
func TestCompareEpoch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		other membership.Member
		want  string
	}{
		{membership.Member{Epoch: 7, Version: daemon.Version()}, epochSame},
		{membership.Member{Epoch: 7, Version: "0.9.0"}, epochSame},
		{membership.Member{Epoch: 8, Version: daemon.Version()}, epochOther},
		{membership.Member{Epoch: 8, Version: "0.9.0"}, epochUnknown},
		{membership.Member{Version: daemon.Version()}, epochUnknown},
	} {
		if got := compareEpoch(7, c.other); got != c.want {
			t.Errorf("%+v: %s, want %s", c.other, got, c.want)
		}
	}
}

func TestEldest(t *testing.T) {
	t.Parallel()
	in := func(id string, since time.Duration) colleague {
		return colleague{Member: membership.Member{ID: id, Since: noon.Add(since)}}
	}
	list := []colleague{in("made up", time.Minute), in("old", 0), in("another", time.Minute), in("older", -time.Hour)}
	for most, want := range map[int]string{1: "[older]", 2: "[older old]", 3: "[older old another]", 4: "[made up old another older]"} {
		ids := []string{}
		for _, c := range eldest(slices.Clone(list), most) {
			ids = append(ids, c.ID)
		}
		if fmt.Sprint(ids) != want {
			t.Errorf("%d: %v, want %s", most, ids, want)
		}
	}
}

// Whoever has the key makes up ELBs without end: those that were there before are still told and heard, and not all of the others are.
func TestExchange_MadeUpELBs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, all := startTalkers(t, 2)
		a, b := all[0], all[1]
		var leaving sync.WaitGroup
		defer leaving.Wait()
		for i := range voicesMost + 5 {
			fake, err := membership.Open(t.Context(), membership.Config{
				Local: membership.Member{Name: fmt.Sprintf("a%d", i), Domain: ownDomain, Balancer: true},
				Seeds: []string{"10.0.0.1:4000"}, InsecureGossip: true, Transport: network.Node(fmt.Sprintf("10.0.1.%d:4000", i+1)),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer leaving.Go(func() { _ = fake.Leave(context.Background()) })
		}
		time.Sleep(5 * time.Second)
		if n, m := len(a.group.Members()), len(a.colleagues()); n <= voicesMost || m != voicesMost {
			t.Errorf("%d members, %d others are told", n, m)
		}
		a.use(told("m", lb.ConditionDown, 0))
		a.alarm(key("m"))
		time.Sleep(2 * time.Second)
		if b.verdictsOf("m") != "elb1=down" {
			t.Errorf("heard %q", b.verdictsOf("m"))
		}
	})
}

func TestExchange_Hear(t *testing.T) {
	t.Parallel()
	down := func(id string) verdict { return verdict{key(id), lb.ConditionDown, 0} }
	up := func(id string) verdict { return verdict{key(id), lb.ConditionUp, 0} }
	type step struct {
		report report
		result string
		hints  string
	}
	for name, steps := range map[string][]step{
		"a part, then all": {
			{report{1, true, []verdict{up("a")}}, reportTaken, "[]"},
			{report{2, false, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{3, true, []verdict{down("a"), up("b"), down("c")}}, reportTaken, "[c]"},
			{report{4, true, []verdict{down("a"), down("b")}}, reportTaken, "[b]"},
		},
		"a part about a member that no whole report has": {
			{report{1, false, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{2, true, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{3, true, []verdict{down("a")}}, reportTaken, "[]"},
		},
		"again in trouble": {
			{report{1, true, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{2, false, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{3, true, []verdict{up("a")}}, reportTaken, "[]"},
			{report{4, true, []verdict{down("a")}}, reportTaken, "[a]"},
		},
		"late and twice": {
			{report{5, false, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{5, false, []verdict{down("a")}}, reportOld, "[]"},
			{report{4, false, []verdict{down("a")}}, reportOld, "[]"},
			{report{4, true, []verdict{up("a")}}, reportTaken, "[]"}, // a stream that was overtaken: the next one tells again
			{report{6, true, []verdict{down("a")}}, reportTaken, "[a]"},
			{report{4, true, []verdict{down("b")}}, reportOld, "[]"},
			{report{0, true, nil}, reportOld, "[]"},
		},
		"no trouble": {
			{report{1, false, []verdict{up("a"), {key("b"), lb.ConditionDraining, 0}, {key("c"), lb.ConditionLost, 0}}}, reportTaken, "[]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &exchange{heard: map[string]*voice{}}
			for i, s := range steps {
				result, hints, _ := x.hear("peer", &s.report, noon)
				ids := []string{}
				for _, m := range hints {
					ids = append(ids, m.ID)
				}
				if result != s.result || fmt.Sprint(ids) != s.hints {
					t.Errorf("step %d: %s %v, want %s %s", i+1, result, ids, s.result, s.hints)
				}
			}
		})
	}
}

// Whoever has the key can make up ELBs, members and hints: what is kept of them, and the checks that they cause, are bounded.
func TestExchange_IsBounded(t *testing.T) {
	t.Parallel()
	checks := 0
	x := &exchange{self: "self", heard: map[string]*voice{}, log: slog.New(slog.DiscardHandler), hint: func(lb.MemberKey) lb.HintResult { checks++; return lb.HintUnknown }}
	x.metrics = newExchangeMetrics(nil)
	say := func(from string, balancer bool, r report) {
		body, _ := r.encode(membership.MaxMessage)
		x.receive(membership.Message{From: membership.Member{ID: from, Balancer: balancer}, Body: body})
	}
	result := func(name string) float64 { return testutil.ToFloat64(x.metrics.reports.WithLabelValues(name)) }
	for i := range 2 * voicesMost {
		say(fmt.Sprint(i), true, report{number: 1, whole: true})
	}
	if len(x.heard) != voicesMost || result(reportSurplus) != voicesMost {
		t.Errorf("%d ELBs are listened to", len(x.heard))
	}
	say("node", false, report{number: 1})
	say("self", true, report{number: 1})
	x.receive(membership.Message{From: membership.Member{ID: "0", Balancer: true}, Body: []byte("nonsense")})
	if result(reportStranger) != 2 || result(reportMalformed) != 1 {
		t.Errorf("%v strangers, %v malformed", result(reportStranger), result(reportMalformed))
	}
	began := time.Now()
	for n := range uint64(100) {
		r := report{number: 2 + n}
		for i := range 100 {
			r.verdicts = append(r.verdicts, verdict{key(fmt.Sprint(n, i)), lb.ConditionDown, 0})
		}
		say("0", true, r)
	}
	if most := hintsMost * (1 + int(time.Since(began)/time.Second)); checks < hintsMost || checks > most {
		t.Errorf("%d checks", checks)
	}
	if n := len(x.heard["0"].opinions); n != 0 {
		t.Errorf("%d opinions are kept of members that no whole report has", n)
	}
	if n := testutil.ToFloat64(x.metrics.hints.WithLabelValues(hintLimited)); n < verdictsMost-2*hintsMost {
		t.Errorf("%v hints were refused", n)
	}
	before := checks
	say("1", true, report{number: 2, verdicts: []verdict{{key("m"), lb.ConditionDown, 0}}})
	if checks != before+1 {
		t.Error("one that asks for too much keeps this ELB from hearing another one")
	}
}

// A rack of 100 members dies before five ELBs: each is told by all others, no hint is refused, and none is answered with hints.
func TestExchange_ARackDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := startTalkers(t, 5)
		well, down := make([]lb.MemberStatus, 100), make([]lb.MemberStatus, 100)
		for i := range well {
			well[i] = told(fmt.Sprintf("%026d", i), lb.ConditionUp, time.Hour)
		}
		for _, k := range all {
			k.use(well...)
		}
		time.Sleep(2 * time.Second)
		for i := range down {
			down[i] = told(well[i].ID, lb.ConditionDown, 0)
		}
		for _, k := range all {
			k.use(down...)
			for i := range down {
				k.alarm(key(down[i].ID))
			}
		}
		time.Sleep(20 * time.Second)
		for i, k := range all {
			if n := len(k.hinted()); n != 4*len(down) {
				t.Errorf("elb%d: %d checks were asked for, want one for each member by each other ELB", i+1, n)
			}
			if n := testutil.ToFloat64(k.metrics.hints.WithLabelValues(hintLimited)); n != 0 {
				t.Errorf("elb%d: %v hints were refused", i+1, n)
			}
			if n := testutil.ToFloat64(k.metrics.sent); n != float64(4*len(down)) {
				t.Errorf("elb%d: %v hints were sent", i+1, n)
			}
		}
	})
}

// The clock is set back: reports go on, or the others would forget what this ELB has told.
func TestExchange_TheClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := startTalkers(t, 2)
		a, b := all[0], all[1]
		a.use(told("m", lb.ConditionUp, 2*time.Hour))
		time.Sleep(2 * time.Second)
		a.exchange.mu.Lock()
		before := a.number
		a.toldAt = a.toldAt.Add(time.Hour) // it was told at a time that is still to come
		for i := range a.told {
			a.told[i].age += time.Hour
		}
		a.exchange.mu.Unlock()
		time.Sleep(fadesAfter + 2*time.Second)
		a.exchange.mu.Lock()
		defer a.exchange.mu.Unlock()
		if n := a.number - before; n < 4 || n > 6 {
			t.Errorf("%d reports in %v", n, fadesAfter)
		}
		if got := b.verdictsOf("m"); got != "elb1=up" {
			t.Errorf("it is known of the ELB: %q", got)
		}
	})
}
