package elbd

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/regent-registry/regent/internal/daemon"
)

// liveKeys are the top-level keys that can change while the ELB runs. All others need a restart.
func liveKeys() []string {
	return []string{
		"http_port", "https_port", "tls", "timeouts", "limits", "trace", "trusted_proxies", "access_log", "access_log_file",
		"drain_delay", "drain_timeout", "log", "services", "zone", "health", "tenants",
	}
}

// epochOf names a configuration: 8 hex digits that are the same for the same effective configuration, wherever its keys were set.
func epochOf(c Config) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:4]), nil
}

// hostKeys are the top-level keys that may differ from ELB to ELB in front of the same members: where each listens, keeps and writes, how much it carries, and how it stops.
func hostKeys() []string {
	return []string{
		"http_port", "https_port", "listen_host", "local_member_host", "local_member_port", "members", "node_name", "admin", "admin_token_file", "zone", "state_dir",
		"tls", "gossip_key_file", "insecure_gossip", "accept_from", "affinity_key_file", "access_log", "access_log_file", "drain_delay", "drain_timeout", "log", "limits",
	}
}

// sharedEpoch names what is left of a configuration without hostKeys, and without the gossip ports and policies of domains: what decides how requests are
// answered, and should be alike at all ELBs. It is not 0.
func sharedEpoch(c Config) (uint32, error) {
	fields := reflect.ValueOf(&c).Elem()
	for i := range fields.NumField() {
		if slices.Contains(hostKeys(), keyOfField(fields.Type().Field(i))) {
			fields.Field(i).SetZero()
		}
	}
	services := make(map[string]Service, len(c.Services))
	for name, service := range c.Services {
		domains := make(map[string]Domain, len(service.Domains))
		for domain, d := range service.Domains {
			d.GroupMgtPort, d.AcceptFrom, d.AcceptHosts = 0, nil, nil
			domains[domain] = d
		}
		service.Domains = domains
		services[name] = service
	}
	c.Services = services
	text, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256(text)
	return max(1, binary.BigEndian.Uint32(digest[:4])), nil
}

// keyOfField is the key that a field of the configuration has in the file.
func keyOfField(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// changedKeys are the top-level keys whose values differ, in the order of the configuration.
func changedKeys(old, next Config) []string {
	var keys []string
	a, b := reflect.ValueOf(old), reflect.ValueOf(next)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			keys = append(keys, keyOfField(a.Type().Field(i)))
		}
	}
	return keys
}

// refusals are the changes from old to next, whose document is given, that only a restart can make.
func refusals(old, next Config, d *daemon.Document) []error {
	var faults []error
	live := liveKeys()
	for _, key := range changedKeys(old, next) {
		if !slices.Contains(live, key) {
			faults = append(faults, d.Fault(key, "cannot change while the ELB runs; it needs a restart"))
		}
	}
	if old.Log.Format != next.Log.Format {
		faults = append(faults, d.Fault("log.format", "cannot change from %s to %s while the ELB runs; it needs a restart", old.Log.Format, next.Log.Format))
	}
	return slices.Concat(faults, groupRefusals(old, next, d), portRefusals(old, next, d))
}

// portUse is a port with what it is for.
type portUse struct {
	name, key string // the key is where the configuration has it
	port      int
}

// portUses are the ports that clients and members of domains come to.
func (c *Config) portUses() []portUse {
	uses := []portUse{{"http_port", "http_port", c.HTTPPort}, {"https_port", "https_port", c.HTTPSPort}}
	for _, d := range c.domainPorts() {
		uses = append(uses, portUse{"group_mgt_port of " + d.domain, domainKey(d.service, d.domain) + ".group_mgt_port", d.port})
	}
	return uses
}

// portRefusals are the ports that are still in use for something else: old ones are given up when the new ones have been taken.
func portRefusals(old, next Config, d *daemon.Document) []error {
	var faults []error
	before := old.portUses()
	for _, use := range next.portUses() {
		if slices.ContainsFunc(before, func(was portUse) bool { return was.name == use.name && was.port == use.port }) || use.port <= 0 {
			continue
		}
		for _, was := range before {
			if was.port == use.port {
				faults = append(faults, d.Fault(use.key, "%d is %s in the running ELB; give it up by a reload before this one, since in one step that needs a restart", use.port, was.name))
			}
		}
	}
	return faults
}

// groupRefusals are the changes of domains whose groups stay that those cannot follow.
func groupRefusals(old, next Config, d *daemon.Document) []error {
	var faults []error
	before := map[string]Domain{}
	for _, p := range old.domainPorts() {
		before[p.domain] = old.Services[p.service].Domains[p.domain]
	}
	for _, p := range next.domainPorts() {
		was, kept := before[p.domain]
		if !kept {
			continue
		}
		key, is := domainKey(p.service, p.domain), next.Services[p.service].Domains[p.domain]
		if was.GroupMgtPort != is.GroupMgtPort {
			faults = append(faults, d.Fault(key+".group_mgt_port",
				"cannot change from %d to %d while the ELB runs, since members are told to come to that port; it needs a restart", was.GroupMgtPort, is.GroupMgtPort))
		}
		if !slices.Equal(was.AcceptFrom, is.AcceptFrom) {
			faults = append(faults, d.Fault(key+".accept_from", "cannot change while the ELB runs; it needs a restart"))
		}
		if !slices.Equal(was.AcceptHosts, is.AcceptHosts) {
			faults = append(faults, d.Fault(key+".accept_hosts", "cannot change while the ELB runs; it needs a restart"))
		}
	}
	return faults
}

// groupPorts are the group management ports of the domains that have one.
func (c *Config) groupPorts() map[string]int {
	ports := map[string]int{}
	for _, d := range c.domainPorts() {
		ports[d.domain] = d.port
	}
	return ports
}

// groupChanges are the domains whose groups are to be joined and left, in order.
func groupChanges(old, next Config) (join []domainPort, leave []string) {
	before, after := old.groupPorts(), next.groupPorts()
	for _, d := range next.domainPorts() {
		if before[d.domain] == 0 {
			join = append(join, d)
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(before)) {
		if after[domain] == 0 {
			leave = append(leave, domain)
		}
	}
	return join, leave
}
