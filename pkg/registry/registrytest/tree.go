package registrytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

func testLife(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	root := n.get(t, "/")
	if root.Kind != registry.KindCollection || root.Version != 1 || root.Seq.Store != n.Name() {
		t.Errorf("root is %+v", root)
	}
	before := time.Now().Add(-time.Second)
	put := n.put(t, "/a/b/c.txt", "one")
	if !put.Created || !put.Changed || put.Resource.Version != 1 || put.Resource.Seq.N != 1 {
		t.Errorf("the first put gave %+v", put)
	}
	r := n.get(t, "/a/b/c.txt")
	if r.ETag() != put.Resource.ETag() || r.Size != 3 || r.Meta.MediaType != "text/plain" || r.CreatedBy != actor.User || r.UpdatedBy != actor.User {
		t.Errorf("read %+v after writing %+v", r, put.Resource)
	}
	if r.CreatedAt.Before(before) || !r.CreatedAt.Equal(put.Resource.CreatedAt) || !r.UpdatedAt.Equal(r.CreatedAt) {
		t.Errorf("times are %v and %v, the put said %v", r.CreatedAt, r.UpdatedAt, put.Resource.CreatedAt)
	}
	a, b := n.get(t, "/a"), n.get(t, "/a/b")
	if a.Kind != registry.KindCollection || a.Version != 1 || a.Gen != 2 || b.Gen != 2 {
		t.Errorf("collections have versions %d, %d and generations %d, %d", a.Version, b.Version, a.Gen, b.Gen)
	}
	r2 := n.put(t, "/a/b/c.txt", "two").Resource
	if r2.ID != r.ID || r2.Version != 2 || r2.Gen != 2 || !r2.CreatedAt.Equal(r.CreatedAt) {
		t.Errorf("the second put gave %+v", r2)
	}
	if got := n.text(t, "/a/b/c.txt", 0); got != "two" {
		t.Errorf("content is %q", got)
	}
	if got := n.get(t, "/a/b"); got.Gen != b.Gen {
		t.Errorf("a revision of the child moved the collection's generation from %d to %d", b.Gen, got.Gen)
	}
	if _, err := n.svc.Delete(t.Context(), actor, "/a/b", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []registry.Path{"/a/b", "/a/b/c.txt"} {
		_, err := n.svc.Get(t.Context(), actor, p, registry.Freshness{})
		wantCode(t, err, registry.CodeNotFound)
	}
	if got := n.get(t, "/a"); got.Gen != a.Gen+1 {
		t.Errorf("a deletion moved the parent's generation from %d to %d", a.Gen, got.Gen)
	}
	again := n.put(t, "/a/b/c.txt", "three").Resource
	if again.ID == r.ID || again.Version != 1 {
		t.Errorf("a new resource in the place of a deleted one is %+v", again)
	}
}

func testNames(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	wide := strings.Repeat("𝄞", registry.MaxNameLength) // four bytes each: the longest name that is allowed
	names := []string{"a", "a ", "A", "ä", "ａ", "a\u200b", "0", "a.b", "a-b", "(x)", "日本", "ß", "ss", wide}
	for i, name := range names {
		n.put(t, registry.Path("/names/"+name), fmt.Sprint(i))
	}
	for i, name := range names {
		if got := n.text(t, registry.Path("/names/"+name), 0); got != fmt.Sprint(i) {
			t.Errorf("name %q leads to content %s, want %d", name, got, i)
		}
	}
	slices.Sort(names)
	page, err := n.svc.List(t.Context(), actor, "/names", "", 100, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range page.Entries {
		got = append(got, e.Path.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("listed %q, want %q", got, names)
	}
}

func testDepth(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	for _, depth := range []int{29, 30, 31, 60, 61, 200, registry.MaxDepth} {
		p := registry.Path(strings.Repeat("/d", depth-1) + "/end")
		nodes[0].put(t, p, fmt.Sprint(depth))
		if got := nodes[1].text(t, p, 0); got != fmt.Sprint(depth) {
			t.Errorf("depth %d has content %s", depth, got)
		}
		_, err := nodes[1].Get(t.Context(), p+"x", registry.Freshness{})
		wantCode(t, err, registry.CodeNotFound)
	}
	_, err := nodes[1].Get(t.Context(), registry.Path("/none"+strings.Repeat("/d", 100)), registry.Freshness{})
	wantCode(t, err, registry.CodeNotFound)
}

// testMountPoints: what leads to a mount point is always a collection, whatever the store around it holds, and nothing can be put in its place.
func testMountPoints(t *testing.T, fresh func(testing.TB) Database) {
	outer, inner := open(t, fresh, 1)[0], open(t, fresh, 1)[0]
	mounts, err := registry.NewMounts(
		registry.Mount{Path: "/", Store: outer, Target: "/"},
		registry.Mount{Path: "/_system/config", Store: inner, Target: "/conf"},
		registry.Mount{Path: "/hidden/below", Store: inner, Target: "/absent", ReadOnly: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}})
	if err := svc.EnsureMounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	outer.put(t, "/hidden", "a resource where a collection must be")
	for _, p := range []registry.Path{"/", "/_system", "/_system/config", "/hidden"} {
		_, err := svc.Put(t.Context(), actor, registry.PutInput{Path: p, Body: strings.NewReader("x")})
		wantCode(t, err, registry.CodeConflict)
		_, err = svc.Delete(t.Context(), actor, p, registry.Precondition{})
		wantCode(t, err, registry.CodeConflict)
		page, err := svc.List(t.Context(), actor, p, "", 0, registry.Freshness{})
		if err != nil || page.Parent.Kind != registry.KindCollection {
			t.Errorf("list %s: %+v, %v", p, page.Parent, err)
		}
	}
	put, err := svc.Put(t.Context(), actor, registry.PutInput{Path: "/_system/config/a", Body: strings.NewReader("x")})
	if err != nil || put.Resource.Path != "/_system/config/a" {
		t.Fatalf("put below the mount: %+v, %v", put.Resource, err)
	}
	inner.get(t, "/conf/a")
	page, err := svc.List(t.Context(), actor, "/", "", 0, registry.Freshness{})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Path != "/_system" || page.Entries[1].Kind != registry.KindCollection {
		t.Errorf("the root lists %+v: %v", page.Entries, err)
	}
}

// testGap: between names that exist a long row of names is missing, and the names after it exist elsewhere. Nothing may be found, or made, there.
func testGap(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	top := strings.Repeat("/a", 30)
	there := registry.Path(top + strings.Repeat("/b", 30) + "/doc.txt")
	nodes[0].put(t, there, "there")
	for _, n := range []int{29, 30, 31, 60} {
		ghost := registry.Path(top + strings.Repeat("/x", n) + strings.Repeat("/b", 30) + "/doc.txt")
		for _, p := range []registry.Path{ghost, ghost.Parent(), registry.Path(top + "/x")} {
			_, err := nodes[1].Get(t.Context(), p, registry.Freshness{})
			wantCode(t, err, registry.CodeNotFound)
			_, err = nodes[1].svc.Delete(t.Context(), actor, p, registry.Precondition{})
			wantCode(t, err, registry.CodeNotFound)
		}
	}
	ghost := registry.Path(top + strings.Repeat("/x", 30) + strings.Repeat("/b", 30) + "/doc.txt")
	if put := nodes[1].put(t, ghost, "ghost"); !put.Created {
		t.Errorf("a put where nothing was made no new resource: %+v", put)
	}
	for i, n := range nodes {
		if got := n.text(t, there, 0); got != "there" {
			t.Errorf("store %d: the resource that was there has content %q", i, got)
		}
		if got := n.text(t, ghost, 0); got != "ghost" {
			t.Errorf("store %d: the new resource has content %q", i, got)
		}
	}
}

func testConflicts(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/a/file", "x")
	update := func(change func(registry.Tx) error) error {
		_, err := n.Update(t.Context(), op(), change)
		return err
	}
	wantCode(t, update(func(tx registry.Tx) error {
		file, err := tx.Get("/a/file")
		if err != nil {
			return err
		}
		_, err = tx.Create(file, "below", registry.KindCollection, registry.Draft{})
		return err
	}), registry.CodeConflict)
	wantCode(t, update(func(tx registry.Tx) error {
		a, err := tx.Get("/a")
		if err != nil {
			return err
		}
		_, err = tx.Create(a, "file", registry.KindCollection, registry.Draft{})
		return err
	}), registry.CodeConflict)
	wantCode(t, update(func(tx registry.Tx) error {
		_, err := tx.Get("/nothing/here")
		return err
	}), registry.CodeNotFound)
	wantCode(t, update(func(tx registry.Tx) error {
		root, err := tx.Get("/")
		if err != nil {
			return err
		}
		return tx.Trash(root)
	}), registry.CodeConflict)
	// Within one change: what is trashed is gone, its name is free at once.
	if err := update(func(tx registry.Tx) error {
		old, err := tx.Get("/a/file")
		if err != nil {
			return err
		}
		if err := tx.Trash(old); err != nil {
			return err
		}
		_, err = tx.Get("/a/file")
		wantCode(t, err, registry.CodeNotFound)
		_, err = tx.Revise(old, registry.Draft{})
		wantCode(t, err, registry.CodeNotFound)
		wantCode(t, tx.Trash(old), registry.CodeNotFound)
		a, err := tx.Get("/a")
		if err != nil {
			return err
		}
		_, err = tx.Create(a, "file", registry.KindCollection, registry.Draft{Meta: registry.Meta{Description: "new"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if r := n.get(t, "/a/file"); r.Kind != registry.KindCollection || r.Meta.Description != "new" {
		t.Errorf("after the exchange %+v is there", r)
	}
}

func testChildren(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	const many, atOnce = 5000, 500 // one change of them all may take longer than a change may, on a busy machine with the race detector
	for made := 0; made < many; made += atOnce {
		_, err := nodes[0].Update(t.Context(), op(), func(tx registry.Tx) error {
			c, err := tx.Get("/many")
			if registry.CodeOf(err) == registry.CodeNotFound {
				if c, err = tx.Get("/"); err == nil {
					c, err = tx.Create(c, "many", registry.KindCollection, registry.Draft{})
				}
			}
			for i := made; i < made+atOnce && err == nil; i++ {
				_, err = tx.Create(c, fmt.Sprintf("child-%04d", i), registry.KindCollection, registry.Draft{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seen, cursor := 0, ""
	for {
		page, err := nodes[1].svc.List(t.Context(), actor, "/many", cursor, 700, registry.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if want := registry.Path(fmt.Sprintf("/many/child-%04d", seen)); e.Path != want || e.Version != 1 {
				t.Fatalf("entry %d is %+v, want %s", seen, e, want)
			}
			seen++
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if seen != many {
		t.Errorf("listed %d children, want %d", seen, many)
	}
	// A page costs one statement, however many entries it has.
	parent := nodes[1].get(t, "/many")
	before := nodes[1].Statements()
	page, err := nodes[1].Children(t.Context(), parent, "child-4000", 500)
	if err != nil || len(page) != 500 || page[0].Path != "/many/child-4001" {
		t.Errorf("a page in the middle has %d entries: %v", len(page), err)
	}
	if sent := nodes[1].Statements() - before; sent != 1 {
		t.Errorf("a page took %d statements", sent)
	}
}

func testVersions(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	const many = 30
	for i := 1; i <= many; i++ {
		nodes[0].put(t, "/v", fmt.Sprint(i))
	}
	r := nodes[1].get(t, "/v")
	want, next := int64(many), int64(0)
	for {
		page, err := nodes[1].svc.Versions(t.Context(), actor, "/v", next, 7, registry.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			if v.Number != want || v.Resource != r.ID || v.CreatedBy != actor.User {
				t.Fatalf("version %+v, want number %d", v, want)
			}
			if got := nodes[1].text(t, "/v", want); got != fmt.Sprint(want) {
				t.Errorf("version %d holds %s", want, got)
			}
			want--
		}
		if next = page.Next; next == 0 {
			break
		}
	}
	if want != 0 {
		t.Errorf("the pages ended above version %d", want)
	}
	_, err := nodes[1].Version(t.Context(), r.ID, many+1)
	wantCode(t, err, registry.CodeNotFound)

	res, err := nodes[1].svc.Restore(t.Context(), actor, "/v", 3, registry.Precondition{})
	if err != nil || res.Resource.Version != many+1 || !res.Changed {
		t.Fatalf("restore gave %+v: %v", res, err)
	}
	if got := nodes[0].text(t, "/v", 0); got != "3" {
		t.Errorf("after the restore the content is %s", got)
	}
	v3, err := nodes[0].Version(t.Context(), r.ID, 3)
	if err != nil || v3.Hash != res.Resource.Hash {
		t.Errorf("version 3 is %+v: %v", v3, err)
	}
}

func testNoOp(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	first := n.put(t, "/same", "x")
	second := n.put(t, "/same", "x")
	if second.Changed || second.Created || second.Resource.Version != 1 || second.Resource.Seq != first.Resource.Seq {
		t.Errorf("the same content gave %+v after %+v", second, first)
	}
	description := "said"
	for i := range 2 {
		res, err := n.svc.UpdateMeta(t.Context(), actor, registry.MetaInput{
			Path: "/same", Description: &description, Properties: registry.Properties{"p": {"1", "2"}, "empty": {}},
		})
		if err != nil || res.Changed != (i == 0) || res.Resource.Version != 2 {
			t.Errorf("metadata, time %d: %+v, %v", i, res, err)
		}
	}
	r := n.get(t, "/same")
	if r.Meta.Description != "said" || !slices.Equal(r.Meta.Properties["p"], []string{"1", "2"}) || len(r.Meta.Properties) != 1 || r.Size != 1 {
		t.Errorf("after a change of metadata it is %+v", r)
	}
	if got := n.text(t, "/same", 0); got != "x" {
		t.Errorf("content is %q", got)
	}
}

func testPreconditions(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	put := func(n *node, text string, c registry.Precondition) (registry.PutResult, error) {
		return n.svc.Put(context.Background(), actor, registry.PutInput{Path: "/p", Body: strings.NewReader(text), If: c})
	}
	_, err := put(nodes[0], "x", registry.Precondition{Match: []string{"*"}})
	wantCode(t, err, registry.CodePrecondition)
	first, err := put(nodes[0], "1", registry.Precondition{NoneMatch: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(nodes[1], "2", registry.Precondition{NoneMatch: []string{"*"}})
	wantCode(t, err, registry.CodePrecondition)
	second, err := put(nodes[1], "2", registry.Precondition{Match: []string{first.Resource.ETag()}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = put(nodes[0], "3", registry.Precondition{Match: []string{first.Resource.ETag()}})
	wantCode(t, err, registry.CodePrecondition)
	_, err = nodes[0].svc.Delete(t.Context(), actor, "/p", registry.Precondition{Match: []string{first.Resource.ETag()}})
	wantCode(t, err, registry.CodePrecondition)
	if _, err := nodes[0].svc.Delete(t.Context(), actor, "/p", registry.Precondition{Match: []string{second.Resource.ETag()}}); err != nil {
		t.Error(err)
	}
}
