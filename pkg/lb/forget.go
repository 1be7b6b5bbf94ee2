package lb

import "github.com/prometheus/client_golang/prometheus"

// What goes with pools that are not in the routes any more, and with members that are gone.

// forgetPools forgets the pools that are not in the table any more. It is called with mu held.
func (p *Proxy) forgetPools(t *Table) {
	pools, domains := map[poolKey]bool{}, map[string]bool{}
	for _, pool := range t.pools {
		pools[pool.key()], domains[pool.Domain] = true, true
	}
	for key, pool := range p.pools {
		if !pools[key] {
			pool.line.use(nil)
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
	for _, series := range []*prometheus.CounterVec{m.retries, m.hedges, m.budgetEmpty, m.ejections, m.noMember, m.shed, m.limitHits, m.sticky, m.checks} {
		series.DeletePartialMatch(labels)
	}
	m.checkTook.DeletePartialMatch(labels)
	m.queueTook.DeletePartialMatch(labels)
}

// find looks a series up, or makes it. One of a pool that is gone is nobody's: it would stay for ever.
func (p *poolMetrics) find(all *prometheus.CounterVec, labels ...string) prometheus.Counter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return prometheus.NewCounter(prometheus.CounterOpts{})
	}
	return all.WithLabelValues(labels...)
}

func (p *poolMetrics) findDuration(method methodIndex) prometheus.Observer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return prometheus.NewHistogram(prometheus.HistogramOpts{})
	}
	return p.all.duration.WithLabelValues(p.domain, p.subDomain, methodLabels()[method])
}

// memberSeries is what tells the series of members apart: one in several pools of its domain has one for all.
type memberSeries struct{ domain, id string }

func seriesOf(m Member) memberSeries { return memberSeries{m.Domain, m.ID} }

// forget removes the series of a member that is in no pool any more. Requests that still run on it count into nothing.
func (m *metrics) forget(gone Member) {
	m.upstream.DeletePartialMatch(prometheus.Labels{"domain": gone.Domain, "member": gone.ID})
}
