package elbd

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
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

// Process is what [Run] gets from the program around it.
type Process struct {
	Log   *slog.Logger
	Level *slog.LevelVar // of Log; nil: it cannot change
	Out   io.Writer      // where the access log goes, unless it has a file; Log should go there too
	// Load reads the configuration again; nil: it never changes. Run calls it after a signal on Reload, and when the file has changed.
	Load   func() (Config, *daemon.Document, error)
	Reload <-chan os.Signal
	File   *daemon.FileWatch // from before the file was read; nil: from the start of Run
}

// balancer is a running ELB, built piece by piece by [Run].
type balancer struct {
	config  Config // as of the start: what of it can change is in current
	doc     *daemon.Document
	process Process
	log     *slog.Logger
	metrics *prometheus.Registry
	started time.Time

	current  atomic.Pointer[effective]
	reloads  reloads
	file     *daemon.FileWatch
	invalid  bool        // the last configuration that was read was refused as it is
	settings lb.Settings // of the proxy

	proxy     *lb.Proxy
	discovery *lb.Discovery
	secrets   *daemon.TLS

	routes  *lb.Routes // in use, without tenants
	sticky  bool       // the keys of affinity are known
	events  *eventLog
	outlet  *outlet
	access  *accesslog.Log // nil: none was wanted yet
	tenants *tenantSource  // nil when tenants are not told apart

	admin   *daemon.Server
	clients []*clientPort // http and https, as far as they are on
	fail    func(error)   // takes what ends the ELB

	retired  []*clientPort   // listeners that were closed by a reload, with their last connections
	retiring sync.WaitGroup  // those, and sources of tenants that were replaced
	ending   context.Context // ends when those are to be looked after by the stop
	endRest  context.CancelFunc

	groupsMu  sync.Mutex
	groups    []*group // read by getGroups
	keys      [][]byte // of gossip, as the groups have them; nil without encryption
	following sync.WaitGroup
	leaving   sync.WaitGroup // groups of domains that were removed

	stopKeys context.CancelFunc // ends the following of the gossip key file; nil without one

	exchange     *exchange          // with the other ELBs
	stopExchange context.CancelFunc // nil before it began

	state atomic.Pointer[string] // why it should get no requests; nil when it should
}

// Run runs an ELB until ctx ends (then it stops gracefully, and returns nil) or something fails for good.
func Run(ctx context.Context, c Config, doc *daemon.Document, p Process) error {
	events := &eventLog{}
	b := &balancer{
		config: c, doc: doc, process: p, events: events, log: slog.New(events.handler(p.Log.Handler())), metrics: daemon.NewMetrics("elb"), started: time.Now(),
		outlet: &outlet{standard: p.Out}, file: cmp.Or(p.File, daemon.NewFileWatch(doc.File())),
	}
	b.ending, b.endRest = context.WithCancel(context.WithoutCancel(ctx))
	defer b.endRest()
	b.notReady("starting")
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return doc.Fault("state_dir", "%s", err)
	}
	if err := b.take(); err != nil {
		return err
	}
	if err := b.bind(); err != nil {
		return errors.Join(err, b.release())
	}
	if err := b.buildProxy(); err != nil {
		return errors.Join(err, b.release())
	}
	if err := b.join(ctx); err != nil {
		return errors.Join(err, b.leave(), b.release())
	}
	b.metrics.MustRegister(b.isolatedGauge())
	defer b.sampleTraffic(ctx)()
	failed := make(chan error, 1)
	b.fail = func(err error) {
		select {
		case failed <- err:
		default: // one is enough
		}
	}
	b.admin.Start(b.fail)
	for _, p := range b.clients {
		p.start(b.proxy, c.Timeouts, b.log, b.fail)
	}
	b.settle(ctx)
	b.state.Store(nil)
	b.log.Info("ELB is ready", "node", c.NodeName, "version", daemon.Version(), "epoch", b.current.Load().epoch)
	err := b.watch(ctx, failed)
	if err == nil {
		b.log.Info("stopping")
	}
	b.stop()
	return err
}

// take reads the certificates, and opens what tells of configurations.
func (b *balancer) take() error {
	e, err := newEffective(b.config, b.doc)
	if err != nil {
		return err
	}
	b.current.Store(e)
	if b.reloads.metrics, err = newReloadMetrics(b.metrics); err != nil {
		return err
	}
	b.reloads.metrics.inUse(e)
	if b.secrets, err = daemon.LoadTLS(b.config.TLS, b.config.certificateHosts(), b.log); err != nil {
		return err
	}
	return b.metrics.Register(newCertificateCollector(b.secrets))
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
func (b *balancer) bind() error {
	c := b.config
	var err error
	if b.admin, err = daemon.Listen("admin", "admin", c.Admin, b.adminHandler(), nil, daemon.Timeouts{}, b.log); err != nil {
		return b.doc.Fault("admin", "%s", err)
	}
	for _, p := range []struct {
		name, key string
		port      int
	}{{"http", "http_port", c.HTTPPort}, {"https", "https_port", c.HTTPSPort}} {
		if p.port < 0 {
			continue
		}
		bound, err := b.bindPort(p.name, p.key, p.port, b.doc)
		if err != nil {
			return err
		}
		b.clients = append(b.clients, bound)
	}
	return nil
}

// bindPort takes a port for clients.
func (b *balancer) bindPort(name, key string, port int, doc *daemon.Document) (*clientPort, error) {
	listener, err := daemon.Bind(key, net.JoinHostPort(b.config.ListenHost, strconv.Itoa(port)))
	if err != nil {
		return nil, doc.Fault(key, "%s", err)
	}
	p := &clientPort{name: name, listener: listener, done: make(chan struct{})}
	if name == "https" {
		p.tls = b.secrets.Server
	}
	return p, nil
}

func (b *balancer) buildProxy() error {
	c := b.config
	specs, err := c.specs(b.doc)
	if err != nil {
		return err
	}
	if b.routes, err = lb.NewRoutes(specs); err != nil {
		return err
	}
	file, err := openLog(c.AccessLogFile)
	if err != nil {
		return b.doc.Fault("access_log_file", "%s", err)
	}
	b.outlet.use(file)
	if b.settings, err = b.makeSettings(c, b.clients); err != nil {
		return err
	}
	b.settings.Roots = b.secrets.Roots()
	s := b.settings
	affinityKeys, err := b.affinityKeys(b.doc, specs)
	if err != nil {
		return err
	}
	b.sticky = affinityKeys != nil
	if b.tenants, err = c.Tenants.open(s.Roots, b.log); err != nil {
		return b.doc.Fault("tenants", "%s", err)
	}
	b.tenants.start()
	routes := b.tenants.apply(b.routes)
	b.proxy, err = lb.New(lb.Config{
		Routes:         routes,
		Timeouts:       s.Timeouts,
		Roots:          s.Roots,
		TrustedProxies: s.TrustedProxies,
		HTTPPort:       s.HTTPPort,
		HTTPSPort:      s.HTTPSPort,
		MaxInFlight:    s.MaxInFlight,
		Trace:          s.Trace,
		AccessLog:      s.AccessLog,
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
	c := b.current.Load().config
	b.notReady("draining")
	var telling sync.WaitGroup
	for _, g := range b.getGroups() {
		telling.Go(func() {
			if err := g.group.SetState(membership.StateDraining); err != nil {
				b.log.Warn("the group could not be told of the drain", "domain", g.domain, "error", err)
			}
		})
	}
	telling.Wait()
	// From here on answers end their connections, so that few are left to be closed under a client that is about to send a request.
	for _, s := range b.clients {
		s.server.StopKeepAlives()
	}
	<-time.After(c.DrainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
	defer cancel()
	b.endRest()
	b.retiring.Wait()
	var running sync.WaitGroup
	for _, s := range slices.Concat(b.clients, b.retired) {
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
	defer b.outlet.use(nil)
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
