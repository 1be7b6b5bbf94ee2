package registrytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func (n *node) move(t testing.TB, from, to registry.Path) registry.Resource {
	t.Helper()
	res, err := n.svc.Move(context.Background(), actor, registry.MoveInput{From: from, To: to})
	if err != nil {
		t.Fatalf("move %s to %s: %v", from, to, err)
	}
	return res.Resource
}

func (n *node) gone(t testing.TB, paths ...registry.Path) {
	t.Helper()
	for _, p := range paths {
		_, err := n.svc.Get(context.Background(), actor, p, registry.Freshness{})
		if registry.CodeOf(err) != registry.CodeNotFound {
			t.Errorf("get %s: %v, want not found", p, err)
		}
	}
}

func testMove(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, other := nodes[0], nodes[1]
	n.put(t, "/a/b/doc", "1")
	doc := n.put(t, "/a/b/doc", "2").Resource
	b := other.get(t, "/a/b")
	other.text(t, "/a/b/doc", 0)

	renamed := n.move(t, "/a/b/doc", "/a/b/paper")
	if renamed.ID != doc.ID || renamed.Version != 2 || renamed.Gen == doc.Gen || renamed.Path != "/a/b/paper" || !renamed.CreatedAt.Equal(doc.CreatedAt) {
		t.Errorf("after a rename %+v was %+v", renamed, doc)
	}
	other.gone(t, "/a/b/doc")
	if got := other.text(t, "/a/b/paper", 1); got != "1" {
		t.Errorf("version 1 holds %q after the rename", got)
	}
	if got := other.get(t, "/a/b"); got.Gen != b.Gen+1 {
		t.Errorf("a rename moved the collection's generation from %d to %d", b.Gen, got.Gen)
	}

	moved := n.move(t, "/a/b", "/x/y/b2") // its parents are missing
	other.gone(t, "/a/b", "/a/b/paper")
	if got := other.get(t, "/x/y/b2"); got.ID != b.ID || got.ETag() != moved.ETag() {
		t.Errorf("read %+v, want %+v", got, moved)
	}
	if got := other.text(t, "/x/y/b2/paper", 0); got != "2" {
		t.Errorf("what lies below holds %q", got)
	}
	if again := n.put(t, "/a/b/paper", "new").Resource; again.ID == doc.ID {
		t.Error("the old place still leads to what was moved")
	}
	same, err := n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/x/y/b2", To: "/x/y/b2"})
	if err != nil || same.Changed || same.Resource.ETag() != moved.ETag() {
		t.Errorf("a move to where it is: %+v, %v", same, err)
	}

	for _, c := range []struct {
		in   registry.MoveInput
		code registry.Code
		text string
	}{
		{registry.MoveInput{From: "/x", To: "/x/y/b2/x"}, registry.CodeConflict, "/x/y/b2/x lies below /x"},
		{registry.MoveInput{From: "/x/y/b2", To: "/x", Overwrite: true}, registry.CodeConflict, "/x holds /x/y/b2"},
		{registry.MoveInput{From: "/none", To: "/z"}, registry.CodeNotFound, "nothing is at /none"},
		{registry.MoveInput{From: "/a/b/paper", To: "/x/y/b2"}, registry.CodeConflict, "/x/y/b2 exists already"},
		{registry.MoveInput{From: "/a", To: "/x/y/b2/paper/a"}, registry.CodeConflict, "/x/y/b2/paper is a resource"},
		{registry.MoveInput{From: "/", To: "/z"}, registry.CodeConflict, "cannot be moved"},
		{registry.MoveInput{From: "/a", To: "/"}, registry.CodeConflict, "nothing can be put in its place"},
		{registry.MoveInput{From: "/a", To: "/z", If: registry.Precondition{Match: []string{`"x"`}}}, registry.CodePrecondition, "If-Match"},
	} {
		_, err := n.svc.Move(t.Context(), actor, c.in)
		wantCode(t, err, c.code)
		if !strings.Contains(registry.MessageOf(err), c.text) {
			t.Errorf("%+v: %v, want %q", c.in, err, c.text)
		}
	}
	res, err := n.svc.Move(t.Context(), actor, registry.MoveInput{
		From: "/x/y/b2", To: "/a", Overwrite: true, If: registry.Precondition{Match: []string{moved.ETag()}},
	})
	if err != nil || res.Resource.ID != b.ID {
		t.Fatalf("overwriting gave %+v, %v", res, err)
	}
	other.gone(t, "/a/b", "/x/y/b2")
	if got := other.text(t, "/a/paper", 0); got != "2" {
		t.Errorf("in the place of another it holds %q", got)
	}
	page, err := n.svc.Trash(t.Context(), actor, "/", "", 0)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Path != "/a" {
		t.Errorf("the trash has %+v, %v", page, err)
	}
	system := n.put(t, "/_system/config/x", "x").Resource.Path
	_, err = n.svc.Move(t.Context(), actor, registry.MoveInput{From: system.Parent(), To: "/z"})
	wantCode(t, err, registry.CodeConflict)
}

// testExchange: nodes that change places among each other in one transaction, whatever the order of their rows.
func testExchange(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	a, b, c := n.put(t, "/d/a", "a").Resource, n.put(t, "/d/b", "b").Resource, n.put(t, "/d/c", "c").Resource
	refusal := errors.New("refused")
	circle := func(end error) error {
		_, err := n.Update(t.Context(), op(), func(tx registry.Tx) error {
			d, err := tx.Get("/d")
			if err != nil {
				return err
			}
			for _, step := range [][2]string{{"a", "t"}, {"c", "a"}, {"b", "c"}, {"t", "b"}} {
				r, err := tx.Get(registry.Path("/d/" + step[0]))
				if err != nil {
					return err
				}
				if _, err := tx.Move(r, d, step[1]); err != nil {
					return err
				}
			}
			return end
		})
		return err
	}
	if err := circle(refusal); !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if got := nodes[1].get(t, "/d/a").ID; got != a.ID {
		t.Error("a refused exchange has changed a name")
	}
	if err := circle(nil); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		for name, want := range map[registry.Path]registry.ID{"/d/a": c.ID, "/d/b": a.ID, "/d/c": b.ID} {
			if got := n.get(t, name).ID; got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		n.gone(t, "/d/t")
	}
}

// testMovesAtOnce lets clients of two stores move collections into each other at random: all must stay reachable, each at one place, and no circle may arise.
func testMovesAtOnce(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	const count, clients = 8, 8
	ids := map[registry.ID]bool{}
	for i := range count {
		p := registry.Path(fmt.Sprintf("/m/%d", i))
		nodes[0].put(t, p+"/leaf", fmt.Sprint(i))
		ids[nodes[0].get(t, p).ID] = true
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			n, random := nodes[c%2], rand.New(rand.NewPCG(uint64(c), 7))
			for range max(rounds(25), 5) {
				all := collections(t, n, "/m")
				from, to := all[random.IntN(len(all))], "/m"
				if into := all[random.IntN(len(all))]; random.IntN(3) > 0 {
					to = string(into)
				}
				_, err := n.svc.Move(context.Background(), actor, registry.MoveInput{From: from, To: registry.Path(to + "/" + from.Name())})
				switch registry.CodeOf(err) {
				case "", registry.CodeConflict, registry.CodeNotFound:
				default:
					t.Errorf("move %s below %s: %v", from, to, err)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		seen := map[registry.ID]bool{}
		for _, p := range collections(t, n, "/m") {
			r := n.get(t, p)
			if seen[r.ID] {
				t.Errorf("%s is at two places", r.ID)
			}
			seen[r.ID] = true
			if !ids[r.ID] {
				continue // a parent that a move made again
			}
			if got := n.text(t, p+"/leaf", 0); got != p.Name() {
				t.Errorf("the leaf of %s holds %q", p, got)
			}
		}
		for id := range ids {
			if !seen[id] {
				t.Errorf("%s is not to be found any more", id)
			}
		}
	}
}

// collections finds all collections below p, as far as they stay in place meanwhile.
func collections(t testing.TB, n *node, p registry.Path) []registry.Path {
	t.Helper()
	page, err := n.svc.List(context.Background(), actor, p, "", 0, registry.Freshness{})
	if err != nil && registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("list %s: %v", p, err)
	}
	var all []registry.Path
	for _, e := range page.Entries {
		if e.Kind == registry.KindCollection {
			all = append(append(all, e.Path), collections(t, n, e.Path)...)
		}
	}
	return all
}

// BigTree is how many nodes the tests of large trees make; REGENT_BIG_TREE says another number.
func BigTree(t testing.TB, usual int) int {
	t.Helper()
	s := os.Getenv("REGENT_BIG_TREE")
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("REGENT_BIG_TREE is %q", s)
	}
	return n
}

// grow makes a tree of count nodes below p: collections of a hundred collections.
func grow(t testing.TB, n *node, p registry.Path, count int) {
	t.Helper()
	const wide = 1000
	for made := 0; made < count; {
		_, err := n.Update(context.Background(), op(), func(tx registry.Tx) error {
			top, err := tx.Get(p)
			if err != nil {
				return err
			}
			c, err := tx.Create(top, fmt.Sprintf("c%06d", made), registry.KindCollection, registry.Draft{})
			for i := 1; i < min(wide, count-made) && err == nil; i++ {
				_, err = tx.Create(c, fmt.Sprintf("n%04d", i), registry.KindCollection, registry.Draft{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		made += min(wide, count-made)
	}
}

// testMoveRows: what moves a tree writes a few rows, however large the tree is.
func testMoveRows(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	n.put(t, "/big/doc", "x")
	n.put(t, "/elsewhere/there/x", "x")
	n.put(t, "/goal", "to be overwritten")
	count := BigTree(t, 2000)
	grow(t, n, "/big", count)
	id := n.get(t, "/big").ID
	for _, c := range []struct {
		name string
		most int64
		at   registry.Path
		do   func() error
	}{
		{"rename", 12, "/large", func() error {
			_, err := n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/big", To: "/large"})
			return err
		}},
		{"move", 12, "/elsewhere/big", func() error {
			_, err := n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/large", To: "/elsewhere/big"})
			return err
		}},
		// A move and a deletion.
		{"move over another", 14, "/goal", func() error {
			_, err := n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/elsewhere/big", To: "/goal", Overwrite: true})
			return err
		}},
		{"delete", 12, "", func() error {
			_, err := n.svc.Delete(t.Context(), actor, "/goal", registry.Precondition{})
			return err
		}},
		{"undelete", 12, "/elsewhere/there/back", func() error {
			_, err := n.svc.Undelete(t.Context(), actor, id, "/elsewhere/there/back")
			return err
		}},
	} {
		before := n.RowsWritten()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		rows := n.RowsWritten() - before
		t.Logf("%s of %d nodes wrote %d rows", c.name, count, rows)
		if rows > c.most || rows < 4 {
			t.Errorf("%s wrote %d rows, want at most %d", c.name, rows, c.most)
		}
		if c.at != "" {
			nodes[1].get(t, c.at+"/c000000/n0001")
		}
	}
}
