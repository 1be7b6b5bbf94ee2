package elbd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// ownDomain is the domain of the ELBs themselves.
const ownDomain = "wso2.carbon.lb.domain"

// leaveTime bounds how long leaving a group may take.
const leaveTime = 5 * time.Second

// group is this ELB's part in one gossip group.
type group struct {
	domain   string
	group    *membership.Group
	peers    *peerFile
	sight    *sight
	seen     chan struct{} // closed when the first application member was seen
	followed chan struct{} // closed when nobody follows it any more
}

// entrance is where a group is entered, and who is taken in there.
type entrance struct {
	domain, key string // key is where the configuration names the port
	port        int
	seeds       []string
	policy      membership.Policy
}

// entrance gives that of a domain's group.
func (c *Config) entrance(d domainPort) entrance {
	return entrance{
		domain: d.domain, key: domainKey(d.service, d.domain) + ".group_mgt_port", port: d.port, policy: c.policy(c.Services[d.service].Domains[d.domain]),
	}
}

// join enters the groups: one for each domain whose members announce themselves, at its group management port, and
// the group of the ELBs.
func (b *balancer) join(ctx context.Context) error {
	c := b.config
	if c.GossipKeyFile != "" {
		keys, err := daemon.ReadGossipKeys(c.GossipKeyFile)
		if err != nil {
			return b.doc.Fault("gossip_key_file", "%s", err)
		}
		b.keys = keys
	}
	id, err := membership.NewID()
	if err != nil {
		return err
	}
	if b.exchange, err = newExchange(id, b); err != nil {
		return err
	}
	for _, d := range c.domainPorts() {
		g, err := b.open(ctx, b.doc, c.entrance(d), b.settings)
		if err != nil {
			return err
		}
		b.follow(g, true)
	}
	own := entrance{domain: ownDomain, key: "local_member_port", port: c.LocalMemberPort, seeds: c.Members, policy: c.policy(Domain{})}
	g, err := b.open(ctx, b.doc, own, b.settings)
	if err != nil {
		return err
	}
	b.follow(g, false)
	b.discovery.TellTrouble(b.exchange.alarm)
	exchanging, stop := context.WithCancel(context.WithoutCancel(ctx)) // those that are left want to know while it drains
	b.stopExchange = stop
	b.following.Go(func() { b.exchange.run(exchanging) })
	if c.GossipKeyFile != "" {
		following, stop := context.WithCancel(context.WithoutCancel(ctx)) // a key may change while it drains
		b.stopKeys = stop
		keys := b.keys
		b.following.Go(func() { b.followKeys(following, keys) })
	}
	return nil
}

// open enters a group. Faults are of doc.
func (b *balancer) open(ctx context.Context, doc *daemon.Document, at entrance, s lb.Settings) (*group, error) {
	c := b.config
	peers := newPeerFile(c.StateDir, at.domain)
	known, err := peers.load()
	if err != nil {
		b.log.Warn("known members could not be read; waiting for them to ask", "domain", at.domain, "error", err)
	}
	g, err := membership.Open(ctx, membership.Config{
		Local: membership.Member{
			ID: b.exchange.self, Name: c.NodeName, Domain: at.domain, Host: c.LocalMemberHost,
			HTTPPort: s.HTTPPort, HTTPSPort: s.HTTPSPort,
			State: membership.StateActive, Version: daemon.Version(), StartedAt: b.started, Balancer: true,
			Epoch: b.exchange.epoch(),
		},
		Receive:  b.exchange.receive,
		BindHost: c.LocalMemberHost, BindPort: at.port, PortKey: at.key,
		Seeds: slices.Concat(at.seeds, known), Keys: b.gossipKeys(), InsecureGossip: c.InsecureGossip,
		Policy: at.policy, Logger: b.log, Registerer: b.metrics, MetricPrefix: metricPrefix,
	})
	if err != nil {
		return nil, doc.Fault(at.key, "%s", err)
	}
	b.log.Info("listening", "listener", "gossip", "addr", g.Addr(), "domain", at.domain)
	return &group{
		domain: at.domain, group: g, peers: peers, sight: newSight(time.Now(), len(at.seeds)+len(known) > 0),
		seen: make(chan struct{}), followed: make(chan struct{}),
	}, nil
}

// follow takes a group in, and passes on its snapshots until it is left. application tells whether they are of members that get requests.
func (b *balancer) follow(g *group, application bool) {
	b.groupsMu.Lock()
	b.groups = append(b.groups, g)
	if b.keys != nil { // they may have changed since it was opened
		if err := g.group.SetKeys(b.keys); err != nil {
			b.log.Error("gossip keys of a new group could not be changed", "domain", g.domain, "error", err)
		}
	}
	b.groupsMu.Unlock()
	updates, _ := g.group.Subscribe()
	b.following.Go(func() {
		defer close(g.followed)
		b.followGroup(g, updates, application)
	})
}

// getGroups are the groups of now.
func (b *balancer) getGroups() []*group {
	b.groupsMu.Lock()
	defer b.groupsMu.Unlock()
	return slices.Clone(b.groups)
}

// takeGroups takes the groups of domains out of the list, and gives them.
func (b *balancer) takeGroups(domains []string) []*group {
	b.groupsMu.Lock()
	defer b.groupsMu.Unlock()
	var taken, kept []*group
	for _, g := range b.groups {
		if slices.Contains(domains, g.domain) {
			taken = append(taken, g)
		} else {
			kept = append(kept, g)
		}
	}
	b.groups = kept
	return taken
}

// followGroup passes on every snapshot until the group is left.
func (b *balancer) followGroup(g *group, updates <-chan []membership.Member, application bool) {
	seen := false
	for snapshot := range updates {
		g.sight.saw(g.group.Local().ID, snapshot, time.Now())
		if application {
			b.discovery.Update(g.domain, snapshot)
		}
		for _, m := range snapshot {
			if !seen && !m.Balancer {
				seen = true
				close(g.seen)
			}
		}
		if err := g.peers.save(g.group.Local().ID, snapshot); err != nil {
			b.log.Warn("known members could not be written down; after a restart this ELB has to wait for them to ask", "domain", g.domain, "error", err)
		}
	}
}

// settleTime is how long a starting ELB waits to see members of every domain before it calls itself ready.
const settleTime = 2 * time.Second

// settle waits until each domain has members, at most settleTime: an ELB that restarts should not be sent requests that it can only refuse.
func (b *balancer) settle(ctx context.Context) {
	timeout := time.After(settleTime)
	for _, g := range b.getGroups() {
		if g.domain == ownDomain {
			continue
		}
		select {
		case <-g.seen:
		case <-timeout:
			return
		case <-ctx.Done():
			return
		}
	}
}

// leave ends the membership of all groups at once, and waits for those who follow them.
func (b *balancer) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if b.stopKeys != nil {
		b.stopKeys()
	}
	if b.stopExchange != nil {
		b.stopExchange()
	}
	groups := b.getGroups()
	errs := make([]error, len(groups))
	var leaving sync.WaitGroup
	for i, g := range groups {
		leaving.Go(func() { errs[i] = g.group.Leave(ctx) })
	}
	leaving.Wait()
	b.following.Wait()
	b.leaving.Wait()
	return errors.Join(errs...)
}
