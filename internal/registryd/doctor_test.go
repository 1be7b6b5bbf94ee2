package registryd

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

func TestDoctor_TellsOnceAndCountsAlways(t *testing.T) {
	var log bytes.Buffer
	r := prometheus.NewRegistry()
	var found []registry.Finding
	d := newDoctor("n1", slog.New(slog.NewTextHandler(&log, nil)), r, func(context.Context) []registry.Finding { return found })
	warning := registry.Finding{Check: "clock", Store: "shared", Severity: registry.SeverityWarning, What: "3 s behind", Why: "y", Do: "z"}
	for _, step := range []struct {
		found []registry.Finding
		logs  string // what is logged newly
		count map[string]float64
	}{
		{[]registry.Finding{warning, {Check: "disk", Severity: registry.SeverityNote, What: "note"}}, "level=WARN", map[string]float64{"clock warning": 1, "disk note": 1}},
		{[]registry.Finding{{Check: "clock", Store: "shared", Severity: registry.SeverityWarning, What: "4 s behind"}}, "", map[string]float64{"clock warning": 1}},
		{[]registry.Finding{{Check: "clock", Store: "local", Severity: registry.SeverityError, What: "1 h behind"}, warning}, "level=ERROR", map[string]float64{"clock error": 1, "clock warning": 1}},
		{nil, "", nil},
		{[]registry.Finding{warning}, "level=WARN", map[string]float64{"clock warning": 1}}, // it came back
	} {
		log.Reset()
		found = step.found
		if e := d.Examine(t.Context()); e.Node != "n1" || len(e.Findings) != len(found) || e.At.IsZero() {
			t.Errorf("examined %+v", e)
		}
		if step.logs == "" && log.Len() > 0 || !strings.Contains(log.String(), step.logs) || strings.Count(log.String(), "\n") > 1 {
			t.Errorf("%v: logged %s", found, &log)
		}
		for name, n := range step.count {
			check, severity, _ := strings.Cut(name, " ")
			if got := testutil.ToFloat64(d.gauge.WithLabelValues(check, severity)); got != n {
				t.Errorf("%s counts %v, want %v", name, got, n)
			}
		}
		if n := testutil.CollectAndCount(d.gauge); n != len(step.count) {
			t.Errorf("%d series, want %d", n, len(step.count))
		}
	}
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
	// Who asks and goes away has found out nothing.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found = nil
	d.Examine(ctx)
	if n := testutil.CollectAndCount(d.gauge); n != 1 {
		t.Errorf("an examination that nobody waited for counts: %d series", n)
	}
}

func TestDoctor_AttendsUntilTheEnd(t *testing.T) {
	looked := make(chan struct{}, 10)
	d := newDoctor("n1", slog.New(slog.DiscardHandler), prometheus.NewRegistry(), func(context.Context) []registry.Finding {
		looked <- struct{}{}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); d.attend(ctx, newJobBook()) }()
	<-looked
	cancel()
	<-ended
}

func TestCertificates(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	ends := []daemon.CertificateEnd{
		{File: "long.pem", At: now.Add(90 * 24 * time.Hour)}, {File: "soon.pem", At: now.Add(13 * 24 * time.Hour)}, {File: "ended.pem", At: now.Add(-time.Hour)},
	}
	got := certificates(ends, now)
	if len(got) != 2 || got[0].What != "the certificate soon.pem ends in 312h0m0s" || got[1].What != "the certificate ended.pem ended 1h0m0s ago" {
		t.Errorf("found %v", got)
	}
	for _, f := range got {
		if f.Severity != registry.SeverityWarning || f.Why == "" || f.Do == "" {
			t.Errorf("%+v", f)
		}
	}
	if got := certificates(ends[:1], now); len(got) != 1 || got[0].Severity != registry.SeverityOK {
		t.Errorf("found %v", got)
	}
}

func TestOtherVersions(t *testing.T) {
	got := otherVersions([]membership.Member{{Name: "b", Version: "1.2"}, {Name: "elb", Version: "1.0", Balancer: true}, {Name: "a", Version: "1.3"}, {Name: "c"}, {Name: "d", Version: "1.1"}}, "1.3")
	if strings.Join(got, ", ") != "b 1.2, d 1.1" {
		t.Errorf("got %v", got)
	}
}

func TestExamineLimits(t *testing.T) {
	c := Default()
	if f := c.examineLimits()[0]; f.Severity != registry.SeverityOK {
		t.Errorf("the defaults: %v", f)
	}
	c.DrainTimeout = 10 * time.Second
	if f := c.examineLimits()[0]; f.Severity != registry.SeverityNote || !strings.Contains(f.What, "drain_timeout is 10s") {
		t.Errorf("found %v", f)
	}
}

// startNode is a node with one store, as far as its stores are open.
func startNode(t *testing.T, dsn, more string) (*node, error) {
	t.Helper()
	text := "state_dir: " + t.TempDir() + "\nuser_store: a\nstores:\n  local: {dsn: \"sqlite:" + filepath.Join(t.TempDir(), "l.db") + "\"}\n" +
		"  shared: {dsn: \"sqlite:" + filepath.Join(t.TempDir(), "s.db") + "\"}\n  a:\n    dsn: \"" + dsn + "\"\nmounts: [{path: /, store: a}]\n" + more
	file := filepath.Join(t.TempDir(), "registry.yaml")
	writeFile(t, file, text)
	c, doc, err := LoadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{config: c, doc: doc, log: slog.New(slog.DiscardHandler), metrics: prometheus.NewRegistry(), stores: map[string]*sqlstore.Store{}}
	t.Cleanup(n.closeStores)
	return n, n.openStores(t.Context())
}

func TestOpenStores_RefusesADatabaseThatLosesData(t *testing.T) {
	server := registrytest.StartPrivateMySQL(t, "--innodb-flush-log-at-trx-commit=0")
	dsn := "mysql:" + server.Database(t)
	n, err := startNode(t, dsn, "")
	const want = "registry.yaml:7: stores.a.dsn: innodb_flush_log_at_trx_commit is 0: a crash of the database loses changes of the last second or more that were acknowledged; " +
		"set innodb_flush_log_at_trx_commit = 1 in the server's configuration (accept_findings: [durability] starts the node all the same)"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Fatalf("error %v, want it to end with %s", err, want)
	}
	if err := n.stores["a"].Check(t.Context()); registry.CodeOf(err) != registry.CodeUnavailable {
		t.Errorf("the refused database was migrated: %v", err)
	}
	if _, err := startNode(t, dsn, "accept_findings: [packet]\n"); err == nil {
		t.Error("another check was accepted, and it starts")
	}
	if n, err = startNode(t, dsn, "accept_findings: [durability]\n"); err != nil {
		t.Fatal(err)
	}
	found := n.config.accept(registry.RunChecks(t.Context(), n.stores["a"].Checks(sqlstore.Surroundings{Serving: true})))
	if f := found[0]; f.Check != "durability" || f.Severity != registry.SeverityWarning || !strings.Contains(f.Why, "accept_findings") {
		t.Errorf("the worst finding is %+v", f)
	}
}

func TestLoadConfig_AcceptsFindingsThatThereAre(t *testing.T) {
	_, err := loadText(t, "accept_findings:\n  - durability\n  - schema\n")
	const want = "registry.yaml:3: accept_findings[1]: \"schema\" is no check whose errors can be accepted; these are clock, disk, durability, isolation, packet, values, writes"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
