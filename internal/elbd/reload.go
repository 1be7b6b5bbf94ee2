package elbd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// effective is a configuration that is in use. It does not change.
type effective struct {
	config Config // as it was read: a port 0 is not the one that was bound
	doc    *daemon.Document
	epoch  string
	shared uint32 // see sharedEpoch
	since  time.Time
}

// newEffective is a configuration that comes into use now.
func newEffective(c Config, doc *daemon.Document) (*effective, error) {
	epoch, err := epochOf(c)
	if err != nil {
		return nil, fmt.Errorf("name the configuration: %w", err)
	}
	shared, err := sharedEpoch(c)
	if err != nil {
		return nil, fmt.Errorf("name the shared configuration: %w", err)
	}
	return &effective{config: c, doc: doc, epoch: epoch, shared: shared, since: time.Now()}, nil
}

// change is another configuration with all that it needs, ready to be put in use or to be dropped.
type change struct {
	next     *effective
	secrets  *daemon.TLSMaterial
	routes   *lb.Routes
	affinity [][]byte      // keys, when sessions are to be kept and were not before
	tenants  *tenantSource // the one in use, if it stays; otherwise it was not started
	settings lb.Settings
	log      *os.File      // the access log's; nil: standard output
	opened   []*clientPort // listeners that the old configuration did not have, bound and not served
	clients  []*clientPort // all that will be served
	closed   []*clientPort // those that will be no more
	joined   []*group      // entered, and not followed
	left     []string      // domains
}

// watch reloads what changes until ctx ends (nil) or something fails for good.
func (b *balancer) watch(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(daemon.WatchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-b.process.Reload:
			b.file.Accept()
			b.reload(ctx)
		case <-tick.C:
			b.secrets.Look()
			b.useRoots()
			if b.doc.File() != "" && b.file.Changed() || b.awaited() {
				b.reload(ctx)
			}
		}
	}
}

// awaited tells that a configuration that was refused is good now, since a file that it names has changed: a key that came after its certificate.
func (b *balancer) awaited() bool {
	if !b.invalid || !b.file.AtRest() {
		return false
	}
	_, _, err := b.read()
	return err == nil
}

// useRoots tells the proxy whom members may be certified by, if that has changed with the file.
func (b *balancer) useRoots() {
	roots := b.secrets.Roots()
	if roots == b.settings.Roots {
		return
	}
	same, tenants := roots.Equal(b.settings.Roots), b.current.Load().config.Tenants
	b.settings.Roots = roots
	b.proxy.Set(b.settings)
	if same || tenants.URL == "" {
		return
	}
	source, err := tenants.open(roots, b.log)
	if err != nil {
		b.log.Warn("the source of tenants could not be opened with the new CA file; the old one stays", "error", err)
		return
	}
	b.useRoutes(b.routes, source)
}

// useRoutes puts routes in use, with tenants from a source, which is started unless it is in use already. The old one goes on for those who are asking it.
func (b *balancer) useRoutes(routes *lb.Routes, source *tenantSource) {
	old := b.tenants
	if source != old {
		source.start()
	}
	b.routes, b.tenants = routes, source
	b.discovery.UseRoutes(source.apply(routes))
	if source == old || old == nil {
		return
	}
	b.retiring.Go(func() {
		select {
		case <-time.After(maxTenantTimeout):
		case <-b.ending.Done():
		}
		old.stop()
	})
}

// reload reads the configuration again and puts it in use; when anything is wrong with it the old one stays as it is.
func (b *balancer) reload(ctx context.Context) {
	if b.process.Load == nil {
		return
	}
	b.leaving.Wait() // a group that is being left holds its port
	old := b.current.Load()
	c, doc, err := b.read()
	b.invalid = err != nil
	var ch *change
	if err == nil {
		ch, err = b.prepare(ctx, old.config, c, doc)
	}
	if err != nil {
		if ctx.Err() != nil {
			return // it is stopping, which may be all that was wrong
		}
		b.reloads.failed(err)
		b.log.Error("configuration could not be reloaded; the old one stays", "epoch", old.epoch, "faults", texts(err))
		b.reopenLog()
		return
	}
	b.commit(ch)
	b.reloads.succeeded(ch.next)
	b.log.Info("configuration reloaded", "epoch", ch.next.epoch, "changed", changedKeys(old.config, ch.next.config))
}

// reopenLog opens the file of the access log again, when nothing else is to change: it may have been moved away to be deleted.
func (b *balancer) reopenLog() {
	file, err := openLog(b.current.Load().config.AccessLogFile)
	if err != nil {
		b.log.Warn("the access log's file could not be opened again; the old one stays", "error", err)
		return
	}
	b.outlet.use(file)
}

// texts are the faults of a configuration, each by itself.
func texts(err error) []string {
	var list []string
	for _, e := range daemon.Flatten(err) {
		list = append(list, e.Error())
	}
	return list
}

// read reads the configuration again, and refuses what only a restart can change.
func (b *balancer) read() (Config, *daemon.Document, error) {
	old := b.current.Load()
	c, doc, err := b.process.Load()
	if err != nil {
		return Config{}, nil, err
	}
	if !doc.IsSet("node_name") && !old.doc.IsSet("node_name") {
		c.NodeName = old.config.NodeName // it comes from the host, which may have another name now
	}
	return c, doc, doc.Verdict(refusals(old.config, c, doc))
}

// prepare does all that putting a configuration in use needs and that can fail. Nothing of that is seen from outside, but for bound ports, and groups
// that know us.
func (b *balancer) prepare(ctx context.Context, old, c Config, doc *daemon.Document) (*change, error) {
	ch := &change{}
	if err := b.fill(ctx, ch, old, c, doc); err != nil {
		return nil, errors.Join(err, ch.drop())
	}
	return ch, nil
}

func (b *balancer) fill(ctx context.Context, ch *change, old, c Config, doc *daemon.Document) error {
	var err error
	if ch.next, err = newEffective(c, doc); err != nil {
		return err
	}
	if ch.secrets, err = daemon.ReadTLS(c.TLS, c.certificateHosts(), b.log); err != nil {
		return err
	}
	if err := b.fillRoutes(ch, old, c, doc); err != nil {
		return err
	}
	if ch.log, err = openLog(c.AccessLogFile); err != nil {
		return doc.Fault("access_log_file", "%s", err)
	}
	if err := b.rebind(ch, old, c, doc); err != nil {
		return err
	}
	if ch.settings, err = b.makeSettings(c, ch.clients); err != nil {
		return err
	}
	ch.settings.Roots = ch.secrets.Roots()
	var join []domainPort
	join, ch.left = groupChanges(old, c)
	for _, d := range join {
		g, err := b.open(ctx, doc, c.entrance(d), ch.settings)
		if err != nil {
			return err
		}
		ch.joined = append(ch.joined, g)
	}
	return nil
}

// fillRoutes compiles the services, and gets what their requests need beside members.
func (b *balancer) fillRoutes(ch *change, old, c Config, doc *daemon.Document) error {
	specs, err := c.specs(doc)
	if err != nil {
		return err
	}
	if ch.routes, err = lb.NewRoutes(specs); err != nil {
		return err
	}
	if !b.sticky {
		if ch.affinity, err = b.affinityKeys(doc, specs); err != nil {
			return err
		}
	}
	ch.tenants = b.tenants
	if c.Tenants == old.Tenants && ch.secrets.Roots().Equal(b.settings.Roots) {
		return nil // what the source has learnt stays
	}
	if ch.tenants, err = c.Tenants.open(ch.secrets.Roots(), b.log); err != nil {
		return doc.Fault("tenants", "%s", err)
	}
	return nil
}

// rebind binds the client ports that are new.
func (b *balancer) rebind(ch *change, old, c Config, doc *daemon.Document) error {
	for _, p := range []struct {
		name, key string
		was, port int
	}{
		{"http", "http_port", old.HTTPPort, c.HTTPPort},
		{"https", "https_port", old.HTTPSPort, c.HTTPSPort},
	} {
		i := slices.IndexFunc(b.clients, func(q *clientPort) bool { return q.name == p.name })
		if p.was == p.port {
			if i >= 0 {
				ch.clients = append(ch.clients, b.clients[i])
			}
			continue
		}
		if i >= 0 {
			ch.closed = append(ch.closed, b.clients[i])
		}
		if p.port < 0 {
			continue
		}
		opened, err := b.bindPort(p.name, p.key, p.port, doc)
		if err != nil {
			return err
		}
		ch.opened = append(ch.opened, opened)
		ch.clients = append(ch.clients, opened)
	}
	return nil
}

// drop gives back what was taken for a change that is not to be.
func (ch *change) drop() error {
	var errs []error
	if ch.log != nil {
		errs = append(errs, ch.log.Close())
	}
	for _, p := range ch.opened {
		errs = append(errs, p.listener.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	for _, g := range ch.joined {
		errs = append(errs, g.group.Leave(ctx))
	}
	return errors.Join(errs...)
}

// commit puts a change in use. It does not fail.
func (b *balancer) commit(ch *change) {
	c := ch.next.config
	if b.process.Level != nil {
		if err := c.Log.SetLevel(b.process.Level); err != nil {
			b.log.Error("log level", "error", err) // it was checked
		}
	}
	ch.next.doc.Tell(b.log)
	b.secrets.Use(ch.secrets)
	b.outlet.use(ch.log)
	b.settings = ch.settings
	b.proxy.Set(ch.settings)
	if ch.affinity != nil {
		if err := b.discovery.SetAffinityKeys(ch.affinity); err != nil {
			b.log.Error("affinity keys", "error", err) // they were checked
		}
		b.sticky = true
	}
	b.useRoutes(ch.routes, ch.tenants)
	b.current.Store(ch.next)
	for _, g := range ch.joined {
		b.follow(g, true)
	}
	for _, p := range ch.opened {
		p.start(b.proxy, c.Timeouts, b.log, b.fail)
	}
	b.clients = ch.clients
	for _, p := range b.clients {
		p.server.SetTimeouts(c.Timeouts.ofClients())
	}
	for _, p := range ch.closed {
		b.retire(p)
	}
	b.leaveDomains(ch.left)
}

// retire closes a listener. Its connections go on until they end by themselves, or the ELB does.
func (b *balancer) retire(p *clientPort) {
	b.log.Info("no longer listening", "listener", p.name, "addr", p.listener.Addr().String())
	b.retired = slices.DeleteFunc(b.retired, func(old *clientPort) bool { return old.isDone() })
	b.retired = append(b.retired, p)
	p.server.StopAccepting() // before the next reload, which may want the port back
	b.retiring.Go(func() {
		if p.server.Retire(b.ending) == nil {
			close(p.done)
		}
	})
}

// leaveDomains leaves the groups of domains in the background; the next reload waits for it.
func (b *balancer) leaveDomains(domains []string) {
	for _, g := range b.takeGroups(domains) {
		b.leaving.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
			defer cancel()
			if err := g.group.Leave(ctx); err != nil {
				b.log.Warn("the group may not know that this ELB left", "domain", g.domain, "error", err)
			}
			<-g.followed
			b.discovery.Forget(g.domain)
			b.log.Info("left group", "domain", g.domain)
		})
	}
}

// specs are the pools of the services.
func (c *Config) specs(doc *daemon.Document) ([]lb.PoolSpec, error) {
	specs, faults := c.pools(doc)
	return specs, errors.Join(faults...)
}

// makeSettings gives what the proxy goes by, but for the roots, with the ports that are bound.
func (b *balancer) makeSettings(c Config, clients []*clientPort) (lb.Settings, error) {
	var err error
	t := c.Timeouts
	s := lb.Settings{MaxInFlight: c.Limits.MaxInFlight, Trace: lb.TraceSpec(c.Trace), Timeouts: lb.Timeouts{
		Connect: t.Connect, ResponseHeader: t.ResponseHeader, MemberIdle: t.MemberIdle, Body: t.Body,
		Stream: t.Stream, Write: t.Write, UpgradeIdle: t.UpgradeIdle,
	}}
	for _, text := range c.TrustedProxies {
		var p netip.Prefix
		if p, err = daemon.ParsePrefix(text); err != nil {
			return lb.Settings{}, err
		}
		s.TrustedProxies = append(s.TrustedProxies, p)
	}
	for _, p := range clients {
		if p.tls == nil {
			s.HTTPPort = p.port()
		} else {
			s.HTTPSPort = p.port()
		}
	}
	if s.AccessLog, err = b.accessLog(c); err != nil {
		return lb.Settings{}, err
	}
	return s, nil
}
