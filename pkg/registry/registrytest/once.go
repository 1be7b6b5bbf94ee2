package registrytest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// by is the actor with an idempotency key for a request.
func by(key, request string) registry.Actor {
	a := actor
	a.Once = registry.NewOnce(a.User, key, request)
	return a
}

func testOnce(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	put := func(n *node, a registry.Actor, p registry.Path, text string) (registry.PutResult, error) {
		return n.svc.Put(context.Background(), a, registry.PutInput{
			Path: p, Body: strings.NewReader(text), If: registry.Precondition{NoneMatch: []string{"*"}},
		})
	}
	// At any node, as often as it comes, also at the same time, and whatever happened since.
	var wg sync.WaitGroup
	answers := make([]registry.PutResult, 12)
	for i := range answers {
		wg.Go(func() {
			res, err := put(nodes[i%2], by("k1", "put"), "/once", "x")
			if err != nil {
				t.Errorf("put %d: %v", i, err)
			}
			answers[i] = res
		})
	}
	wg.Wait()
	nodes[1].put(t, "/once", "another")
	last, err := put(nodes[0], by("k1", "put"), "/once", "x")
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range slices.Concat(answers, []registry.PutResult{last}) {
		first := answers[0].Resource
		r := a.Resource
		if !a.Created || !a.Changed || r.ETag() != first.ETag() || r.Seq != first.Seq || r.Path != "/once" || r.Size != 1 || !r.UpdatedAt.Equal(first.UpdatedAt) ||
			!r.CreatedAt.Equal(first.CreatedAt) || r.Meta.MediaType != first.Meta.MediaType || r.UpdatedBy != actor.User {
			t.Errorf("answer %d is %+v, want %+v", i, a, answers[0])
		}
	}
	if got := nodes[0].get(t, "/once"); got.Version != 2 {
		t.Errorf("it has version %d", got.Version)
	}

	// Another body, request or user under the key.
	_, err = put(nodes[0], by("k1", "put"), "/once", "y")
	wantCode(t, err, registry.CodeKeyReused)
	_, err = put(nodes[0], by("k1", "other"), "/once", "x")
	wantCode(t, err, registry.CodeKeyReused)
	foreign := registry.Actor{User: "other", Once: registry.NewOnce("other", "k1", "put")}
	if _, err = put(nodes[0], foreign, "/theirs", "x"); err != nil {
		t.Errorf("the same key of another user: %v", err)
	}

	// What was refused leaves no answer.
	_, err = put(nodes[0], by("k2", "put"), "/once", "x")
	wantCode(t, err, registry.CodePrecondition)
	nodes[0].remove(t, "/once")
	if res, err := put(nodes[1], by("k2", "put"), "/once", "x"); err != nil || !res.Created {
		t.Errorf("after the refusal: %+v, %v", res, err)
	}

	// A change that changed nothing has an answer, too.
	nodes[0].put(t, "/same", "x")
	same := registry.PutInput{Path: "/same"}
	for i := range 2 {
		same.Body = strings.NewReader("x")
		res, err := nodes[i].svc.Put(t.Context(), by("k3", "put"), same)
		if err != nil || res.Changed || res.Resource.Version != 1 {
			t.Errorf("time %d: %+v, %v", i, res, err)
		}
		nodes[0].put(t, "/same", "changed")
	}

	testOnceElsewhere(t, nodes)
}

// testOnceElsewhere: the other changes, each twice.
func testOnceElsewhere(t *testing.T, nodes []*node) {
	t.Helper()
	n := nodes[0]
	n.put(t, "/e/dir/doc", "x")
	id := n.get(t, "/e/dir").ID
	twice := func(name string, do func(n *node, a registry.Actor) (registry.Seq, error)) {
		t.Helper()
		var first registry.Seq
		for i := range 2 {
			seq, err := do(nodes[i], by(name, name))
			if err != nil {
				t.Errorf("%s, time %d: %v", name, i, err)
			}
			if i > 0 && seq != first {
				t.Errorf("%s took effect at %v and at %v", name, first, seq)
			}
			first = seq
			n.put(t, "/e/noise", name)
		}
	}
	twice("copy", func(n *node, a registry.Actor) (registry.Seq, error) {
		res, err := n.svc.Copy(t.Context(), a, registry.MoveInput{From: "/e/dir", To: "/e/copy"})
		return res.Resource.Seq, err
	})
	twice("move", func(n *node, a registry.Actor) (registry.Seq, error) {
		res, err := n.svc.Move(t.Context(), a, registry.MoveInput{From: "/e/dir", To: "/e/moved"})
		if res.Resource.ID != id {
			t.Errorf("moved %+v", res.Resource)
		}
		return res.Resource.Seq, err
	})
	twice("delete", func(n *node, a registry.Actor) (registry.Seq, error) {
		return n.svc.Delete(t.Context(), a, "/e/moved", registry.Precondition{})
	})
	twice("undelete", func(n *node, a registry.Actor) (registry.Seq, error) {
		res, err := n.svc.Undelete(t.Context(), a, id, "/e/back")
		return res.Resource.Seq, err
	})
	n.remove(t, "/e/back")
	twice("purge", func(n *node, a registry.Actor) (registry.Seq, error) {
		return n.svc.Purge(t.Context(), a, "/e", id)
	})
	if got := names(t, n, "/e"); got != "collection copy,resource noise," {
		t.Errorf("at the end there is %s", got)
	}
}
