package membership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Group is this process's part in one gossip group. Safe for concurrent use.
type Group struct {
	log      *slog.Logger
	list     *memberlist.Memberlist
	delegate *delegate
	view     *view
	rejoin   *rejoiner
	metrics  *metrics
	keys     sync.Mutex          // held while the ring is changed
	ring     *memberlist.Keyring // nil: no encryption
	addr     netip.AddrPort      // bound
	interval time.Duration       // of gossip
	receive  func(Message)       // nil: no messages

	updates chan struct{} // holds a token while memberlist reads and re-announces this node, which it does without a lock

	stop     context.CancelFunc // ends the goroutines of running
	running  sync.WaitGroup     // the goroutines of the view, the rejoin loop and messages
	leaving  sync.Once
	ending   chan struct{} // closed when Leave begins
	left     chan struct{} // closed when all is shut down; leaveErr is set before
	leaveErr error
}

var (
	errOtherDomain = errors.New("it announces another domain")
	errIdentity    = errors.New("its name in gossip is not made of the name and id that it announces")
	errTaken       = errors.New("another member has its id")
	errLeft        = errors.New("the group has been left")
)

// deadNodeReclaim is when memberlist may give the name of a dead node to another address. Names are unique per start, so this matters only
// for a node whose address changed while it ran.
const deadNodeReclaim = 10 * time.Second

// announceTimeout is how long SetState waits until a peer was told.
const announceTimeout = 2 * time.Second

// Open binds, starts gossip and returns; it does not wait for anybody. ctx bounds the look-up of names alone: the group lives until
// [Group.Leave], which must be called to free the port. Errors name the key to change: an address that may not be used without a gossip key, a
// port in use, a key of wrong length, a field that does not fit into the metadata, a seed that is no host:port.
func Open(ctx context.Context, c Config) (*Group, error) {
	if err := c.normalize(); err != nil {
		return nil, err
	}
	seeds, err := parseSeeds(c.Seeds)
	if err != nil {
		return nil, err
	}
	ends, err := c.resolve(ctx)
	if err != nil {
		return nil, err
	}
	m := newMetrics(c.Local.Domain, c.MetricPrefix)
	lines := newGossipLog(c.Logger, m.reject)
	logger := log.New(lines, "", 0)
	ends.transport, ends.port = c.Transport, c.BindPort
	if ends.transport == nil {
		sockets, err := listen(memberlist.NetTransportConfig{BindPort: c.BindPort, Logger: logger}, ends.bind, c.PortKey)
		if err != nil {
			return nil, err
		}
		ends.transport, ends.port = sockets, sockets.GetAutoBindPort()
	}
	judge, err := newJudge(c.Policy, ends.onLoopback())
	if err != nil {
		return nil, errors.Join(err, ends.transport.Shutdown())
	}
	ends.transport = newGate(ends.transport, judge, len(c.Keys) > 0, lines.refuse)
	g, err := start(&c, ends, judge, logger, m)
	if err != nil {
		return nil, errors.Join(err, ends.transport.Shutdown())
	}
	if err := g.register(c.Registerer); err != nil {
		return nil, errors.Join(err, g.Leave(context.WithoutCancel(ctx)))
	}
	g.run(context.WithoutCancel(ctx), seeds, ends.bind)
	return g, nil
}

// configure makes memberlist's configuration: stock LAN, apart from what is set here. It fills in where this process is reached, and tells
// what is bound.
func (c *Config) configure(ends endpoints) (*memberlist.Config, netip.AddrPort, error) {
	advertise := ""
	if ends.advertise.IsValid() {
		advertise = ends.advertise.String()
	}
	ip, advertisePort, err := ends.transport.FinalAdvertiseAddr(advertise, ends.port)
	if err != nil {
		return nil, netip.AddrPort{}, fmt.Errorf("find an address to advertise: %w", err)
	}
	addr, _ := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	if err := c.checkExposure("advertise", addr); err != nil {
		return nil, netip.AddrPort{}, err
	}
	c.Local.Host, c.Local.Port = addr.String(), advertisePort

	mc := memberlist.DefaultLANConfig()
	mc.Name = nodeName(c.Local)
	mc.Label = c.Local.Domain
	mc.Transport = ends.transport
	mc.DeadNodeReclaimTime = deadNodeReclaim
	mc.AdvertiseAddr, mc.AdvertisePort, mc.BindPort = addr.String(), advertisePort, advertisePort
	if len(c.Keys) > 0 {
		if mc.Keyring, err = memberlist.NewKeyring(c.Keys, c.Keys[0]); err != nil {
			return nil, netip.AddrPort{}, fmt.Errorf("gossip keys: %w", err)
		}
	}
	if !ends.bind.IsValid() {
		return mc, netip.AddrPortFrom(addr, uint16(advertisePort)), nil
	}
	return mc, netip.AddrPortFrom(ends.bind, uint16(ends.port)), nil
}

// start makes the group and its memberlist, without the goroutines of its own.
func start(c *Config, ends endpoints, judge *judge, logger *log.Logger, m *metrics) (*Group, error) {
	mc, bound, err := c.configure(ends)
	if err != nil {
		return nil, err
	}
	meta, err := encodeMeta(c.Local)
	if err != nil {
		return nil, err
	}
	g := &Group{
		log:      c.Logger,
		delegate: newDelegate(mc.Name, judge, m.reject),
		view:     newView(mc.Name, c.Local),
		metrics:  m,
		ring:     mc.Keyring,
		addr:     bound,
		interval: mc.GossipInterval,
		updates:  make(chan struct{}, 1),
		ending:   make(chan struct{}),
		left:     make(chan struct{}),
		stop:     func() {},
	}
	g.delegate.drop = m.message
	if g.receive = c.Receive; g.receive != nil {
		g.delegate.inbox = make(chan []byte, inboxLength)
	}
	g.delegate.meta.Store(&meta)
	mc.Delegate, mc.Events, mc.Alive, mc.Logger = g.delegate, g.delegate, g.delegate, logger
	if g.list, err = memberlist.Create(mc); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	g.rejoin = newRejoiner(c.RejoinInterval, c.Logger, g.ask, g.view, m)
	return g, nil
}

// run starts the goroutines that Leave ends and waits for.
func (g *Group) run(ctx context.Context, seeds []seed, bind netip.Addr) {
	ctx, stop := context.WithCancel(ctx)
	g.stop = stop
	g.rejoin.setSeeds(seeds, g.Local(), g.addr, bind)
	g.running.Go(func() { g.watch(ctx) })
	g.running.Go(func() { g.rejoin.run(ctx) })
	if g.receive != nil {
		g.running.Go(func() { g.deliver(ctx) })
	}
}

// watch turns what the delegate collected into snapshots.
func (g *Group) watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.delegate.poke:
		}
		events, refused := g.delegate.drain()
		for _, r := range g.view.refuse(refused, time.Now()) {
			logRefused(ctx, g.log, r)
		}
		for _, c := range g.view.apply(events, time.Now()) {
			g.metrics.count(c)
			g.rejoin.note(c)
			logChange(ctx, g.log, c)
		}
	}
}

// ask does a push/pull with one address.
func (g *Group) ask(addr netip.AddrPort) error {
	_, err := g.list.Join([]string{addr.String()})
	if cause := errors.Unwrap(err); cause != nil {
		return cause // of a list of one that would fill several lines of a log
	}
	return err
}

// nodeName is the memberlist name of m.
func nodeName(m Member) string { return m.Name + "-" + m.ID }

// Local is what this process announces now.
func (g *Group) Local() Member { return g.view.getLocal() }

// Members is the newest snapshot: this process and all members that it sees, sorted by ID. It is shared with other callers and must not be
// changed. After Leave it is what was seen last.
func (g *Group) Members() []Member { return g.view.members() }

// Subscribe gives a channel of snapshots, the current one first. At most one waits in the channel: a slow reader gets the newest and misses
// those between. The channel is closed by cancel, which may be called at any time and more than once, and by Leave.
func (g *Group) Subscribe() (updates <-chan []Member, cancel func()) { return g.view.subscribe() }

// Addr is the address that is bound, "host:port".
func (g *Group) Addr() string { return g.addr.String() }

// Isolated tells whether this process has seeds other than itself and sees no other member: it may be on the wrong side of a partition.
func (g *Group) Isolated() bool { return g.view.others.Load() == 0 && g.rejoin.hasSeeds() }

// SetState announces a new state. This process's own snapshot has it at once; the call then waits until peers were told, at most 2 seconds.
// An error means that they were not told in that time, or that the group was left; gossip goes on announcing the state in the first case.
// Load balancers are told of draining one by one besides, which takes half a second more while one does not answer.
func (g *Group) SetState(s State) error {
	if s >= stateCount {
		return fmt.Errorf("state %d is unknown", uint8(s))
	}
	err := g.announceState(context.Background(), s, announceTimeout, g.ending)
	if s == StateDraining && !errors.Is(err, errLeft) {
		g.tellBalancers(context.Background())
	}
	return err
}

// SetEpoch announces another [Member.Epoch], as SetState does a state. The group must have been opened with one, so that there is room for it.
func (g *Group) SetEpoch(epoch uint32) error {
	if epoch == 0 || g.Local().Epoch == 0 {
		return errors.New("the group was opened without an epoch, or is to lose its own")
	}
	if err := g.announce(context.Background(), func(m *Member) { m.Epoch = epoch }, announceTimeout, g.ending); err != nil {
		return fmt.Errorf("announce epoch %08x: %w", epoch, err)
	}
	return nil
}

func (g *Group) announceState(ctx context.Context, s State, timeout time.Duration, end <-chan struct{}) error {
	if err := g.announce(ctx, func(m *Member) { m.State = s }, timeout, end); err != nil {
		return fmt.Errorf("announce state %s: %w", s, err)
	}
	return nil
}

// announce publishes what change makes of this member, if that is other than before, and waits until peers were told, within timeout. Nothing is
// announced once end is closed.
func (g *Group) announce(ctx context.Context, change func(*Member), timeout time.Duration, end <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case g.updates <- struct{}{}:
		defer func() { <-g.updates }()
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-end:
		return errLeft
	default:
	}
	m := g.view.getLocal()
	change(&m)
	meta, err := encodeMeta(m)
	if err != nil {
		return err
	}
	if bytes.Equal(meta, *g.delegate.meta.Load()) {
		return nil
	}
	g.delegate.meta.Store(&meta)
	g.view.setLocal(m)
	deadline, _ := ctx.Deadline()
	return g.list.UpdateNode(max(time.Until(deadline), time.Millisecond))
}
