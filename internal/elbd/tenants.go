package elbd

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/lb/tenants"
)

// Tenants is the tenants block: where the ids of tenants come from. Without it tenants are not told apart.
type Tenants struct {
	File        string        `yaml:"file"`         // a list of tenants and ids
	URL         string        `yaml:"url"`          // of a server that knows them, with {tenant} where the domain goes
	Timeout     time.Duration `yaml:"timeout"`      // url: how long a request waits for an answer
	TTL         time.Duration `yaml:"ttl"`          // url: after this an id is asked for again
	NegativeTTL time.Duration `yaml:"negative_ttl"` // url: the same for tenants that do not exist
	CacheSize   int           `yaml:"cache_size"`   // url: how many of either kind are remembered
}

func defaultTenants() Tenants {
	return Tenants{Timeout: 500 * time.Millisecond, TTL: 5 * time.Minute, NegativeTTL: 30 * time.Second, CacheSize: 10_000}
}

func (t *Tenants) configured() bool { return t.File != "" || t.URL != "" }

// maxTenantTimeout bounds how long requests of unknown tenants may be held up.
const maxTenantTimeout = 10 * time.Second

func (t *Tenants) validate(d *daemon.Document) []error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, d.Fault("tenants."+key, format, args...))
	}
	if t.File != "" && t.URL != "" {
		fault("url", "is given besides file (%s); ids come from one of them", d.Where("tenants.file"))
	}
	if t.File != "" {
		if _, err := tenants.OpenFile(t.File, nil); err != nil {
			for _, f := range daemon.Flatten(err) {
				fault("file", "%s", f)
			}
		}
	}
	if t.URL != "" {
		if err := tenants.CheckURL(t.URL); err != nil {
			fault("url", "%s", err)
		}
	}
	if t.Timeout < time.Millisecond || t.Timeout > maxTenantTimeout {
		fault("timeout", "is %s; it must be from 1ms to %s: requests wait so long", t.Timeout, maxTenantTimeout)
	}
	for _, v := range []struct {
		key   string
		value time.Duration
	}{{"ttl", t.TTL}, {"negative_ttl", t.NegativeTTL}} {
		if v.value < time.Millisecond {
			fault(v.key, "is %s; it must be at least 1ms", v.value)
		}
	}
	if t.CacheSize < 1 || t.CacheSize > 10_000_000 {
		fault("cache_size", "is %d; it must be from 1 to 10000000", t.CacheSize)
	}
	return faults
}

// tenantSource is a source of tenant ids, and what it does beside answering.
type tenantSource struct {
	lb.TenantSource
	beside func(ctx context.Context) // until ctx ends

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// tenantsEvery is how often the list of tenants is looked at.
const tenantsEvery = 2 * time.Second

// open makes the source that is configured, nil if none is. It neither asks a server nor starts anything.
func (t *Tenants) open(roots *x509.CertPool, log *slog.Logger) (*tenantSource, error) {
	switch {
	case t.File != "":
		f, err := tenants.OpenFile(t.File, log)
		if err != nil {
			return nil, err
		}
		return &tenantSource{TenantSource: f, beside: func(ctx context.Context) { f.Watch(ctx, tenantsEvery) }}, nil
	case t.URL != "":
		r, err := tenants.NewRemote(tenants.RemoteConfig{
			URL: t.URL, Timeout: t.Timeout, TTL: t.TTL, NegativeTTL: t.NegativeTTL, Size: t.CacheSize, Roots: roots, Logger: log,
		})
		if err != nil {
			return nil, err
		}
		return &tenantSource{TenantSource: r, beside: func(ctx context.Context) {
			<-ctx.Done()
			r.Close()
		}}, nil
	}
	return nil, nil
}

// apply gives routes that tell tenants apart by the source. s may be nil: they do not.
func (s *tenantSource) apply(routes *lb.Routes) *lb.Routes {
	if s == nil {
		return routes
	}
	return routes.WithTenants(s)
}

// start begins what the source does beside answering. s may be nil.
func (s *tenantSource) start() {
	if s == nil {
		return
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(func() { s.beside(ctx) })
}

// stop ends it. s may be nil.
func (s *tenantSource) stop() {
	if s == nil || s.cancel == nil {
		return
	}
	s.cancel()
	s.running.Wait()
}
