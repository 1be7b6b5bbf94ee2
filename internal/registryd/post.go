package registryd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// factsEvery is how often a node tells the others how it is.
	factsEvery = 5 * time.Second
	// orderAgain is how often an order is sent anew while there is no answer, since packets are lost; orderLimit when it is given up.
	orderAgain = 500 * time.Millisecond
	orderLimit = 10 * time.Second
	// ordersMost is how many orders wait to be followed; more are dropped, and sent again.
	ordersMost = 8
	// answersKept is how many answers to orders are kept, for orders that come again.
	answersKept = 64

	factsList = 20  // entries of a list in the facts of another node that are kept
	factsText = 200 // bytes of a text there
)

// carrier is what the post needs of a group. *membership.Group is one.
type carrier interface {
	Members() []membership.Member
	Local() membership.Member
	Send(to string, body []byte) error
}

var _ carrier = (*membership.Group)(nil)

// post is what the nodes of a domain tell each other, one to one, by messages of the group: each how it is, now and again, and what an administrator wants one of
// them to do. Whoever has the gossip key can write both, as they can declare members dead. Load balancers, and nodes of a version without it, take no part.
// Safe for concurrent use.
type post struct {
	log   *slog.Logger
	now   func() time.Time
	via   func() carrier // nil while there is no group
	facts func(ctx context.Context) facts
	obey  func(ctx context.Context, o order) error // follows an order

	out       *outbox
	orders    chan order
	questions chan order    // orders that are answered at once, while another one is followed
	poke      chan struct{} // holds a token when facts are to be told at once

	mu       sync.Mutex
	heard    map[string]heardFacts  // by member
	waiting  map[string]chan answer // by order
	answered map[string]answer      // by order: the newest answersKept
	oldest   []string               // the orders of answered, oldest first
}

type heardFacts struct {
	facts
	at time.Time // by this node's clock
}

// letter is a message, as JSON. What it does not know it leaves alone, so that versions can be mixed.
type letter struct {
	Facts  *facts  `json:"facts,omitempty"`
	Order  *order  `json:"order,omitempty"`
	Answer *answer `json:"answer,omitempty"`
}

// facts are how a node is.
type facts struct {
	InFlight  float64          `json:"in_flight"`
	PerSecond float64          `json:"per_second"`
	Heap      int64            `json:"heap"`
	Heads     map[string]int64 `json:"heads,omitempty"` // by store: the newest operation there
	Down      []string         `json:"down,omitempty"`  // stores that do not answer
	Worst     string           `json:"worst,omitempty"` // severity of the doctor's worst finding
	Finding   string           `json:"finding,omitempty"`
	DrainedBy string           `json:"drained_by,omitempty"`
	DrainedAt time.Time        `json:"drained_at,omitzero"`
	Jobs      []jobState       `json:"jobs,omitempty"`
}

// order is what an administrator wants a node to do.
type order struct {
	ID    string `json:"id"`
	Do    string `json:"do"`
	By    string `json:"by"`
	Force bool   `json:"force,omitempty"` // though no other node of its pool is active

	from string // the member that sends it, as the group has it
}

// The orders.
const (
	orderDrain   = "drain"
	orderUndrain = "undrain"
	orderStay    = "stay" // asks whether the node stays active, so that the one that asks may be drained
)

// answer says that an order was followed, or why not.
type answer struct {
	ID   string        `json:"id"`
	Code registry.Code `json:"code,omitempty"` // "" when it was followed
	Why  string        `json:"why,omitempty"`
}

func newPost(log *slog.Logger, via func() carrier, facts func(context.Context) facts, obey func(context.Context, order) error) *post {
	return &post{
		log: log, now: time.Now, via: via, facts: facts, obey: obey, out: newOutbox(log), poke: make(chan struct{}, 1),
		orders: make(chan order, ordersMost), questions: make(chan order, ordersMost),
		heard: map[string]heardFacts{}, waiting: map[string]chan answer{}, answered: map[string]answer{},
	}
}

// receive takes a message of another member. It does not block.
func (p *post) receive(m membership.Message) {
	if m.From.Balancer {
		return
	}
	l, err := readLetter(m.Body)
	if err != nil {
		p.log.Debug("message of another node not read", "node", m.From.Name, "error", err)
		return
	}
	if l.Order != nil {
		queue := p.orders
		if l.Order.Do == orderStay {
			queue = p.questions
		}
		l.Order.from = m.From.ID
		select {
		case queue <- *l.Order:
		default: // it comes again
		}
	}
	if l.Facts != nil {
		p.note(m.From.ID, *l.Facts)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.Answer != nil {
		if wait, ok := p.waiting[l.Answer.ID]; ok {
			select {
			case wait <- *l.Answer:
			default: // it came before
			}
		}
	}
}

// readLetter reads a message and bounds what is kept of it.
func readLetter(body []byte) (letter, error) {
	var l letter
	if err := json.Unmarshal(body, &l); err != nil {
		return letter{}, err
	}
	if f := l.Facts; f != nil {
		f.Finding, f.Worst, f.DrainedBy = cutText(f.Finding), cutText(f.Worst), cutText(f.DrainedBy)
		f.Jobs = f.Jobs[:min(len(f.Jobs), factsList)]
		for i := range f.Jobs {
			j := &f.Jobs[i]
			j.Name, j.Store, j.Result = cutText(j.Name), cutText(j.Store), cutText(j.Result)
		}
		f.Down = f.Down[:min(len(f.Down), factsList)]
		for i := range f.Down {
			f.Down[i] = cutText(f.Down[i])
		}
		for _, store := range sortedKeys(f.Heads) {
			if len(store) > factsText || len(f.Heads) > factsList {
				delete(f.Heads, store)
			}
		}
	}
	if o := l.Order; o != nil {
		o.By = cutText(o.By)
	}
	if a := l.Answer; a != nil {
		a.Why = cutText(a.Why)
	}
	return l, nil
}

func cutText(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), factsText)], "")
}

// run tells and obeys until ctx ends.
func (p *post) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { p.tellAll(ctx) })
	all.Go(func() { p.obeyAll(ctx, p.orders) })
	all.Go(func() { p.obeyAll(ctx, p.questions) })
	all.Wait()
	p.out.end()
}

func (p *post) tellAll(ctx context.Context) {
	tick := time.NewTicker(factsEvery)
	defer tick.Stop()
	for {
		if via := p.via(); via != nil {
			f := p.facts(ctx)
			p.note(via.Local().ID, f)
			p.send(via, letter{Facts: &f}, others(via)...)
			p.forget(via)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.poke:
		}
	}
}

// tell makes the facts be told at once.
func (p *post) tell() {
	select {
	case p.poke <- struct{}{}:
	default:
	}
}

// forget drops what members said that are gone.
func (p *post) forget(via carrier) {
	present := map[string]bool{}
	for _, m := range via.Members() {
		present[m.ID] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.heard {
		if !present[id] {
			delete(p.heard, id)
		}
	}
}

// others are the other nodes in sight.
func others(via carrier) []membership.Member {
	self := via.Local()
	return slices.DeleteFunc(slices.Clone(via.Members()), func(m membership.Member) bool { return m.Balancer || m.ID == self.ID })
}

// send hands a letter to the outbox, for some members.
func (p *post) send(via carrier, l letter, to ...membership.Member) {
	body, err := json.Marshal(l)
	if err != nil {
		p.log.Debug("a letter was not written", "error", err)
		return
	}
	for _, m := range to {
		p.out.put(via, m.ID, body, l.Facts != nil)
	}
}

// obeyAll follows orders one after the other. One that comes again, because the answer was late or got lost, is not followed again.
func (p *post) obeyAll(ctx context.Context, orders <-chan order) {
	for {
		var o order
		select {
		case <-ctx.Done():
			return
		case o = <-orders:
		}
		a, before := p.answerTo(o.ID)
		if !before {
			a = answer{ID: o.ID}
			if err := p.obey(ctx, o); err != nil {
				a.Code, a.Why = registry.CodeOf(err), registry.MessageOf(err)
			}
			p.answerIs(a)
		}
		if via := p.via(); via != nil {
			p.send(via, letter{Answer: &a}, membership.Member{ID: o.from})
		}
		if o.Do != orderStay {
			p.tell()
		}
	}
}

func (p *post) answerTo(order string) (answer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.answered[order]
	return a, ok
}

func (p *post) answerIs(a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.oldest) == answersKept {
		delete(p.answered, p.oldest[0])
		p.oldest = p.oldest[1:]
	}
	p.answered[a.ID] = a
	p.oldest = append(p.oldest, a.ID)
}

func (p *post) note(member string, f facts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[member] = heardFacts{f, p.now()}
}

// of gives what a member said of itself last; false when it said nothing.
func (p *post) of(member string) (heardFacts, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.heard[member]
	return f, ok
}

// give gives an order to a member, which may be this node, and waits until it was followed. [registry.CodeNotFound] when no node of that id is in sight,
// [registry.CodeUnavailable] when it does not answer; it may have been followed all the same.
func (p *post) give(ctx context.Context, member string, o order) error {
	via := p.via()
	if via == nil {
		return registry.Errorf(registry.CodeUnavailable, "this node has joined no group")
	}
	if member == via.Local().ID {
		defer p.tell()
		return p.obey(ctx, o)
	}
	nodes := others(via)
	i := slices.IndexFunc(nodes, func(m membership.Member) bool { return m.ID == member })
	if i < 0 {
		return registry.Errorf(registry.CodeNotFound, "no node of that id is in sight; after a restart a node is another one")
	}
	to := nodes[i]
	o.ID = rand.Text()
	wait := make(chan answer, 1)
	p.expect(o.ID, wait)
	defer p.expect(o.ID, nil)
	ctx, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	again := time.NewTicker(orderAgain)
	defer again.Stop()
	for {
		p.send(via, letter{Order: &o}, to)
		select {
		case a := <-wait:
			if a.Code != "" {
				return &registry.Error{Code: a.Code, Message: a.Why}
			}
			return nil
		case <-again.C:
		case <-ctx.Done():
			return &registry.Error{
				Code: registry.CodeUnavailable, Err: ctx.Err(),
				Message: fmt.Sprintf("%s has not answered; look at its state here in a moment, and try again", to.Name),
			}
		}
	}
}

// expect notes who waits for the answer to an order; nil for nobody any more.
func (p *post) expect(id string, wait chan answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait == nil {
		delete(p.waiting, id)
		return
	}
	p.waiting[id] = wait
}
