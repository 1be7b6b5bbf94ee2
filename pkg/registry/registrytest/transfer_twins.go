package registrytest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testTwins: the same request comes twice at once, through two nodes. Wherever the one is when the other has done the work, both get one answer.
func testTwins(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	for k, call := range []string{"get", "identity", "update"} {
		from, to := registry.Path(fmt.Sprintf("/a/t%d", k)), registry.Path(fmt.Sprintf("/b/t%d", k))
		n.put(t, from+"/x", "1")
		in, a := registry.MoveInput{From: from, To: to}, by(fmt.Sprint("twins", k), "move")
		var first registry.PutResult
		var once sync.Once
		passed := 0
		x := &tap{at: func(*tap, string, int) error { return nil }}
		svc := pairService(t, &tapped{other.from, x}, &tapped{other.to, x}, 0)
		*x = tap{at: func(_ *tap, c string, _ int) error {
			if c != call {
				return nil
			}
			if passed++; call != "update" || passed == 3 { // the first update looks for an answer, the next one seals
				once.Do(func() { first = must[registry.PutResult](t)(n.svc.Move(context.Background(), a, in)) })
			}
			return nil
		}}
		second, err := svc.Move(t.Context(), a, in)
		if err != nil || first.Resource.ID.IsZero() || second.Resource.ETag() != first.Resource.ETag() || second.Resource.Seq != first.Resource.Seq || second.Changed != first.Changed {
			t.Errorf("in %s: the answers are %+v and %+v: %v", call, first, second, err)
		}
		n.gone(t, from)
		if got := other.text(t, to+"/x", 0); got != "1" {
			t.Errorf("in %s: what was moved holds %q", call, got)
		}
		wantNothingOpen(t, n)
	}
}

// unreachable is a store whose database is away.
type unreachable struct{ registry.Store }

func (unreachable) Identity(context.Context) (registry.ID, error) {
	return registry.ID{}, registry.Errorf(registry.CodeUnavailable, "the database is away")
}

func (unreachable) Transfers(context.Context, bool) ([]registry.Transfer, error) {
	return nil, registry.Errorf(registry.CodeUnavailable, "the database is away")
}

func (unreachable) ClearArrivals(context.Context, registry.ID) error {
	return registry.Errorf(registry.CodeUnavailable, "the database is away")
}

// testRecoveryPastOthers: a store that is away keeps nobody from ending the moves between others.
func testRecoveryPastOthers(t *testing.T, p *pair) {
	n := p.open(t)
	for k, away := range []registry.Path{"/0", "/z"} { // looked at before the others, and after them
		from, to := registry.Path(fmt.Sprintf("/a/t%d", k)), registry.Path(fmt.Sprintf("/b/t%d", k))
		n.put(t, from+"/x", "1")
		x := &tap{at: func(*tap, string, int) error { return nil }}
		mover := pairService(t, &tapped{n.from, x}, &tapped{n.to, x}, time.Nanosecond)
		*x = tap{at: func(x *tap, call string, _ int) error {
			if call == "import" {
				return x.die()
			}
			return nil
		}}
		if _, err := mover.Move(t.Context(), actor, registry.MoveInput{From: from, To: to}); err == nil {
			t.Fatal("the mover lives")
		}
		mounts, err := registry.NewMounts(
			registry.Mount{Path: "/a", Store: n.from, Target: "/in/a"}, registry.Mount{Path: "/b", Store: n.to, Target: "/"},
			registry.Mount{Path: away, Store: unreachable{n.to}, Target: "/"},
		)
		if err != nil {
			t.Fatal(err)
		}
		svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}})
		ended := 0
		for deadline := time.Now().Add(20 * time.Second); ended == 0 && time.Now().Before(deadline); {
			n, err := svc.RecoverTransfers(t.Context())
			wantCode(t, err, registry.CodeUnavailable) // it is told of the store that is away
			ended += n
		}
		if ended != 1 {
			t.Errorf("with %s away %d moves were ended", away, ended)
		}
		wantNothingOpen(t, n)
		n.put(t, from+"/x", "2")
	}
}

// testGapsOnTheWay: what retention removes after a move leaves a gap also where it had removed before the move.
func testGapsOnTheWay(t *testing.T, p *pair) {
	n, ctx := p.open(t), t.Context()
	doc := registry.Path("/a/t/doc")
	for v := range 5 {
		n.put(t, doc, fmt.Sprint("v", v+1))
	}
	label := registry.LabelInput{Path: doc, Name: "first", Version: 1}
	must[registry.LabelResult](t)(n.svc.SetLabel(ctx, actor, label))
	must[registry.Retention](t)(n.svc.SetRetention(ctx, actor, registry.RetentionInput{Path: "/a/t", Rule: registry.Retention{KeepLast: 2}}))
	runRetention(t, n.from)
	moved := must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t", To: "/b/t"}))
	doc = "/b/t/doc"
	node := &node{Store: n.to, svc: n.svc}
	node.wantNumbers(t, map[registry.Path]string{doc: "5 4 1"})
	then := registry.Pick{At: registry.Moment{Seq: moved.Resource.Seq.N}}
	if r, _, err := n.svc.GetPick(ctx, actor, doc, then, registry.Freshness{}); err != nil || r.Version != 5 {
		t.Errorf("as it came it is %+v: %v", r, err)
	}
	n.put(t, doc, "v6")
	n.put(t, doc, "v7")
	runRetention(t, n.to)
	node.wantNumbers(t, map[registry.Path]string{doc: "7 6 1"})
	_, _, err := n.svc.GetPick(ctx, actor, doc, then, registry.Freshness{})
	wantCode(t, err, registry.CodeGone) // not the first version, which is from long before
	then.At.Seq = n.get(t, doc).Seq.N - 1
	if r, _, err := n.svc.GetPick(ctx, actor, doc, then, registry.Freshness{}); err != nil || r.Version < 6 {
		t.Errorf("what is kept is %+v: %v", r, err)
	}
}

func runRetention(t testing.TB, s Store) {
	t.Helper()
	if _, err := s.ApplyRetention(context.Background(), op()); err != nil {
		t.Fatal(err)
	}
}
