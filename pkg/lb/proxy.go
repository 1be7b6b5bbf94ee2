package lb

import (
	"crypto/x509"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// Proxy carries requests to members. Clients reach it through one or several Servers.
type Proxy struct {
	table    atomic.Pointer[Table]
	settings atomic.Pointer[Settings]
	log      *slog.Logger
	metrics  *metrics

	watch     *wire.Watch
	pipes     *wire.Pipes
	buffers   *buffers
	exchanges sync.Pool // of *exchange
	clock     clock

	mu      sync.Mutex            // guards what follows; never taken by a request
	targets map[targetKey]*Target // what is kept from table to table
	pools   map[poolKey]poolState // likewise
}

// targetKey names a member in a pool: one process may be a member of several domains.
type targetKey struct {
	pool poolKey
	id   string
}

// poolState is what a pool keeps when its members change.
type poolState struct {
	spec     BalancerSpec
	balancer balancer
	budget   *retryBudget
	metrics  *poolMetrics
	ejecting *sync.Mutex
}

// Config is what a Proxy needs. Routes is required.
type Config struct {
	Routes   *Routes
	Timeouts Timeouts
	// Roots verify the certificates of members; nil = those of the system.
	Roots *x509.CertPool
	// TrustedProxies are the networks whose forwarding headers are believed; none by default.
	TrustedProxies []netip.Prefix
	// HTTPPort and HTTPSPort are our ports as clients know them, for Location headers; 0 = unknown.
	HTTPPort, HTTPSPort int
	AccessLog           *accesslog.Log        // a record of every request; nil = only failures are logged, by Logger
	Logger              *slog.Logger          // nil = no log
	Registerer          prometheus.Registerer // nil = metrics are kept to ourselves
}

// publicPorts are the ELB's ports as clients know them; 0 = unknown.
type publicPorts struct{ http, https int }

func (p publicPorts) of(scheme string) int {
	if scheme == schemeHTTPS {
		return p.https
	}
	return p.http
}

// pipesMost bounds the pipes that are kept for splicing.
const pipesMost = 64

// New makes a Proxy with a table that holds the static members. It fails if metrics of the same names are
// registered already. Close ends it.
func New(c Config) (*Proxy, error) {
	p := &Proxy{
		log:     c.Logger,
		pipes:   wire.NewPipes(pipesMost),
		buffers: newBuffers(),
		targets: map[targetKey]*Target{},
		pools:   map[poolKey]poolState{},
	}
	settings := Settings{
		Timeouts: c.Timeouts.withDefaults(), Roots: c.Roots, TrustedProxies: c.TrustedProxies,
		HTTPPort: c.HTTPPort, HTTPSPort: c.HTTPSPort, AccessLog: c.AccessLog,
	}
	p.settings.Store(&settings)
	p.watch = wire.NewWatch(settings.Timeouts.tick())
	p.exchanges.New = func() any { return newExchange() }
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if p.metrics, err = newMetrics(c.Registerer, &p.table); err != nil {
		return nil, err
	}
	p.Use(NewTable(c.Routes, nil))
	return p, nil
}

// Close closes the connections to members that no request uses, and those of running requests when these end. No
// request may come any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, target := range p.targets {
		target.upstream.retire()
	}
	p.pipes.Close()
}

// Use puts a table in use. Members and pools that were in the last one keep what was learnt about them;
// connections to members that are draining, gone, or at another address are closed as soon as they are
// idle, and the metrics of those that are gone are removed. Requests that are running finish with the table
// they began with.
func (p *Proxy) Use(t *Table) {
	p.mu.Lock()
	defer p.mu.Unlock()
	current := make(map[targetKey]*Target, len(p.targets))
	for _, pool := range t.pools {
		p.attachPool(pool)
		for _, target := range slices.Concat(pool.active, pool.draining) {
			key := targetKey{pool.key(), target.Member.ID}
			p.attach(target, p.targets[key])
			current[key] = target
		}
	}
	p.table.Store(t)
	for _, target := range current {
		if target.Member.Draining {
			target.upstream.retire()
		} else {
			target.upstream.revive()
		}
	}
	for key, target := range p.targets {
		next := current[key]
		if next == nil || next.health != target.health { // gone, or moved
			target.upstream.retire()
		}
		if next == nil {
			p.metrics.forget(target.Member)
		}
	}
	p.targets = current
	p.forgetPools(t)
}

// forgetPools forgets the pools that are not in the table any more. It is called with mu held.
func (p *Proxy) forgetPools(t *Table) {
	pools, domains := map[poolKey]bool{}, map[string]bool{}
	for _, pool := range t.pools {
		pools[pool.key()], domains[pool.Domain] = true, true
	}
	for key := range p.pools {
		if !pools[key] {
			delete(p.pools, key)
			p.metrics.forgetPool(key, !domains[key.domain])
		}
	}
}

func (p *Proxy) attachPool(pool *Pool) {
	state, known := p.pools[pool.key()]
	if !known {
		state = poolState{spec: pool.spec, balancer: newBalancer(pool.spec), budget: newRetryBudget(time.Now()), metrics: p.metrics.pool(pool.Domain, pool.SubDomain), ejecting: &sync.Mutex{}}
		p.pools[pool.key()] = state
	} else if state.spec != pool.spec {
		state.spec, state.balancer = pool.spec, newBalancer(pool.spec)
		p.pools[pool.key()] = state
	}
	pool.balancer, pool.budget, pool.metrics, pool.ejecting = state.balancer, state.budget, state.metrics, state.ejecting
}

// attach gives a target what its predecessor in the last table, if any, has learnt. What was learnt of
// other addresses does not count.
func (p *Proxy) attach(target, old *Target) {
	m := target.Member
	if old != nil {
		target.metrics = old.metrics
	} else {
		target.metrics = p.metrics.member(m)
	}
	if old != nil && m.sameEndpoints(&old.Member) {
		target.health, target.load, target.upstream = old.health, old.load, old.upstream
	} else {
		target.health, target.load, target.upstream = &health{}, &load{}, newUpstream(p, m)
	}
}
