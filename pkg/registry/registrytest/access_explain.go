package registrytest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testExplainHidden: who may not read somewhere, and has no authority on the path in question, is not told that entries are there; what they decide is.
func testExplainHidden(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	ops, dev := n.role(t, "ops"), n.role(t, "dev")
	n.store(t, "/a/secret/deep/doc", "x")
	n.grant(t, "/a", "everyone +read", "ops +authorize")
	n.grant(t, "/a/secret", "everyone -read", "dev +write")
	n.grant(t, "/a/secret/deep", "dev -delete", "everyone +delete")
	n.grant(t, "/a/secret/deep/doc", "dev +read")
	users := map[string]registry.Actor{}
	for name, roles := range map[string][]registry.ID{"joe": nil, "eve": {dev}, "oscar": {ops}} {
		if _, err := n.AddUser(t.Context(), op(), registry.User{Name: name, Roles: roles}); err != nil {
			t.Fatal(err)
		}
		users[name] = registry.Actor{User: name, Roles: roles}
	}
	for _, c := range []struct {
		asks, user string
		p          registry.Path
		right      registry.Right
		want       string
	}{
		{"joe", "joe", "/a/b", registry.RightRead, "true the role everyone is allowed to read at /a [{everyone true /a}]"},
		{"joe", "joe", "/a/secret/deep/doc", registry.RightRead, "false no role of the user is allowed to read here [{everyone false }]"},
		{"joe", "joe", "/a/secret/none", registry.RightRead, "false no role of the user is allowed to read here [{everyone false }]"},
		{"joe", "joe", "/a/secret/deep/doc", registry.RightDelete, "true the role everyone is allowed to delete [{everyone true }]"},
		{"eve", "eve", "/a/secret/deep/doc", registry.RightRead, "true the role dev is allowed to read at /a/secret/deep/doc [{dev true /a/secret/deep/doc} {everyone false }]"},
		{"eve", "eve", "/a/secret/deep/doc", registry.RightWrite, "true the role dev is allowed to write [{dev true } {everyone false }]"},
		{"eve", "eve", "/a/secret/deep/doc", registry.RightDelete, "true the role everyone is allowed to delete [{everyone true } {dev false }]"},
		{
			"oscar", "joe", "/a/secret/deep/doc", registry.RightRead,
			"false the role everyone is denied to read at /a/secret, and no other role of the user is allowed to [{everyone false /a/secret}]",
		},
		{"oscar", "oscar", "/a/secret/deep", registry.RightDelete, "true the role everyone is allowed to delete at /a/secret/deep [{everyone true /a/secret/deep} {ops false }]"},
	} {
		x, err := n.svc.Explain(t.Context(), users[c.asks], c.p, c.user, c.right)
		x.Decisions = slices.DeleteFunc(x.Decisions, func(d registry.Decision) bool { return d.Role == "anonymous" }) // of which no entry speaks
		if got := fmt.Sprint(x.Allowed, " ", x.Reason, " ", x.Decisions); err != nil || got != c.want {
			t.Errorf("%s asks whether %s may %s %s: %s, %v, want %s", c.asks, c.user, c.right, c.p, got, err, c.want)
		}
	}
	_, err := n.svc.Explain(t.Context(), registry.Actor{}, "/a", "", registry.RightRead)
	wantCode(t, err, registry.CodeUnauthenticated)
	_, err = n.svc.Explain(t.Context(), users["joe"], "/a", "eve", registry.RightRead)
	wantCode(t, err, registry.CodeDenied)
}
