package registrytest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testRevokedOnTheWay: who loses a right while a copy or a move is under way gets none of it: neither at the end that is read nor at the one that is written.
func testRevokedOnTheWay(t *testing.T, p *pair) {
	n := p.open(t)
	ctx, ann := t.Context(), registry.Actor{User: "ann"}
	all := registry.RightsOf(registry.RightRead, registry.RightWrite, registry.RightDelete)
	n.put(t, "/a/t/doc", "x")
	n.put(t, "/a/in/other", "x")
	n.put(t, "/b/in/other", "x")
	entries(t, n.to, registry.PathID(registry.Root), []registry.Entry{{Role: registry.RoleEveryone, Allow: all}})
	for name, c := range map[string]struct {
		move  bool
		to    registry.Path
		over  bool
		call  string // in the middle of the work
		at    registry.Path
		right registry.Right
	}{
		"copy, no write":              {to: "/a/in/t", call: "copytree", at: "/a/in", right: registry.RightWrite},
		"copy, no delete":             {to: "/a/in/other", over: true, call: "copytree", at: "/a/in", right: registry.RightDelete},
		"copy, no read":               {to: "/a/in/t", call: "copytree", at: "/a", right: registry.RightRead},
		"copy elsewhere, no write":    {to: "/b/in/t", call: "import", at: "/b/in", right: registry.RightWrite},
		"copy elsewhere, no delete":   {to: "/b/in/other", over: true, call: "import", at: "/b/in", right: registry.RightDelete},
		"move elsewhere, no write":    {move: true, to: "/b/in/t", call: "import", at: "/b/in", right: registry.RightWrite},
		"move elsewhere, no delete":   {move: true, to: "/b/in/other", over: true, call: "import", at: "/b/in", right: registry.RightDelete},
		"move elsewhere, not to read": {move: true, to: "/b/in/t", call: "import", at: "/a", right: registry.RightRead},
		"move elsewhere, not away":    {move: true, to: "/b/in/t", call: "import", at: "/a", right: registry.RightDelete},
	} {
		t.Run(name, func(t *testing.T) {
			store, id := n.from, n.get(t, c.at).ID
			if c.at == "/b/in" {
				store = n.to
			}
			var once sync.Once
			x := &tap{at: func(_ *tap, call string, _ int) error {
				if call == c.call {
					once.Do(func() {
						entries(t, store, id, []registry.Entry{{Role: registry.RoleEveryone, Deny: registry.RightsOf(c.right)}})
					})
				}
				return nil
			}}
			svc := guardedPair(t, n, x)
			do := svc.Copy
			if c.move {
				do = svc.Move
			}
			_, err := do(ctx, ann, registry.MoveInput{From: "/a/t", To: c.to, Overwrite: c.over})
			wantCode(t, err, registry.CodeDenied)
			entries(t, store, id, nil)
			if c.over {
				n.text(t, c.to, 0)
			} else {
				n.gone(t, c.to)
			}
			n.put(t, "/a/t/doc", "y")
			wantNothingOpen(t, n)
		})
	}
}

// guardedPair is the use cases on tapped stores, where permissions count.
func guardedPair(t testing.TB, n *both, x *tap) *registry.Service {
	t.Helper()
	from, to := &tapped{n.from, x}, &tapped{n.to, x}
	mounts, err := registry.NewMounts(registry.Mount{Path: "/a", Store: from, Target: "/in/a"}, registry.Mount{Path: "/b", Store: to, Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	return registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.NewAccess(mounts, to), Directory: n.to, TransferTimeout: time.Minute})
}

func (s *tapped) CopyTree(ctx context.Context, op registry.Op, p registry.Path, c registry.Precondition) (registry.ID, error) {
	return tappedCall(s, "copytree", func() (registry.ID, error) { return s.Store.CopyTree(ctx, op, p, c) })
}
