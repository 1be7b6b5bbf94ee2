package sqlstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A read must not be served by a query that was sent before it arrived: a write may have been acknowledged in between.
func TestHeadCheck_LateReadsWaitForTheNextQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32
		answers := make(chan error)
		var owned sync.WaitGroup
		h := &headCheck{spawn: owned.Go, query: func() error { sent.Add(1); return <-answers }}
		served := make(chan int32, 100)
		read := func(ctx context.Context) {
			owned.Go(func() {
				if err := h.wait(ctx); err != nil {
					served <- -1
					return
				}
				served <- sent.Load()
			})
		}
		read(t.Context())
		synctest.Wait() // the first query is on its way
		for range 50 {
			read(t.Context())
		}
		gone, cancel := context.WithCancel(t.Context())
		read(gone)
		synctest.Wait()
		cancel()
		if got := <-served; got != -1 {
			t.Errorf("a read that left was served by query %d", got)
		}
		answers <- nil
		if got := <-served; got > 2 {
			t.Errorf("the first read was served by query %d", got)
		}
		synctest.Wait()
		if len(served) != 0 || sent.Load() != 2 {
			t.Fatalf("%d late reads were served by the first query; %d were sent", len(served), sent.Load())
		}
		answers <- nil
		synctest.Wait()
		if len(served) != 50 || sent.Load() != 2 {
			t.Errorf("%d of 50 late reads were served by the second query; %d were sent", len(served), sent.Load())
		}
		for range 50 {
			<-served
		}
		read(t.Context())
		synctest.Wait()
		answers <- errors.New("the database is away")
		if got := <-served; got != -1 {
			t.Error("a failed query served a read")
		}
		h.close()
		if err := h.wait(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("a wait after close gave %v", err)
		}
		owned.Wait()
	})
}
