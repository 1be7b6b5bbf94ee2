package elbd

import (
	"context"
	"fmt"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
)

// metricPrefix begins the names of the metrics of gossip.
const metricPrefix = "elb_gossip"

// validatePolicies checks accept_from and accept_hosts, wherever they are.
func (c *Config) validatePolicies(d *daemon.Document) []error {
	var faults []error
	ranges := func(key string, list []string) {
		for i, p := range list {
			if _, err := daemon.ParsePrefix(p); err != nil {
				faults = append(faults, d.Fault(fmt.Sprintf("%s[%d]", key, i), "%q is neither an IP address nor a CIDR range", p))
			}
		}
	}
	ranges("accept_from", c.AcceptFrom)
	for service, domain := range c.eachDomain() {
		dom, key := c.Services[service].Domains[domain], domainKey(service, domain)
		ranges(key+".accept_from", dom.AcceptFrom)
		for i, pattern := range dom.AcceptHosts {
			if err := membership.CheckHostPattern(pattern); err != nil {
				faults = append(faults, d.Fault(fmt.Sprintf("%s.accept_hosts[%d]", key, i), "%s", err))
			}
		}
	}
	return faults
}

// policy says whom the group of a domain takes in; that of the ELBs themselves has the zero Domain. The lists were validated.
func (c *Config) policy(d Domain) membership.Policy {
	list := d.AcceptFrom
	if len(list) == 0 {
		list = c.AcceptFrom
	}
	p := membership.Policy{Hosts: d.AcceptHosts}
	for _, s := range list {
		if prefix, err := daemon.ParsePrefix(s); err == nil {
			p.From = append(p.From, prefix)
		}
	}
	return p
}

// followKeys takes over what changes in the gossip key file, in all groups and, where they sign affinity cookies, for these, until ctx ends.
func (b *balancer) followKeys(ctx context.Context, keys [][]byte) {
	daemon.FollowGossipKeys(ctx, b.config.GossipKeyFile, keys, func(keys [][]byte) error {
		if err := b.setKeys(keys); err != nil {
			return err
		}
		if b.config.AffinityKeyFile == "" {
			if err := b.discovery.SetAffinityKeys(keys); err != nil {
				return err
			}
		}
		b.log.InfoContext(ctx, "gossip keys changed", "keys", b.keyIDs())
		return nil
	}, b.log)
}

// setKeys gives other keys to all groups, and to those that are still to come.
func (b *balancer) setKeys(keys [][]byte) error {
	b.groupsMu.Lock()
	defer b.groupsMu.Unlock()
	for _, g := range b.groups {
		if err := g.group.SetKeys(keys); err != nil {
			return err
		}
	}
	b.keys = keys
	return nil
}

// gossipKeys are the keys of now; none when gossip is not encrypted.
func (b *balancer) gossipKeys() [][]byte {
	b.groupsMu.Lock()
	defer b.groupsMu.Unlock()
	return b.keys
}

// keyIDs name the gossip keys in use, the one that encrypts first.
func (b *balancer) keyIDs() []string {
	groups := b.getGroups()
	if len(groups) == 0 {
		return []string{}
	}
	return groups[0].group.KeyIDs()
}

// refused are the processes that announce themselves in any of the groups and are not taken in.
func (b *balancer) refused() []membership.Refused {
	list := []membership.Refused{}
	for _, g := range b.getGroups() {
		list = append(list, g.group.Refused()...)
	}
	return list
}
