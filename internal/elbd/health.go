package elbd

import (
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// Health is a health block. That of a domain needs only the keys that differ from the one at the top.
type Health struct {
	Interval    time.Duration `yaml:"interval"`     // between two checks of a member; 0: members are not checked
	Timeout     time.Duration `yaml:"timeout"`      // of a check
	Fall        int           `yaml:"fall"`         // failed checks in a row that take a member out of use
	Rise        int           `yaml:"rise"`         // passed checks in a row that bring it back
	Path        string        `yaml:"path"`         // asked for on members that announce none; a connection is enough when empty
	Status      string        `yaml:"status"`       // of a good answer: 200, or 200-299
	MaxTimeouts int           `yaml:"max_timeouts"` // requests in a row without an answer in time that eject a member; 0: never
	MaxErrors   int           `yaml:"max_errors"`   // answers 502, 503 or 504 in a row that eject it; 0: never
}

func defaultHealth() Health {
	d := lb.DefaultHealth()
	return Health{
		Interval: d.Interval, Timeout: d.Timeout, Fall: d.Fall, Rise: d.Rise, Path: d.Path, Status: d.Status.String(),
		MaxTimeouts: d.MaxTimeouts, MaxErrors: d.MaxErrors,
	}
}

// inherit gives the block of a domain with what it leaves out taken from the one at the top.
func (h *Health) inherit(d *daemon.Document, key string, top Health) Health {
	if h == nil {
		return top
	}
	own := *h
	for name, take := range map[string]func(){
		"interval": func() { own.Interval = top.Interval }, "timeout": func() { own.Timeout = top.Timeout },
		"fall": func() { own.Fall = top.Fall }, "rise": func() { own.Rise = top.Rise },
		"path": func() { own.Path = top.Path }, "status": func() { own.Status = top.Status },
		"max_timeouts": func() { own.MaxTimeouts = top.MaxTimeouts }, "max_errors": func() { own.MaxErrors = top.MaxErrors },
	} {
		if !d.IsSet(key + "." + name) {
			take()
		}
	}
	return own
}

// spec reads a health block, with a fault for whatever cannot be meant.
func (h *Health) spec(d *daemon.Document, key string) (lb.HealthSpec, []error) {
	var faults []error
	fault := func(name, format string, args ...any) {
		faults = append(faults, d.Fault(key+"."+name, format, args...))
	}
	s := lb.HealthSpec{Interval: h.Interval, Timeout: h.Timeout, Fall: h.Fall, Rise: h.Rise, Path: h.Path, MaxTimeouts: h.MaxTimeouts, MaxErrors: h.MaxErrors}
	var err error
	if s.Status, err = lb.ParseStatusRange(h.Status); err != nil {
		fault("status", "%s", err)
	}
	if h.Interval != 0 && h.Interval < 10*time.Millisecond {
		fault("interval", "is %s; it must be at least 10ms, or 0 for no checks", h.Interval)
	}
	if h.Timeout < time.Millisecond || h.Interval >= 10*time.Millisecond && h.Timeout > h.Interval {
		fault("timeout", "is %s; it must be from 1ms to the interval (%s)", h.Timeout, h.Interval)
	}
	if h.Path != "" {
		if err := lb.CheckProbePath(h.Path); err != nil {
			fault("path", "%s", err)
		}
	}
	for name, n := range map[string]int{"fall": h.Fall, "rise": h.Rise} {
		if n < 1 {
			fault(name, "is %d; it must be at least 1", n)
		}
	}
	for name, n := range map[string]int{"max_timeouts": h.MaxTimeouts, "max_errors": h.MaxErrors} {
		if n < 0 {
			fault(name, "is %d; it must not be negative; 0 is never", n)
		}
	}
	sortFaults(faults)
	return s, faults
}

// health reads how the members of a domain are checked. Faults of the block at the top are told by validate.
func (b *specBuilder) health(c *Config, service, domain string) lb.HealthSpec {
	own, key := c.Services[service].Domains[domain].Health, domainKey(service, domain)+".health"
	merged := own.inherit(b.doc, key, c.Health)
	spec, faults := merged.spec(b.doc, key)
	if _, above := c.Health.spec(b.doc, "health"); len(above) == 0 {
		b.faults = append(b.faults, faults...)
	}
	return spec
}
