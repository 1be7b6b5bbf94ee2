package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestHistory_IsTheSameOnAllNodes: what one node did with versions, the others show at once; their jobs of retention run all the time, and remove what
// the rule does not keep and nothing else, whichever node is at it.
func TestHistory_IsTheSameOnAllNodes(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{NodeKeys: "retention_interval: 50ms\n"})
	const path = "/_system/governance/history/doc.txt"
	send := func(i int, method, url, body string, want int) e2e.Answer {
		t.Helper()
		a, err := c.Direct(i%3).Do(t.Context(), method, url, []byte(body), "Content-Type", "application/json")
		if err != nil || a.Status != want {
			t.Fatalf("%s %s at node %d: %d %s, want %d: %v", method, url, i%3+1, a.Status, a.Body, want, err)
		}
		return a
	}
	put := func(i int) string {
		t.Helper()
		a, err := c.ThroughELB().Put(t.Context(), path, fmt.Appendf(nil, "text %d\n", i))
		if err != nil {
			t.Fatal(err)
		}
		return a.Header.Get("Registry-Seq")
	}
	var seqs []string
	for i := range 9 {
		seqs = append(seqs, put(i+1))
		send(i, "GET", "/api/v1/content"+path+"?at="+seqs[i], "", 200)
	}
	send(0, "PUT", "/api/v1/labels"+path+"?label=prod", `{"version":2}`, 201)
	for i := range 3 {
		if a := send(i, "GET", "/registry/resource"+path+"?label=prod", "", 200); string(a.Body) != "text 2\n" {
			t.Errorf("node %d shows %q for the label", i+1, a.Body)
		}
	}
	send(1, "PUT", "/api/v1/checkpoints/_system/governance/history?checkpoint=nine", `{}`, 201)
	send(2, "PUT", "/api/v1/retention/_system/governance/history", `{"keep_last":2}`, 200)
	put(10)
	put(11)
	put(12)

	e2e.Await(t, 20*time.Second, "the jobs remove old versions", func() error {
		var list struct{ Versions []struct{ Version int } }
		a := send(0, "GET", "/api/v1/versions"+path, "", 200)
		if err := json.Unmarshal(a.Body, &list); err != nil {
			return err
		}
		if got := fmt.Sprint(list.Versions); got != "[{12} {11} {9} {2}]" {
			return fmt.Errorf("the versions are %s", got)
		}
		return nil
	})
	for i := range 3 {
		send(i, "GET", "/api/v1/content"+path+"?version=5", "", 404)
		send(i, "GET", "/api/v1/content"+path+"?at="+seqs[4], "", 410)
		send(i, "GET", "/api/v1/content"+path+"?label=prod", "", 200)
	}
	send(2, "POST", "/api/v1/restore-tree/_system/governance/history", `{"checkpoint":"nine"}`, 200)
	for i := range 3 {
		if a := send(i, "GET", "/api/v1/content"+path, "", 200); string(a.Body) != "text 9\n" {
			t.Errorf("node %d shows %q after the restore", i+1, a.Body)
		}
	}
	for _, n := range c.Nodes {
		if strings.Contains(n.Log(), "retention ended early") {
			t.Errorf("%s: a run of retention failed:\n%s", n.Name, n.Log())
		}
	}
}
