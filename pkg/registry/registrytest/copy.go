package registrytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func testCopy(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, other := nodes[0], nodes[1]
	n.put(t, "/s/doc", "old")
	doc := n.put(t, "/s/doc", "new").Resource
	description := "said"
	if _, err := n.svc.UpdateMeta(t.Context(), actor, registry.MetaInput{Path: "/s", Description: &description}); err != nil {
		t.Fatal(err)
	}
	count := BigTree(t, 1300)
	grow(t, n, "/s", count)
	in := registry.MoveInput{From: "/s", To: "/new/copy"}
	res, err := n.svc.Copy(t.Context(), registry.Actor{User: "copier"}, in)
	if err != nil || !res.Created || res.Resource.Version != 1 || res.Resource.CreatedBy != "copier" {
		t.Fatalf("copy: %+v, %v", res, err)
	}
	top := other.get(t, "/new/copy")
	if top.ID == n.get(t, "/s").ID || top.ETag() != res.Resource.ETag() || top.Meta.Description != "said" {
		t.Errorf("the copy is %+v, the answer said %+v", top, res.Resource)
	}
	copied := other.get(t, "/new/copy/doc")
	if copied.ID == doc.ID || copied.Hash != doc.Hash || copied.Version != 1 || copied.Meta.MediaType != doc.Meta.MediaType || other.text(t, "/new/copy/doc", 1) != "new" {
		t.Errorf("below is %+v", copied)
	}
	for _, p := range []registry.Path{"", "/c000000"} {
		if a, b := names(t, other, "/s"+p), names(t, other, "/new/copy"+p); a != b || a == "" {
			t.Errorf("%s lists %s, its copy %s", p, a, b)
		}
	}
	n.put(t, "/new/copy/doc", "mine")
	if got := n.text(t, "/s/doc", 0); got != "new" {
		t.Errorf("a change of the copy reached the source: %q", got)
	}
	single, err := n.svc.Copy(t.Context(), actor, registry.MoveInput{From: "/s/doc", To: "/new/copy/doc", Overwrite: true})
	if err != nil || single.Resource.Hash != doc.Hash || other.text(t, "/new/copy/doc", 0) != "new" {
		t.Errorf("copy over another: %+v, %v", single, err)
	}

	for _, c := range []struct {
		in   registry.MoveInput
		code registry.Code
	}{
		{in, registry.CodeConflict},
		{registry.MoveInput{From: "/s", To: "/s"}, registry.CodeConflict},
		{registry.MoveInput{From: "/s", To: "/s/below"}, registry.CodeConflict},
		{registry.MoveInput{From: "/new/copy", To: "/new", Overwrite: true}, registry.CodeConflict},
		{registry.MoveInput{From: "/none", To: "/y"}, registry.CodeNotFound},
		{registry.MoveInput{From: "/s", To: "/y", If: registry.Precondition{Match: []string{`"x"`}}}, registry.CodePrecondition},
		{registry.MoveInput{From: "/s/doc", To: "/y", If: registry.Precondition{Match: []string{`"x"`}}}, registry.CodePrecondition},
	} {
		_, err := n.svc.Copy(t.Context(), actor, c.in)
		wantCode(t, err, c.code)
	}
	n.gone(t, "/y")

	// A copy that fails in the middle leaves nothing in sight and nothing to sweep.
	all := newEndsAfter(t, 1<<60)
	id, err := n.CopyTree(all, op(), "/s", registry.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	id, err = n.CopyTree(newEndsAfter(t, all.looks.Load()*3/4), op(), "/s", registry.Precondition{})
	if registry.CodeOf(err) != registry.CodeCanceled || id.IsZero() {
		t.Fatalf("%v, %v", id, err)
	}
	_, err = n.svc.Undelete(t.Context(), actor, id, "/half")
	wantCode(t, err, registry.CodeNotFound)
	if err := n.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = n.Version(t.Context(), id, 1)
	wantCode(t, err, registry.CodeNotFound)
	_, err = n.Update(t.Context(), op(), func(tx registry.Tx) error {
		root, err := tx.Get("/")
		if err == nil {
			_, err = tx.Attach(id, root, "half")
		}
		return err
	})
	wantCode(t, err, registry.CodeNotFound)

	testCopyOfAMoment(t, nodes)
}

// endsAfter is a context that ends when it has been looked at so many times.
type endsAfter struct {
	context.Context //nolint:containedctx // it is one
	end             context.CancelFunc
	most            int64
	looks           atomic.Int64
}

func newEndsAfter(t *testing.T, most int64) *endsAfter {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	return &endsAfter{Context: ctx, end: end, most: most}
}

// Err counts.
func (c *endsAfter) Err() error {
	if c.looks.Add(1) > c.most {
		c.end()
	}
	return c.Context.Err()
}

// testCopyOfAMoment: while a source changes by one transaction after another, a copy has all of one of them.
func testCopyOfAMoment(t *testing.T, nodes []*node) {
	t.Helper()
	const files = 700
	write := func(text string) {
		staged, err := nodes[0].Stage(context.Background(), strings.NewReader(text), 100)
		if err != nil {
			t.Errorf("stage: %v", err)
			return
		}
		defer staged.Discard()
		_, err = nodes[0].Update(context.Background(), op(), func(tx registry.Tx) error {
			d := registry.Draft{Hash: staged.Hash(), Size: staged.Size(), Staged: staged}
			for i := range files {
				p := registry.Path(fmt.Sprintf("/moment/f%04d", i))
				r, err := tx.Get(p)
				if err == nil {
					_, err = tx.Revise(r, d)
				} else {
					var up registry.Resource
					if up, err = tx.Get("/moment"); err == nil {
						_, err = tx.Create(up, p.Name(), registry.KindResource, d)
					}
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("write %s: %v", text, err)
		}
	}
	nodes[0].put(t, "/moment/first", "x")
	write("start")
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 5 {
			write(fmt.Sprint(i))
		}
	})
	for i := range 3 {
		to := registry.Path(fmt.Sprintf("/moments/%d", i))
		if _, err := nodes[1].svc.Copy(t.Context(), actor, registry.MoveInput{From: "/moment", To: to}); err != nil {
			t.Errorf("copy: %v", err)
			continue
		}
		page, err := nodes[1].svc.List(t.Context(), actor, to, "", 1000, registry.Freshness{})
		if err != nil || len(page.Entries) != files+1 {
			t.Errorf("the copy has %d entries: %v", len(page.Entries), err)
			continue
		}
		for _, e := range page.Entries[:files] {
			if e.Hash != page.Entries[0].Hash {
				t.Errorf("the copy %d is of more than one moment", i)
				break
			}
		}
	}
	wg.Wait()
}

// names lists the children of p.
func names(t testing.TB, n *node, p registry.Path) string {
	t.Helper()
	page, err := n.svc.List(context.Background(), actor, p, "", 1000, registry.Freshness{})
	if err != nil {
		t.Fatalf("list %s: %v", p, err)
	}
	var b strings.Builder
	for _, e := range page.Entries {
		fmt.Fprintf(&b, "%s %s,", e.Kind, e.Path.Name())
	}
	return b.String()
}

func testLinks(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n, other := nodes[0], nodes[1]
	link := func(p, target registry.Path) registry.Resource {
		res, err := n.svc.Link(t.Context(), actor, registry.LinkInput{Path: p, Target: target})
		if err != nil {
			t.Fatalf("link %s to %s: %v", p, target, err)
		}
		return res.Resource
	}
	n.put(t, "/real/dir/doc", "text")
	link("/l/dir", "/real/dir")
	link("/l/again", "/l/dir")
	made := link("/l/doc", "/real/dir/doc")
	doc := n.get(t, "/real/dir/doc")
	for _, p := range []registry.Path{"/l/dir/doc", "/l/again/doc", "/l/doc"} {
		got := other.get(t, p)
		if got.ID != doc.ID || got.Path != p || got.Real != "/real/dir/doc" || got.ETag() != doc.ETag() || other.text(t, p, 0) != "text" {
			t.Errorf("%s leads to %+v", p, got)
		}
	}
	if got := names(t, other, "/l"); got != "link again,link dir,link doc," {
		t.Errorf("listed %s", got)
	}
	if got := names(t, other, "/l/again"); got != "resource doc," {
		t.Errorf("listed over links: %s", got)
	}
	look, err := other.svc.Look(t.Context(), actor, "/l/doc", registry.Freshness{})
	if err != nil || look.Kind != registry.KindLink || look.Meta.Link != "/real/dir/doc" || look.ETag() != made.ETag() {
		t.Errorf("the link itself is %+v, %v", look, err)
	}

	// Changes follow no links.
	_, err = n.svc.Put(t.Context(), actor, registry.PutInput{Path: "/l/doc", Body: strings.NewReader("x")})
	wantCode(t, err, registry.CodeConflict)
	_, err = n.svc.Put(t.Context(), actor, registry.PutInput{Path: "/l/dir/new", Body: strings.NewReader("x")})
	wantCode(t, err, registry.CodeConflict)
	_, err = n.svc.Delete(t.Context(), actor, "/l/dir/doc", registry.Precondition{})
	wantCode(t, err, registry.CodeConflict)
	_, err = n.svc.Link(t.Context(), actor, registry.LinkInput{Path: "/real/dir/doc", Target: "/l"})
	wantCode(t, err, registry.CodeConflict)
	_, err = n.svc.Link(t.Context(), actor, registry.LinkInput{Path: "/self", Target: "/self"})
	wantCode(t, err, registry.CodeConflict)

	// The target moves away and comes back; a link that leads elsewhere is a new version of it.
	n.move(t, "/real/dir", "/real/moved")
	_, err = other.svc.Get(t.Context(), actor, "/l/again/doc", registry.Freshness{})
	wantCode(t, err, registry.CodeNotFound)
	if want := "/l/again/doc -> /l/dir/doc -> /real/dir/doc"; !strings.Contains(registry.MessageOf(err), want) {
		t.Errorf("a link to nowhere: %v, want %q", err, want)
	}
	again := link("/l/dir", "/real/moved")
	if again.Version != 2 || other.text(t, "/l/again/doc", 0) != "text" {
		t.Errorf("after a change of the link: %+v", again)
	}
	n.move(t, "/l", "/moved-links")
	if got := other.text(t, "/moved-links/dir/doc", 0); got != "text" {
		t.Errorf("over a moved link: %q", got)
	}

	// Circles and long chains end.
	link("/c/1", "/c/2")
	link("/c/2", "/c/3/x")
	link("/c/3", "/c/1")
	for _, p := range []registry.Path{"/c/1", "/c/2", "/c/3/y/z"} {
		_, err := other.svc.Get(t.Context(), actor, p, registry.Freshness{})
		wantCode(t, err, registry.CodeConflict)
		if !strings.Contains(registry.MessageOf(err), string(p)+" -> ") {
			t.Errorf("get %s: %v; it does not name the links", p, err)
		}
	}
	for i := range registry.MaxLinks + 2 {
		link(registry.Path(fmt.Sprintf("/long/%d", i)), registry.Path(fmt.Sprintf("/long/%d", i+1)))
	}
	end := registry.Path(fmt.Sprintf("/long/%d", registry.MaxLinks+2))
	n.put(t, end, "end")
	if got := n.text(t, "/long/2", 0); got != "end" {
		t.Errorf("over %d links: %q", registry.MaxLinks, got)
	}
	_, err = n.svc.Get(t.Context(), actor, "/long/1", registry.Freshness{})
	wantCode(t, err, registry.CodeConflict)

	n.remove(t, "/long/2")
	if got := n.text(t, end, 0); got != "end" {
		t.Errorf("the delete of a link reached its target: %q", got)
	}
}
