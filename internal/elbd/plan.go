package elbd

import (
	"crypto/sha256"
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
		"http_port", "https_port", "tls", "timeouts", "trusted_proxies", "access_log", "access_log_file",
		"drain_delay", "drain_timeout", "log", "services", "zone",
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

// changedKeys are the top-level keys whose values differ, in the order of the configuration.
func changedKeys(old, next Config) []string {
	var keys []string
	a, b := reflect.ValueOf(old), reflect.ValueOf(next)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("yaml"), ",")
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			keys = append(keys, name)
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
	before := old.groupPorts()
	for service, domain := range next.eachDomain() {
		port := next.Services[service].Domains[domain].GroupMgtPort
		if was := before[domain]; was != 0 && port != 0 && was != port {
			faults = append(faults, d.Fault(domainKey(service, domain)+".group_mgt_port",
				"cannot change from %d to %d while the ELB runs, since members are told to come to that port; it needs a restart", was, port))
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
