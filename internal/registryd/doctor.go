package registryd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

const (
	// examineEvery is how often a node looks again: clocks drift, disks fill and certificates end while it runs.
	examineEvery = 5 * time.Minute
	examineLimit = 30 * time.Second
	// renewBefore is how long before its end a certificate should have been renewed.
	renewBefore = 14 * 24 * time.Hour
)

// doctor examines what a node stands on. What it finds new goes to the log, and the count of all to the metrics. Safe for concurrent use.
type doctor struct {
	node  string
	log   *slog.Logger
	now   func() time.Time
	look  func(context.Context) []registry.Finding
	gauge *prometheus.GaugeVec

	mu   sync.Mutex
	told map[registry.Finding]bool // by check, store and severity; what the last examination found
	last *registry.Examination     // nil before the first
}

var _ registry.Doctor = (*doctor)(nil)

func newDoctor(node string, log *slog.Logger, r prometheus.Registerer, look func(context.Context) []registry.Finding) *doctor {
	d := &doctor{
		node: node, log: log, now: time.Now, look: look,
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "registry_doctor_findings", Help: "What the node's last examination of what it stands on found, by check and severity.",
		}, []string{"check", "severity"}),
	}
	r.MustRegister(d.gauge)
	return d
}

// Examine implements [registry.Doctor].
func (d *doctor) Examine(asked context.Context) registry.Examination {
	ctx, cancel := context.WithTimeout(asked, examineLimit)
	defer cancel()
	e := registry.Examination{Node: d.node, At: d.now(), Findings: d.look(ctx)}
	if asked.Err() == nil { // else it says more of who asked than of the node
		d.tell(asked, e)
	}
	return e
}

// tell counts the findings, and logs those warnings and errors that the examination before did not have.
func (d *doctor) tell(ctx context.Context, e registry.Examination) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.told
	d.last = &e
	d.told = map[registry.Finding]bool{}
	d.gauge.Reset()
	for _, f := range e.Findings {
		d.gauge.WithLabelValues(f.Check, string(f.Severity)).Inc()
		level := slog.LevelWarn
		switch f.Severity {
		case registry.SeverityError:
			level = slog.LevelError
		case registry.SeverityWarning:
		case registry.SeverityNote, registry.SeverityOK:
			continue
		}
		key := registry.Finding{Check: f.Check, Store: f.Store, Severity: f.Severity} // without figures, which change all the time
		if d.told[key] = true; !before[key] {
			d.log.Log(ctx, level, "the doctor found something", "check", f.Check, "store", f.Store, "what", f.What, "why", f.Why, "do", f.Do)
		}
	}
}

// worst is the gravest thing that the last examination found; false before the first one.
func (d *doctor) worst() (registry.Finding, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return registry.Finding{}, false
	}
	for _, s := range registry.Severities() {
		for _, f := range d.last.Findings {
			if f.Severity == s {
				return f, true
			}
		}
	}
	return registry.Finding{Severity: registry.SeverityOK}, true
}

// attend examines the node now and again until ctx ends, and notes it.
func (d *doctor) attend(ctx context.Context, book *jobBook) {
	tick := time.NewTicker(examineEvery)
	defer tick.Stop()
	for {
		ended := book.begin(jobDoctor, "", d.now().Add(examineEvery))
		e := d.Examine(ctx)
		ended(fmt.Sprintf("%d errors, %d warnings", e.Count(registry.SeverityError), e.Count(registry.SeverityWarning)), nil)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// fit refuses a store that would lose data or mix up answers, before anything is written there.
func (n *node) fit(ctx context.Context, name string) error {
	var faults []error
	checks := n.stores[name].Checks(sqlstore.Surroundings{ContentLimit: n.config.MaxContentSize})
	for _, f := range n.config.accept(registry.RunChecks(ctx, checks)) {
		if f.Severity == registry.SeverityError {
			faults = append(faults, n.doc.Fault("stores."+name+".dsn", "%s%s", f, wayOut(f)))
		}
	}
	return errors.Join(faults...)
}

// wayOut tells how to start in spite of a finding.
func wayOut(f registry.Finding) string {
	if !slices.Contains(sqlstore.AcceptableChecks(), f.Check) {
		return ""
	}
	return fmt.Sprintf(" (accept_findings: [%s] starts the node all the same)", f.Check)
}

// accept makes warnings of the errors that accept_findings names.
func (c *Config) accept(found []registry.Finding) []registry.Finding {
	for i, f := range found {
		if f.Severity == registry.SeverityError && slices.Contains(c.AcceptFindings, f.Check) {
			found[i].Severity = registry.SeverityWarning
			found[i].Why += " (accept_findings takes it)"
		}
	}
	registry.SortFindings(found)
	return found
}

func (c *Config) validateFindings(d *daemon.Document) []error {
	var faults []error
	known := sqlstore.AcceptableChecks()
	for i, name := range c.AcceptFindings {
		if !slices.Contains(known, name) {
			faults = append(faults, d.Fault(fmt.Sprintf("accept_findings[%d]", i), "%q is no check whose errors can be accepted; these are %s", name, strings.Join(known, ", ")))
		}
	}
	return faults
}

// examine looks at all that this node stands on, as far as it has come in its start.
func (n *node) examine(ctx context.Context) []registry.Finding {
	var checks []registry.Check
	names := map[string]bool{}
	for _, m := range n.members() {
		if !m.Balancer {
			names[m.Name] = true
		}
	}
	shared := n.config.sharedStores()
	for _, name := range sortedKeys(n.stores) {
		present, err := n.stores[name].Present(ctx)
		around := sqlstore.Surroundings{Nodes: max(len(names), len(present)), ContentLimit: n.config.MaxContentSize, Serving: true}
		checks = append(checks, n.stores[name].Checks(around)...)
		if err == nil { // else the store's own checks say why
			near := neighbours{self: n.id, node: n.config.NodeName, domain: n.config.Membership.Domain, members: names, shared: shared[name], present: present}
			checks = append(checks, registry.Check{Name: "neighbours", Store: name, Run: func(context.Context) []registry.Finding { return near.examine() }})
		}
	}
	checks = append(checks,
		n.config.limitsCheck(),
		registry.Check{Name: "certificate", Run: func(context.Context) []registry.Finding { return certificates(n.tls.CertificateEnds(), time.Now()) }},
		registry.Check{Name: "group", Run: func(context.Context) []registry.Finding { return n.examineGroup() }},
	)
	return n.config.accept(registry.RunChecks(ctx, checks))
}

func (c *Config) limitsCheck() registry.Check {
	return registry.Check{Name: "limits", Run: func(context.Context) []registry.Finding { return c.examineLimits() }}
}

// examineLimits finds limits that contradict each other.
func (c *Config) examineLimits() []registry.Finding {
	if c.DrainTimeout < clientPatience {
		return []registry.Finding{{
			Severity: registry.SeverityNote, What: fmt.Sprintf("drain_timeout is %s, and a client may be silent for %s", c.DrainTimeout, clientPatience),
			Why: "a stop cuts off requests that are well", Do: fmt.Sprintf("set drain_timeout to more than %s", clientPatience),
		}}
	}
	return []registry.Finding{registry.Fine("the limits of the configuration go together")}
}

// certificates finds those that end soon, or have ended.
func certificates(ends []daemon.CertificateEnd, now time.Time) []registry.Finding {
	var found []registry.Finding
	for _, c := range ends {
		left := c.At.Sub(now)
		if left >= renewBefore {
			continue
		}
		f := registry.Finding{
			Severity: registry.SeverityWarning, What: fmt.Sprintf("the certificate %s ends in %s", c.File, left.Round(time.Minute)),
			Why: "after that clients and load balancers refuse to connect", Do: "replace the files that tls names; a restart is not needed",
		}
		if left <= 0 {
			f.What, f.Why = fmt.Sprintf("the certificate %s ended %s ago", c.File, (-left).Round(time.Minute)), "clients and load balancers refuse to connect"
		}
		found = append(found, f)
	}
	if found == nil {
		return []registry.Finding{registry.Fine("no certificate ends within %d days", int(renewBefore.Hours()/24))}
	}
	return found
}

// joinTime is how long a node that has just started may be alone.
const joinTime = 30 * time.Second

// examineGroup looks at the group as gossip shows it.
func (n *node) examineGroup() []registry.Finding {
	group := n.group.Load()
	if group == nil {
		return nil
	}
	var found []registry.Finding
	if group.Isolated() && time.Since(n.started) > joinTime {
		found = append(found, registry.Finding{
			Severity: registry.SeverityWarning, What: "no other member of the domain " + n.config.Membership.Domain + " is in sight, though membership.members names some",
			Why: "load balancers do not send requests here, and watchers wait longer", Do: "look whether the well-known addresses run, and have the same domain and gossip key",
		})
	}
	if other := otherVersions(group.Members(), daemon.Version()); len(other) > 0 {
		found = append(found, registry.Finding{
			Severity: registry.SeverityNote, What: fmt.Sprintf("this node has the version %s; others have %s", daemon.Version(), strings.Join(other, ", ")),
			Why: "fine while a new version is rolled out; for good, faults that were repaired stay at some nodes", Do: "bring all nodes to one version",
		})
	}
	if found == nil {
		return []registry.Finding{registry.Fine("members of the domain %s in sight: %d", n.config.Membership.Domain, len(group.Members()))}
	}
	return found
}

// otherVersions are the versions of other nodes, as they announce them.
func otherVersions(members []membership.Member, own string) []string {
	var other []string
	for _, m := range members {
		if !m.Balancer && m.Version != "" && m.Version != own {
			other = append(other, m.Name+" "+m.Version)
		}
	}
	slices.Sort(other)
	return other
}
