package lb

import "github.com/prometheus/client_golang/prometheus"

// What goes with a pool that is not in the routes any more.

// forgetPools forgets the pools that are not in the table any more. It is called with mu held.
func (p *Proxy) forgetPools(t *Table) {
	pools, domains := map[poolKey]bool{}, map[string]bool{}
	for _, pool := range t.pools {
		pools[pool.key()], domains[pool.Domain] = true, true
	}
	for key := range p.pools {
		if !pools[key] {
			p.pools[key].line.use(nil)
			delete(p.pools, key)
			p.metrics.forgetPool(key, !domains[key.domain])
		}
	}
}

// forgetPool removes the series of a pool that is gone, and, if it was the last one of its domain, those of the domain. What running requests
// still count in it goes into nothing, but for codes that are their series' first.
func (m *metrics) forgetPool(gone poolKey, domain bool) {
	labels := prometheus.Labels{"domain": gone.domain, "sub_domain": gone.subDomain}
	m.requests.DeletePartialMatch(labels)
	m.duration.DeletePartialMatch(labels)
	if !domain {
		return
	}
	labels = prometheus.Labels{"domain": gone.domain}
	for _, series := range []*prometheus.CounterVec{m.retries, m.budgetEmpty, m.ejections, m.noMember, m.shed, m.limitHits, m.sticky, m.checks} {
		series.DeletePartialMatch(labels)
	}
	m.checkTook.DeletePartialMatch(labels)
	m.queueTook.DeletePartialMatch(labels)
}
