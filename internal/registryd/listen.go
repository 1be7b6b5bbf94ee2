package registryd

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
)

// clientPatience is how long a client may take to send or take a piece of a body. It is less than the default drain_timeout, so that a silent client
// does not make a stop cut off others.
const clientPatience = 20 * time.Second

// bind takes all ports; nothing is served yet.
func (n *node) bind() error {
	c := n.config
	secure, err := daemon.LoadTLS(c.TLS, []string{c.HostName, c.MgtHostName, c.Membership.LocalMemberHost, "localhost", "127.0.0.1", "::1"}, n.log)
	if err != nil {
		return err
	}
	n.tls = secure
	// The doors are made after the ports are known to be free, and before the listeners start.
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.doors.ServeHTTP(w, r) })
	for _, l := range []struct {
		server    **daemon.Server
		name, key string
		addr      string
		handler   http.Handler
		tls       *tls.Config
	}{
		{&n.admin, "admin", "admin", c.adminAddr(), n.adminHandler(), nil},
		{&n.http, "http", "http_port", c.httpAddr(), service, nil},
		{&n.https, "https", "https_port", c.httpsAddr(), service, secure.Server},
	} {
		s, err := daemon.Listen(l.name, l.key+" or offset", l.addr, l.handler, l.tls, daemon.Timeouts{Body: clientPatience, Write: clientPatience}, n.log)
		if err != nil {
			key := l.key
			if !n.doc.IsSet(key) && n.doc.IsSet("offset") {
				key = "offset"
			}
			return n.doc.Fault(key, "%s", err)
		}
		*l.server = s
		n.listeners = append(n.listeners, s)
	}
	return n.probeMemberPort()
}

// probeMemberPort finds out whether the gossip port is free before anything is made; the group binds it for good when the node can serve.
func (n *node) probeMemberPort() error {
	if n.config.Membership.LocalMemberPort == 0 {
		return nil
	}
	const key = "membership.local_member_port"
	addr := n.config.memberAddr()
	probe, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return n.doc.Fault(key, "%s is in use by another process; stop that one or change %s", addr, key)
	case err != nil:
		return n.doc.Fault(key, "cannot listen on %s: %s; change %s or membership.local_member_host", addr, err, key)
	}
	return probe.Close()
}

// release frees ports that were bound but never served.
func (n *node) release() error {
	var err error
	for _, s := range n.listeners {
		err = errors.Join(err, s.Close())
	}
	return err
}

// serve starts all listeners; what ends one comes through the channel.
func (n *node) serve() <-chan error {
	failed := make(chan error, len(n.listeners))
	for _, s := range n.listeners {
		s.Start(func(err error) { failed <- err })
	}
	return failed
}

// stopServing stops accepting and lets running requests finish, for drain_timeout at most. The admin listener answers to the end.
func (n *node) stopServing() {
	ctx, cancel := context.WithTimeout(context.Background(), max(n.config.DrainTimeout, time.Second))
	defer cancel()
	var running sync.WaitGroup
	for _, s := range []*daemon.Server{n.http, n.https} {
		running.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				n.log.Warn("requests were cut off at the end of drain_timeout", "error", err)
			}
		})
	}
	running.Wait()
	adminCtx, cancelAdmin := context.WithTimeout(context.Background(), time.Second)
	defer cancelAdmin()
	if err := n.admin.Shutdown(adminCtx); err != nil {
		n.log.Warn("an admin request was cut off", "error", err)
	}
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
