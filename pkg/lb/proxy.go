package lb

import (
	"crypto/x509"
	"log/slog"
	"net/netip"
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
	masters  []masterKey // of affinity, the first signs

	watch     *wire.Watch
	pipes     *wire.Pipes
	buffers   *buffers
	exchanges sync.Pool    // of *exchange
	running   atomic.Int64 // requests
	clock     clock

	checks  sync.WaitGroup                              // checkers that run
	review  atomic.Pointer[func(domain, member string)] // is told of each check
	trouble atomic.Pointer[func(MemberKey)]             // is told of members that were found to be in trouble

	mu       sync.Mutex             // guards what follows; never taken by a request
	targets  map[targetKey]*Target  // what is kept from table to table
	pools    map[poolKey]poolState  // likewise
	checkers map[targetKey]*checker // likewise
	closed   bool
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
	line     *line
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
	MaxInFlight         int                   // requests that may run at once, others are refused; 0 = no limit
	Trace               TraceSpec             // what is done about requests that belong to no trace
	AccessLog           *accesslog.Log        // a record of every request; nil = only failures are logged, by Logger
	Logger              *slog.Logger          // nil = no log
	Registerer          prometheus.Registerer // nil = metrics are kept to ourselves
	// AffinityKeys are secrets of 16 bytes or more, from which the keys of affinity tokens are derived: the first one signs, all are
	// honoured. Load balancers that are to keep each other's sessions need the same. Without any, one is made up, and the sessions
	// move when the process is started again.
	AffinityKeys [][]byte
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
// registered already, or a key is too short. Close ends it.
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
		HTTPPort: c.HTTPPort, HTTPSPort: c.HTTPSPort, MaxInFlight: c.MaxInFlight, Trace: c.Trace, AccessLog: c.AccessLog,
	}
	p.settings.Store(&settings)
	p.watch = wire.NewWatch(tickFor(settings.Timeouts.all()))
	p.exchanges.New = func() any { return newExchange() }
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if p.masters, err = newMasterKeys(c.AffinityKeys); err != nil {
		return nil, err
	}
	if p.metrics, err = newMetrics(c.Registerer, &p.table, &p.running); err != nil {
		return nil, err
	}
	p.Use(NewTable(c.Routes, nil))
	return p, nil
}

// Close ends the checks, and closes the connections to members that no request uses, and those of running requests when these end. No
// request may come any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for _, c := range p.checkers {
		c.cancel()
	}
	for _, target := range p.targets {
		target.upstream.retire()
	}
	p.mu.Unlock()
	p.checks.Wait()
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
	counted := make(map[memberSeries]bool, len(p.targets))
	for _, pool := range t.pools {
		p.attachPool(pool)
		for _, target := range pool.all() {
			key := targetKey{pool.key(), target.Member.ID}
			p.attach(pool, target, p.targets[key])
			current[key] = target
			counted[seriesOf(target.Member)] = true
		}
		p.attachAffinity(pool)
	}
	for _, pool := range t.pools {
		pool.line.use(pool) // before requests can come to it
	}
	p.table.Store(t)
	p.setTick()
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
		if next == nil && !counted[seriesOf(target.Member)] {
			p.metrics.forget(target.Member)
		}
	}
	p.targets = current
	p.superviseChecks(t)
	p.forgetPools(t)
}

func (p *Proxy) attachPool(pool *Pool) {
	state, known := p.pools[pool.key()]
	if !known {
		state = poolState{spec: pool.spec, balancer: newBalancer(pool.spec), line: &line{}, budget: newRetryBudget(time.Now()), metrics: p.metrics.pool(pool.Domain, pool.SubDomain), ejecting: &sync.Mutex{}}
		p.pools[pool.key()] = state
	} else if state.spec != pool.spec {
		state.spec, state.balancer = pool.spec, newBalancer(pool.spec)
		p.pools[pool.key()] = state
	}
	pool.balancer, pool.line, pool.budget, pool.metrics, pool.ejecting = state.balancer, state.line, state.budget, state.metrics, state.ejecting
}

// attach gives a target what its predecessor in the last table, if any, has learnt. What was learnt of
// other addresses does not count.
func (p *Proxy) attach(pool *Pool, target, old *Target) {
	m := target.Member
	if m.Draining {
		target.drains = time.Now().UnixNano()
		if old != nil && old.Member.Draining {
			target.drains = old.drains
		}
	}
	if old != nil {
		target.metrics, target.traffic = old.metrics, old.traffic
	} else {
		target.metrics, target.traffic = p.metrics.member(m), newTraffic(time.Now())
	}
	if old != nil && m.sameEndpoints(&old.Member) {
		target.health, target.load, target.upstream = old.health, old.load, old.upstream
	} else {
		target.health, target.load, target.upstream = newHealth(pool.health.checked() && !m.Draining, time.Now()), &load{}, newUpstream(p, m)
	}
}
