package registryd

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

func TestNeighbours(t *testing.T) {
	self := sqlstore.Presence{ID: registry.ID{1}, Domain: "d", Node: "n1"}
	for _, c := range []struct {
		name    string
		private bool
		others  []sqlstore.Presence
		want    []string // severity: words
	}{
		{"alone", false, nil, []string{"ok: database: 1;"}},
		{"a member", false, []sqlstore.Presence{{ID: registry.ID{2}, Domain: "d", Node: "n2", Skew: -900 * time.Millisecond}}, []string{"ok: database: 2;"}},
		{"who was here before", false, []sqlstore.Presence{{ID: registry.ID{2}, Domain: "d", Node: "n1"}}, []string{"ok: "}},
		{"another cluster", false, []sqlstore.Presence{{ID: registry.ID{2}, Domain: "e", Node: "n1"}}, []string{"warning: the node n1 of another cluster, with the domain e"}},
		{"a wrong clock", false, []sqlstore.Presence{{ID: registry.ID{2}, Domain: "d", Node: "n2", Skew: -2 * time.Second}}, []string{"warning: the clock of the node n2 is 2s off"}},
		{"out of sight", false, []sqlstore.Presence{{ID: registry.ID{3}, Domain: "d", Node: "n3", Skew: time.Hour}}, []string{"note: gossip does not show it", "warning: the clock of the node n3"}},
		{"a private store", true, []sqlstore.Presence{{ID: registry.ID{2}, Domain: "d", Node: "n2"}}, []string{"warning: which is mounted as what a node keeps for itself"}},
	} {
		n := neighbours{self: self.ID, node: "n1", domain: "d", members: map[string]bool{"n1": true, "n2": true}, shared: !c.private}
		n.present = []sqlstore.Presence{self}
		n.present = append(n.present, c.others...)
		got := n.examine()
		if len(got) != len(c.want) {
			t.Errorf("%s: found %v", c.name, got)
			continue
		}
		for i, want := range c.want {
			severity, words, _ := strings.Cut(want, ": ")
			if string(got[i].Severity) != severity || !strings.Contains(got[i].String(), words) {
				t.Errorf("%s: found %s: %s; want %s", c.name, got[i].Severity, got[i], want)
			}
		}
	}
}

// A node is seen in its stores while it runs, and not after.
func TestAnnounce_EndsWithTheNode(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Name: "a", DSN: "sqlite:" + filepath.Join(dir, "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := &node{id: registry.ID{7}, log: slog.New(slog.DiscardHandler), stores: map[string]*sqlstore.Store{"a": s}}
	n.config = Default()
	n.config.NodeName = "n1"
	t.Cleanup(n.closeStores)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.announce(ctx) }()
	for deadline := time.Now().Add(time.Minute); ; {
		list, err := s.Present(t.Context())
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("present are %v: %v", list, err)
		}
		if len(list) == 1 {
			if p := list[0]; p.ID != n.id || p.Node != "n1" || p.Domain != "wso2.governance.domain" || p.Version == "" || p.Skew.Abs() > time.Second {
				t.Errorf("announced %+v", p)
			}
			break
		}
	}
	cancel()
	<-ended
	if list, err := s.Present(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("present are %v: %v", list, err)
	}
}
