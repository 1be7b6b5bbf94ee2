package e2e_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestNodes_StartAtOnceOnAnEmptyDatabase: no node must be first; one schema, one administrator, no complaint.
func TestNodes_StartAtOnceOnAnEmptyDatabase(t *testing.T) {
	slow(t)
	server := e2e.StartMariaDB(t)
	for range e2e.Scale(20, 3) {
		t.Run("", func(t *testing.T) { startAtOnce(t, e2e.NewDatabase(t, server)) })
	}
	for range e2e.Scale(20, 2) {
		t.Run("SQLite", func(t *testing.T) { startAtOnce(t, e2e.SQLite(t)) })
	}
}

func startAtOnce(t *testing.T, db e2e.Database) {
	t.Helper()
	c := e2e.NewCluster(t, e2e.Options{Database: db})
	c.ELB.Start()
	for _, n := range c.Nodes {
		n.Start()
	}
	c.AwaitReady()
	for i, n := range c.Nodes {
		for line := range strings.Lines(n.Log()) {
			var r struct{ Level string }
			if json.Unmarshal([]byte(line), &r) == nil && r.Level == "ERROR" {
				t.Errorf("%s: %s", n.Name, line)
			}
		}
		if a, err := c.Direct(i).Do(t.Context(), "GET", "/api/v1/whoami", nil); err != nil || a.Status != 200 {
			t.Errorf("%s: %v, status %d: %s", n.Name, err, a.Status, a.Body)
		}
	}
	made := 0
	for _, n := range c.Nodes {
		made += strings.Count(n.Log(), "made the administrator")
	}
	if made != 1 {
		t.Errorf("%d nodes say that they made the administrator, want 1", made)
	}
}
