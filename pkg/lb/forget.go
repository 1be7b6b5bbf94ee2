package lb

import "github.com/prometheus/client_golang/prometheus"

// What goes with a pool that is not in the routes any more.

// forgetPools forgets the pools that are not in the table any more. It is called with mu held.
func (p *Proxy) forgetPools(t *Table) {
	pools, domains := map[poolKey]bool{}, map[string]bool{}
	for _, pool := range t.pools {
		pools[pool.key()], domains[pool.Domain] = true, true
	}
	for key, pool := range p.pools {
		if !pools[key] {
			delete(p.pools, key)
			pool.metrics.forget(!domains[key.domain])
		}
	}
}

// forget removes the series of a pool that is gone, and, if it was the last one of its domain, those of the domain. What running requests
// still count in it goes into nothing.
func (p *poolMetrics) forget(domain bool) {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	m, labels := p.all, prometheus.Labels{"domain": p.domain, "sub_domain": p.subDomain}
	m.requests.DeletePartialMatch(labels)
	m.duration.DeletePartialMatch(labels)
	if !domain {
		return
	}
	labels = prometheus.Labels{"domain": p.domain}
	for _, series := range []*prometheus.CounterVec{m.retries, m.budgetEmpty, m.ejections, m.noMember, m.sticky, m.checks} {
		series.DeletePartialMatch(labels)
	}
	m.checkTook.DeletePartialMatch(labels)
}
