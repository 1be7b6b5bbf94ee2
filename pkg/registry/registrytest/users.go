package registrytest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// Users, roles, sessions and tokens; and permissions across mounts.

// testAccessMounts: what a mount point inherits is what the registry has above it, not its store.
func testAccessMounts(t *testing.T, fresh func(testing.TB) Database) {
	home, other := open(t, fresh, 1)[0], open(t, fresh, 1)[0]
	mounts := []registry.Mount{
		{Path: "/_system/governance", Store: home, Target: "/g"},
		{Path: "/_system/local", Store: other, Target: "/deep/place"},
		{Path: "/_system/governance/in", Store: other, Target: "/in"},
	}
	n := guarded(t, home.Store, mounts...)
	for _, p := range []registry.Path{"/_system/governance/doc", "/_system/local/doc", "/_system/governance/in/doc"} {
		n.store(t, p, "x")
	}
	// Entries in the stores above the mounted places are of no account.
	for _, s := range []*node{home, other} {
		g := guarded(t, s.Store)
		_, err := g.AddRole(t.Context(), op(), registry.Role{Name: "dev"})
		if err != nil {
			t.Fatal(err)
		}
	}
	plain := guarded(t, other.Store)
	plain.grant(t, "/deep", "everyone -read")
	joe := registry.Actor{User: "joe"}
	sees := func() string {
		var list []bool
		for _, p := range []registry.Path{"/", "/_system", "/_system/governance/doc", "/_system/local/doc", "/_system/governance/in/doc"} {
			list = append(list, n.may(joe, p))
		}
		return fmt.Sprint(list)
	}
	expect := func(what, want string) {
		t.Helper()
		if got := sees(); got != want {
			t.Errorf("%s: joe sees %s, want %s", what, got, want)
		}
	}
	expect("at first", "[true true true true true]")
	n.grant(t, "/_system", "everyone -read")
	expect("denied at a path that no store has", "[true false false false false]")
	n.grant(t, "/_system/governance", "everyone +read")
	expect("allowed at a mount point", "[true false true false true]")
	n.grant(t, "/_system/governance/in", "everyone -read")
	expect("denied at a mount point inside it", "[true false true false false]")
	page, err := n.svc.List(t.Context(), joe, "/_system/governance", "", 10, registry.Freshness{})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Path != "/_system/governance/doc" {
		t.Errorf("joe's list of the mount: %v, %v", page.Entries, err)
	}
	n.grant(t, "/", "everyone -read")
	n.grant(t, "/_system")
	expect("denied at the root", "[false false true false false]")
	perms, err := n.svc.Permissions(t.Context(), admin, "/_system/governance/in/doc")
	if got := fmt.Sprint(perms.Entries, perms.Inherited); err != nil ||
		got != "[] [{/_system/governance/in [{everyone 0 1}]} {/_system/governance [{everyone 1 0}]} {/ [{everyone 0 1}]}]" {
		t.Errorf("entries above: %s, %v", got, err)
	}
}

// testAccessStatements: who is no administrator costs no statement more, at rest.
func testAccessStatements(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	n.store(t, "/a/b/doc", "x")
	n.grant(t, "/a", "everyone +read")
	read := func(a registry.Actor) int64 {
		before := n.Statements()
		if _, err := n.svc.Get(t.Context(), a, "/a/b/doc", registry.Freshness{}); err != nil {
			t.Fatal(err)
		}
		return n.Statements() - before
	}
	if sent := read(registry.Actor{User: "joe"}); sent > 5 {
		t.Errorf("the first read took %d statements", sent)
	}
	seen := n.position(t)
	if sent := read(registry.Actor{User: "joe", Seen: seen}); sent != 0 {
		t.Errorf("a read of what is known took %d statements beyond that for the actor", sent)
	}
}

// testAccessAllocations: permissions that are in memory cost next to no garbage.
func testAccessAllocations(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	n.store(t, "/a/b/doc", "x")
	n.grant(t, "/a", "everyone +read")
	seen := n.position(t)
	read := func(a registry.Actor) {
		if _, err := n.svc.Get(t.Context(), a, "/a/b/doc", registry.Freshness{}); err != nil {
			t.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(100, func() { read(registry.Actor{User: "joe", Seen: seen}) })
	plain := testing.AllocsPerRun(100, func() { read(registry.Actor{User: "admin", Roles: admin.Roles, Seen: seen}) })
	if allocs-plain > 30 {
		t.Errorf("permissions of a path of three names cost %v allocations a read", allocs-plain)
	}
}

// position is the state of the store.
func (n *node) position(t testing.TB) registry.Seq {
	t.Helper()
	r, err := n.Get(context.Background(), "/", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Seq
}

func testUsers(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	roles, err := nodes[0].Roles(ctx)
	if err != nil || len(roles) != 3 || roles[0].ID != registry.RoleAdmin || roles[1].ID != registry.RoleAnonymous || roles[2].ID != registry.RoleEveryone {
		t.Fatalf("a fresh store has the roles %+v: %v", roles, err)
	}
	dev, err := nodes[0].AddRole(ctx, op(), registry.Role{Name: "dev", Description: "Developers", Grants: registry.GrantServer})
	if err != nil || dev.ID.IsZero() {
		t.Fatal(err)
	}
	_, err = nodes[1].AddRole(ctx, op(), registry.Role{Name: "dev"})
	wantCode(t, err, registry.CodeConflict)
	ann, err := nodes[0].AddUser(ctx, op(), registry.User{Name: "ann", Password: "1", Email: "ann@example.org", FullName: "Ann", Roles: []registry.ID{dev.ID}})
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, want registry.User) {
		t.Helper()
		for _, n := range nodes {
			for range 2 {
				u, err := n.UserByName(ctx, "ann")
				want.Seq = u.Seq
				if err != nil || !reflect.DeepEqual(u, want) {
					t.Errorf("%s: %+v, want %+v: %v", what, u, want, err)
				}
			}
		}
	}
	ann.Grants = registry.GrantServer
	same("made", ann)
	change := func(f func(*registry.User)) error {
		return nodes[1].ChangeUser(ctx, op(), "ann", func(u registry.User, _ int) (registry.UserChange, error) {
			f(&u)
			return registry.UserChange{User: u}, nil
		})
	}
	if err := change(func(u *registry.User) {
		u.Email, u.Roles, u.Disabled = "a@example.org", []registry.ID{registry.RoleAdmin, dev.ID}, true
	}); err != nil {
		t.Fatal(err)
	}
	ann.Email, ann.Disabled, ann.Roles = "a@example.org", true, []registry.ID{registry.RoleAdmin, dev.ID}
	same("changed", ann)
	if err := nodes[0].ChangeRole(ctx, op(), "dev", func(r registry.Role) (registry.Role, error) { r.Grants = registry.GrantUsers; return r, nil }); err != nil {
		t.Fatal(err)
	}
	ann.Grants = registry.GrantUsers
	same("with another right of the role", ann)
	if err := nodes[0].DeleteRole(ctx, op(), "dev", func(registry.Role) error { return nil }); err != nil {
		t.Fatal(err)
	}
	ann.Grants, ann.Roles = 0, []registry.ID{registry.RoleAdmin}
	same("without the role", ann)
	wantCode(t, nodes[0].DeleteRole(ctx, op(), "dev", nil), registry.CodeNotFound)
	// A role that is gone is given to nobody.
	if err := change(func(u *registry.User) { u.Roles = append(slices.Clone(u.Roles), dev.ID) }); err != nil {
		t.Fatal(err)
	}
	same("given a role that is gone", ann)
	wantCode(t, touchUser(nodes[0], "nobody"), registry.CodeNotFound)
	for i := range 5 {
		if _, err := nodes[0].AddUser(ctx, op(), registry.User{Name: fmt.Sprintf("u%d", i), Roles: []registry.ID{registry.RoleAdmin}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := nodes[0].AddUser(ctx, op(), registry.User{Name: "u9"}); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[string]string{"": "[ann u0]", "ann": "[u0 u1]", "u3": "[u4]", "u4": "[]"} {
		members, err := nodes[1].Members(ctx, registry.RoleAdmin, after, 2)
		names := []string{}
		for _, u := range members {
			names = append(names, u.Name)
			if !slices.Equal(u.Roles, []registry.ID{registry.RoleAdmin}) {
				t.Errorf("the member %+v", u)
			}
		}
		if err != nil || fmt.Sprint(names) != want {
			t.Errorf("administrators after %q: %v, want %s: %v", after, names, want, err)
		}
	}
	if members, err := nodes[1].Members(ctx, dev.ID, "", 2); err != nil || len(members) != 0 {
		t.Errorf("members of a role that is gone: %+v, %v", members, err)
	}
	page, err := nodes[1].Users(ctx, "ann", 3)
	if err != nil || len(page) != 3 || page[0].Name != "u0" || page[2].Name != "u2" || len(page[1].Roles) != 1 {
		t.Errorf("users after ann: %+v, %v", page, err)
	}
	if err := nodes[0].DeleteUser(ctx, op(), "ann", func(registry.User, int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	_, err = nodes[1].UserByName(ctx, "ann")
	wantCode(t, err, registry.CodeNotFound)
	_, err = nodes[1].UserByID(ctx, ann.ID, registry.Freshness{})
	wantCode(t, err, registry.CodeNotFound)
}

func touchUser(n *node, name string) error {
	return n.ChangeUser(context.Background(), op(), name, func(u registry.User, _ int) (registry.UserChange, error) {
		return registry.UserChange{User: u}, nil
	})
}

// testAdmins: two administrators who remove each other at once leave one.
func testAdmins(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	if has, err := nodes[0].HasAdmin(ctx); has || err != nil {
		t.Errorf("a fresh store has an administrator: %v, %v", has, err)
	}
	last := registry.Errorf(registry.CodeConflict, "the last")
	for round := range 10 {
		names := [2]string{fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)}
		for _, name := range names {
			if _, err := nodes[0].AddUser(ctx, op(), registry.User{Name: name, Roles: []registry.ID{registry.RoleAdmin}}); err != nil {
				t.Fatal(err)
			}
		}
		errs := make(chan error, 2)
		for i, n := range nodes {
			go func() {
				errs <- n.DeleteUser(context.Background(), op(), names[i], func(_ registry.User, others int) error {
					if others == 0 {
						return last
					}
					return nil
				})
			}()
		}
		first, second := <-errs, <-errs
		if (first == nil) == (second == nil) {
			t.Fatalf("round %d: %v, %v; want one of them refused", round, first, second)
		}
		if has, err := nodes[1].HasAdmin(ctx); !has || err != nil {
			t.Fatalf("no administrator is left: %v", err)
		}
		for _, name := range names {
			err := nodes[0].DeleteUser(ctx, op(), name, func(registry.User, int) error { return nil })
			if err != nil {
				wantCode(t, err, registry.CodeNotFound)
			}
		}
	}
}

func testCredentials(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	ann, err := nodes[0].AddUser(ctx, op(), registry.User{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i := range 4 {
		x := registry.Session{
			Token: registry.Hash{byte(i + 1)}, User: ann.ID, CreatedAt: now.Add(time.Duration(i)), ExpiresAt: now.Add(time.Hour), Address: "192.0.2.1", Agent: "browser",
		}
		if err := nodes[i%2].CreateSession(ctx, x, ann.Password, 4); err != nil {
			t.Fatal(err)
		}
	}
	open := func(n *node) string {
		var s strings.Builder
		for i := range 4 {
			if _, err := n.SessionByToken(ctx, registry.Hash{byte(i + 1)}); err == nil {
				fmt.Fprint(&s, i)
			}
		}
		return s.String()
	}
	expect := func(what, want string) {
		t.Helper()
		for i, n := range nodes {
			if got := open(n) + open(n); got != want+want {
				t.Errorf("%s: store %d has the sessions %s, want %s", what, i, got, want)
			}
		}
	}
	expect("at first", "0123")
	// A sign-in that was checked against a password which somebody has replaced meanwhile opens nothing.
	late := registry.Session{Token: registry.Hash{9}, User: ann.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	wantCode(t, nodes[0].CreateSession(ctx, late, "the password before", 1), registry.CodeUnauthenticated)
	late.User = registry.ID{7}
	wantCode(t, nodes[0].CreateSession(ctx, late, ann.Password, 1), registry.CodeUnauthenticated)
	_, err = nodes[1].SessionByToken(ctx, late.Token)
	wantCode(t, err, registry.CodeNotFound)
	list, err := nodes[1].Sessions(ctx, ann.ID, 10)
	if err != nil || len(list) != 4 || list[0].Address != "192.0.2.1" || list[0].Agent != "browser" {
		t.Fatalf("sessions: %+v, %v", list, err)
	}
	wantCode(t, nodes[0].EndSession(ctx, op(), registry.ID{7}, registry.Session{Token: registry.Hash{1}}.PublicID()), registry.CodeNotFound)
	if err := nodes[0].EndSession(ctx, op(), ann.ID, registry.Session{Token: registry.Hash{1}}.PublicID()); err != nil {
		t.Fatal(err)
	}
	expect("one ended", "123")
	end := func(keep registry.Hash) {
		t.Helper()
		err := nodes[0].ChangeUser(ctx, op(), "ann", func(u registry.User, _ int) (registry.UserChange, error) {
			return registry.UserChange{User: u, EndSessions: true, KeepSession: keep}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	end(registry.Hash{3})
	expect("others ended", "2")
	end(registry.Hash{})
	expect("all ended", "")

	scope := registry.Scope{Rights: registry.RightsOf(registry.RightRead), Paths: []registry.Path{"/a", "/b/c"}, Manage: true}
	made, err := nodes[0].AddToken(ctx, op(), registry.Token{
		Hash: registry.Hash{1}, User: ann.ID, Name: "ci", Hint: "rgt_abcd", Scope: scope, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		for range 2 {
			got, err := n.TokenByHash(ctx, registry.Hash{1})
			made.Seq = got.Seq
			if err != nil || !reflect.DeepEqual(got, made) {
				t.Errorf("the token is %+v, want %+v: %v", got, made, err)
			}
		}
	}
	if _, err := nodes[1].AddToken(ctx, op(), registry.Token{Hash: registry.Hash{2}, User: ann.ID}, 2); err != nil {
		t.Fatal(err)
	}
	_, err = nodes[1].AddToken(ctx, op(), registry.Token{Hash: registry.Hash{3}, User: ann.ID}, 2)
	wantCode(t, err, registry.CodeConflict)
	if err := nodes[1].UseToken(ctx, registry.Hash{1}, now); err != nil {
		t.Fatal(err)
	}
	tokens, err := nodes[0].Tokens(ctx, ann.ID, 10)
	if err != nil || len(tokens) != 2 || !tokens[1].UsedAt.Equal(now) {
		t.Errorf("tokens: %+v, %v", tokens, err)
	}
	wantCode(t, nodes[0].DeleteToken(ctx, op(), registry.ID{7}, made.ID), registry.CodeNotFound)
	if err := nodes[0].DeleteToken(ctx, op(), ann.ID, made.ID); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		_, err := n.TokenByHash(ctx, registry.Hash{1})
		wantCode(t, err, registry.CodeNotFound)
	}
	if _, err := nodes[0].TokenByHash(ctx, registry.Hash{2}); err != nil {
		t.Error(err)
	}
	if err := nodes[1].DeleteUser(ctx, op(), "ann", func(registry.User, int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	_, err = nodes[0].TokenByHash(ctx, registry.Hash{2})
	wantCode(t, err, registry.CodeNotFound)
}
