package registryd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// node is a running registry process, built piece by piece by [Run].
type node struct {
	config  Config
	doc     *daemon.Document
	log     *slog.Logger
	stdout  io.Writer
	metrics *prometheus.Registry
	started time.Time

	stores  map[string]*sqlstore.Store
	service *registry.Service
	auth    *auth.Authenticator
	group   atomic.Pointer[membership.Group]

	listeners []*daemon.Server
	admin     *daemon.Server
	http      *daemon.Server
	https     *daemon.Server

	state atomic.Pointer[string] // why the node is not ready; nil when it is
}

// Run runs a node until ctx ends (then it stops gracefully, and returns nil) or something fails for good.
func Run(ctx context.Context, c Config, doc *daemon.Document, log *slog.Logger, stdout io.Writer) error {
	n := &node{config: c, doc: doc, log: log, stdout: stdout, metrics: daemon.NewMetrics("registry"), started: time.Now(), stores: map[string]*sqlstore.Store{}}
	n.notReady("starting")
	defer n.closeStores()
	failed, err := n.start(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		log.InfoContext(ctx, "stopped while starting")
		return nil
	case err != nil:
		return err
	}
	n.state.Store(nil)
	log.InfoContext(ctx, "node is ready", "node", c.NodeName, "version", daemon.Version(),
		"console", publicURL("https", c.MgtHostName, c.HTTPSProxyPort, n.https.Port(), 443)+"/console/")

	select {
	case <-ctx.Done():
		log.InfoContext(ctx, "stopping")
		return n.stop()
	case err := <-failed:
		return errors.Join(err, n.stop())
	}
}

// start builds the node up to its membership; what ends a listener later comes through the channel.
func (n *node) start(ctx context.Context) (<-chan error, error) {
	if err := os.MkdirAll(n.config.StateDir, 0o700); err != nil {
		return nil, n.doc.Fault("state_dir", "%s", err)
	}
	if err := n.openStores(ctx); err != nil {
		return nil, err
	}
	if err := n.buildService(ctx); err != nil {
		return nil, err
	}
	failed, err := n.listen()
	if err != nil {
		return nil, err
	}
	if err := n.join(ctx); err != nil {
		return nil, errors.Join(err, n.stopServing())
	}
	return failed, nil
}

func (n *node) notReady(why string) { n.state.Store(&why) }

// openStores opens every store and brings its schema up to date.
func (n *node) openStores(ctx context.Context) error {
	for _, name := range sortedKeys(n.config.Stores) {
		s, err := openStore(ctx, n.config, n.doc, name, n.log, n.metrics)
		if err != nil {
			return err
		}
		n.stores[name] = s
		if err := s.Migrate(ctx); err != nil {
			return n.doc.Fault("stores."+name+".dsn", "%s", err)
		}
	}
	return nil
}

func openStore(ctx context.Context, c Config, doc *daemon.Document, name string, log *slog.Logger, metrics prometheus.Registerer) (*sqlstore.Store, error) {
	s, err := sqlstore.Open(ctx, sqlstore.Config{Name: name, DSN: c.Stores[name].DSN.Reveal(), Logger: log, Registerer: metrics})
	if err != nil {
		return nil, doc.Fault("stores."+name+".dsn", "%s", err)
	}
	return s, nil
}

func (n *node) closeStores() {
	for name, s := range n.stores {
		if err := s.Close(); err != nil {
			n.log.Error("store did not close", "store", name, "error", err)
		}
	}
}

// buildService mounts the stores and makes the use cases and the administrator.
func (n *node) buildService(ctx context.Context) error {
	mounts, err := n.mounts(ctx)
	if err != nil {
		return err
	}
	n.service = registry.NewService(registry.Config{
		Mounts: mounts, Authorizer: registry.SignedIn{}, Limits: registry.Limits{Content: n.config.MaxContentSize},
	})
	if err := n.service.EnsureMounts(ctx); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	n.auth = auth.New(auth.Config{Accounts: n.stores[n.config.UserStore], SessionLifetime: n.config.SessionLifetime})
	return n.ensureAdmin(ctx)
}

// mounts makes the mount table. A mount without overwrite must not cover what the mount around it has at its path.
func (n *node) mounts(ctx context.Context) (*registry.Mounts, error) {
	var all []registry.Mount
	for i, m := range n.config.Mounts {
		path, err := registry.ParsePath(m.Path)
		if err != nil {
			return nil, n.doc.Fault(fmt.Sprintf("mounts[%d].path", i), "%s", err)
		}
		target, err := registry.ParsePath(m.TargetPath)
		if err != nil {
			return nil, n.doc.Fault(fmt.Sprintf("mounts[%d].target_path", i), "%s", err)
		}
		all = append(all, registry.Mount{Path: path, Store: n.stores[m.Store], Target: target, ReadOnly: m.ReadOnly})
	}
	table, err := registry.NewMounts(all...)
	if err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	for i, m := range n.config.Mounts {
		if m.Overwrite {
			continue
		}
		outer, at, ok := table.Around(all[i].Path)
		if !ok || outer.Store == all[i].Store && at == all[i].Target {
			continue
		}
		switch _, err := outer.Store.Get(ctx, at, registry.Freshness{}); {
		case err == nil:
			return nil, n.doc.Fault(fmt.Sprintf("mounts[%d].path", i), "the mount %s has something at %s already; set overwrite: true to cover it", outer.Path, m.Path)
		case registry.CodeOf(err) != registry.CodeNotFound:
			return nil, err
		}
	}
	return table, nil
}

// listen binds all ports and serves; what ends a listener later comes through the channel.
func (n *node) listen() (<-chan error, error) {
	handler, err := n.handler()
	if err != nil {
		return nil, err
	}
	c := n.config
	secure, err := daemon.LoadTLS(c.TLS, []string{c.HostName, c.MgtHostName, c.Membership.LocalMemberHost, "localhost", "127.0.0.1", "::1"}, n.log)
	if err != nil {
		return nil, err
	}
	adminAddr, err := c.adminAddr()
	if err != nil {
		return nil, n.doc.Fault("admin", "%s", err)
	}
	for _, l := range []struct {
		server    **daemon.Server
		name, key string
		addr      string
		handler   http.Handler
		tls       *tls.Config
	}{
		{&n.admin, "admin", "admin", adminAddr, n.adminHandler(), nil},
		{&n.http, "http", "http_port", c.httpAddr(), handler, nil},
		{&n.https, "https", "https_port", c.httpsAddr(), handler, secure.Server},
	} {
		s, err := daemon.Listen(l.name, l.key+" or offset", l.addr, l.handler, l.tls, daemon.Timeouts{}, n.log)
		if err != nil {
			err = n.doc.Fault(l.key, "%s", err)
			for _, s := range n.listeners {
				err = errors.Join(err, s.Close())
			}
			return nil, err
		}
		*l.server = s
		n.listeners = append(n.listeners, s)
	}
	failed := make(chan error, len(n.listeners))
	for _, s := range n.listeners {
		s.Start(func(err error) { failed <- err })
	}
	return failed, nil
}

// join makes the node a member of its domain.
func (n *node) join(ctx context.Context) error {
	m := n.config.Membership
	var keys [][]byte
	if m.GossipKeyFile != "" {
		var err error
		if keys, err = daemon.ReadGossipKeys(m.GossipKeyFile); err != nil {
			return n.doc.Fault("membership.gossip_key_file", "%s", err)
		}
	}
	group, err := membership.Open(ctx, membership.Config{
		Local: membership.Member{
			Name: n.config.NodeName, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.LocalMemberHost, Port: m.LocalMemberPort,
			HTTPPort: n.http.Port(), HTTPSPort: n.https.Port(), State: membership.StateActive, Weight: 1, HealthPath: healthPath,
			Version: daemon.Version(), StartedAt: n.started,
		},
		BindHost: m.LocalMemberHost, BindPort: m.LocalMemberPort, PortKey: "membership.local_member_port",
		Seeds: m.Members, Keys: keys, InsecureGossip: m.InsecureGossip,
		Logger: n.log, Registerer: n.metrics,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", n.doc.Where("membership.local_member_port"), err)
	}
	n.group.Store(group)
	return nil
}

// ready tells why the node should get no requests.
func (n *node) ready(ctx context.Context) error {
	if err := n.healthy(ctx); err != nil {
		return err
	}
	if g := n.group.Load(); g != nil && g.Isolated() {
		return errors.New("isolated: no other member of the domain is in sight")
	}
	return nil
}

// healthy tells why the node could not serve a request well, whatever the group is like.
func (n *node) healthy(ctx context.Context) error {
	if why := n.state.Load(); why != nil {
		return errors.New(*why)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, name := range sortedKeys(n.stores) {
		if err := n.stores[name].Ping(ctx); err != nil {
			return fmt.Errorf("store %s does not answer", name)
		}
	}
	return nil
}

// stop drains and stops the node: the group is told first, and the listeners answer, on kept connections too, until the load balancers had time
// to hear it. A connection closed sooner could take a request with it that nobody may repeat.
func (n *node) stop() error {
	n.notReady("draining")
	group := n.group.Load()
	if group != nil {
		if err := group.SetState(membership.StateDraining); err != nil {
			n.log.Warn("the group could not be told of the drain", "error", err)
		}
		<-time.After(n.config.DrainDelay)
	}
	err := n.stopServing()
	if group != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, group.Leave(ctx))
	}
	n.log.Info("stopped")
	return err
}

func (n *node) stopServing() error {
	ctx, cancel := context.WithTimeout(context.Background(), max(n.config.DrainTimeout, time.Second))
	defer cancel()
	var err error
	for _, s := range []*daemon.Server{n.http, n.https, n.admin} {
		err = errors.Join(err, s.Shutdown(ctx))
	}
	return err
}

// trustsPeer tells whether a peer's X-Forwarded-* headers are believed: configured proxies and the load balancers of the group.
func (n *node) trustsPeer() (func(netip.Addr) bool, error) {
	var prefixes []netip.Prefix
	for _, s := range n.config.TrustedProxies {
		p, err := daemon.ParsePrefix(s)
		if err != nil {
			return nil, err
		}
		prefixes = append(prefixes, p)
	}
	return func(addr netip.Addr) bool {
		for _, p := range prefixes {
			if p.Contains(addr) {
				return true
			}
		}
		group := n.group.Load()
		if group == nil {
			return false
		}
		for _, m := range group.Members() {
			if m.Balancer && m.Host == addr.String() {
				return true
			}
		}
		return false
	}, nil
}

// migrate brings the schemas up to date and says what they are.
func migrate(ctx context.Context, in daemon.Invocation) error {
	c, doc, log, err := load(in)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(c.Stores) {
		s, err := openStore(ctx, c, doc, name, log, nil)
		if err != nil {
			return err
		}
		err = s.Migrate(ctx)
		if err := errors.Join(err, s.Close()); err != nil {
			return doc.Fault("stores."+name+".dsn", "%s", err)
		}
		fmt.Fprintf(in.Stdout, "store %s: schema is up to date\n", name)
	}
	return nil
}
