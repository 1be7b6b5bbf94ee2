package elbd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// balancer is a running ELB, built piece by piece by [Run].
type balancer struct {
	config  Config
	doc     *daemon.Document
	log     *slog.Logger
	metrics *prometheus.Registry
	started time.Time

	proxy     *lb.Proxy
	discovery *lb.Discovery

	admin   *daemon.Server
	clients []*daemon.Server // http and https, as far as they are on
	bound   []*daemon.Server // all of them, for an early end
	groups  []*group
	follow  sync.WaitGroup

	state atomic.Pointer[string] // why it should get no requests; nil when it should
}

// Run runs an ELB until ctx ends (then it stops gracefully, and returns nil) or something fails for good.
func Run(ctx context.Context, c Config, doc *daemon.Document, log *slog.Logger) error {
	b := &balancer{config: c, doc: doc, log: log, metrics: daemon.NewMetrics("elb"), started: time.Now()}
	b.notReady("starting")
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return doc.Fault("state_dir", "%s", err)
	}
	tls, err := daemon.LoadTLS(c.TLS, c.certificateHosts(), log)
	if err != nil {
		return err
	}
	if err := b.bind(tls); err != nil {
		return errors.Join(err, b.release())
	}
	if err := b.buildProxy(tls); err != nil {
		return errors.Join(err, b.release())
	}
	if err := b.join(ctx); err != nil {
		return errors.Join(err, b.leave(), b.release())
	}
	failed := make(chan error, len(b.bound))
	for _, s := range b.bound {
		s.Start(func(err error) { failed <- err })
	}
	b.settle(ctx)
	b.state.Store(nil)
	log.Info("ELB is ready", "node", c.NodeName, "version", daemon.Version())

	select {
	case <-ctx.Done():
		log.Info("stopping")
		b.stop()
		return nil
	case err := <-failed:
		b.stop()
		return err
	}
}

func (b *balancer) notReady(why string) { b.state.Store(&why) }

func (b *balancer) ready() error {
	if why := b.state.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// certificateHosts are the names that a certificate of the development CA is made for.
func (c *Config) certificateHosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1", c.LocalMemberHost}
	for service, domain := range c.eachDomain() {
		for _, s := range c.sources(service, domain) {
			hosts = append(hosts, s.hosts...)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// bind takes all ports for HTTP, so that one in use is known before anything else starts.
func (b *balancer) bind(tls *daemon.TLS) error {
	c := b.config
	timeouts := daemon.Timeouts{ReadHeader: c.Timeouts.ReadHeader, Idle: c.Timeouts.Idle}
	listen := func(name, key, addr string, h http.Handler, secure bool) (*daemon.Server, error) {
		t := tls.Server
		if !secure {
			t = nil
		}
		s, err := daemon.Listen(name, key, addr, h, t, timeouts, b.log)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", b.doc.Where(key), key, err)
		}
		b.bound = append(b.bound, s)
		return s, nil
	}
	var err error
	if b.admin, err = listen("admin", "admin", c.Admin, b.adminHandler(), false); err != nil {
		return err
	}
	for _, l := range []struct {
		name, key string
		port      int
		secure    bool
	}{{"http", "http_port", c.HTTPPort, false}, {"https", "https_port", c.HTTPSPort, true}} {
		if l.port < 0 {
			continue
		}
		// The proxy is made after the ports are known, and before the listeners start.
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.proxy.ServeHTTP(w, r) })
		s, err := listen(l.name, l.key, net.JoinHostPort(c.ListenHost, strconv.Itoa(l.port)), h, l.secure)
		if err != nil {
			return err
		}
		b.clients = append(b.clients, s)
		if l.secure {
			b.config.HTTPSPort = s.Port()
		} else {
			b.config.HTTPPort = s.Port()
		}
	}
	return nil
}

func (b *balancer) buildProxy(tls *daemon.TLS) error {
	c := b.config
	specs, faults := c.pools(b.doc)
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	routes, err := lb.NewRoutes(specs)
	if err != nil {
		return err
	}
	var trusted []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := daemon.ParsePrefix(s)
		if err != nil {
			return err
		}
		trusted = append(trusted, p)
	}
	t := c.Timeouts
	b.proxy, err = lb.New(lb.Config{
		Routes: routes,
		Timeouts: lb.Timeouts{
			Connect: t.Connect, ResponseHeader: t.ResponseHeader, MemberIdle: t.MemberIdle, Body: t.Body,
			Stream: t.Stream, Write: t.Write, UpgradeIdle: t.UpgradeIdle,
		},
		Roots:          tls.Roots,
		TrustedProxies: trusted,
		HTTPPort:       max(c.HTTPPort, 0),
		HTTPSPort:      max(c.HTTPSPort, 0),
		AccessLog:      c.AccessLog,
		Logger:         b.log,
		Registerer:     b.metrics,
	})
	if err != nil {
		return err
	}
	b.discovery = lb.NewDiscovery(b.proxy, routes, b.log)
	return nil
}

// stop goes back the way that Run came: those in front are told first, and running requests finish.
func (b *balancer) stop() {
	b.notReady("draining")
	var telling sync.WaitGroup
	for _, g := range b.groups {
		telling.Go(func() {
			if err := g.group.SetState(membership.StateDraining); err != nil {
				b.log.Warn("the group could not be told of the drain", "domain", g.domain, "error", err)
			}
		})
	}
	telling.Wait()
	<-time.After(b.config.DrainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), b.config.DrainTimeout)
	defer cancel()
	var running sync.WaitGroup
	for _, s := range b.clients {
		s.StopKeepAlives()
		running.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				b.log.Warn("requests were cut off at the end of drain_timeout", "error", err)
			}
		})
	}
	running.Wait()
	if late := b.leave(); late != nil {
		// Those who are left will miss this ELB and find out by themselves; when all stop at once nobody is left.
		b.log.Warn("the groups may not know that this ELB left", "error", late)
	}
	adminCtx, cancelAdmin := context.WithTimeout(context.Background(), time.Second)
	defer cancelAdmin()
	if late := b.admin.Shutdown(adminCtx); late != nil {
		b.log.Warn("an admin request was cut off", "error", late)
	}
	b.log.Info("stopped")
}

// release frees ports that were bound but never served.
func (b *balancer) release() error {
	var err error
	for _, s := range b.bound {
		err = errors.Join(err, s.Close())
	}
	return err
}

// domainPorts are the domains that have a gossip group, with their ports, in order.
func (c *Config) domainPorts() []domainPort {
	var list []domainPort
	for service, domain := range c.eachDomain() {
		if port := c.Services[service].Domains[domain].GroupMgtPort; port != 0 {
			list = append(list, domainPort{service, domain, port})
		}
	}
	return list
}

type domainPort struct {
	service, domain string
	port            int
}
