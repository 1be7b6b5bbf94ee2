package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestPermission_RevokedIsGoneEverywhere takes a right away on one node, in each of the ways there are, and reads at once on the others: not one read gets through, and no
// list, search, watch or export tells the name.
func TestPermission_RevokedIsGoneEverywhere(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		r := revocation{T: t, cluster: e2e.StartCluster(t, e2e.Options{Database: db})}
		r.must(0, "PUT", "/api/v1/content"+revokedDoc, "secret", 201)
		r.must(0, "POST", "/api/v1/roles", `{"name":"readers"}`, 201)
		r.must(1, "POST", "/api/v1/users", `{"name":"joe","password":"`+e2e.AdminPassword+`"}`, 201)
		r.must(2, "PUT", "/api/v1/permissions/_system/governance", `{"entries":[{"role":"everyone","allow":[],"deny":["read"]}]}`, 200)
		r.must(2, "PUT", "/api/v1/permissions/_system/governance/open", `{"entries":[{"role":"everyone","allow":["read"],"deny":[]}]}`, 200)
		ways := []func(node int) (take func()){r.byEntry, r.byRole, r.byToken}
		rounds := e2e.Scale(1000, 20)
		for round := range rounds {
			node := round % 3
			take := ways[round/3%len(ways)](node)
			for _, other := range []int{(node + 1) % 3, (node + 2) % 3} {
				r.reads(other, 200, true)
			}
			take()
			for _, other := range []int{(node + 1) % 3, (node + 2) % 3} {
				r.reads(other, r.refused, false)
			}
			if t.Failed() {
				t.Fatalf("in round %d", round)
			}
		}
		t.Logf("%d times taken away, %d reads refused, %d answers that do not tell of it", rounds, 2*rounds, 2*rounds*len(tellings))
	})
}

const (
	revokedList = "/_system/governance/open"
	revokedDoc  = revokedList + "/secret.txt"
)

type revocation struct {
	*testing.T
	cluster *e2e.Cluster
	bearer  string // how joe asks; "" by the password
	refused int    // the status of what was taken away
}

// must sends a request to a node as administrator.
func (r *revocation) must(node int, method, path, body string, status int) e2e.Answer {
	r.Helper()
	a, err := r.cluster.Direct(node).Do(r.Context(), method, path, []byte(body), "Content-Type", "application/json")
	if err != nil || a.Status != status {
		r.Fatalf("%s %s on node%d: %d %s, %v", method, path, node+1, a.Status, a.Body, err)
	}
	return a
}

// byEntry gives joe the right by an entry of the resource itself.
func (r *revocation) byEntry(node int) func() {
	const entries = "/api/v1/permissions" + revokedDoc
	r.bearer, r.refused = "", http.StatusForbidden
	r.must(node, "PUT", entries, `{"entries":[]}`, 200)
	return func() {
		r.must(node, "PUT", entries, `{"entries":[{"role":"everyone","allow":[],"deny":["read"]}]}`, 200)
	}
}

// byRole gives joe a role that has the right, and takes the role.
func (r *revocation) byRole(node int) func() {
	r.bearer, r.refused = "", http.StatusForbidden
	r.must(node, "PUT", "/api/v1/permissions"+revokedDoc, `{"entries":[{"role":"everyone","allow":[],"deny":["read"]},{"role":"readers","allow":["read"],"deny":[]}]}`, 200)
	r.must(node, "PATCH", "/api/v1/users/joe", `{"roles":["readers"]}`, 200)
	return func() { r.must(node, "PATCH", "/api/v1/users/joe", `{"roles":[]}`, 200) }
}

// byToken lets joe ask with a token, which is revoked.
func (r *revocation) byToken(node int) func() {
	r.Helper()
	r.must(node, "PUT", "/api/v1/permissions"+revokedDoc, `{"entries":[]}`, 200)
	var token struct{ ID, Token string }
	joe := r.cluster.Direct(node).As("joe", e2e.AdminPassword)
	a, err := joe.Do(r.Context(), "POST", "/api/v1/tokens", []byte(`{"name":"e2e","rights":["read"],"expires_in":600}`), "Content-Type", "application/json")
	if err != nil || json.Unmarshal(a.Body, &token) != nil || token.Token == "" {
		r.Fatalf("make a token: %d %s, %v", a.Status, a.Body, err)
	}
	r.bearer, r.refused = token.Token, http.StatusUnauthorized
	return func() {
		if a, err := joe.Do(r.Context(), "DELETE", "/api/v1/tokens/"+token.ID, nil); err != nil || a.Status != 204 {
			r.Fatalf("revoke a token: %d %s, %v", a.Status, a.Body, err)
		}
	}
}

// tellings are the ways to hear of a resource without reading it: lists, searches, watches and exports.
var tellings = []string{
	"/api/v1/children" + revokedList + "?total=true",
	"/api/v1/search?q=name:secret.*",
	"/api/v1/activity" + revokedList,
	"/api/v1/activity" + revokedList + "?format=csv",
	"/api/v1/activity" + revokedList + "?format=jsonl",
	"/api/v1/watch" + revokedList + "?from=0&wait=0s",
}

// reads reads as joe on a node, the content and what tells of it.
func (r *revocation) reads(node, status int, told bool) {
	r.Helper()
	joe := r.cluster.Direct(node).As("joe", e2e.AdminPassword)
	var headers []string
	if r.bearer != "" {
		joe, headers = joe.As("", ""), []string{"Authorization", "Bearer " + r.bearer}
	}
	a, err := joe.Do(r.Context(), "GET", "/api/v1/content"+revokedDoc, nil, headers...)
	if err != nil || a.Status != status {
		r.Errorf("node%d: %d %s, %v; want %d", node+1, a.Status, a.Body, err, status)
	}
	for _, telling := range tellings {
		a, err := joe.Do(r.Context(), "GET", telling, nil, headers...)
		has := strings.Contains(string(a.Body), "secret.txt") || strings.Contains(string(a.Body), `"total":1`)
		if err != nil || has != told || a.Status != http.StatusOK && a.Status != r.refused {
			r.Errorf("node%d tells at %s: %d %s, %v; want the name there: %v", node+1, telling, a.Status, a.Body, err, told)
		}
	}
}
