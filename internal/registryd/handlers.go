package registryd

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
	"github.com/regent-registry/regent/pkg/registry/httpapi"
)

// healthPath is where a node tells load balancers, without authentication, whether it can serve.
const healthPath = "/readyz"

// handler is what the service ports serve: the doors, each behind the same middleware.
func (n *node) handler() (http.Handler, error) {
	observe := newObserver(n.metrics, n.log, n.config.AccessLog)
	api := httpapi.New(httpapi.Config{Service: n.service, Auth: n.auth, Logger: n.log, Version: daemon.Version()})
	said, err := n.config.consoleTexts()
	if err != nil {
		return nil, err
	}
	if said != nil {
		n.log.Info("console in another language", "language", said.Language(), "file", n.config.ConsoleTexts, "still_english", len(said.Missing()), "not_said_any_more", len(said.Unknown()))
	}
	pages, err := console.New(console.Config{
		Service: n.service, Auth: n.auth, Logger: n.log, Node: n.config.NodeName, Members: n.consoleMembers, Server: n.serverInfo, Journal: n.consoleJournal(), Samples: n.samples.list, Order: n.giveOrder, RunJob: n.runJob, MetricsURL: "http://" + n.admin.Addr() + "/metrics",
		PublicHTTP:  publicURL("http", n.config.HostName, n.config.HTTPProxyPort, n.config.HTTPPort+n.config.Offset, 80),
		PublicHTTPS: publicURL("https", n.config.HostName, n.config.HTTPSProxyPort, n.config.HTTPSPort+n.config.Offset, 443),
		SelfHTTPS:   "https://" + net.JoinHostPort(n.config.Membership.LocalMemberHost, strconv.Itoa(n.https.Port())), Private: n.privateMounts(),
		FetchHosts: n.config.FetchHosts, Texts: said,
	})
	if err != nil {
		return nil, err
	}
	doors := doors{
		health:  observe.door("health", http.HandlerFunc(n.serveHealth)),
		api:     observe.door("api", api),
		compat:  observe.door("compat", api),
		content: observe.door("permalink", api),
		console: observe.door("console", pages),
	}
	trusted, err := n.trustsPeer()
	if err != nil {
		return nil, err
	}
	return forwarding{trusted: trusted, next: doors}, nil
}

// privateMounts are the mount points of what this node keeps for itself.
func (n *node) privateMounts() []registry.Path {
	var private []registry.Path
	shared := n.config.sharedStores()
	for _, m := range n.service.Mounts().All() {
		if !shared[m.Store.Name()] {
			private = append(private, m.Path)
		}
	}
	return private
}

// doors picks the door by the path as it came: a ServeMux would clean it and redirect, which is not its business with resource paths.
type doors struct {
	health, api, compat, content, console http.Handler
}

func (d doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == healthPath || path == "/livez":
		d.health.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/api/"):
		d.api.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/resource/"):
		d.compat.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/registry/"):
		d.content.ServeHTTP(w, r)
	default:
		d.console.ServeHTTP(w, r)
	}
}

func (n *node) serveHealth(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == healthPath && n.healthy(r.Context()) != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("not ready\n")) // why is for the admin listener
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// adminHandler is what the admin listener serves.
func (n *node) adminHandler() http.Handler {
	return daemon.Admin{
		Metrics: n.metrics,
		Ready: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			return n.ready(ctx)
		},
		Pages: map[string]http.Handler{
			"GET /members": http.HandlerFunc(n.serveMembers),
			"GET /status":  http.HandlerFunc(n.serveStatus),
		},
	}.Handler()
}

func (n *node) members() []membership.Member {
	if g := n.group.Load(); g != nil {
		return g.Members()
	}
	return nil
}

// carrier is the group, nil before there is one.
func (n *node) carrier() carrier {
	if g := n.group.Load(); g != nil {
		return g
	}
	return nil
}

// consoleMembers is the cluster as the console shows it.
func (n *node) consoleMembers() []console.Member {
	var all []console.Member
	g := n.group.Load()
	if g == nil {
		return nil
	}
	self := g.Local().ID
	for _, m := range g.Members() {
		all = append(all, console.Member{
			ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.Host, MemberPort: m.Port, HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort,
			State: m.State.String(), Since: m.Since, Started: m.StartedAt, Version: m.Version, Balancer: m.Balancer, Self: m.ID == self,
			Facts: n.post.shown(m.ID),
		})
	}
	return all
}

// serverInfo is this process as the console shows it.
func (n *node) serverInfo(ctx context.Context) console.ServerInfo {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	info := console.ServerInfo{
		Version: daemon.Version(), GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Node: n.config.NodeName, Host: host,
		PID: os.Getpid(), Started: n.started,
	}
	info.ConfigFile, info.Config, info.Goroutines = n.doc.File(), n.config.shown(), runtime.NumGoroutine()
	if last, ok := n.samples.last(); ok {
		info.Heap, info.Resident = int64(last.Heap), int64(last.Resident)
	}
	for _, s := range n.listeners {
		info.Addresses = append(info.Addresses, s.Name()+" "+s.Addr())
	}
	for _, name := range sortedKeys(n.stores) {
		started := time.Now()
		s, err := n.stores[name].Info(ctx)
		state := console.StoreInfo{Name: name, Dialect: s.Dialect, Database: s.Database, Location: s.Location, Schema: s.Schema, Latency: time.Since(started).Round(10 * time.Microsecond)}
		if err != nil {
			state.Error = fmt.Sprintf("does not answer: %s", err)
		}
		info.Stores = append(info.Stores, state)
	}
	return info
}

// publicURL is the address of the cluster for people: through the load balancer's port, or the node's own where none is configured.
func publicURL(scheme, host string, proxyPort, ownPort, defaultPort int) string {
	port := proxyPort
	if port == 0 {
		port = ownPort
	}
	if port == defaultPort || port == 0 {
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}
