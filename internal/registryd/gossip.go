package registryd

import (
	"context"
	"fmt"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
)

// validatePolicy checks accept_from and accept_hosts.
func (m *Membership) validatePolicy(d *daemon.Document) []error {
	var faults []error
	for i, p := range m.AcceptFrom {
		if _, err := daemon.ParsePrefix(p); err != nil {
			faults = append(faults, d.Fault(fmt.Sprintf("membership.accept_from[%d]", i), "%q is neither an IP address nor a CIDR range", p))
		}
	}
	for i, pattern := range m.AcceptHosts {
		if err := membership.CheckHostPattern(pattern); err != nil {
			faults = append(faults, d.Fault(fmt.Sprintf("membership.accept_hosts[%d]", i), "%s", err))
		}
	}
	return faults
}

// policy says whom the group takes in. The lists were validated.
func (m *Membership) policy() membership.Policy {
	p := membership.Policy{Hosts: m.AcceptHosts}
	for _, s := range m.AcceptFrom {
		if prefix, err := daemon.ParsePrefix(s); err == nil {
			p.From = append(p.From, prefix)
		}
	}
	return p
}

// followKeys starts to take over what changes in the gossip key file, and gives the function that ends it and waits for its end.
func (n *node) followKeys(ctx context.Context, group *membership.Group, keys [][]byte) (stop func()) {
	file := n.config.Membership.GossipKeyFile
	if file == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a key may change while it drains
	done := make(chan struct{})
	go func() {
		defer close(done)
		daemon.FollowGossipKeys(ctx, file, keys, func(keys [][]byte) error {
			if err := group.SetKeys(keys); err != nil {
				return err
			}
			n.log.InfoContext(ctx, "gossip keys changed", "keys", group.KeyIDs())
			return nil
		}, n.log)
	}()
	return func() {
		cancel()
		<-done
	}
}
