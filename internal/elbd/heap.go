package elbd

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// How far the heap may grow before it is collected. Requests on kept-alive connections make no garbage, so half of what is alive is
// enough: a process with a thousand connections is a tenth smaller than by Go's default. But a small heap would then be collected all
// the time by what does make garbage, TLS handshakes above all, which cost a tenth more; so there is a floor.
const (
	heapGrowth = 50      // percent
	heapFloor  = 5 << 20 // bytes: below, nothing is collected
	heapMost   = 800     // percent
)

// tuneHeap sets the growth after each collection, from what that left alive, until the function that it gives is called.
func tuneHeap() (stop func()) {
	var over atomic.Bool
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	current := debug.SetGCPercent(heapGrowth)
	initial := current
	var arm func()
	tune := func() {
		if over.Load() {
			return
		}
		metrics.Read(live)
		if next := heapPercent(live[0].Value.Uint64()); next < current*9/10 || next > current*11/10 {
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

// heapPercent is the growth for so many bytes alive.
func heapPercent(live uint64) int {
	if live == 0 || live >= heapFloor {
		return heapGrowth
	}
	return min(max(int((heapFloor-live)*100/live), heapGrowth), heapMost)
}
