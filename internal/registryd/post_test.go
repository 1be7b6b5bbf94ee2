package registryd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
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
func (w *wire) join(id string, inFlight float64, obey func(order) error) *post {
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
		test(t, ctx, &wire{posts: map[string]*post{}})
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
		a := w.join("a", 0, func(o order) error { return errors.New("not here") })
		b := w.join("b", 0, func(o order) error {
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
		a := w.join("a", 0, func(order) error { return nil })
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

func TestLastActive(t *testing.T) {
	self := membership.Member{ID: "a", SubDomain: "mgt", State: membership.StateActive}
	for _, c := range []struct {
		other membership.Member
		last  bool
	}{
		{membership.Member{ID: "b", SubDomain: "mgt", State: membership.StateActive}, false},
		{membership.Member{ID: "b", SubDomain: "mgt", State: membership.StateDraining}, true},
		{membership.Member{ID: "b", SubDomain: "worker", State: membership.StateActive}, true},
		{membership.Member{ID: "b", SubDomain: "mgt", State: membership.StateActive, Balancer: true}, true},
	} {
		if got := lastActive(wireEnd{&wire{all: []membership.Member{self, c.other}}, "a"}); got != c.last {
			t.Errorf("beside %+v: %t", c.other, got)
		}
	}
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
