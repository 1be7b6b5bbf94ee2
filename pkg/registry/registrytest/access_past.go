package registrytest

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testGuardedPast: what somebody may read of the past is what they may read now, wherever it is by now.
func testGuardedPast(t *testing.T, fresh func(testing.TB) Database) {
	n := guardedNodes(t, fresh, 1)[0]
	ctx, joe := t.Context(), registry.Actor{User: "joe"}
	ann := registry.Actor{User: "ann", Roles: []registry.ID{n.role(t, "dev")}}
	for _, p := range []registry.Path{"/l/open", "/l/moved", "/l/gone", "/secret/doc"} {
		n.store(t, p, "x")
	}
	n.grant(t, "/l", "dev +read,write,delete")
	n.grant(t, "/l/gone", "everyone -read", "dev -read")
	n.grant(t, "/secret", "everyone -read", "dev -read")
	then := registry.Moment{Seq: n.get(t, "/l/open").Seq.N}
	may := func(a registry.Actor, p registry.Path) registry.Code {
		_, _, err := n.svc.GetPick(ctx, a, p, registry.Pick{At: then}, registry.Freshness{})
		return registry.CodeOf(err)
	}
	names := func(a registry.Actor, want int) {
		t.Helper()
		page, err := n.svc.ListAt(ctx, a, "/l", then, "", 0)
		if err != nil || len(page.Entries) != want {
			t.Errorf("%s sees %v of then: %v", a.User, page.Entries, err)
		}
	}
	if may(joe, "/") != "" || may(joe, "/l/open") != "" || may(joe, "/l/moved") != "" || may(joe, "/l/gone") != registry.CodeDenied || may(joe, "/secret/doc") != registry.CodeDenied {
		t.Error("the past is not as the present while nothing has moved")
	}
	names(joe, 2)
	names(admin, 3)
	if _, err := n.svc.Move(ctx, admin, registry.MoveInput{From: "/l/moved", To: "/secret/moved"}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.svc.Delete(ctx, admin, "/l/gone", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	n.store(t, "/l/moved", "another")
	for _, p := range []registry.Path{"/l/moved", "/l/gone"} {
		if code := may(joe, p); code != registry.CodeDenied {
			t.Errorf("joe reads what was at %s: code %q", p, code)
		}
		if code := may(admin, p); code != "" {
			t.Errorf("the administrator does not read what was at %s: code %q", p, code)
		}
	}
	names(joe, 1)
	names(admin, 3)
	_, err := n.svc.Diff(ctx, joe, registry.DiffInput{Path: "/l/moved", From: registry.Pick{At: then}}, registry.Freshness{})
	wantCode(t, err, registry.CodeDenied)
	// Who may not read all that was there cannot have it made again.
	_, err = n.svc.RestoreTree(ctx, ann, registry.RestoreTreeInput{Path: "/l", At: then})
	wantCode(t, err, registry.CodeDenied)
	n.grant(t, "/secret", "everyone -read", "dev +read,write")
	_, err = n.svc.RestoreTree(ctx, ann, registry.RestoreTreeInput{Path: "/l", At: then})
	wantCode(t, err, registry.CodeDenied) // what is in the trash
	n.store(t, "/l/keep", "x")
	n.grant(t, "/l/keep", "dev -delete")
	_, err = n.svc.SetRetention(ctx, ann, registry.RetentionInput{Path: "/l", Rule: registry.Retention{KeepLast: 1}})
	wantCode(t, err, registry.CodeDenied)
	n.grant(t, "/l/keep")
	_, err = n.svc.SetRetention(ctx, ann, registry.RetentionInput{Path: "/l", Rule: registry.Retention{KeepLast: 1}})
	wantCode(t, err, "")
	_, err = n.svc.RestoreTree(ctx, admin, registry.RestoreTreeInput{Path: "/l", At: then})
	wantCode(t, err, "")
	if n.may(joe, "/l/gone") {
		t.Error("what came back has lost its permissions")
	}
}
