package elbd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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
	"github.com/regent-registry/regent/pkg/lb/accesslog"
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

	events  *eventLog
	quiet   bool // the level of the log leaves out records of requests
	access  *accesslog.Log
	tenants *tenantSource // nil when tenants are not told apart

	admin   *daemon.Server
	clients []*clientPort // http and https, as far as they are on
	groups  []*group
	follow  sync.WaitGroup

	stopKeys context.CancelFunc // ends the following of the gossip key file; nil without one

	state atomic.Pointer[string] // why it should get no requests; nil when it should
}

// Run runs an ELB until ctx ends (then it stops gracefully, and returns nil) or something fails for good. The access log goes to out, where
// log should go too.
func Run(ctx context.Context, c Config, doc *daemon.Document, log *slog.Logger, out io.Writer) error {
	events := &eventLog{}
	quiet := !log.Enabled(ctx, slog.LevelInfo)
	log = slog.New(events.handler(log.Handler()))
	b := &balancer{config: c, doc: doc, log: log, events: events, quiet: quiet, metrics: daemon.NewMetrics("elb"), started: time.Now()}
	b.notReady("starting")
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return doc.Fault("state_dir", "%s", err)
	}
	secrets, err := daemon.LoadTLS(c.TLS, c.certificateHosts(), log)
	if err != nil {
		return err
	}
	if err := b.bind(secrets); err != nil {
		return errors.Join(err, b.release())
	}
	if err := b.buildProxy(secrets, out); err != nil {
		return errors.Join(err, b.release())
	}
	if err := b.join(ctx); err != nil {
		return errors.Join(err, b.leave(), b.release())
	}
	b.metrics.MustRegister(b.isolatedGauge())
	defer b.sampleTraffic(ctx)()
	failed := make(chan error, 1+len(b.clients))
	fail := func(err error) { failed <- err }
	b.admin.Start(fail)
	for _, p := range b.clients {
		p.start(b.proxy, c.Timeouts, log, fail)
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
func (b *balancer) bind(secrets *daemon.TLS) error {
	c := b.config
	var err error
	if b.admin, err = daemon.Listen("admin", "admin", c.Admin, b.adminHandler(), nil, daemon.Timeouts{}, b.log); err != nil {
		return fmt.Errorf("%s: admin: %w", b.doc.Where("admin"), err)
	}
	if b.config.HTTPPort, err = b.bindClients("http", "http_port", c.HTTPPort, nil); err != nil {
		return err
	}
	b.config.HTTPSPort, err = b.bindClients("https", "https_port", c.HTTPSPort, secrets.Server)
	return err
}

// bindClients takes a port for clients, unless it is switched off, and gives the one that it got.
func (b *balancer) bindClients(name, key string, port int, secure *tls.Config) (int, error) {
	if port < 0 {
		return port, nil
	}
	listener, err := daemon.Bind(key, net.JoinHostPort(b.config.ListenHost, strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w", b.doc.Where(key), key, err)
	}
	p := &clientPort{name: name, listener: listener, tls: secure}
	b.clients = append(b.clients, p)
	return p.port(), nil
}

func (b *balancer) buildProxy(secrets *daemon.TLS, out io.Writer) error {
	c := b.config
	specs, faults := c.pools(b.doc)
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	routes, err := lb.NewRoutes(specs)
	if err != nil {
		return err
	}
	if b.tenants, err = c.Tenants.open(secrets.Roots, b.log); err != nil {
		return b.doc.Fault("tenants", "%s", err)
	}
	if b.tenants != nil {
		b.tenants.start()
		routes = routes.WithTenants(b.tenants)
	}
	var trusted []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := daemon.ParsePrefix(s)
		if err != nil {
			return err
		}
		trusted = append(trusted, p)
	}
	if c.AccessLog && !b.quiet {
		format := accesslog.Text
		if c.Log.Format == "json" {
			format = accesslog.JSON
		}
		if b.access, err = accesslog.New(out, format, accesslog.Options{Logger: b.log, Registerer: b.metrics}); err != nil {
			return err
		}
	}
	affinityKeys, err := b.affinityKeys(specs)
	if err != nil {
		return err
	}
	t := c.Timeouts
	b.proxy, err = lb.New(lb.Config{
		Routes: routes,
		Timeouts: lb.Timeouts{
			Connect: t.Connect, ResponseHeader: t.ResponseHeader, MemberIdle: t.MemberIdle, Body: t.Body,
			Stream: t.Stream, Write: t.Write, UpgradeIdle: t.UpgradeIdle,
		},
		Roots:          secrets.Roots,
		TrustedProxies: trusted,
		HTTPPort:       max(c.HTTPPort, 0),
		HTTPSPort:      max(c.HTTPSPort, 0),
		AccessLog:      b.access,
		Logger:         b.log,
		Registerer:     b.metrics,
		AffinityKeys:   affinityKeys,
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
		s.server.StopKeepAlives()
		running.Go(func() {
			if err := s.server.Shutdown(ctx); err != nil {
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
	if err := b.closeProxy(); err != nil {
		b.log.Warn("the access log could not be written to its end", "error", err)
	}
	b.log.Info("stopped")
}

// release frees what was taken and never used.
func (b *balancer) release() error {
	var err error
	if b.admin != nil {
		err = b.admin.Close()
	}
	for _, p := range b.clients {
		err = errors.Join(err, p.listener.Close())
	}
	return errors.Join(err, b.closeProxy())
}

// closeProxy ends what requests leave behind, when there are no more.
func (b *balancer) closeProxy() error {
	if b.proxy != nil {
		b.proxy.Close()
	}
	b.tenants.stop()
	if b.access == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return b.access.Close(ctx)
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
