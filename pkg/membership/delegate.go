package membership

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

// delegate is what memberlist calls, under its node lock and on its packet path: every method copies, stores and returns.
type delegate struct {
	meta atomic.Pointer[[]byte] // what this process announces

	mu      sync.Mutex
	changed map[string]nodeEvent // by node name; the newest event wins
	poke    chan struct{}        // capacity 1: there is something in changed
}

// nodeEvent is the last that was heard of one node since the map was drained.
type nodeEvent struct {
	gone bool
	addr netip.AddrPort
	meta []byte
}

var (
	_ memberlist.Delegate      = (*delegate)(nil)
	_ memberlist.EventDelegate = (*delegate)(nil)
)

func newDelegate() *delegate {
	return &delegate{changed: make(map[string]nodeEvent), poke: make(chan struct{}, 1)}
}

// drain takes all events that came since the last call.
func (d *delegate) drain() map[string]nodeEvent {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := maps.Clone(d.changed)
	clear(d.changed)
	return events
}

func (d *delegate) record(n *memberlist.Node, gone bool) {
	ip, _ := netip.AddrFromSlice(n.Addr)
	e := nodeEvent{gone: gone, addr: netip.AddrPortFrom(ip.Unmap(), n.Port), meta: slices.Clone(n.Meta)}
	d.mu.Lock()
	d.changed[n.Name] = e
	d.mu.Unlock()
	select {
	case d.poke <- struct{}{}:
	default: // the reader has not taken the last poke yet and will see this event with it
	}
}

// NotifyJoin, NotifyUpdate and NotifyLeave are the events of other nodes, and of this one.
func (d *delegate) NotifyJoin(n *memberlist.Node) { d.record(n, false) }

// NotifyUpdate says that the metadata of a node changed.
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.record(n, false) }

// NotifyLeave says that a node left or was found dead; memberlist does not say which.
func (d *delegate) NotifyLeave(n *memberlist.Node) { d.record(n, true) }

// NodeMeta gives the announced metadata, which encodeMeta has kept within the limit.
func (d *delegate) NodeMeta(int) []byte { return *d.meta.Load() }

// The rest of memberlist.Delegate is not used: no user messages, no state beyond the metadata.

func (d *delegate) NotifyMsg([]byte)                {}
func (d *delegate) GetBroadcasts(_, _ int) [][]byte { return nil }
func (d *delegate) LocalState(bool) []byte          { return nil }
func (d *delegate) MergeRemoteState([]byte, bool)   {}
