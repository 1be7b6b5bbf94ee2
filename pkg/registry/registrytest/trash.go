package registrytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// trash gives all entries that were deleted from p or below it, newest first.
func (n *node) trash(t testing.TB, p registry.Path, limit int) []registry.Deleted {
	t.Helper()
	var all []registry.Deleted
	for cursor := ""; ; {
		page, err := n.svc.Trash(context.Background(), actor, p, cursor, limit)
		if err != nil {
			t.Fatalf("trash of %s: %v", p, err)
		}
		all = append(all, page.Entries...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

func testTrash(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, other := nodes[0], nodes[1]
	n.put(t, "/a/b/doc", "1")
	doc := n.put(t, "/a/b/doc", "2").Resource
	b := n.get(t, "/a/b")
	other.text(t, "/a/b/doc", 0)
	before := time.Now().Add(-time.Minute)
	n.remove(t, "/a/b/doc")
	n.remove(t, "/a/b")
	for i := range 5 {
		n.put(t, "/z", fmt.Sprint(i))
		n.remove(t, "/z")
	}
	for _, limit := range []int{1, 2, 100} {
		all := other.trash(t, "/", limit)
		if len(all) != 7 {
			t.Fatalf("by %d the trash has %d entries", limit, len(all))
		}
		last := all[6]
		if last.ID != doc.ID || last.Path != "/a/b/doc" || last.By != actor.User || last.At.Before(before) || last.Version != 2 || last.Kind != registry.KindResource {
			t.Errorf("the oldest entry is %+v", last)
		}
		if all[5].ID != b.ID || all[5].Path != "/a/b" || all[5].Kind != registry.KindCollection {
			t.Errorf("the second oldest entry is %+v", all[5])
		}
	}
	if some := n.trash(t, "/a", 100); len(some) != 2 {
		t.Errorf("from /a %d entries were deleted", len(some))
	}

	// Its collection is in the trash as well, so another one is made.
	res, err := other.svc.Undelete(t.Context(), actor, doc.ID, "/a/b/doc")
	if err != nil || res.Resource.ID != doc.ID || res.Resource.Version != 2 || !res.Changed {
		t.Fatalf("undelete: %+v, %v", res, err)
	}
	if got := n.text(t, "/a/b/doc", 1); got != "1" || n.get(t, "/a/b").ID == b.ID {
		t.Errorf("after undelete version 1 holds %q", got)
	}
	_, err = n.svc.Undelete(t.Context(), actor, doc.ID, "/a/b/doc2")
	wantCode(t, err, registry.CodeNotFound)
	_, err = n.svc.Undelete(t.Context(), actor, b.ID, "/a/b")
	wantCode(t, err, registry.CodeConflict)
	if _, err := n.svc.Undelete(t.Context(), actor, b.ID, "/c/b"); err != nil {
		t.Fatal(err)
	}
	if got := other.get(t, "/c/b"); got.ID != b.ID {
		t.Errorf("at the other place is %+v", got)
	}

	// Deleted and taken back in one transaction, and a failed one leaves both as they are.
	refusal := errors.New("refused")
	for _, end := range []error{refusal, nil} {
		_, err := n.Update(t.Context(), op(), func(tx registry.Tx) error {
			r, err := tx.Get("/a/b/doc")
			if err != nil {
				return err
			}
			if err := tx.Trash(r); err != nil {
				return err
			}
			root, err := tx.Get("/")
			if err != nil {
				return err
			}
			if _, err := tx.Undelete(r.ID, root, "doc"); err != nil {
				return err
			}
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
		if end != nil {
			other.text(t, "/a/b/doc", 0)
			other.gone(t, "/doc")
		}
	}
	other.gone(t, "/a/b/doc")
	if got := other.text(t, "/doc", 0); got != "2" {
		t.Errorf("after both it holds %q", got)
	}
	if left := n.trash(t, "/", 100); len(left) != 5 {
		t.Errorf("the trash has %d entries at the end", len(left))
	}
}

func testPurge(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	for i := range 600 { // more than one batch of versions
		n.put(t, "/old/versions", fmt.Sprint(i))
	}
	n.put(t, "/old/deep"+registry.Path(strings.Repeat("/d", 100))+"/leaf", "leaf")
	grow(t, n, "/old", BigTree(t, 1500))
	n.put(t, "/young", "young")
	old := n.get(t, "/old")
	n.remove(t, "/old")
	wantCode(t, n.Remove(t.Context(), old.ID), registry.CodeConflict)
	n.remove(t, "/young")
	young := n.trash(t, "/young", 1)[0]

	if count, err := n.svc.PurgeOlder(t.Context(), actor, "/", time.Now().Add(-time.Hour)); err != nil || count != 0 {
		t.Errorf("purged %d entries of an hour ago: %v", count, err)
	}
	_, err := n.svc.Purge(t.Context(), actor, "/elsewhere", old.ID)
	wantCode(t, err, registry.CodeNotFound)
	if _, err := n.svc.Purge(t.Context(), actor, "/old", old.ID); err != nil {
		t.Fatal(err)
	}
	_, err = nodes[1].svc.Undelete(t.Context(), actor, old.ID, "/old")
	wantCode(t, err, registry.CodeNotFound)
	_, err = nodes[1].Version(t.Context(), old.ID, 1)
	wantCode(t, err, registry.CodeNotFound)
	if left := nodes[1].trash(t, "/", 100); len(left) != 1 || left[0].ID != young.ID {
		t.Errorf("the trash has %+v", left)
	}
	if count, err := nodes[1].svc.PurgeOlder(t.Context(), actor, "/", time.Now().Add(time.Hour)); err != nil || count != 1 {
		t.Errorf("purged %d entries: %v", count, err)
	}
	if left := n.trash(t, "/", 100); len(left) != 0 {
		t.Errorf("the trash has %+v", left)
	}

	// The mark is durable; what fails after it promises nothing else.
	n.put(t, "/marked", "x")
	n.put(t, "/marked2", "x")
	n.remove(t, "/marked")
	n.remove(t, "/marked2")
	mounts, err := registry.NewMounts(registry.Mount{Path: registry.Root, Store: unremoving{n.Store}, Target: registry.Root})
	if err != nil {
		t.Fatal(err)
	}
	svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}})
	if _, err := svc.Purge(t.Context(), actor, "/marked", n.trash(t, "/marked", 1)[0].ID); err != nil {
		t.Errorf("purged, and not removed yet: %v", err)
	}
	if count, err := svc.PurgeOlder(t.Context(), actor, "/", time.Now().Add(time.Hour)); err != nil || count != 1 {
		t.Errorf("purged %d entries, not removed yet: %v", count, err)
	}

	// A removal that was cut short: the sweep ends it.
	n.put(t, "/half/x", "x")
	half := n.get(t, "/half").ID
	n.remove(t, "/half")
	if _, err := n.Update(t.Context(), op(), func(tx registry.Tx) error { return tx.Purge(half) }); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[1].SweepTrees(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Version(t.Context(), half, 1); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("after the sweep: %v", err)
	}
}

// unremoving is a store whose database goes away whenever something is to be removed for good.
type unremoving struct{ Store }

func (unremoving) Remove(context.Context, registry.ID) error {
	return registry.Errorf(registry.CodeUnavailable, "the database is away")
}

// testCollect: contents go when the last version that names them is gone, and never one that is named, whoever puts the same content meanwhile.
func testCollect(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	const large = 70_000
	put := func(n *node, p registry.Path, seed uint64, size int64) registry.Hash {
		res, err := n.svc.Put(context.Background(), actor, registry.PutInput{Path: p, Body: noise(seed, size)})
		if err != nil {
			t.Errorf("put %s: %v", p, err)
		}
		return res.Resource.Hash
	}
	purge := func(p registry.Path) {
		n.remove(t, p)
		if _, err := n.svc.Purge(context.Background(), actor, p, n.trash(t, p, 1)[0].ID); err != nil {
			t.Errorf("purge %s: %v", p, err)
		}
	}
	for seed, size := range []int64{10, large} {
		name := registry.Path(fmt.Sprintf("/lone%d", size))
		lone := put(n, name, uint64(seed), size)
		shared := put(n, "/shared", uint64(seed)+10, size)
		put(n, "/keeper", uint64(seed)+10, size)
		purge(name)
		purge("/shared")
		dropped, err := n.SweepTrees(t.Context())
		if err != nil || dropped != 1 {
			t.Fatalf("the sweep dropped %d contents of %d bytes: %v", dropped, size, err)
		}
		_, err = nodes[1].Open(t.Context(), lone)
		wantCode(t, err, registry.CodeNotFound)
		if c, err := nodes[1].Open(t.Context(), shared); err != nil {
			t.Errorf("a content that is named: %v", err)
		} else if err := c.Close(); err != nil {
			t.Error(err)
		}
		wantSum(t, nodes[1], "/keeper", size, noise(uint64(seed)+10, size))
		if again := put(nodes[1], name, uint64(seed), size); again != lone {
			t.Error("another hash")
		}
		wantSum(t, nodes[1], name, size, noise(uint64(seed), size))
	}
	// The same contents are put and purged at once while sweeps run.
	var wg sync.WaitGroup
	done := make(chan struct{})
	for c := range 4 {
		wg.Go(func() {
			n, mine := nodes[c%2], registry.Path(fmt.Sprintf("/race/%d", c))
			for i := range max(rounds(60), 12) {
				seed, size := uint64(100+i%2), int64(large)
				if i%4 < 2 {
					size = 100
				}
				put(n, mine, seed, size)
				wantSum(t, n, mine, size, noise(seed, size))
				id := n.get(t, mine).ID
				n.remove(t, mine)
				if _, err := n.svc.Purge(context.Background(), actor, mine, id); err != nil {
					t.Errorf("purge: %v", err)
				}
			}
		})
	}
	var sweeps sync.WaitGroup
	sweeps.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := nodes[1].SweepTrees(context.Background()); err != nil && registry.CodeOf(err) != registry.CodeUnavailable {
				t.Errorf("sweep: %v", err)
			}
		}
	})
	wg.Wait()
	close(done)
	sweeps.Wait()
}
