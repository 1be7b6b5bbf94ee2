package registrytest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// tap stands between the use cases of one node and its stores. Each call passes it twice, before the store does its work and after. At one of these points the node
// dies, from where no call comes through any more and no answer comes back, or falls asleep, or whatever at does.
type tap struct {
	mu      sync.Mutex
	seen    int
	dead    bool
	last    string // the call of the last point
	exports int    // points of the one export
	at      func(t *tap, call string, point int) error
}

// heartbeat is the call by which a mover says, in the middle of its work, that it is at it.
const heartbeat = "heartbeat"

var errDead = errors.New("the process has died")

// pass is one point.
func (t *tap) pass(call string) error {
	t.mu.Lock()
	if t.dead {
		t.mu.Unlock()
		return errDead
	}
	// How often a mover says that it is still at it depends on the time; only the last time, after the export, is a point.
	if call == "export" {
		t.exports++
	}
	if call == "hold" && t.exports < 2 {
		call = heartbeat
	} else {
		t.seen++
		t.last = call
	}
	point := t.seen
	t.mu.Unlock()
	return t.at(t, call, point)
}

func (t *tap) die() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead = true
	return errDead
}

func (t *tap) died() (bool, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dead, t.last
}

// diesAt dies at a point.
func diesAt(k int) *tap {
	return &tap{at: func(t *tap, _ string, point int) error {
		if point == k {
			return t.die()
		}
		return nil
	}}
}

// sleepsAt sleeps at a point, where it tells asleep, until wake. All other calls of the node that come then sleep, too, and none of its heartbeats comes through.
func sleepsAt(k int, asleep, wake chan struct{}) *tap {
	var once sync.Once
	return &tap{at: func(_ *tap, call string, point int) error {
		if call == heartbeat {
			return errDead // so that nobody wakes up by chance in time
		}
		if point == k {
			once.Do(func() { close(asleep) })
		}
		if point >= k {
			<-wake
		}
		return nil
	}}
}

// sleepsIn sleeps at the first point of that call.
func sleepsIn(call string, asleep, wake chan struct{}) *tap {
	var once sync.Once
	return &tap{at: func(_ *tap, c string, _ int) error {
		if c == call {
			once.Do(func() { close(asleep); <-wake })
		}
		return nil
	}}
}

// tapped is a store behind a tap.
type tapped struct {
	registry.Store
	tap *tap
}

func tappedCall[T any](s *tapped, call string, f func() (T, error)) (T, error) {
	var none T
	if err := s.tap.pass(call); err != nil {
		return none, err
	}
	v, err := f()
	if late := s.tap.pass(call); late != nil {
		return none, late
	}
	return v, err
}

func (s *tapped) Get(ctx context.Context, p registry.Path, f registry.Freshness) (registry.Resource, error) {
	return tappedCall(s, "get", func() (registry.Resource, error) { return s.Store.Get(ctx, p, f) })
}

func (s *tapped) Open(ctx context.Context, h registry.Hash) (registry.Content, error) {
	return tappedCall(s, "open", func() (registry.Content, error) { return s.Store.Open(ctx, h) })
}

func (s *tapped) Update(ctx context.Context, op registry.Op, change func(registry.Tx) error) (registry.Seq, error) {
	return tappedCall(s, "update", func() (registry.Seq, error) { return s.Store.Update(ctx, op, change) })
}

func (s *tapped) Identity(ctx context.Context) (registry.ID, error) {
	return tappedCall(s, "identity", func() (registry.ID, error) { return s.Store.Identity(ctx) })
}

func (s *tapped) ExportTree(ctx context.Context, e registry.TreeExport, emit func(registry.TreeBatch) error) error {
	_, err := tappedCall(s, "export", func() (int, error) { return 0, s.Store.ExportTree(ctx, e, emit) })
	return err
}

func (s *tapped) ImportTree(ctx context.Context, op registry.Op, in registry.TreeImport, b registry.TreeBatch) error {
	_, err := tappedCall(s, "import", func() (int, error) { return 0, s.Store.ImportTree(ctx, op, in, b) })
	return err
}

func (s *tapped) HoldTransfer(ctx context.Context, id, holder registry.ID, d time.Duration) (bool, error) {
	return tappedCall(s, "hold", func() (bool, error) { return s.Store.HoldTransfer(ctx, id, holder, d) })
}

func (s *tapped) AbandonArrival(ctx context.Context, op registry.Op, id registry.ID) (bool, error) {
	return tappedCall(s, "abandon", func() (bool, error) { return s.Store.AbandonArrival(ctx, op, id) })
}

func (s *tapped) ClearArrivals(ctx context.Context, id registry.ID) error {
	_, err := tappedCall(s, "clear", func() (int, error) { return 0, s.Store.ClearArrivals(ctx, id) })
	return err
}

func (s *tapped) EndTransfer(ctx context.Context, op registry.Op, id registry.ID, arrived bool) error {
	_, err := tappedCall(s, "end", func() (int, error) { return 0, s.Store.EndTransfer(ctx, op, id, arrived) })
	return err
}

func (s *tapped) ForgetArrival(ctx context.Context, id registry.ID) error {
	_, err := tappedCall(s, "forget", func() (int, error) { return 0, s.Store.ForgetArrival(ctx, id) })
	return err
}
