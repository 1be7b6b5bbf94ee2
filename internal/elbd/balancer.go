package elbd

import (
	"slices"
	"strings"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// balancer reads how a pool chooses, with a fault for whatever cannot be meant. A block that several pools share is blamed once.
func (b *specBuilder) balancer(s poolSource) lb.BalancerSpec {
	if s.balancer == nil {
		return lb.BalancerSpec{}
	}
	spec, faults := s.balancer.spec(b.doc, s.balancerKey)
	if !b.checked[s.balancerKey] {
		b.checked[s.balancerKey] = true
		b.faults = append(b.faults, faults...)
	}
	return spec
}

func (c *Balancer) spec(d *daemon.Document, key string) (lb.BalancerSpec, []error) {
	var faults []error
	fault := func(name, format string, args ...any) {
		faults = append(faults, d.Fault(key+"."+name, format, args...))
	}
	s := lb.BalancerSpec{Policy: lb.Policy(c.Policy), LoadBound: c.LoadBound, SlowStart: c.SlowStart}
	if c.Policy != "" && !slices.Contains(lb.Policies(), s.Policy) {
		fault("policy", "%q is no balancer; write %s", c.Policy, policyWords())
		s.Policy = ""
	}
	if c.SlowStart < 0 {
		fault("slow_start", "is %s; it must not be negative", c.SlowStart)
	}
	if s.Policy != lb.PolicyHash {
		for _, name := range []string{"key", "load_bound"} {
			if d.IsSet(key+"."+name) && c.Policy == string(s.Policy) {
				fault(name, "is for the policy hash only")
			}
		}
		return s, faults
	}
	var err error
	if c.Key == "" {
		fault("key", "is missing: hash needs one; write header NAME, cookie NAME, path or client")
	} else if s.Key, err = lb.ParseHashKey(c.Key); err != nil {
		fault("key", "%s", err)
	}
	if d.IsSet(key+".load_bound") && !(c.LoadBound > 1) {
		fault("load_bound", "is %v; it must be above 1: so many times the average a member may have in flight", c.LoadBound)
	}
	return s, faults
}

// policyWords lists the policies for people.
func policyWords() string {
	var words []string
	for _, p := range lb.Policies() {
		words = append(words, string(p))
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
