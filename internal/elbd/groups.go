package elbd

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
)

// ownDomain is the domain of the ELBs themselves.
const ownDomain = "wso2.carbon.lb.domain"

// group is this ELB's part in one gossip group.
type group struct {
	domain string
	group  *membership.Group
	peers  *peerFile
	sight  *sight
	seen   chan struct{} // closed when the first application member was seen
}

// join enters the groups: one for each domain whose members announce themselves, at its group management port, and
// the group of the ELBs.
func (b *balancer) join(ctx context.Context) error {
	c := b.config
	var keys [][]byte
	if c.GossipKeyFile != "" {
		var err error
		if keys, err = daemon.ReadGossipKeys(c.GossipKeyFile); err != nil {
			return b.doc.Fault("gossip_key_file", "%s", err)
		}
	}
	for _, d := range c.domainPorts() {
		policy := c.policy(c.Services[d.service].Domains[d.domain])
		g, err := b.open(ctx, d.domain, domainKey(d.service, d.domain)+".group_mgt_port", d.port, nil, keys, policy)
		if err != nil {
			return err
		}
		updates, _ := g.group.Subscribe()
		b.follow.Go(func() { b.followGroup(g, updates, true) })
	}
	g, err := b.open(ctx, ownDomain, "local_member_port", c.LocalMemberPort, c.Members, keys, c.policy(Domain{}))
	if err != nil {
		return err
	}
	updates, _ := g.group.Subscribe()
	b.follow.Go(func() { b.followGroup(g, updates, false) })
	if c.GossipKeyFile != "" {
		following, stop := context.WithCancel(context.WithoutCancel(ctx)) // a key may change while it drains
		b.stopKeys = stop
		b.follow.Go(func() { b.followKeys(following, keys) })
	}
	return nil
}

func (b *balancer) open(ctx context.Context, domain, key string, port int, seeds []string, keys [][]byte, policy membership.Policy) (*group, error) {
	c := b.config
	peers := newPeerFile(c.StateDir, domain)
	known, err := peers.load()
	if err != nil {
		b.log.Warn("known members could not be read; waiting for them to ask", "domain", domain, "error", err)
	}
	g, err := membership.Open(ctx, membership.Config{
		Local: membership.Member{
			Name: c.NodeName, Domain: domain, Host: c.LocalMemberHost,
			HTTPPort: max(c.HTTPPort, 0), HTTPSPort: max(c.HTTPSPort, 0),
			State: membership.StateActive, Version: daemon.Version(), StartedAt: b.started, Balancer: true,
		},
		BindHost: c.LocalMemberHost, BindPort: port, PortKey: key,
		Seeds: append(seeds[:len(seeds):len(seeds)], known...), Keys: keys, InsecureGossip: c.InsecureGossip,
		Policy: policy, Logger: b.log, Registerer: b.metrics, MetricPrefix: metricPrefix,
	})
	if err != nil {
		return nil, b.doc.Fault(key, "%s", err)
	}
	joined := &group{domain: domain, group: g, peers: peers, sight: newSight(time.Now(), len(seeds)+len(known) > 0), seen: make(chan struct{})}
	b.groups = append(b.groups, joined)
	b.log.Info("listening", "listener", "gossip", "addr", g.Addr(), "domain", domain)
	return joined, nil
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
	for _, g := range b.groups {
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
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if b.stopKeys != nil {
		b.stopKeys()
	}
	errs := make([]error, len(b.groups))
	var leaving sync.WaitGroup
	for i, g := range b.groups {
		leaving.Go(func() { errs[i] = g.group.Leave(ctx) })
	}
	leaving.Wait()
	b.follow.Wait()
	return errors.Join(errs...)
}
