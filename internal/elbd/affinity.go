package elbd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// Affinity is an affinity block; a word alone is its mode.
type Affinity struct {
	Mode           string        `yaml:"mode,word"`       // none, cookie or application
	Cookie         string        `yaml:"cookie"`          // name of the load balancer's cookie; elb_route when empty, or elb_route_DOMAIN at a host of several domains
	SessionCookies []string      `yaml:"session_cookies"` // application: the names of its session cookies; JSESSIONID when empty
	SessionTimeout time.Duration `yaml:"session_timeout"` // how long the load balancer's cookie counts after a request; 0: until the browser is closed
	DrainWindow    time.Duration `yaml:"drain_window"`    // how long sessions follow a member that drains
}

// affinities gives each pool its affinity: that of its block, else that of its domain. A block that several pools share is blamed once.
func (b *specBuilder) affinities(c *Config) {
	for i := range b.specs {
		s := &b.specs[i]
		key, block := c.affinity(s)
		if block == nil {
			continue
		}
		var faults []error
		s.Affinity, faults = block.spec(b.doc, key)
		if !b.checked[key] {
			b.checked[key] = true
			b.faults = append(b.faults, faults...)
		}
	}
	b.nameAffinityCookies(c)
}

// affinity finds the block of a pool, and its key; nil if there is none.
func (c *Config) affinity(s *lb.PoolSpec) (key string, block *Affinity) {
	dom := c.Services[s.Service].Domains[s.Domain]
	key = domainKey(s.Service, s.Domain)
	for _, b := range dom.blocks(key) {
		if b.name == s.SubDomain && b.Affinity != nil {
			return b.key + ".affinity", b.Affinity
		}
	}
	return key + ".affinity", dom.Affinity
}

func (a *Affinity) spec(d *daemon.Document, key string) (lb.AffinitySpec, []error) {
	var faults []error
	s := lb.AffinitySpec{
		Mode: lb.AffinityMode(a.Mode), Cookie: a.Cookie, SessionCookies: a.SessionCookies, SessionTimeout: a.SessionTimeout, DrainWindow: a.DrainWindow,
	}
	if a.Mode == "" {
		faults = append(faults, d.Fault(key+".mode", "is missing: write none, cookie or application"))
	}
	if a.Mode != string(lb.AffinityApplication) && len(a.SessionCookies) > 0 && slices.Contains(lb.AffinityModes(), s.Mode) {
		faults = append(faults, d.Fault(key+".session_cookies", "are for the mode application only"))
	}
	names := lb.AffinitySpec{Mode: lb.AffinityApplication, SessionCookies: a.SessionCookies}
	if (lb.AffinitySpec{Cookie: a.Cookie}).Check() == nil && s.Mode == lb.AffinityApplication {
		names.Cookie = a.Cookie
	}
	namesKey := "session_cookies"
	if len(a.SessionCookies) == 0 {
		namesKey = "cookie" // the other one is not in the file
	}
	for _, part := range []struct {
		name string
		spec lb.AffinitySpec
	}{
		{"mode", lb.AffinitySpec{Mode: s.Mode}},
		{"cookie", lb.AffinitySpec{Cookie: a.Cookie}},
		{namesKey, names},
		{"session_timeout", lb.AffinitySpec{SessionTimeout: a.SessionTimeout}},
		{"drain_window", lb.AffinitySpec{DrainWindow: s.DrainWindow}},
	} {
		if err := part.spec.Check(); err != nil {
			faults = append(faults, d.Fault(key+"."+part.name, "%s", err))
		}
	}
	return s, faults
}

// nameAffinityCookies gives pools that share a host, as those of different tenants may, cookies of their own: each would take the other's for a
// forged one, and replace it. Names that were chosen stay, and are refused when they are the same.
func (b *specBuilder) nameAffinityCookies(c *Config) {
	at := map[string][]*lb.PoolSpec{} // by host
	for i := range b.specs {
		if s := &b.specs[i]; s.Affinity.On() {
			for _, host := range s.Hosts {
				host = strings.ToLower(host)
				at[host] = append(at[host], s)
			}
		}
	}
	for i := range b.specs {
		s := &b.specs[i]
		alone := func(host string) bool { return len(at[strings.ToLower(host)]) < 2 }
		if !s.Affinity.On() || s.Affinity.Cookie != "" || !slices.ContainsFunc(s.Hosts, func(h string) bool { return !alone(h) }) {
			continue
		}
		s.Affinity.Cookie = lb.DefaultAffinityCookie + "_" + s.Domain
		if s.SubDomain != "" {
			s.Affinity.Cookie += "_" + s.SubDomain
		}
		if err := s.Affinity.Check(); err != nil {
			key, _ := c.affinity(s)
			b.fault(key+".cookie", "is missing: %s", err)
		}
	}
	for _, host := range slices.Sorted(maps.Keys(at)) {
		first := map[string]*lb.PoolSpec{} // by cookie
		for _, s := range at[host] {
			other := first[s.Affinity.Cookie]
			if first[s.Affinity.Cookie] = s; other == nil || s.Affinity.Cookie == "" {
				continue
			}
			key, _ := c.affinity(s)
			otherKey, _ := c.affinity(other)
			b.fault(key+".cookie", "%s is the cookie of domain %s at host %s already (%s); each needs its own", s.Affinity.Cookie, other.Domain, host, b.doc.Where(otherKey))
		}
	}
}

// affinityKeys are the secrets that sign and check affinity cookies: those of the configuration, else those of the gossip, which all load
// balancers have, else one that this load balancer makes and keeps. None if no pool has affinity.
// Faults are of doc.
func (b *balancer) affinityKeys(doc *daemon.Document, specs []lb.PoolSpec) ([][]byte, error) {
	c := b.config
	used := slices.ContainsFunc(specs, func(s lb.PoolSpec) bool { return s.Affinity.On() })
	switch {
	case !used:
		return nil, nil
	case c.AffinityKeyFile != "":
		keys, err := daemon.ReadGossipKeys(c.AffinityKeyFile)
		if err != nil {
			return nil, doc.Fault("affinity_key_file", "%s", err)
		}
		return keys, nil
	case c.GossipKeyFile != "":
		keys, err := daemon.ReadGossipKeys(c.GossipKeyFile)
		if err != nil {
			return nil, doc.Fault("gossip_key_file", "%s", err)
		}
		return keys, nil
	}
	file := filepath.Join(c.StateDir, "affinity.key")
	b.log.Warn("affinity cookies are signed with a key of this load balancer alone; another one does not honour them and sessions "+
		"move between the two: give both the same gossip_key_file or affinity_key_file", "file", file)
	keys, err := ownAffinityKey(file)
	if err != nil {
		return nil, fmt.Errorf("affinity key: %w", err)
	}
	return keys, nil
}

// ownAffinityKey reads the key in file, and makes one if the file is not there.
func ownAffinityKey(file string) ([][]byte, error) {
	keys, err := daemon.ReadGossipKeys(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := os.WriteFile(file+".new", []byte(daemon.NewGossipKey()+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return nil, err
	}
	return daemon.ReadGossipKeys(file)
}
