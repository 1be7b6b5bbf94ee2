package registryd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
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
	journal *daemon.Journal
	stdout  io.Writer
	metrics *prometheus.Registry
	started time.Time

	stores    map[string]*sqlstore.Store
	service   *registry.Service
	auth      *auth.Authenticator
	group     atomic.Pointer[membership.Group]
	doctor    *doctor
	samples   *samples
	post      *post
	book      *jobBook
	retainNow chan struct{} // holds a token when retention is to run at once
	id        registry.ID   // of this process, among those that use a database
	tls       *daemon.TLS

	stopKeys func() // ends the following of the gossip key file; set with group

	doors     http.Handler
	listeners []*daemon.Server
	admin     *daemon.Server
	http      *daemon.Server
	https     *daemon.Server

	standing standing
	shed     *time.Timer            // sends away who watches; set with standing.by
	state    atomic.Pointer[string] // why the node is not ready; nil when it is
}

// Process is what a node has of its process.
type Process struct {
	Log     *slog.Logger
	Journal *daemon.Journal // of Log; nil: the console shows no logs
	Out     io.Writer
}

// Run runs a node until ctx ends (then it stops gracefully, and returns nil) or something fails for good.
func Run(ctx context.Context, c Config, doc *daemon.Document, p Process) error {
	log := p.Log
	n := &node{
		config: c, doc: doc, log: log, journal: p.Journal, stdout: p.Out, metrics: daemon.NewMetrics("registry"), started: time.Now(),
		stores: map[string]*sqlstore.Store{},
	}
	n.doctor = newDoctor(c.NodeName, log, n.metrics, n.examine)
	n.samples = &samples{from: n.metrics, watches: func() int { return n.service.Watches() }, now: time.Now}
	n.book, n.retainNow = newJobBook(), make(chan struct{}, 1)
	n.post = newPost(log, n.carrier, n.ownFacts, n.obey)
	_, _ = rand.Read(n.id[:]) // it never fails: see its documentation
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
	defer n.startJobs(ctx)()
	n.state.Store(nil)
	log.InfoContext(ctx, "node is ready", "node", c.NodeName, "version", daemon.Version(),
		"console", publicURL("https", c.MgtHostName, c.HTTPSProxyPort, n.https.Port(), 443)+"/console/")

	select {
	case <-ctx.Done():
		log.InfoContext(ctx, "stopping")
		n.stop()
		return nil
	case err := <-failed:
		n.stop()
		return err
	}
}

// start builds the node up to its membership; what ends a listener later comes through the channel. Ports come first, so that nothing is made
// by a node that cannot serve.
func (n *node) start(ctx context.Context) (<-chan error, error) {
	if err := os.MkdirAll(n.config.StateDir, 0o700); err != nil {
		return nil, n.doc.Fault("state_dir", "%s", err)
	}
	if err := n.bind(); err != nil {
		return nil, errors.Join(err, n.release())
	}
	if err := n.openStores(ctx); err != nil {
		return nil, errors.Join(err, n.release())
	}
	if err := n.buildService(ctx); err != nil {
		return nil, errors.Join(err, n.release())
	}
	failed := n.serve()
	if err := n.join(ctx); err != nil {
		n.endService()
		return nil, err
	}
	return failed, nil
}

func (n *node) notReady(why string) { n.state.Store(&why) }

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
	weight := m.Weight
	if weight == 0 {
		weight = membership.WeightNone
	}
	group, err := membership.Open(ctx, membership.Config{
		Local: membership.Member{
			Name: n.config.NodeName, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.LocalMemberHost, Port: m.LocalMemberPort,
			HTTPPort: n.http.Port(), HTTPSPort: n.https.Port(), State: membership.StateActive, HealthPath: healthPath,
			Weight: weight, Zone: m.Zone, Backup: m.Backup, Version: daemon.Version(), StartedAt: n.started,
		},
		BindHost: m.LocalMemberHost, BindPort: m.LocalMemberPort, PortKey: "membership.local_member_port",
		Seeds: m.Members, Keys: keys, InsecureGossip: m.InsecureGossip, Policy: m.policy(),
		Receive: n.post.receive, Logger: n.log, Registerer: n.metrics,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", n.doc.Where("membership.local_member_port"), err)
	}
	n.stopKeys = n.followKeys(ctx, group, keys)
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
	_, down := askStores(ctx, sortedKeys(n.stores), func(ctx context.Context, name string) (struct{}, error) { return struct{}{}, n.stores[name].Ping(ctx) })
	if names := sortedKeys(down); len(names) > 0 {
		return fmt.Errorf("store %s does not answer", strings.Join(names, ", "))
	}
	return nil
}

// stop drains and stops the node: the group is told first, and the listeners answer, on kept connections too, until the load balancers had time
// to hear it. A connection closed sooner could take a request with it that nobody may repeat.
func (n *node) stop() {
	n.beginStop()
	group := n.group.Load()
	if group != nil {
		if err := group.SetState(membership.StateDraining); err != nil {
			n.log.Warn("the group could not be told of the drain", "error", err)
		}
		<-time.After(n.config.DrainDelay)
	}
	n.endService()
	if group != nil {
		n.stopKeys()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if late := group.Leave(ctx); late != nil {
			// Those who are left will miss this member and find out by themselves; when all stop at once nobody is left.
			n.log.Warn("the group may not know that this member left", "error", late)
		}
	}
	n.log.Info("stopped")
}

// endService ends what the node serves, watches first: they would last for ever. Those who watch come back at once, to a node that the load balancers
// choose, and by now that is another one.
func (n *node) endService() {
	n.service.EndWatches()
	n.stopServing()
	n.service.StoreAccesses()
}
