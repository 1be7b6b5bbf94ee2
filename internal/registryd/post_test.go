package registryd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
)

// wire carries letters between posts, and loses the first ones of those that it is told to lose.
type wire struct {
	mu    sync.Mutex
	posts map[string]*post
	all   []membership.Member
	lose  int
	stuck map[string]chan struct{} // nodes that take a letter when that is closed
	under map[string]int           // letters on their way, by node
	most  map[string]int           // how many were at the same time
	sent  map[string]int
}

type wireEnd struct {
	*wire
	id string
}

func (e wireEnd) Members() []membership.Member {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all
}

func (e wireEnd) Local() membership.Member {
	for _, m := range e.Members() {
		if m.ID == e.id {
			return m
		}
	}
	return membership.Member{}
}

func (e wireEnd) Send(to string, body []byte) error {
	e.mu.Lock()
	lost := e.lose > 0
	if lost {
		e.lose--
	}
	p, ok := e.posts[to]
	stuck := e.stuck[to]
	e.under[to]++
	e.sent[to]++
	e.most[to] = max(e.most[to], e.under[to])
	e.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	e.mu.Lock()
	e.under[to]--
	e.mu.Unlock()
	if lost {
		return nil
	}
	if !ok {
		return errors.New("nobody there")
	}
	p.receive(membership.Message{From: e.Local(), Body: body})
	return nil
}

// join adds a node whose facts have that many requests.
func (w *wire) join(id string, inFlight float64, obey func(context.Context, order) error) *post {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, membership.Member{ID: id, Name: "node " + id, State: membership.StateActive})
	end := wireEnd{w, id}
	p := newPost(slog.New(slog.DiscardHandler), func() carrier { return end }, func(context.Context) facts { return facts{InFlight: inFlight} }, obey)
	w.posts[id] = p
	return p
}

func bubble(t *testing.T, test func(t *testing.T, ctx context.Context, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		test(t, ctx, &wire{posts: map[string]*post{}, stuck: map[string]chan struct{}{}, under: map[string]int{}, most: map[string]int{}, sent: map[string]int{}})
		end()
		synctest.Wait()
	})
}

func TestPost_TellsFacts(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
		a, b := w.join("a", 1, nil), w.join("b", 2, nil)
		w.all = append(w.all, membership.Member{ID: "elb", Balancer: true}, membership.Member{ID: "old"}) // one takes no letters, one knows none
		go a.run(ctx)
		go b.run(ctx)
		synctest.Wait()
		for _, p := range []*post{a, b} {
			for id, want := range map[string]float64{"a": 1, "b": 2} {
				if f, ok := p.of(id); !ok || f.InFlight != want {
					t.Errorf("%s: %+v, %t", id, f, ok)
				}
			}
		}
		w.mu.Lock()
		w.all = w.all[:1]
		w.mu.Unlock()
		time.Sleep(factsEvery + time.Second)
		if _, ok := a.of("b"); ok {
			t.Error("who is gone is still told of")
		}
	})
}

func TestPost_OrdersArriveInSpiteOfLoss(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
		var obeyed []order
		a := w.join("a", 0, func(_ context.Context, o order) error { return errors.New("not here") })
		b := w.join("b", 0, func(_ context.Context, o order) error {
			obeyed = append(obeyed, o)
			if o.Do != orderDrain {
				return registry.Errorf(registry.CodeConflict, "no")
			}
			return nil
		})
		go b.run(ctx)
		synctest.Wait()
		w.lose = 3
		started := time.Now()
		if err := a.give(ctx, "b", order{Do: orderDrain, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took < orderAgain || took > 5*orderAgain {
			t.Errorf("it took %s", took)
		}
		if len(obeyed) == 0 || obeyed[0].By != "ann" {
			t.Errorf("obeyed %+v", obeyed)
		}
		if err := a.give(ctx, "b", order{Do: "other"}); registry.CodeOf(err) != registry.CodeConflict || registry.MessageOf(err) != "no" {
			t.Errorf("a refusal came as %v", err)
		}
		if len(a.waiting) != 0 {
			t.Errorf("still waits for %v", a.waiting)
		}
	})
}

func TestPost_GivesUp(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
		a := w.join("a", 0, func(context.Context, order) error { return nil })
		w.join("b", 0, nil) // does not run
		w.all = append(w.all, membership.Member{ID: "elb", Balancer: true})
		started := time.Now()
		if err := a.give(ctx, "b", order{Do: orderDrain}); registry.CodeOf(err) != registry.CodeUnavailable || time.Since(started) != orderLimit {
			t.Errorf("%v after %s", err, time.Since(started))
		}
		for _, id := range []string{"c", "elb", ""} {
			if err := a.give(ctx, id, order{Do: orderDrain}); registry.CodeOf(err) != registry.CodeNotFound {
				t.Errorf("%q: %v", id, err)
			}
		}
		if err := a.give(ctx, "a", order{Do: orderDrain}); err != nil {
			t.Errorf("to itself: %v", err)
		}
	})
}

func TestPost_TakesNothingFromBalancers(t *testing.T) {
	p := newPost(slog.New(slog.DiscardHandler), nil, nil, nil)
	p.receive(membership.Message{From: membership.Member{ID: "elb", Balancer: true}, Body: []byte(`{"facts":{},"order":{"do":"drain"}}`)})
	if _, ok := p.of("elb"); ok || len(p.orders) > 0 {
		t.Error("a load balancer was taken for a node")
	}
}

func TestPost_FrozenNodesHoldUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
		a := w.join("a", 1, nil)
		frozen := make(chan struct{})
		for i := range 2 * outboxSends {
			id := "frozen" + strconv.Itoa(i)
			w.all = append(w.all, membership.Member{ID: id, Name: id, State: membership.StateActive})
			w.stuck[id] = frozen
		}
		obeyed := 0
		b := w.join("z", 2, func(context.Context, order) error { obeyed++; return nil })
		go a.run(ctx)
		go b.run(ctx)
		time.Sleep(2*outboxLimit + time.Second)
		if f, ok := b.of("a"); !ok || f.InFlight != 1 {
			t.Errorf("beside %d frozen nodes the facts of a arrived as %+v, %t", 2*outboxSends, f, ok)
		}
		started := time.Now()
		if err := a.give(ctx, "z", order{Do: orderDrain}); err != nil || obeyed != 1 || time.Since(started) > outboxLimit {
			t.Errorf("the order was followed %d times, after %s: %v", obeyed, time.Since(started), err)
		}
		time.Sleep(10*factsEvery + time.Second) // between two tellings
		w.mu.Lock()
		if w.most["frozen0"] != 2 || w.sent["frozen0"] != 2 { // one of each of the two that send
			t.Errorf("%d letters were on their way to a frozen node at the same time, %d in all", w.most["frozen0"], w.sent["frozen0"])
		}
		w.mu.Unlock()
		close(frozen)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.sent["frozen0"] != 4 { // the newest facts of each, and not the older ones
			t.Errorf("a node that woke up got %d letters", w.sent["frozen0"])
		}
	})
}

// drained lets nodes be drained over a wire, as a node does it.
func drained(ctx context.Context, w *wire, id string) (*standing, func(force bool) error) {
	s := &standing{}
	var p *post
	drain := func(ctx context.Context, force bool) error {
		s.changing.Lock()
		defer s.changing.Unlock()
		if out, err := s.begin(true); err != nil || out {
			return err
		}
		var err error
		if !force {
			err = p.staysActive(ctx, "ann")
		}
		return s.end("ann", force, err, func() {})
	}
	p = w.join(id, 0, func(ctx context.Context, o order) error {
		if o.Do == orderStay {
			return s.stay(id, o.from)
		}
		return drain(ctx, o.Force)
	})
	go p.run(ctx)
	return s, func(force bool) error { return drain(ctx, force) }
}

// TestDrain_OneStays drains all nodes of a pool at once, each at its own console. The states that the group tells stay as they were: nobody has heard of the others.
func TestDrain_OneStays(t *testing.T) {
	for _, lose := range []int{0, 1, 5} {
		for nodes := 1; nodes <= 4; nodes++ {
			bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
				w.all = append(w.all, membership.Member{ID: "elb", Balancer: true, State: membership.StateActive},
					membership.Member{ID: "worker", SubDomain: "worker", State: membership.StateActive}, membership.Member{ID: "off", State: membership.StateDraining})
				var all []*standing
				var drains []func(bool) error
				for i := range nodes {
					s, drain := drained(ctx, w, strconv.Itoa(i))
					all, drains = append(all, s), append(drains, drain)
				}
				synctest.Wait()
				w.lose = lose
				errs := make([]error, nodes)
				var orders sync.WaitGroup
				for i, drain := range drains {
					orders.Go(func() { errs[i] = drain(false) })
				}
				orders.Wait()
				stay := 0
				for i, s := range all {
					if out := s.by != ""; out != (errs[i] == nil) || s.leaving {
						t.Errorf("node %d: out %t, its order %v", i, out, errs[i])
					} else if !out {
						stay++
					}
					if errs[i] != nil && registry.CodeOf(errs[i]) != registry.CodeConflict {
						t.Errorf("node %d: %v", i, errs[i])
					}
				}
				if stay != 1 {
					t.Errorf("of %d nodes %d stay: %v", nodes, stay, errs)
				}
				if err := drains[nodes-1](false); registry.CodeOf(err) != registry.CodeConflict && all[nodes-1].by == "" {
					t.Errorf("the last one: %v", err)
				}
				if err := drains[nodes-1](true); err != nil || all[nodes-1].by == "" {
					t.Errorf("by force: %v", err)
				}
			})
		}
	}
}

func TestDrain_FrozenNodesDoNotStay(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
		_, drain := drained(ctx, w, "a")
		w.join("b", 0, nil) // does not run
		started := time.Now()
		if err := drain(false); registry.CodeOf(err) != registry.CodeConflict || !strings.Contains(registry.MessageOf(err), "node b has not answered") || time.Since(started) > staysLimit {
			t.Errorf("%v after %s", err, time.Since(started))
		}
	})
}

func TestPost_FollowsAnOrderOnce(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context, w *wire) {
		obeyed := 0
		a := w.join("a", 0, nil)
		b := w.join("b", 0, func(context.Context, order) error {
			time.Sleep(5 * orderAgain)
			if obeyed++; obeyed == 1 {
				return registry.Errorf(registry.CodeConflict, "not now")
			}
			return nil
		})
		go b.run(ctx)
		if err := a.give(ctx, "b", order{Do: orderDrain}); registry.CodeOf(err) != registry.CodeConflict {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if obeyed != 1 {
			t.Errorf("an order whose giver was told that it was refused was followed %d times", obeyed)
		}
		for i := range 2 * answersKept {
			b.answerIs(answer{ID: strconv.Itoa(i)})
		}
		if len(b.answered) != answersKept || len(b.oldest) != answersKept {
			t.Errorf("%d answers are kept", len(b.answered))
		}
	})
}

func TestAskStores_EachHasItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		answers, faults := askStores(t.Context(), []string{"a", "b", "c"}, func(ctx context.Context, name string) (int, error) {
			wait := storeLimit * 2 / 3
			if name == "a" {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				return len(name), nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		})
		if len(answers) != 2 || answers["b"] != 1 || len(faults) != 1 || !errors.Is(faults["a"], context.DeadlineExceeded) || time.Since(started) != storeLimit {
			t.Errorf("%v, %v after %s", answers, faults, time.Since(started))
		}
	})
}

func FuzzReadLetter(f *testing.F) {
	whole, err := json.Marshal(letter{
		Facts: &facts{InFlight: 1, Heads: map[string]int64{"shared": 7}, Down: []string{"x"}, DrainedBy: "ann", DrainedAt: time.Unix(1, 0)},
		Order: &order{ID: "1", Do: orderDrain}, Answer: &answer{ID: "1"},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(whole), "", "{}", "null", `{"facts":{"heads":{"` + strings.Repeat("a", 300) + `":1}}}`, `{"facts":{"down":[` + strings.Repeat(`"é",`, 500) + `""]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := readLetter(body)
		if err != nil || l.Facts == nil {
			return
		}
		if k := l.Facts; len(k.Heads) > factsList || len(k.Down) > factsList || len(k.Finding) > factsText || len(k.DrainedBy) > factsText || len(k.Worst) > factsText {
			t.Errorf("kept %+v", k)
		}
	})
}
