package wire_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

func TestWatch_ClockOfAnIdleWatchIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire.NewWatch(tick)
		before := w.Now()
		time.Sleep(time.Second)
		if got := w.Now() - before; got != int64(time.Second) {
			t.Errorf("the clock moved by %d in a second", got)
		}
		w.Wait() // there never was a sweeper
	})
}

func TestWatch_RunsOnlyWhileThereAreConnections(t *testing.T) {
	w := wire.NewWatch(time.Hour) // no tick comes: Wait itself must end the sweeper
	for range 3 {
		near, _ := tcpPair(t)
		c := wire.New(w, near)
		if w.Len() != 1 {
			t.Errorf("%d watched", w.Len())
		}
		c.Close()
		w.Wait()
		if w.Len() != 0 {
			t.Errorf("%d watched", w.Len())
		}
	}
}

// TestWatch_ManyAtOnce is for the race detector, and sees that nobody is told late who is not.
func TestWatch_ManyAtOnce(t *testing.T) {
	w := watch(t)
	const pairs, rounds = 40, 100
	var all sync.WaitGroup
	for range pairs {
		near, far := tcpPair(t)
		a, b := wire.New(w, near), wire.New(w, far)
		all.Go(func() {
			defer b.Close()
			echo(b)
		})
		all.Go(func() {
			defer a.Close()
			l := &buffer{space: make([]byte, 100)}
			for range rounds {
				a.Park(time.Minute, nil)
				if !a.Unpark() || !a.Alive() {
					t.Error("closed in the pool")
					return
				}
				a.ReadBy(soon)
				a.WriteBy(soon)
				if _, err := a.Write(l.space); err != nil {
					t.Error(err)
					return
				}
				if _, err := a.ReadLazy(l); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestConn_EverybodyAtOnce lets the watch, a writer and the one who stops and closes meet in every order, for the race detector.
func TestConn_EverybodyAtOnce(t *testing.T) {
	w := watch(t)
	for i := range 60 {
		c, _ := conn(t, w)
		var all sync.WaitGroup
		all.Go(func() {
			c.ReadBy(time.Duration(i%7) * time.Millisecond)
			_, _ = c.Read(make([]byte, 10)) // how it ends is not the question
		})
		all.Go(func() {
			c.WriteBy(time.Duration(i%5+1) * time.Millisecond)
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		})
		all.Go(func() {
			if i%2 == 0 {
				c.Interrupt()
				c.Revive()
			}
			c.Interrupt()
			if i%3 == 0 {
				_ = c.Reset()
			}
			c.Close()
		})
		all.Wait()
	}
}
