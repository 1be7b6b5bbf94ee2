//go:build !race

package lb

import "testing"

// The race detector makes sync.Pool forget at random, so this is for builds without it; `make unit` runs it apart.
func TestProxiedGet_AllocatesNothing(t *testing.T) {
	get := proxiedGets(t)
	for range 500 {
		get()
	}
	if n := testing.AllocsPerRun(2000, get); n > 0 {
		t.Errorf("%v allocations for a request, in client, proxy and member together", n)
	}
}
