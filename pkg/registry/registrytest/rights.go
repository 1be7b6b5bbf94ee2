package registrytest

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// asked is an authorizer that notes what it is asked, and refuses what it is told to.
type asked struct {
	registry.SignedIn

	mu     sync.Mutex
	seen   []string
	refuse string
}

func (x *asked) Authorize(_ context.Context, _ registry.Actor, r registry.Right, p registry.Path) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	question := [...]string{"", "read", "write", "delete", "authorize"}[r] + " " + p.String()
	x.seen = append(x.seen, question)
	if question == x.refuse {
		return registry.Errorf(registry.CodeDenied, "refused: %s", question)
	}
	return nil
}

func (x *asked) AuthorizeRead(ctx context.Context, a registry.Actor, r registry.Resource) error {
	return x.Authorize(ctx, a, registry.RightRead, r.Path)
}

func (x *asked) AuthorizeTree(ctx context.Context, a registry.Actor, r registry.Right, p registry.Path) error {
	return x.Authorize(ctx, a, r, p)
}

func (x *asked) Gone(ctx context.Context, a registry.Actor, r registry.Right, _ registry.Store, entries []registry.Place, _ bool) ([]bool, error) {
	return authorize(x.Authorize).each(ctx, a, r, entries), nil
}

// authorize is [registry.Authorizer.Authorize].
type authorize func(context.Context, registry.Actor, registry.Right, registry.Path) error

// each asks for a right on each of some places.
func (may authorize) each(ctx context.Context, a registry.Actor, r registry.Right, places []registry.Place) []bool {
	all := make([]bool, len(places))
	for i, place := range places {
		all[i] = may(ctx, a, r, place.Path) == nil
	}
	return all
}

// testRights: each change of the tree asks for the rights it needs, and without any one of them it changes nothing.
func testRights(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	mounts, err := registry.NewMounts(registry.Mount{Path: registry.Root, Store: n.Store, Target: registry.Root})
	if err != nil {
		t.Fatal(err)
	}
	ask := &asked{}
	svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: ask})
	ctx := t.Context()
	n.put(t, "/gone/x", "x")
	n.remove(t, "/gone/x")
	gone := n.trash(t, "/gone", 1)[0].ID
	round := 0
	to := func() registry.Path { return registry.Path("/to/" + strconv.Itoa(round)) }
	for _, c := range []struct {
		name  string
		needs []string // "TO" stands for a new path each time
		do    func() error
	}{
		{"rename", []string{"write /from/doc", "write /from/TO"}, func() error {
			_, err := svc.Move(ctx, actor, registry.MoveInput{From: "/from/doc", To: registry.Path("/from/" + strconv.Itoa(round))})
			return err
		}},
		{"move", []string{"read /from/doc", "delete /from/doc", "write /to/TO"}, func() error {
			_, err := svc.Move(ctx, actor, registry.MoveInput{From: "/from/doc", To: to()})
			return err
		}},
		{"move over", []string{"read /from/doc", "delete /from/doc", "write /to/TO", "delete /to/TO"}, func() error {
			_, err := svc.Move(ctx, actor, registry.MoveInput{From: "/from/doc", To: to(), Overwrite: true})
			return err
		}},
		{"copy", []string{"read /from", "write /to/TO"}, func() error {
			_, err := svc.Copy(ctx, actor, registry.MoveInput{From: "/from", To: to()})
			return err
		}},
		{"link", []string{"write /to/TO"}, func() error {
			_, err := svc.Link(ctx, actor, registry.LinkInput{Path: to(), Target: "/from"})
			return err
		}},
		{"read over a link", []string{"read /l/doc", "read /from/doc"}, func() error {
			_, err := svc.Get(ctx, actor, "/l/doc", registry.Freshness{})
			return err
		}},
		{"content over a link", []string{"read /l/doc", "read /from/doc"}, func() error {
			_, _, content, err := svc.Open(ctx, actor, "/l/doc", 0, registry.Freshness{})
			if err != nil {
				return err
			}
			return content.Close()
		}},
		{"undelete elsewhere", []string{"write /to/TO", "read /gone/x", "delete /gone/x"}, func() error {
			_, err := svc.Undelete(ctx, actor, gone, to())
			if err == nil { // for the next round
				_, err = n.svc.Move(ctx, actor, registry.MoveInput{From: to(), To: "/gone/x"})
				n.remove(t, "/gone/x")
			}
			return err
		}},
		{"purge", []string{"delete /", "delete /gone/x"}, func() error {
			_, err := svc.Purge(ctx, actor, "/", gone)
			return err
		}},
		{"batch", []string{"write /to/TO", "delete /from/doc"}, func() error {
			_, _, err := svc.Batch(ctx, actor, []registry.Step{
				registry.PutStep(registry.PutInput{Path: to()}, []byte("x")), registry.DeleteStep("/from/doc", registry.Precondition{}),
			})
			return err
		}},
	} {
		for i := range len(c.needs) + 1 { // first with each need refused, then with all granted
			round++
			if _, err := n.svc.Get(ctx, actor, "/from/doc", registry.Freshness{}); err != nil {
				n.put(t, "/from/doc", "x")
			}
			if _, err := n.svc.Look(ctx, actor, "/l", registry.Freshness{}); err != nil {
				if _, err := n.svc.Link(ctx, actor, registry.LinkInput{Path: "/l", Target: "/from"}); err != nil {
					t.Fatal(err)
				}
			}
			before := n.get(t, "/").Seq
			ask.seen, ask.refuse = nil, ""
			if i < len(c.needs) {
				ask.refuse = strings.ReplaceAll(c.needs[i], "TO", strconv.Itoa(round))
			}
			err := c.do()
			// A rename may do with the right to delete, which nobody refuses here.
			allowed := ask.refuse == "" || ask.refuse == "write /from/doc" && c.name == "rename"
			if allowed && err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if allowed {
				continue
			}
			if registry.CodeOf(err) != registry.CodeDenied || !slices.Contains(ask.seen, ask.refuse) {
				t.Errorf("%s without the right to %s: %v; asked for %q", c.name, ask.refuse, err, ask.seen)
			}
			if now := n.get(t, "/").Seq; now.N != before.N && c.name != "copy" { // a copy that ends early has been begun, unseen
				t.Errorf("%s without the right to %s moved the log from %d to %d", c.name, ask.refuse, before.N, now.N)
			}
			n.gone(t, to())
		}
	}
}
