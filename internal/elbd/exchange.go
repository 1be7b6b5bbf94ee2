package elbd

import (
	"cmp"
	"context"
	"log/slog"
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
}

const (
	exchangeTick   = time.Second
	gatherFor      = 5 * time.Millisecond // alarms that come together are told together
	alarmsMost     = 256                  // that wait to be told; whole reports tell of the rest
	hintPacketMost = 1000                 // bytes of a report that is sent as one packet
	repeatAfter    = 5 * time.Second      // a whole report comes at least so often: packets are lost
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

// colleagues are the other ELBs in sight, in the order of their names, at most voicesMost. Of several groups the ELBs' own comes first.
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
	list = eldest(list, voicesMost)
	slices.SortFunc(list, func(a, b colleague) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return list
}

// eldest keeps those that have been in sight for the longest time: whoever has the key can make up any number of ELBs, each of which would be sent all reports.
func eldest(list []colleague, most int) []colleague {
	if len(list) <= most {
		return list
	}
	slices.SortFunc(list, func(a, b colleague) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return list[:most]
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
	if same && elapsed >= 0 && elapsed < repeatAfter { // it is below 0 when the clock was set back
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
