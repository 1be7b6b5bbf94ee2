package daemon

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHeap_Percent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 50, 1 << 19: 800, 1 << 20: 400, 2 << 20: 150, 4 << 20: 50, 8 << 20: 50, 1 << 40: 50} {
		if got := (Heap{50, 5 << 20}).percent(live); got != want {
			t.Errorf("%d bytes alive: %d %%, want %d", live, got, want)
		}
	}
}

// Not parallel: the growth is the process's.
func TestHeap_TuneFollowsWhatIsAlive(t *testing.T) {
	initial := debug.SetGCPercent(100)
	defer debug.SetGCPercent(initial)
	stop := Heap{50, 5 << 20}.Tune()
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	held := make([]byte, 64<<20)
	for until := time.Now().Add(30 * time.Second); percent() != 50; runtime.Gosched() {
		if time.Now().After(until) {
			t.Fatalf("%d %% with 64 MiB alive", percent())
		}
		runtime.GC()
	}
	runtime.KeepAlive(held)
	stop()
	runtime.GC()
	if got := percent(); got != 100 {
		t.Errorf("after the end %d %%", got)
	}
}
