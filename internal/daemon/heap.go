package daemon

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
)

// Heap says how far the heap may grow before it is collected. Go's default lets it grow by what is alive: a small heap is then collected all the time
// under load, which costs a program with little in memory a tenth of its CPU time; so there is a floor.
type Heap struct {
	Growth int    // percent of what is alive
	Floor  uint64 // bytes: below, nothing is collected
}

// mostGrowth bounds the growth of a small heap, in percent.
const mostGrowth = 800

// Tune sets the growth after each collection, from what that left alive, until the function that it gives is called.
func (h Heap) Tune() (stop func()) {
	var over atomic.Bool
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	initial, current := debug.SetGCPercent(h.Growth), h.Growth
	var arm func()
	tune := func() {
		if over.Load() {
			return
		}
		metrics.Read(live)
		if next := h.percent(live[0].Value.Uint64()); next < current*9/10 || next > current*11/10 {
			debug.SetGCPercent(next)
			current = next
		}
		arm()
	}
	// What nobody refers to is cleaned up by the next collection.
	arm = func() { runtime.AddCleanup(new([16]byte), func(struct{}) { tune() }, struct{}{}) }
	arm()
	return func() {
		over.Store(true)
		debug.SetGCPercent(initial)
	}
}

// TuneHeap is h.Tune unless the user says by GOGC what the growth is to be.
func (in Invocation) TuneHeap(h Heap) (stop func()) {
	if slices.ContainsFunc(in.Environ, func(v string) bool { return strings.HasPrefix(v, "GOGC=") }) {
		return func() {}
	}
	return h.Tune()
}

// percent is the growth for so many bytes alive.
func (h Heap) percent(live uint64) int {
	if live == 0 || live >= h.Floor {
		return h.Growth
	}
	return min(max(int((h.Floor-live)*100/live), h.Growth), mostGrowth)
}
