package membershiptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// Network is a set of hosts, each with one transport. Safe for concurrent use.
type Network struct {
	mu    sync.Mutex
	nodes map[netip.AddrPort]*Transport
	cut   map[link]bool
	delay time.Duration
	loss  float64
	rand  *rand.Rand
}

// link is an unordered pair of addresses.
type link struct{ a, b netip.AddrPort }

func linkOf(a, b netip.AddrPort) link {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return link{a, b}
}

// queueLength bounds what a node has not fetched yet, packets and streams each; more is dropped or refused, as by a kernel.
const queueLength = 1024

// NewNetwork makes an empty network with a delay of one millisecond and no loss. seed decides which packets a later SetLoss drops.
func NewNetwork(seed uint64) *Network {
	return &Network{
		nodes: make(map[netip.AddrPort]*Transport),
		cut:   make(map[link]bool),
		delay: time.Millisecond,
		rand:  rand.New(rand.NewPCG(seed, 0)),
	}
}

// Node attaches a host at addr, "ip:port", and gives its transport. It panics when addr is malformed or a running node is there; the address
// of one that crashed or was shut down is free again.
func (n *Network) Node(addr string) *Transport {
	at := netip.MustParseAddrPort(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.nodes[at]; old != nil && !old.crashed && !old.isDown() {
		panic(fmt.Sprintf("membershiptest: a node runs at %s already", addr))
	}
	t := &Transport{
		net:     n,
		addr:    at,
		packets: make(chan *memberlist.Packet, queueLength),
		streams: make(chan net.Conn, queueLength),
		down:    make(chan struct{}),
		conns:   make(map[*conn]struct{}),
	}
	n.nodes[at] = t
	return t
}

// Crash takes the host at addr off the network without a word, as a power cut would: what it sends vanishes, what is sent to it too. The
// process on it does not notice; leave its group to end its goroutines.
func (n *Network) Crash(addr string) {
	at := netip.MustParseAddrPort(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.nodes[at]; t != nil {
		t.crashed = true
	}
}

// Cut makes everything between two hosts vanish, in both directions. Streams that carry something meanwhile stay silent for good.
func (n *Network) Cut(a, b string) { n.setCut(a, b, true) }

// Heal undoes Cut.
func (n *Network) Heal(a, b string) { n.setCut(a, b, false) }

func (n *Network) setCut(a, b string, cut bool) {
	l := linkOf(netip.MustParseAddrPort(a), netip.MustParseAddrPort(b))
	n.mu.Lock()
	defer n.mu.Unlock()
	if cut {
		n.cut[l] = true
	} else {
		delete(n.cut, l)
	}
}

// Partition cuts every host of left from every host of right.
func (n *Network) Partition(left, right []string) {
	for _, a := range left {
		for _, b := range right {
			n.Cut(a, b)
		}
	}
}

// HealAll undoes all cuts.
func (n *Network) HealAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// SetDelay sets how long packets and bytes travel, one way.
func (n *Network) SetDelay(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = d
}

// SetLoss sets the share of packets that vanish, 0 to 1. Streams are reliable and unaffected.
func (n *Network) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = share
}

// latency is the present one-way delay.
func (n *Network) latency() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.delay
}

// reaches tells whether something sent by from arrives at to now.
func (n *Network) reaches(from, to *Transport) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.reachesLocked(from, to)
}

func (n *Network) reachesLocked(from, to *Transport) bool {
	return !from.crashed && !to.crashed && !n.cut[linkOf(from.addr, to.addr)]
}

// send delivers a packet after the delay, or loses it.
func (n *Network) send(from *Transport, payload []byte, to netip.AddrPort) {
	n.mu.Lock()
	t, lost, delay := n.nodes[to], n.loss > 0 && n.rand.Float64() < n.loss, n.delay
	open := t != nil && n.reachesLocked(from, t)
	n.mu.Unlock()
	if lost || !open {
		return
	}
	time.AfterFunc(delay, func() { t.receive(payload, from.addr) })
}

// peer says what a dial from a node meets at to: a transport, nobody who listens (refused), or silence (neither).
func (n *Network) peer(from *Transport, to netip.AddrPort) (t *Transport, refused bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t = n.nodes[to]
	switch {
	case from.crashed, n.cut[linkOf(from.addr, to)], t != nil && t.crashed:
		return nil, false
	case t == nil, t.isDown():
		return nil, true
	default:
		return t, false
	}
}

// opError is a network error as sockets give it; memberlist looks at its operation and network.
func opError(op string, to netip.AddrPort, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}

var errRefused error = syscall.ECONNREFUSED
