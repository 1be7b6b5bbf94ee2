package sqlstore

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestTenant_MeetsNoOther(t *testing.T) { testTenants(t, sqliteFile(t)) }

func TestTenant_KeepsOldAccounts(t *testing.T) { testOldAccounts(t, sqliteFile(t), false) }

// written sends statements of a test.
func written(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	err := s.write.within(t.Context(), func(q *txn) error {
		_, err := q.exec(t.Context(), "test", query, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// secondTenant makes the rows of a tenant whose user ann and roles dev and only have the names of others.
func secondTenant(t *testing.T, s *Store) (second tenant, ann, dev registry.ID) {
	t.Helper()
	second, ann, dev = tenant{id: 7, root: registry.ID{0: 7, 15: 1}}, registry.ID{0: 7, 15: 2}, registry.ID{0: 7, 15: 3}
	written(t, s, "INSERT INTO tenant (id, domain, root, created_us) VALUES (?, ?, ?, 1)", second.id, []byte("example.org"), second.root[:])
	written(t, s, "INSERT INTO node (id, parent, name, kind, cur, gen, created_us, created_by) SELECT ?, parent, ?, kind, 1, 1, created_us, created_by FROM node WHERE id = ?",
		second.root[:], []byte("example.org"), rootID[:])
	written(t, s, "INSERT INTO version (node, n, seq, body, meta, size, author, created_us) SELECT ?, n, seq, body, meta, size, author, created_us FROM version WHERE node = ? AND n = 1",
		second.root[:], rootID[:])
	written(t, s, "INSERT INTO account (id, tenant, name, password, disabled, created_us) VALUES (?, ?, ?, ?, 0, 1)", ann[:], second.id, []byte("ann"), []byte("theirs"))
	for i, name := range []string{"dev", "only"} {
		id := dev
		id[15] += byte(i)
		written(t, s, "INSERT INTO role (id, tenant, name, description, grants, created_us) VALUES (?, ?, ?, ?, 1, 1)", id[:], second.id, []byte(name), []byte("theirs"))
	}
	for _, role := range []registry.ID{dev, registry.RoleAdmin} { // not even a wrong row makes theirs the administrator of ours
		written(t, s, "INSERT INTO account_role (account, role) VALUES (?, ?)", ann[:], role[:])
	}
	return second, ann, dev
}

// testTenants: users, roles and paths of one name in two tenants do not meet.
func testTenants(t *testing.T, dsn string) {
	t.Helper()
	ours := testStore(t, Config{DSN: dsn})
	second, theirAnn, theirDev := secondTenant(t, ours)
	theirs := testStore(t, Config{DSN: dsn, tenant: second})
	testTenantUsers(t, ours, theirs, theirAnn, theirDev)
	testTenantRoles(t, ours, theirs, theirDev)
	testTenantRoots(t, ours, theirs)
}

func testTenantUsers(t *testing.T, ours, theirs *Store, theirAnn, theirDev registry.ID) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	op := registry.Op{Actor: registry.Actor{User: "tester"}, At: now}
	missing := func(what string, err error) {
		t.Helper()
		if registry.CodeOf(err) != registry.CodeNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := ours.UserByName(ctx, "ann")
	missing("theirs, by name", err)
	_, err = ours.UserByID(ctx, theirAnn, registry.Freshness{})
	missing("theirs, by id", err)
	missing("a change of theirs", ours.ChangeUser(ctx, op, "ann", func(u registry.User, _ int) (registry.UserChange, error) { return registry.UserChange{User: u}, nil }))
	missing("the end of theirs", ours.DeleteUser(ctx, op, "ann", func(registry.User, int) error { return nil }))
	missing("a password of theirs", ours.SetPassword(ctx, theirAnn, "x"))
	session := registry.Session{Token: registry.Hash{7}, User: theirAnn, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := ours.CreateSession(ctx, session, "theirs", 5); registry.CodeOf(err) != registry.CodeUnauthenticated {
		t.Errorf("a session of theirs: %v", err)
	}
	if has, err := ours.HasAdmin(ctx); has || err != nil {
		t.Errorf("theirs is our administrator: %v", err)
	}

	mine, err := ours.AddUser(ctx, op, registry.User{Name: "ann", Password: "ours", Roles: []registry.ID{registry.RoleAdmin, theirDev}})
	if err != nil {
		t.Fatalf("the name is free here: %v", err)
	}
	if _, err := ours.AddUser(ctx, op, registry.User{Name: "ann"}); registry.CodeOf(err) != registry.CodeConflict {
		t.Errorf("the name again: %v", err)
	}
	if _, err := theirs.AddUser(ctx, op, registry.User{Name: "ann"}); registry.CodeOf(err) != registry.CodeConflict {
		t.Errorf("their name again: %v", err)
	}
	for range 2 { // the second time from memory
		a, errA := ours.UserByName(ctx, "ann")
		b, errB := theirs.UserByName(ctx, "ann")
		if errA != nil || errB != nil || a.ID != mine.ID || a.Password != "ours" || b.ID != theirAnn || b.Password != "theirs" {
			t.Errorf("ann is %+v (%v) here and %+v (%v) there", a, errA, b, errB)
		}
		if !slices.Equal(a.Roles, []registry.ID{registry.RoleAdmin}) {
			t.Errorf("here ann has the roles %v, one of them theirs", a.Roles)
		}
	}
	for s, want := range map[*Store]registry.ID{ours: mine.ID, theirs: theirAnn} {
		if list, err := s.Users(ctx, "", 10); err != nil || len(list) != 1 || list[0].ID != want {
			t.Errorf("the users of tenant %d: %+v, %v", s.tenant.id, list, err)
		}
	}
	err = ours.DeleteUser(ctx, op, "ann", func(_ registry.User, others int) error {
		if others != 0 {
			return fmt.Errorf("there are %d other administrators", others)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := theirs.UserByName(ctx, "ann"); err != nil {
		t.Errorf("theirs is gone with ours: %v", err)
	}
}

func testTenantRoles(t *testing.T, ours, theirs *Store, theirDev registry.ID) {
	t.Helper()
	ctx := t.Context()
	op := registry.Op{Actor: registry.Actor{User: "tester"}, At: time.Now()}
	names := func(s *Store) string {
		list, err := s.Roles(ctx)
		var names []string
		for _, r := range list {
			names = append(names, r.Name)
		}
		return fmt.Sprint(names, err)
	}
	if _, err := ours.AddRole(ctx, op, registry.Role{Name: "dev"}); err != nil {
		t.Errorf("the role's name is free here: %v", err)
	}
	if _, err := theirs.AddRole(ctx, op, registry.Role{Name: "dev"}); registry.CodeOf(err) != registry.CodeConflict {
		t.Errorf("their role's name again: %v", err)
	}
	none := func(registry.Role) error { return nil }
	if err := ours.DeleteRole(ctx, op, "only", none); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("the end of their role: %v", err)
	}
	if err := ours.ChangeRole(ctx, op, "dev", func(r registry.Role) (registry.Role, error) { r.Name = "only"; return r, nil }); err != nil {
		t.Errorf("their other role's name is free here: %v", err)
	}
	if got := names(ours) + names(theirs); got != "[admin anonymous everyone only] <nil>[dev only] <nil>" {
		t.Errorf("the roles are %s", got)
	}
	if err := ours.DeleteRole(ctx, op, "only", none); err != nil {
		t.Error(err)
	}
	list, err := theirs.Roles(ctx)
	if err != nil || len(list) != 2 || list[0].ID != theirDev {
		t.Errorf("their roles are %+v after ours is gone: %v", list, err)
	}
}

func testTenantRoots(t *testing.T, ours, theirs *Store) {
	t.Helper()
	ctx := t.Context()
	mustSet(t, ours, "doc", "ours")
	at := mustSet(t, theirs, "doc", "theirs")
	mustSet(t, theirs, "more", "theirs")
	for range 2 {
		wantText(t, ours, "doc", "ours")
		wantText(t, theirs, "doc", "theirs")
	}
	if _, err := ours.Get(ctx, "/more", registry.Freshness{}); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("theirs is at a path of ours: %v", err)
	}
	r, err := theirs.Get(ctx, "/doc", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[*Store]registry.Path{ours: "", theirs: "/doc"} {
		if places, err := s.places(ctx, []registry.ID{r.ID}); err != nil || places[r.ID].Path != want {
			t.Errorf("their doc stands at %q for tenant %d, want %q: %v", places[r.ID].Path, s.tenant.id, want, err)
		}
		root, err := s.Get(ctx, registry.Root, registry.Freshness{})
		if err != nil || root.ID != s.tenant.root {
			t.Errorf("the root of tenant %d is %s: %v", s.tenant.id, root.ID, err)
		}
		var sent int64
		for range 2 { // the second time from memory
			before := s.Statements()
			if _, err := s.Get(ctx, "/doc", registry.Freshness{Min: root.Seq}); err != nil {
				t.Error(err)
			}
			if p, err := s.Permissions(ctx, registry.Root, nil, registry.Freshness{Min: root.Seq}); err != nil || p.Node != s.tenant.root {
				t.Errorf("the permissions of tenant %d begin at %s: %v", s.tenant.id, p.Node, err)
			}
			sent = s.Statements() - before
		}
		if sent != 0 {
			t.Errorf("what tenant %d has in memory takes %d statements", s.tenant.id, sent)
		}
		_, err = s.Update(ctx, registry.Op{At: time.Now()}, func(tx registry.Tx) error { return tx.Trash(root) })
		if registry.CodeOf(err) != registry.CodeConflict {
			t.Errorf("the root of tenant %d can be deleted: %v", s.tenant.id, err)
		}
		then, err := s.past(ctx, s.read.statements, at.N).get("/doc")
		if err != nil || (then.ID == r.ID) != (s == theirs) {
			t.Errorf("the past of tenant %d has %+v: %v", s.tenant.id, then, err)
		}
	}
}

// testOldAccounts: a database of the version before keeps its users and roles, and its nodes may go on making some. again runs the step once more, as after a
// start that was cut short, which only MySQL needs: SQLite takes a step back as a whole.
func testOldAccounts(t *testing.T, dsn string, again bool) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, Config{Name: "test", DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	const before = 12
	if err := s.migrating(ctx, func(_ *sql.DB, p *goose.Provider) error { _, err := p.UpTo(ctx, before); return err }); err != nil {
		t.Fatal(err)
	}
	dev := registry.ID{15: 9}
	account := func(i byte, name string) {
		t.Helper()
		id := registry.ID{0: 1, 15: i}
		written(t, s, "INSERT INTO account (id, name, password, disabled, created_us) VALUES (?, ?, ?, 0, 5)", id[:], []byte(name), []byte("secret"))
		written(t, s, "INSERT INTO account_role (account, role) VALUES (?, ?)", id[:], dev[:])
	}
	written(t, s, "INSERT INTO role (id, name, description, grants, created_us) VALUES (?, ?, ?, 2, 5)", dev[:], []byte("dev"), []byte("Developers"))
	account(1, "ann")
	account(2, "bob")
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if again {
		written(t, s, "DROP INDEX u_role_name ON role")
		written(t, s, "ALTER TABLE role ADD UNIQUE KEY u_role (name)")
		written(t, s, "DELETE FROM goose_db_version WHERE version_id > ?", before)
		if err := s.Migrate(ctx); err != nil {
			t.Fatalf("the step, again: %v", err)
		}
	}
	account(3, "carl") // by a node that is not replaced yet
	for i, name := range []string{"ann", "bob", "carl"} {
		u, err := s.UserByName(ctx, name)
		if err != nil || u.ID != (registry.ID{0: 1, 15: byte(i + 1)}) || u.Password != "secret" || !slices.Equal(u.Roles, []registry.ID{dev}) || u.Grants != 2 {
			t.Errorf("%s is %+v: %v", name, u, err)
		}
		session := registry.Session{Token: registry.Hash{byte(i)}, User: u.ID, CreatedAt: s.now(), ExpiresAt: s.now().Add(time.Hour)}
		if err := s.CreateSession(ctx, session, "secret", 5); err != nil {
			t.Errorf("a session of %s: %v", name, err)
		}
	}
	if roles, err := s.Roles(ctx); err != nil || len(roles) != 4 || roles[1].Name != "anonymous" || roles[2].Name != "dev" || roles[2].Description != "Developers" {
		t.Errorf("the roles are %+v: %v", roles, err)
	}
	mustSet(t, s, "doc", "new")
	wantText(t, s, "doc", "new")
	var domain, root []byte
	if err := s.read.one(ctx, "test", "SELECT domain, root FROM tenant WHERE id = ?", []any{s.tenant.id}, &domain, &root); err != nil ||
		string(domain) != "carbon.super" || toID(root) != s.root() {
		t.Errorf("the super tenant is %s with the root %x: %v", domain, root, err)
	}
}
