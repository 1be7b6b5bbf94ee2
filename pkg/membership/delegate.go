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
	meta   atomic.Pointer[[]byte] // what this process announces
	self   string                 // its node name
	judge  *judge
	reject func(reason string)
	inbox  chan []byte         // messages that were not read yet; nil when none are taken
	drop   func(result string) // counts a message that goes no further

	mu      sync.Mutex
	changed map[string]nodeEvent // by node name; the newest event wins
	refused map[string]Refused   // by node name; at most maxRefused
	poke    chan struct{}        // capacity 1: there is something in changed or refused
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
	_ memberlist.AliveDelegate = (*delegate)(nil)
)

func newDelegate(self string, j *judge, reject func(reason string)) *delegate {
	return &delegate{
		self: self, judge: j, reject: reject,
		changed: make(map[string]nodeEvent), refused: make(map[string]Refused), poke: make(chan struct{}, 1),
	}
}

// drain takes all events, and all refusals, that came since the last call.
func (d *delegate) drain() (map[string]nodeEvent, map[string]Refused) {
	d.mu.Lock()
	defer d.mu.Unlock()
	events, refused := maps.Clone(d.changed), maps.Clone(d.refused)
	clear(d.changed)
	clear(d.refused)
	return events, refused
}

func (d *delegate) record(n *memberlist.Node, gone bool) {
	ip, _ := netip.AddrFromSlice(n.Addr)
	e := nodeEvent{gone: gone, addr: netip.AddrPortFrom(ip.Unmap(), n.Port), meta: slices.Clone(n.Meta)}
	d.mu.Lock()
	d.changed[n.Name] = e
	d.mu.Unlock()
	d.wake()
}

// wake pokes the reader.
func (d *delegate) wake() {
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

// NotifyAlive keeps a node whose announcement the policy refuses out of memberlist's own list, so that it is not even probed. What is known of the node
// stays as it was: an announcement in the name of a member changes nothing of that member. The error is not logged; see noisy.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	if n.Name == d.self {
		return nil
	}
	ip, _ := netip.AddrFromSlice(n.Addr)
	ip = ip.Unmap()
	m, _ := decodeMeta(n.Meta) // what cannot be read is hidden when the event comes
	reason, err := d.judge.member(ip, m.RemoteHost)
	if err == nil {
		return nil
	}
	d.reject(reason)
	node := n.Name[:min(len(n.Name), maxRefusedName)]
	d.mu.Lock()
	if _, known := d.refused[node]; known || len(d.refused) < maxRefused {
		d.refused[node] = Refused{
			Node: node, Name: m.Name, ID: m.ID, Address: netip.AddrPortFrom(ip, n.Port).String(), Reason: reason, Detail: err.Error(),
		}
	}
	d.mu.Unlock()
	d.wake()
	return err
}

// NodeMeta gives the announced metadata, which encodeMeta has kept within the limit.
func (d *delegate) NodeMeta(int) []byte { return *d.meta.Load() }

// NotifyMsg takes a message of another member; see message.go. memberlist goes on to use the buffer.
func (d *delegate) NotifyMsg(b []byte) {
	switch {
	case d.inbox == nil:
		d.drop(messageUnwanted)
	case len(b) > messageHead+MaxMessage:
		d.drop(messageMalformed)
	default:
		select {
		case d.inbox <- slices.Clone(b):
		default:
			d.drop(messageOverflow)
		}
	}
}

// The rest of memberlist.Delegate is not used: no broadcasts, no state beyond the metadata.

func (d *delegate) GetBroadcasts(_, _ int) [][]byte { return nil }
func (d *delegate) LocalState(bool) []byte          { return nil }
func (d *delegate) MergeRemoteState([]byte, bool)   {}
