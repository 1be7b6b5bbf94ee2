package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/e2e"
)

// A node shows the translation that its configuration names, and says at its start how much of it is missing.
func TestConsole_InAnotherLanguage(t *testing.T) {
	slow(t)
	file := filepath.Join(t.TempDir(), "de.yaml")
	const german = "language: de\ntexts:\n  Sign in: Anmelden\n  Overview: Übersicht\n  you may not %s %s: '%[2]s: %[1]s ist Ihnen nicht erlaubt'\n"
	if err := os.WriteFile(file, []byte(german), 0o600); err != nil {
		t.Fatal(err)
	}
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1, NodeKeys: "console_texts: " + file + "\n"})
	a, err := c.ThroughELB().As("", "").Do(t.Context(), "GET", "/console/sign-in", nil)
	if err != nil || a.Status != 200 || !strings.Contains(string(a.Body), `<html lang="de"`) || !strings.Contains(string(a.Body), "Anmelden</button>") {
		t.Errorf("%v, status %d: %s", err, a.Status, a.Body)
	}
	if log := c.Nodes[0].Log(); !strings.Contains(log, `"still_english":`) || !strings.Contains(log, `"language":"de"`) {
		t.Errorf("the log does not tell of the language:\n%s", log)
	}
}
