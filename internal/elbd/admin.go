package elbd

import (
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// adminHandler serves what operators and monitoring look at. Nothing in it changes anything.
func (b *balancer) adminHandler() http.Handler {
	return daemon.Admin{
		Metrics: b.metrics,
		Ready:   b.ready,
		Pages: map[string]http.Handler{
			"GET /members": http.HandlerFunc(b.serveMembers),
			"GET /status":  http.HandlerFunc(b.serveStatus),
		},
	}.Handler()
}

// status is the JSON of /status.
type status struct {
	Node          string       `json:"node"`
	Version       string       `json:"version"`
	StartedAt     time.Time    `json:"started_at"`
	UptimeSeconds int64        `json:"uptime_seconds"`
	ConfigFile    string       `json:"config_file"`
	State         string       `json:"state"` // ready, or why not
	Config        configStatus `json:"config"`
	Balancers     []peer       `json:"balancers"`
}

// peer is an ELB in the group of the ELBs.
type peer struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Host  string `json:"host"`
	State string `json:"state"`
}

func (b *balancer) serveStatus(w http.ResponseWriter, _ *http.Request) {
	s := status{
		Node: b.config.NodeName, Version: daemon.Version(), StartedAt: b.started.UTC(),
		UptimeSeconds: int64(time.Since(b.started).Seconds()), ConfigFile: b.doc.File(), State: "ready", Config: b.configStatus(), Balancers: []peer{},
	}
	if err := b.ready(); err != nil {
		s.State = err.Error()
	}
	for _, g := range b.getGroups() {
		if g.domain != ownDomain {
			continue
		}
		for _, m := range g.group.Members() {
			s.Balancers = append(s.Balancers, peer{ID: m.ID, Name: m.Name, Host: m.Host, State: m.State.String()})
		}
	}
	daemon.WriteJSON(w, s)
}

func (b *balancer) serveMembers(w http.ResponseWriter, r *http.Request) {
	members := b.discovery.Members()
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		daemon.WriteJSON(w, map[string][]lb.MemberStatus{"members": members})
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	page := membersPage{Node: b.config.NodeName, Version: daemon.Version(), Now: time.Now().UTC(), Members: members}
	if err := membersTemplate().Execute(w, page); err != nil {
		b.log.Debug("members page not delivered", "error", err)
	}
}

type membersPage struct {
	Node, Version string
	Now           time.Time
	Members       []lb.MemberStatus
}

func membersTemplate() *template.Template {
	return template.Must(template.New("members").Funcs(template.FuncMap{
		"utc": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Members – {{.Node}}</title>
<style>
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid #8884; }
td.port { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .9em; }
.active { color: #177a2f; } .draining, .joining, .maintenance { color: #9a6700; } .ejected { color: #b3261e; }
@media (prefers-color-scheme: dark) { .active { color: #5fd07f; } .draining, .joining, .maintenance { color: #e3b341; } .ejected { color: #ff8a80; } }
</style>
<h1>Members</h1>
<table>
<caption>As {{.Node}} ({{.Version}}) sees them at {{utc .Now}} UTC</caption>
<thead><tr><th>Domain<th>Sub-domain<th>Name<th>State<th>Host<th>Member port<th>HTTP<th>HTTPS<th>Since (UTC)<th>Id</tr></thead>
<tbody>
{{range .Members}}<tr><td>{{.Domain}}<td>{{.SubDomain}}<td>{{.Name}}<td class="{{if .Ejected}}ejected{{else}}{{.State}}{{end}}">{{.State}}{{if .Ejected}}, not reachable{{end}}{{if .Stray}}, no pool{{end}}{{if .Static}}, static{{end}}<td>{{.Host}}<td class="port">{{with .MemberPort}}{{.}}{{end}}<td class="port">{{with .HTTPPort}}{{.}}{{end}}<td class="port">{{with .HTTPSPort}}{{.}}{{end}}<td>{{utc .Since}}<td><code>{{.ID}}</code></tr>
{{else}}<tr><td colspan="10">No member has joined yet.</tr>
{{end}}</tbody>
</table>
</html>
`))
}
