package lb

import (
	"crypto/x509"
	"net/netip"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
)

// Settings are what a Proxy can be told anew while requests run, besides its routes. They must not be changed once they are in use.
type Settings struct {
	Timeouts Timeouts
	// Roots verify the certificates of members; nil = those of the system.
	Roots *x509.CertPool
	// TrustedProxies are the networks whose forwarding headers are believed; none by default.
	TrustedProxies []netip.Prefix
	// HTTPPort and HTTPSPort are our ports as clients know them, for Location headers; 0 = unknown.
	HTTPPort, HTTPSPort int
	MaxInFlight         int            // requests that may run at once, others are refused; 0 = no limit
	Trace               TraceSpec      // what is done about requests that belong to no trace
	AccessLog           *accesslog.Log // a record of every request; nil = only failures are logged
}

func (s *Settings) trusted() trustedProxies { return s.TrustedProxies }

// Set puts settings in use. Connections go on, and take them up with their next request or wait; a WebSocket keeps the idle time that it began
// with. With other roots, members must show their certificates again before the next request goes to them.
func (p *Proxy) Set(s Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Timeouts = s.Timeouts.withDefaults()
	old := p.settings.Swap(&s)
	p.setTick()
	if s.Roots.Equal(old.Roots) {
		return
	}
	for _, target := range p.targets {
		target.upstream.distrust()
	}
}

// setTick has the watch look often enough for the shortest of all times. p.mu is held.
func (p *Proxy) setTick() {
	times := p.timeouts().all()
	for _, pool := range p.table.Load().pools {
		if pool.retry.TryTimeout > 0 {
			times = append(times, pool.retry.TryTimeout)
		}
	}
	p.watch.SetTick(tickFor(times))
}

func (p *Proxy) timeouts() *Timeouts { return &p.settings.Load().Timeouts }
