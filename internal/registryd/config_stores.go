package registryd

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

func (c *Config) validateStores(d *daemon.Document) []error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(c.Stores)) {
		s := c.Stores[name]
		if err := sqlstore.CheckDSN(s.DSN.Reveal()); err != nil {
			faults = append(faults, d.Fault("stores."+name+".dsn", "%s", err))
		}
		if s.CommitGroup < 0 || s.CommitGroup > maxCommitGroup {
			faults = append(faults, d.Fault("stores."+name+".commit_group", "is %d; it must be from 1 to %d, or 0 for the default", s.CommitGroup, maxCommitGroup))
		}
	}
	if _, ok := c.Stores[c.UserStore]; !ok {
		faults = append(faults, d.Fault("user_store", "no store is named %q; there are %s", c.UserStore, strings.Join(slices.Sorted(maps.Keys(c.Stores)), ", ")))
	}
	if len(c.Mounts) == 0 {
		faults = append(faults, d.Fault("mounts", "at least one mount is needed"))
	}
	seen := map[string]int{}
	for i, m := range c.Mounts {
		key := fmt.Sprintf("mounts[%d]", i)
		if _, ok := c.Stores[m.Store]; !ok {
			faults = append(faults, d.Fault(key+".store", "no store is named %q; there are %s", m.Store, strings.Join(slices.Sorted(maps.Keys(c.Stores)), ", ")))
		}
		for _, p := range []struct{ key, path string }{{".path", m.Path}, {".target_path", m.TargetPath}} {
			if p.key == ".target_path" && p.path == m.Path {
				continue
			}
			if _, err := registry.ParsePath(p.path); err != nil {
				faults = append(faults, d.Fault(key+p.key, "%q is not a path of the registry: %s", p.path, err))
			}
		}
		if !m.Overwrite.known() {
			faults = append(faults, d.Fault(mountKey(i, "overwrite"), "%q is none of true, false, virtual", string(m.Overwrite)))
		}
		if first, ok := seen[m.Path]; ok {
			faults = append(faults, d.Fault(key+".path", "%s is mounted twice; first at %s", m.Path, d.Where(fmt.Sprintf("mounts[%d].path", first))))
		}
		seen[m.Path] = i
	}
	return append(faults, c.validateSQLiteHosts(d)...)
}

// mountKey is a key of the i-th mount.
func mountKey(i int, key string) string { return fmt.Sprintf("mounts[%d].%s", i, key) }

// localMount is where a node keeps what is its own; a store mounted nowhere else needs no sharing.
const localMount = "/_system/local"

// sharedStores are the names of the stores that all nodes must have in common.
func (c *Config) sharedStores() map[string]bool {
	shared := map[string]bool{c.UserStore: true}
	for _, m := range c.Mounts {
		if m.Path != localMount {
			shared[m.Store] = true
		}
	}
	return shared
}

// validateSQLiteHosts refuses a SQLite file as the shared store of a cluster that spans hosts: each host would have a registry of its own.
func (c *Config) validateSQLiteHosts(d *daemon.Document) []error {
	remote := ""
	for i, addr := range c.Membership.Members {
		if host, _, err := net.SplitHostPort(addr); err == nil && !daemon.IsLoopback(host) {
			remote = fmt.Sprintf("%s names %s", d.Where(fmt.Sprintf("membership.members[%d]", i)), addr)
			break
		}
	}
	if remote == "" {
		return nil
	}
	shared := c.sharedStores()
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(shared)) {
		if strings.HasPrefix(c.Stores[name].DSN.Reveal(), "sqlite:") {
			faults = append(faults, d.Fault("stores."+name+".dsn", "SQLite is a file of one host, but %s, on another host; use a mysql: dsn for the shared store", remote))
		}
	}
	return faults
}
