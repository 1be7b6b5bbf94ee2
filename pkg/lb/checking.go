package lb

import (
	"context"
	"time"
)

// How the proxy keeps the checkers of its members, and what follows from their verdicts.

// superviseChecks starts the checks of members that are new in the table, and stops those of members that are gone, moved, drain, or are
// not to be checked any more. A member that drains says itself that it wants nothing new. p.mu is held.
func (p *Proxy) superviseChecks(t *Table) {
	wanted := make(map[targetKey]*checker, len(p.checkers))
	for _, pool := range t.pools {
		for _, target := range pool.all() {
			if !pool.health.checked() || target.Member.Draining || p.closed {
				continue
			}
			key := targetKey{pool.key(), target.Member.ID}
			running := p.checkers[key]
			if running == nil || running.health != target.health || running.spec != pool.health || running.path != target.Member.HealthPath || running.host != pool.checkHost {
				running = p.newChecker(pool, target)
			}
			wanted[key] = running
		}
	}
	for key, c := range p.checkers {
		if wanted[key] != c {
			c.cancel()
		}
	}
	for _, pool := range t.pools {
		for _, target := range pool.all() {
			if !pool.health.checked() {
				target.health.unchecked(time.Now())
			}
		}
	}
	for key, c := range wanted {
		if p.checkers[key] != c {
			p.startChecker(c)
		}
	}
	p.checkers = wanted
}

func (p *Proxy) newChecker(pool *Pool, t *Target) *checker {
	probe := newProbe(t.upstream, t.Member.HealthPath, &pool.health, pool.checkHost)
	c := &checker{health: t.health, spec: pool.health, path: t.Member.HealthPath, host: pool.checkHost, probe: probe.run}
	key := targetKey{pool.key(), t.Member.ID}
	member, upstream, metrics := t.Member, t.upstream, pool.metrics
	c.done = func(r checkResult, before, after int32) {
		metrics.checked(r)
		if before != after {
			p.verdictChanged(member, r, before, after)
		}
		if after == verdictDead && before != after {
			p.abandon(key, upstream)
		}
		if before != after && (after == verdictDead || after == verdictUnready) {
			p.tellTrouble(member)
		}
		if review := p.review.Load(); review != nil {
			(*review)(member.Domain, member.ID)
		}
	}
	return c
}

// abandon frees what waits for a member that was found dead, as far as it can go elsewhere.
func (p *Proxy) abandon(dead targetKey, u *upstream) {
	u.drop()
	for _, pool := range p.table.Load().pools {
		if pool.key() == dead.pool && pool.another(nil, dead.id) {
			u.stopDialing()
		}
		if pool.key() == dead.pool {
			pool.line.look() // some may wait for it
		}
	}
	p.watch.Look()
}

func (p *Proxy) startChecker(c *checker) {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	p.checks.Go(func() { c.run(ctx) })
}

// verdictChanged tells people.
func (p *Proxy) verdictChanged(m Member, r checkResult, before, after int32) {
	log := p.log.With("id", m.ID, "name", m.Name, "domain", m.Domain, "sub_domain", m.SubDomain)
	switch {
	case after == verdictUp && before == verdictUnproven:
		log.Info("member passed its first check", "took", r.took)
	case after == verdictUp:
		log.Info("member is up", "took", r.took)
	case after == verdictDead:
		log.Warn("member is down: it does not answer", "reason", r.kind.String(), "error", r.err)
	case after == verdictUnready:
		log.Warn("member is down: it is not ready", "reason", r.kind.String(), "error", r.err)
	}
}
