package registryd

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
)

// memberStatus is a member in the JSON of /members, in the same words as the load balancer's page of that name.
type memberStatus struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Domain     string    `json:"domain"`
	SubDomain  string    `json:"sub_domain"`
	Host       string    `json:"host"`
	MemberPort int       `json:"member_port"`
	HTTPPort   int       `json:"http_port"`
	HTTPSPort  int       `json:"https_port"`
	State      string    `json:"state"`
	Since      time.Time `json:"since"`
	Version    string    `json:"version"`
	Balancer   bool      `json:"balancer,omitempty"`
}

func (n *node) serveMembers(w http.ResponseWriter, _ *http.Request) {
	all := []memberStatus{}
	for _, m := range n.members() {
		all = append(all, memberStatus{
			ID: m.ID, Name: m.Name, Domain: m.Domain, SubDomain: m.SubDomain, Host: m.Host, MemberPort: m.Port, HTTPPort: m.HTTPPort, HTTPSPort: m.HTTPSPort,
			State: m.State.String(), Since: m.Since.UTC(), Version: m.Version, Balancer: m.Balancer,
		})
	}
	refused := []membership.Refused{}
	if g := n.group.Load(); g != nil {
		refused = g.Refused()
	}
	daemon.WriteJSON(w, map[string]any{"members": all, "refused": refused})
}

// status is the JSON of /status.
type status struct {
	Node          string        `json:"node"`
	Version       string        `json:"version"`
	StartedAt     time.Time     `json:"started_at"`
	UptimeSeconds int64         `json:"uptime_seconds"`
	ConfigFile    string        `json:"config_file"`
	State         string        `json:"state"` // ready, or why not
	Addresses     []string      `json:"addresses"`
	GossipKeys    []string      `json:"gossip_keys"` // ids, the one that encrypts first; none without encryption
	Stores        []storeStatus `json:"stores"`
}

// storeStatus is a store in the JSON of /status.
type storeStatus struct {
	Name     string `json:"name"`
	Dialect  string `json:"dialect"`
	Database string `json:"database"`
	Location string `json:"location"`
	Schema   int64  `json:"schema"`
	Error    string `json:"error,omitempty"`
}

func (n *node) serveStatus(w http.ResponseWriter, r *http.Request) {
	info := n.serverInfo(r.Context())
	s := status{
		Node: info.Node, Version: info.Version, StartedAt: n.started.UTC(), UptimeSeconds: int64(time.Since(n.started).Seconds()),
		ConfigFile: n.doc.File(), State: "ready", Addresses: info.Addresses, GossipKeys: []string{}, Stores: []storeStatus{},
	}
	if err := n.ready(r.Context()); err != nil {
		s.State = err.Error()
	}
	if g := n.group.Load(); g != nil {
		s.GossipKeys = g.KeyIDs()
	}
	for _, st := range info.Stores {
		s.Stores = append(s.Stores, storeStatus{st.Name, st.Dialect, st.Database, st.Location, st.Schema, st.Error})
	}
	daemon.WriteJSON(w, s)
}
