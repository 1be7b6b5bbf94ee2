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
	obey  func(o order) error // follows an order; following it twice is no fault

	orders chan received
	poke   chan struct{} // holds a token when facts are to be told at once

	mu      sync.Mutex
	heard   map[string]heardFacts  // by member
	waiting map[string]chan answer // by order
}

type heardFacts struct {
	facts
	at time.Time // by this node's clock
}

type received struct {
	from string
	order
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
	Do    string `json:"do"` // drain or undrain
	By    string `json:"by"`
	Force bool   `json:"force,omitempty"` // though no other node of its pool is active
}

// The orders.
const (
	orderDrain   = "drain"
	orderUndrain = "undrain"
)

// answer says that an order was followed, or why not.
type answer struct {
	ID   string        `json:"id"`
	Code registry.Code `json:"code,omitempty"` // "" when it was followed
	Why  string        `json:"why,omitempty"`
}

func newPost(log *slog.Logger, via func() carrier, facts func(context.Context) facts, obey func(order) error) *post {
	return &post{
		log: log, now: time.Now, via: via, facts: facts, obey: obey, orders: make(chan received, ordersMost), poke: make(chan struct{}, 1),
		heard: map[string]heardFacts{}, waiting: map[string]chan answer{},
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
		select {
		case p.orders <- received{m.From.ID, *l.Order}:
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
	var both sync.WaitGroup
	both.Go(func() { p.tellAll(ctx) })
	both.Go(func() { p.obeyAll(ctx) })
	both.Wait()
}

func (p *post) tellAll(ctx context.Context) {
	tick := time.NewTicker(factsEvery)
	defer tick.Stop()
	for {
		if via := p.via(); via != nil {
			f := p.facts(ctx)
			p.note(via.Local().ID, f)
			for _, m := range others(via) {
				p.send(via, m.ID, letter{Facts: &f})
			}
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

func (p *post) send(via carrier, to string, l letter) {
	body, err := json.Marshal(l)
	if err == nil {
		err = via.Send(to, body)
	}
	if err != nil {
		p.log.Debug("a node was not told", "member", to, "error", err)
	}
}

func (p *post) obeyAll(ctx context.Context) {
	for {
		var r received
		select {
		case <-ctx.Done():
			return
		case r = <-p.orders:
		}
		a := answer{ID: r.ID}
		if err := p.obey(r.order); err != nil {
			a.Code, a.Why = registry.CodeOf(err), registry.MessageOf(err)
		}
		if via := p.via(); via != nil {
			p.send(via, r.from, letter{Answer: &a})
		}
		p.tell()
	}
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
		return p.obey(o)
	}
	i := slices.IndexFunc(others(via), func(m membership.Member) bool { return m.ID == member })
	if i < 0 {
		return registry.Errorf(registry.CodeNotFound, "no node of that id is in sight; after a restart a node is another one")
	}
	name := others(via)[i].Name
	o.ID = rand.Text()
	wait := make(chan answer, 1)
	p.expect(o.ID, wait)
	defer p.expect(o.ID, nil)
	ctx, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	again := time.NewTicker(orderAgain)
	defer again.Stop()
	for {
		p.send(via, member, letter{Order: &o})
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
				Message: fmt.Sprintf("%s has not answered; look at its state here in a moment, and try again", name),
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
