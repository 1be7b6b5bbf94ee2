package registrytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// Permissions, as the use cases see them on the stores.

var admin = registry.Actor{User: "admin", Roles: []registry.ID{registry.RoleAdmin}}

// guarded is a node whose use cases decide by permissions.
func guarded(t testing.TB, s Store, mounts ...registry.Mount) *node {
	t.Helper()
	if mounts == nil {
		mounts = []registry.Mount{{Path: registry.Root, Store: s, Target: registry.Root}}
	}
	table, err := registry.NewMounts(mounts...)
	if err != nil {
		t.Fatal(err)
	}
	return &node{Store: s, svc: registry.NewService(registry.Config{Mounts: table, Authorizer: registry.NewAccess(table, s), Directory: s})}
}

// guardedNodes gives n of them on one fresh database.
func guardedNodes(t *testing.T, fresh func(testing.TB) Database, n int) []*node {
	t.Helper()
	nodes := open(t, fresh, n)
	for i, plain := range nodes {
		nodes[i] = guarded(t, plain.Store)
		nodes[i].db = plain.db
	}
	return nodes
}

// role makes a role of that name.
func (n *node) role(t testing.TB, name string) registry.ID {
	t.Helper()
	r, err := n.AddRole(context.Background(), op(), registry.Role{Name: name})
	if err != nil {
		t.Fatalf("role %s: %v", name, err)
	}
	return r.ID
}

// store puts text at p as administrator.
func (n *node) store(t testing.TB, p registry.Path, text string) registry.Resource {
	t.Helper()
	res, err := n.svc.Put(context.Background(), admin, registry.PutInput{Path: p, Body: strings.NewReader(text)})
	if err != nil {
		t.Fatalf("put %s: %v", p, err)
	}
	return res.Resource
}

// grant replaces the entries at p, each "role +right,right -right".
func (n *node) grant(t testing.TB, p registry.Path, entries ...string) {
	t.Helper()
	var list []registry.RoleEntry
	for _, text := range entries {
		fields := strings.Fields(text)
		e := registry.RoleEntry{Role: fields[0]}
		for _, f := range fields[1:] {
			rights, err := registry.ParseRights(strings.Split(f[1:], ","))
			if err != nil {
				t.Fatal(err)
			}
			if f[0] == '+' {
				e.Allow = rights
			} else {
				e.Deny = rights
			}
		}
		list = append(list, e)
	}
	if _, err := n.svc.SetPermissions(context.Background(), admin, p, list, registry.Precondition{}); err != nil {
		t.Fatalf("permissions of %s: %v", p, err)
	}
}

// may tells whether a may read p.
func (n *node) may(a registry.Actor, p registry.Path) bool {
	_, err := n.svc.Get(context.Background(), a, p, registry.Freshness{})
	return err == nil
}

func testAccess(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	dev, ops := n.role(t, "dev"), n.role(t, "ops")
	n.store(t, "/open/doc", "x")
	n.store(t, "/team/plan/secret", "x")
	n.store(t, "/team/plan/public", "x")
	n.grant(t, "/team", "everyone -read", "dev +read,write", "ops +read")
	n.grant(t, "/team/plan", "dev -read,write,delete")
	n.grant(t, "/team/plan/public", "dev +read", "anonymous +read")
	nobody, joe := registry.Actor{}, registry.Actor{User: "joe"}
	ann := registry.Actor{User: "ann", Roles: []registry.ID{dev}}
	bob := registry.Actor{User: "bob", Roles: []registry.ID{dev, ops}}
	scoped := bob
	scoped.Scope = &registry.Scope{Rights: registry.RightsOf(registry.RightRead), Paths: []registry.Path{"/team/plan"}}
	bounded := admin
	bounded.Scope = &registry.Scope{Rights: registry.RightsOf(registry.RightRead)}
	authorizer := registry.NewAccess(n.svc.Mounts(), n.Store)
	for _, c := range []struct {
		who   registry.Actor
		right registry.Right
		p     registry.Path
		want  registry.Code
	}{
		{admin, registry.RightDelete, "/team/plan/secret", ""},
		{admin, registry.RightAuthorize, "/", ""},
		{joe, registry.RightRead, "/", ""},                                                                          // as every registry begins
		{joe, registry.RightRead, "/open/doc", ""},                                                                  // inherited
		{joe, registry.RightWrite, "/open/doc", registry.CodeDenied},                                                // nobody said so
		{joe, registry.RightRead, "/team", registry.CodeDenied},                                                     // denied there
		{joe, registry.RightRead, "/team/none/at/all", registry.CodeDenied},                                         // and below, be it there or not
		{joe, registry.RightRead, "/open/none", ""},                                                                 // the use case says that nothing is there
		{joe, registry.RightRead, "/team/plan/public", ""},                                                          // by anonymous
		{nobody, registry.RightRead, "/team/plan/public", ""},                                                       //
		{nobody, registry.RightRead, "/open/doc", registry.CodeUnauthenticated},                                     //
		{ann, registry.RightWrite, "/team/new", ""},                                                                 // below what allows
		{ann, registry.RightDelete, "/team/new", registry.CodeDenied},                                               // another right
		{ann, registry.RightRead, "/team/plan/secret", registry.CodeDenied},                                         // nearer denial
		{ann, registry.RightRead, "/team/plan/public", ""},                                                          // nearer still
		{ann, registry.RightWrite, "/team/plan/public", registry.CodeDenied},                                        // each right by itself
		{bob, registry.RightRead, "/team/plan/secret", ""},                                                          // one role is enough
		{bob, registry.RightWrite, "/team/plan/secret", registry.CodeDenied},                                        //
		{scoped, registry.RightRead, "/team/plan/secret", ""},                                                       //
		{scoped, registry.RightRead, "/team", registry.CodeDenied},                                                  // bob may, the token may not
		{scoped, registry.RightWrite, "/team/plan/new", registry.CodeDenied},                                        //
		{bounded, registry.RightRead, "/team/plan/secret", ""},                                                      //
		{bounded, registry.RightWrite, "/team/plan/secret", registry.CodeDenied},                                    // nor an administrator's
		{scoped, registry.RightRead, "/team/planned", registry.CodeDenied},                                          // not a prefix of the name
		{registry.Actor{User: "eve", Roles: []registry.ID{{9}}}, registry.RightWrite, "/team", registry.CodeDenied}, // a role that is gone
	} {
		err := authorizer.Authorize(t.Context(), c.who, c.right, c.p)
		if got := registry.CodeOf(err); got != c.want {
			t.Errorf("%q %s %s: code %q, want %q: %v", c.who.User, c.right, c.p, got, c.want, err)
		}
	}
	// What use cases need: the right that each names, and 403 whether something is there or not.
	_, err := n.svc.Get(t.Context(), ann, "/team/plan/secret", registry.Freshness{})
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.Get(t.Context(), ann, "/team/plan/nothing", registry.Freshness{})
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.Get(t.Context(), ann, "/team/nothing", registry.Freshness{})
	wantCode(t, err, registry.CodeNotFound)
	_, err = n.svc.Put(t.Context(), joe, registry.PutInput{Path: "/open/doc", Body: strings.NewReader("y")})
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.Delete(t.Context(), ann, "/team/plan/public", registry.Precondition{})
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.SetPermissions(t.Context(), ann, "/team", nil, registry.Precondition{})
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.Permissions(t.Context(), ann, "/team")
	wantCode(t, err, registry.CodeDenied)
}

func testExplain(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	dev := n.role(t, "dev")
	n.store(t, "/a/b/c", "x")
	n.grant(t, "/a", "dev +read,authorize", "everyone -read")
	n.grant(t, "/a/b", "dev -read")
	for _, u := range []registry.User{{Name: "ann", Roles: []registry.ID{dev}}, {Name: "joe"}, {Name: "left", Disabled: true}, {Name: "root", Roles: []registry.ID{registry.RoleAdmin}}} {
		if _, err := n.AddUser(t.Context(), op(), u); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		user   string
		p      registry.Path
		right  registry.Right
		want   bool
		reason string
	}{
		{"ann", "/a", registry.RightRead, true, "the role dev is allowed to read at /a"},
		{"ann", "/a/b/c", registry.RightRead, false, "the role dev is denied to read at /a/b, and no other role of the user is allowed to"},
		{"ann", "/a/b/c", registry.RightAuthorize, true, "the role dev is allowed to authorize at /a"},
		{"ann", "/a/b/c", registry.RightWrite, false, "no role of the user is allowed to write here"},
		{"joe", "/a/none", registry.RightRead, false, "the role everyone is denied to read at /a, and no other role of the user is allowed to"},
		{"joe", "/else", registry.RightRead, true, "the role everyone is allowed to read at /"},
		{"left", "/else", registry.RightRead, false, "the user is disabled"},
		{"root", "/a/b/c", registry.RightDelete, true, "the role admin may do everything"},
	} {
		x, err := n.svc.Explain(t.Context(), admin, c.p, c.user, c.right)
		if err != nil || x.Allowed != c.want || x.Reason != c.reason {
			t.Errorf("%s %s %s: %+v, %v; want %v, %q", c.user, c.right, c.p, x, err, c.want, c.reason)
		}
	}
	ann, joe := registry.Actor{User: "ann", Roles: []registry.ID{dev}}, registry.Actor{User: "joe"}
	_, err := n.svc.Explain(t.Context(), ann, "/a/b", "joe", registry.RightRead) // ann may authorize there
	wantCode(t, err, "")
	_, err = n.svc.Explain(t.Context(), joe, "/a/b", "joe", registry.RightRead)
	wantCode(t, err, "")
	_, err = n.svc.Explain(t.Context(), joe, "/a/b", "ann", registry.RightRead)
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.Explain(t.Context(), admin, "/a/b", "nobody", registry.RightRead)
	wantCode(t, err, registry.CodeNotFound)

	perms, err := n.svc.Permissions(t.Context(), ann, "/a/b")
	if got := fmt.Sprint(perms.Entries, perms.Inherited); err != nil || got != "[{dev 0 1}] [{/a [{dev 9 0} {everyone 0 1}]} {/ [{everyone 1 0}]}]" {
		t.Errorf("permissions of /a/b: %s, %v", got, err)
	}
	again, err := n.svc.SetPermissions(t.Context(), ann, "/a/b", perms.Entries, registry.Precondition{Match: []string{perms.ETag}})
	if err != nil || again.ETag != perms.ETag {
		t.Errorf("the same entries again: %+v, %v", again, err)
	}
	if _, err = n.svc.SetPermissions(t.Context(), ann, "/a/b", nil, registry.Precondition{Match: []string{perms.ETag}}); err != nil {
		t.Error(err)
	}
	_, err = n.svc.SetPermissions(t.Context(), ann, "/a/b", nil, registry.Precondition{Match: []string{perms.ETag}})
	wantCode(t, err, registry.CodePrecondition)
	for name, list := range map[string][]registry.RoleEntry{
		"unknown role": {{Role: "nobody", Allow: 1}}, "twice": {{Role: "dev", Allow: 1}, {Role: "dev", Allow: 2}},
		"both": {{Role: "dev", Allow: 1, Deny: 3}}, "admin": {{Role: "admin", Deny: 1}},
	} {
		if _, err := n.svc.SetPermissions(t.Context(), admin, "/a", list, registry.Precondition{}); registry.CodeOf(err) != registry.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = n.svc.SetPermissions(t.Context(), admin, "/none", nil, registry.Precondition{})
	wantCode(t, err, registry.CodeNotFound)
}

// testEntriesMove: entries belong to the node, not to its name.
func testEntriesMove(t *testing.T, fresh func(testing.TB) Database) {
	nodes := guardedNodes(t, fresh, 2)
	joe := registry.Actor{User: "joe"}
	nodes[0].store(t, "/d/doc", "one")
	nodes[0].grant(t, "/d/doc", "everyone -read")
	if nodes[1].may(joe, "/d/doc") {
		t.Error("the entry of the other store does not count")
	}
	if _, err := nodes[1].svc.Delete(t.Context(), admin, "/d/doc", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	nodes[1].store(t, "/d/doc", "two")
	for i, n := range nodes {
		if !n.may(joe, "/d/doc") {
			t.Errorf("store %d: what has the name now has the entries of what had it before", i)
		}
	}
}

// testRevocation: as soon as a revocation is acknowledged, no other store answers; what was read by then was allowed.
func testRevocation(t *testing.T, fresh func(testing.TB) Database) {
	nodes := guardedNodes(t, fresh, 3)
	dev := nodes[0].role(t, "dev")
	joe := registry.Actor{User: "joe", Roles: []registry.ID{dev}}
	nodes[0].store(t, "/s/doc", "x")
	for i := range max(rounds(1000), 30) {
		// The entry is on the collection, on the document and on the root in turn.
		p := []registry.Path{"/s", "/s/doc", "/"}[i%3]
		nodes[0].grant(t, p, "dev +read")
		for k, n := range nodes {
			if !n.may(joe, "/s/doc") {
				t.Fatalf("round %d: store %d refuses what was allowed at %s", i, k, p)
			}
		}
		nodes[0].grant(t, p)
		nodes[0].grant(t, "/") // everyone lost the right, too
		for k, n := range nodes {
			if n.may(joe, "/s/doc") {
				t.Fatalf("round %d: store %d allows what was taken away at %s", i, k, p)
			}
			page, err := n.svc.List(t.Context(), admin, "/s", "", 10, registry.Freshness{})
			if err != nil || len(page.Entries) != 1 {
				t.Fatalf("round %d: store %d lists %d entries: %v", i, k, len(page.Entries), err)
			}
		}
	}
	// While a permission is given and taken away, and what is written while it is away, a reader sees nothing of what was written so.
	nodes[0].grant(t, "/s", "dev +read")
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var given atomic.Int64 // the last round after which the right was given back
	given.Store(-1)
	for _, n := range nodes[1:] {
		readers.Go(func() {
			for ctx.Err() == nil {
				r, err := n.svc.Get(context.Background(), joe, "/s/doc", registry.Freshness{})
				var k int64
				if err != nil || !strings.HasPrefix(r.Meta.Description, "secret") {
					continue
				}
				// Who has the right again may see what was there: older versions are readable, too.
				if _, err := fmt.Sscanf(r.Meta.Description, "secret %d", &k); err != nil || k > given.Load() {
					t.Errorf("read %q without the right to: %v", r.Meta.Description, err)
				}
			}
		})
	}
	describe := func(text string) {
		if _, err := nodes[0].svc.UpdateMeta(t.Context(), admin, registry.MetaInput{Path: "/s/doc", Description: &text}); err != nil {
			t.Error(err)
		}
	}
	for i := range max(rounds(150), 20) {
		nodes[0].grant(t, "/s")
		describe(fmt.Sprintf("secret %d", i))
		describe("")
		given.Store(int64(i))
		nodes[0].grant(t, "/s", "dev +read")
	}
	stop()
	readers.Wait()
}

func testHidden(t *testing.T, fresh func(testing.TB) Database) {
	nodes := guardedNodes(t, fresh, 2)
	n := nodes[0]
	joe := registry.Actor{User: "joe"}
	const children = 60
	for i := range children {
		n.store(t, registry.Path(fmt.Sprintf("/l/c%02d", i)), fmt.Sprint(i))
		if i%10 != 3 {
			n.grant(t, registry.Path(fmt.Sprintf("/l/c%02d", i)), "everyone -read")
		}
	}
	for _, n := range nodes {
		var names []string
		for cursor := ""; ; {
			page, err := n.svc.List(t.Context(), joe, "/l", cursor, 4, registry.Freshness{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Entries {
				names = append(names, r.Path.Name())
			}
			if len(page.Entries) != 4 && page.Next != "" {
				t.Errorf("a page of %d entries is not the last", len(page.Entries))
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != "c03 c13 c23 c33 c43 c53" {
			t.Errorf("joe sees %s", got)
		}
		page, err := n.svc.List(t.Context(), admin, "/l", "", 100, registry.Freshness{})
		if err != nil || len(page.Entries) != children {
			t.Errorf("the administrator sees %d: %v", len(page.Entries), err)
		}
	}
	nodes[0].grant(t, "/l/c13", "everyone -read")
	page, err := nodes[1].svc.List(t.Context(), joe, "/l", "", 2, registry.Freshness{})
	if err != nil || len(page.Entries) != 2 || page.Entries[1].Path != "/l/c23" {
		t.Errorf("after a revocation on the other store: %v, %v", page.Entries, err)
	}
	scoped := admin
	scoped.Scope = &registry.Scope{Rights: registry.AllRights, Paths: []registry.Path{"/l"}}
	if page, err := n.svc.List(t.Context(), scoped, "/l", "", 100, registry.Freshness{}); err != nil || len(page.Entries) != children {
		t.Errorf("a token for /l sees %d: %v", len(page.Entries), err)
	}
}

func testTree(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	dev, ops := n.role(t, "dev"), n.role(t, "ops")
	ann := registry.Actor{User: "ann", Roles: []registry.ID{dev}}
	bob := registry.Actor{User: "bob", Roles: []registry.ID{dev, ops}}
	for _, p := range []registry.Path{"/t/a/b/keep", "/t/a/b/go", "/t/other", "/u/keep"} {
		n.store(t, p, "x")
	}
	n.grant(t, "/t", "dev +delete", "ops +delete")
	n.grant(t, "/u", "dev -delete")
	n.grant(t, "/t/a/b/keep", "dev -delete")
	_, err := n.svc.Delete(t.Context(), ann, "/t/a", registry.Precondition{})
	wantCode(t, err, registry.CodeDenied)
	_, err = n.svc.Delete(t.Context(), ann, "/t/a/b/go", registry.Precondition{})
	wantCode(t, err, "")
	n.grant(t, "/t/a/b", "ops -delete")
	_, err = n.svc.Delete(t.Context(), bob, "/t/a", registry.Precondition{})
	wantCode(t, err, registry.CodeDenied) // dev is denied at keep, ops above it
	n.grant(t, "/t/a/b")
	_, err = n.svc.Delete(t.Context(), bob, "/t/a", registry.Precondition{})
	wantCode(t, err, "")
	_, err = n.svc.Delete(t.Context(), ann, "/t", registry.Precondition{}) // what is in the trash does not count
	wantCode(t, err, "")
}
