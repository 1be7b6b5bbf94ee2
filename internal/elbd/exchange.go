package elbd

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// exchange is what this ELB and the others tell each other over gossip: hints about members that are in trouble, at once, and all verdicts whenever they
// change and every few seconds. A hint has the member checked here and decides nothing. The others are those of any common group; each is one process
// with one id. Safe for concurrent use.
type exchange struct {
	self    string          // id of this ELB, in all groups
	groups  func() []*group // of now
	epoch   func() uint32   // of now, of what the configurations of ELBs should share
	hint    func(lb.MemberKey) lb.HintResult
	members func() []lb.MemberStatus
	log     *slog.Logger
	metrics *exchangeMetrics
	alarms  chan lb.MemberKey // members that this ELB found to be in trouble

	sending   sync.WaitGroup        // streams, and announcements
	announces sync.Mutex            // held while an epoch is announced
	differs   map[string]*differing // by id; run's

	mu     sync.Mutex // guards what follows
	number uint64     // of the last report
	told   []verdict  // what the last whole report said
	toldAt time.Time
	toldTo []string          // ids
	busy   map[string]bool   // by id: a stream to it is under way
	heard  map[string]*voice // by id
	window time.Time         // a second, in which hints are counted
	hints  int
}

// voice is what another ELB has told.
type voice struct {
	at          time.Time // when it was heard last
	whole, part uint64    // numbers of its last reports
	opinions    map[lb.MemberKey]opinion
}

// opinion is a verdict, by the clock of this process.
type opinion struct {
	condition lb.Condition
	since     time.Time
}

// differing is an ELB whose configuration is another one.
type differing struct {
	since time.Time
	told  bool
}

const (
	exchangeTick   = time.Second
	gatherFor      = 5 * time.Millisecond // alarms that come together are told together
	alarmsMost     = 256                  // that wait to be told; whole reports tell of the rest
	hintPacketMost = 1000                 // bytes of a report that is sent as one packet
	repeatAfter    = 5 * time.Second      // a whole report comes at least so often: packets are lost
	fadesAfter     = 4 * repeatAfter      // what an ELB has told, when it tells nothing more
	voicesMost     = 64                   // ELBs that are listened to
	hintsMost      = 256                  // checks that others may ask for in a second
	differsFor     = time.Minute          // until another configuration is worth a warning: a change is rolled out ELB by ELB
)

func newExchange(self string, b *balancer) (*exchange, error) {
	x := &exchange{
		self: self, groups: b.getGroups, epoch: func() uint32 { return b.current.Load().shared }, hint: b.discovery.Hint, members: b.discovery.Members,
		log: b.log, alarms: make(chan lb.MemberKey, alarmsMost),
		busy: map[string]bool{}, heard: map[string]*voice{}, differs: map[string]*differing{},
	}
	x.metrics = newExchangeMetrics(x.countPeers)
	return x, b.metrics.Register(x.metrics)
}

// alarm takes a member that this ELB found to be in trouble. It does not block.
func (x *exchange) alarm(m lb.MemberKey) {
	select {
	case x.alarms <- m:
	default:
	}
}

// colleague is another ELB, and a group in which it can be reached.
type colleague struct {
	membership.Member
	via *membership.Group
}

// colleagues are the other ELBs in sight, in the order of their names. Of several groups the ELBs' own comes first.
func (x *exchange) colleagues() []colleague {
	seen := map[string]bool{x.self: true}
	var list []colleague
	take := func(g *group) {
		for _, m := range g.group.Members() {
			if m.Balancer && !seen[m.ID] {
				seen[m.ID] = true
				list = append(list, colleague{m, g.group})
			}
		}
	}
	groups := x.groups()
	for _, own := range []bool{true, false} {
		for _, g := range groups {
			if (g.domain == ownDomain) == own {
				take(g)
			}
		}
	}
	slices.SortFunc(list, func(a, b colleague) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// run tells the others until ctx ends.
func (x *exchange) run(ctx context.Context) {
	tick := time.NewTicker(exchangeTick)
	defer tick.Stop()
	gather := time.NewTimer(0)
	defer gather.Stop()
	waiting := map[lb.MemberKey]bool{}
	for {
		select {
		case <-ctx.Done():
			x.sending.Wait()
			return
		case m := <-x.alarms:
			if len(waiting) == 0 {
				gather.Reset(gatherFor)
			}
			waiting[m] = true
		case <-gather.C:
			x.warn(waiting)
			clear(waiting)
		case now := <-tick.C:
			others := x.colleagues()
			x.forget(others, now)
			x.compare(ctx, others, now)
			x.announce()
			x.report(others, now)
		}
	}
}

// warn tells the others of members that were found to be in trouble.
func (x *exchange) warn(about map[lb.MemberKey]bool) {
	if len(about) == 0 {
		return
	}
	others := x.colleagues()
	if len(others) == 0 {
		return
	}
	verdicts := slices.DeleteFunc(x.verdicts(time.Now().Round(0)), func(v verdict) bool { return !about[v.member] })
	for len(verdicts) > 0 {
		part := report{number: x.nextNumber(), verdicts: verdicts}
		body, taken := part.encode(hintPacketMost)
		if taken == 0 {
			return
		}
		verdicts = verdicts[taken:]
		for _, other := range others {
			x.send(other, body)
			x.metrics.sent.Add(float64(taken))
		}
	}
}

func (x *exchange) nextNumber() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.number++
	return x.number
}

// verdicts are those of this ELB. Members in trouble come first: the others may find no room in a report.
func (x *exchange) verdicts(now time.Time) []verdict {
	members := x.members()
	var trouble, well []verdict
	for i := range members {
		m := &members[i]
		v := verdict{keyOf(m), m.Condition, now.Sub(m.ConditionSince)}
		if m.Condition == lb.ConditionUp {
			well = append(well, v)
		} else {
			trouble = append(trouble, v)
		}
	}
	return append(trouble, well...)
}

func keyOf(m *lb.MemberStatus) lb.MemberKey {
	return lb.MemberKey{Domain: m.Domain, SubDomain: m.SubDomain, ID: m.ID}
}

// report tells all verdicts to the others, if they or the verdicts are not those of last time, or that was a while ago.
func (x *exchange) report(others []colleague, now time.Time) {
	if len(others) == 0 {
		return
	}
	now = now.Round(0) // by the wall clock, as the times of members
	verdicts := x.verdicts(now)
	to := make([]string, len(others))
	for i, other := range others {
		to[i] = other.ID
	}
	x.mu.Lock()
	elapsed := now.Sub(x.toldAt)
	same := slices.Equal(to, x.toldTo) && slices.EqualFunc(verdicts, x.told, func(is, was verdict) bool {
		return is.member == was.member && is.condition == was.condition && is.age == was.age+elapsed
	})
	if same && elapsed < repeatAfter {
		x.mu.Unlock()
		return
	}
	x.number++
	whole := report{number: x.number, whole: true, verdicts: verdicts}
	x.told, x.toldAt, x.toldTo = verdicts, now, to
	x.mu.Unlock()
	body, _ := whole.encode(membership.MaxMessage)
	for _, other := range others {
		x.send(other, body)
	}
}

// send sends a report. What needs a stream is sent in the background, one at a time to each ELB.
func (x *exchange) send(to colleague, body []byte) {
	if len(body) <= hintPacketMost {
		x.sendNow(to, body)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.busy[to.ID] {
		return
	}
	x.busy[to.ID] = true
	x.sending.Go(func() {
		x.sendNow(to, body)
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.busy, to.ID)
	})
}

func (x *exchange) sendNow(to colleague, body []byte) {
	if err := to.via.Send(to.ID, body); err != nil {
		x.log.Debug("another ELB was not told", "name", to.Name, "error", err)
	}
}

// receive takes a message of gossip.
func (x *exchange) receive(m membership.Message) {
	if !m.From.Balancer || m.From.ID == x.self {
		x.metrics.report(reportStranger)
		return
	}
	r, err := decodeReport(m.Body)
	if err != nil {
		x.metrics.report(reportMalformed)
		x.log.Debug("report of another ELB not read", "name", m.From.Name, "error", err)
		return
	}
	result, hints := x.hear(m.From.ID, &r, time.Now())
	x.metrics.report(result)
	for _, member := range hints {
		x.metrics.hint(x.act(member, time.Now()))
	}
}

// hear notes what an ELB tells, and gives the members that are to be looked at: those that it has found to be in trouble since it was heard last.
func (x *exchange) hear(from string, r *report, now time.Time) (result string, hints []lb.MemberKey) {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.heard[from]
	if v == nil {
		if len(x.heard) >= voicesMost {
			return reportSurplus, nil
		}
		v = &voice{opinions: map[lb.MemberKey]opinion{}}
		x.heard[from] = v
	}
	if r.number <= v.whole || !r.whole && r.number <= v.part {
		return reportOld, nil
	}
	v.at = now
	before := v.opinions
	if r.whole {
		v.whole, v.opinions = r.number, make(map[lb.MemberKey]opinion, len(r.verdicts))
	} else {
		v.part = r.number
	}
	for _, verdict := range r.verdicts {
		if !r.whole && len(v.opinions) >= verdictsMost {
			break
		}
		v.opinions[verdict.member] = opinion{verdict.condition, now.Add(-verdict.age)}
		if inTrouble(verdict.condition) && (!r.whole || before[verdict.member].condition != verdict.condition) {
			hints = append(hints, verdict.member)
		}
	}
	return reportTaken, hints
}

// inTrouble tells which conditions are worth a look of others.
func inTrouble(c lb.Condition) bool { return c == lb.ConditionDown || c == lb.ConditionEjected }

// act has a member checked that another ELB holds to be in trouble, and gives the word for it. A peer that is broken or lies cannot ask for more than
// hintsMost checks in a second.
func (x *exchange) act(member lb.MemberKey, now time.Time) string {
	x.mu.Lock()
	if now.Sub(x.window) >= time.Second {
		x.window, x.hints = now, 0
	}
	x.hints++
	over := x.hints > hintsMost
	x.mu.Unlock()
	if over {
		return hintLimited
	}
	return x.hint(member).String()
}

// forget drops what ELBs have told that are gone, or tell nothing any more.
func (x *exchange) forget(others []colleague, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	there := map[string]bool{}
	for _, other := range others {
		there[other.ID] = true
	}
	maps.DeleteFunc(x.heard, func(id string, v *voice) bool { return !there[id] || now.Sub(v.at) > fadesAfter })
}

// compare warns once of each ELB whose configuration stays another one.
func (x *exchange) compare(ctx context.Context, others []colleague, now time.Time) {
	own := x.epoch()
	maps.DeleteFunc(x.differs, func(id string, _ *differing) bool {
		return !slices.ContainsFunc(others, func(c colleague) bool { return c.ID == id })
	})
	for _, other := range others {
		d := x.differs[other.ID]
		switch {
		case sameEpoch(own, other.Epoch) != epochOther:
			delete(x.differs, other.ID)
			if d != nil && d.told {
				x.log.InfoContext(ctx, "another ELB has the same configuration again", "id", other.ID, "name", other.Name, "epoch", formatEpoch(own))
			}
		case d == nil:
			x.differs[other.ID] = &differing{since: now}
		case !d.told && now.Sub(d.since) >= differsFor:
			d.told = true
			x.log.WarnContext(ctx, "another ELB has another configuration", "id", other.ID, "name", other.Name, "host", other.Host,
				"epoch", formatEpoch(other.Epoch), "own_epoch", formatEpoch(own), "for", now.Sub(d.since).Round(time.Second))
		}
	}
}

// How the configuration of another ELB compares; also the values of a metric's label.
const (
	epochSame    = "same"
	epochOther   = "other"
	epochUnknown = "unknown" // it announces none
)

func sameEpoch(own, other uint32) string {
	switch other {
	case 0:
		return epochUnknown
	case own:
		return epochSame
	}
	return epochOther
}

// formatEpoch writes an epoch for people; "" for none.
func formatEpoch(epoch uint32) string {
	if epoch == 0 {
		return ""
	}
	return fmt.Sprintf("%08x", epoch)
}

// announce has all groups announce the epoch of now. It may take a while until they have been told, so it is done in the background.
func (x *exchange) announce() {
	epoch := x.epoch()
	var late []*group
	for _, g := range x.groups() {
		if g.group.Local().Epoch != epoch {
			late = append(late, g)
		}
	}
	if len(late) == 0 || !x.announces.TryLock() {
		return
	}
	x.sending.Go(func() {
		defer x.announces.Unlock()
		for _, g := range late {
			if err := g.group.SetEpoch(epoch); err != nil {
				x.log.Debug("epoch not announced", "domain", g.domain, "error", err)
			}
		}
	})
}

// countPeers counts the other ELBs in sight by how their configuration compares.
func (x *exchange) countPeers() map[string]int {
	counts := map[string]int{epochSame: 0, epochOther: 0, epochUnknown: 0}
	own := x.epoch()
	for _, other := range x.colleagues() {
		counts[sameEpoch(own, other.Epoch)]++
	}
	return counts
}

// annotate adds the verdicts of the others to members.
func (x *exchange) annotate(members []lb.MemberStatus) {
	others := x.colleagues()
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range members {
		m := &members[i]
		key := keyOf(m)
		for _, other := range others {
			v := x.heard[other.ID]
			if v == nil {
				continue
			}
			if o, known := v.opinions[key]; known {
				m.Verdicts = append(m.Verdicts, lb.Verdict{ELB: other.Name, ELBID: other.ID, Condition: o.condition, Since: o.since.UTC()})
			}
		}
	}
}
