package registrytest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// settleTree fills /a/t with one of everything.
func settleTree(t testing.TB, n *both) {
	t.Helper()
	ctx := t.Context()
	for i := range 4 {
		if _, err := n.svc.Put(ctx, users[i%2], registry.PutInput{
			Path: "/a/t/docs/one.txt", Body: strings.NewReader(fmt.Sprintf("text %d", i)), Comment: fmt.Sprintf("change %d", i), MediaType: "text/plain",
			Properties: registry.Properties{"owner": {"x", fmt.Sprint(i)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	n.put(t, "/a/t/docs/large.bin", strings.Repeat("0123456789abcdef", 200_000)) // several pieces
	n.put(t, "/a/t/docs/middle.bin", strings.Repeat("m", 50_000))
	n.put(t, "/a/t/docs/empty", "")
	n.put(t, "/a/t/deep/er/and/deeper/x", "text 0")
	description := "what this is for"
	must[registry.PutResult](t)(n.svc.UpdateMeta(ctx, actor, registry.MetaInput{Path: "/a/t", Description: &description}))
	must[registry.PutResult](t)(n.svc.CreateCollection(ctx, actor, registry.CollectionInput{Path: "/a/t/nothing"}))
	must[registry.PutResult](t)(n.svc.Link(ctx, actor, registry.LinkInput{Path: "/a/t/link", Target: "/a/t/docs"}))
	must[registry.LabelResult](t)(n.svc.SetLabel(ctx, actor, registry.LabelInput{Path: "/a/t/docs/one.txt", Name: "prod", Version: 2}))
	must[registry.LabelResult](t)(n.svc.SetLabel(ctx, users[1], registry.LabelInput{Path: "/a/t/docs/one.txt", Name: "test", Version: 4}))
	must[registry.Retention](t)(n.svc.SetRetention(ctx, actor, registry.RetentionInput{Path: "/a/t/docs", Rule: registry.Retention{KeepLast: 7, KeepDays: 9}}))
	for i, a := range users {
		must[registry.TagList](t)(n.svc.AddTags(ctx, a, "/a/t/docs/one.txt", []string{"both", fmt.Sprintf("only-%d", i)}))
		must[registry.TagList](t)(n.svc.AddTags(ctx, a, "/a/t", []string{"both"}))
		must[registry.RatingResult](t)(n.svc.Rate(ctx, a, "/a/t/docs/one.txt", i+3))
		must[registry.Resource](t)(n.svc.Star(ctx, a, "/a/t/docs/one.txt", true))
	}
	comment := func(a registry.Actor, text string, to int64) int64 {
		_, c, err := n.svc.AddComment(ctx, a, "/a/t/docs/one.txt", text, to)
		if err != nil {
			t.Fatal(err)
		}
		return c.Number
	}
	first := comment(actor, "first", 0)
	answer := comment(users[1], "answer", first)
	comment(actor, "answer to the answer", answer)
	gone := comment(actor, "to be deleted", 0)
	comment(users[1], "answer to what is deleted", gone)
	if _, err := n.svc.DeleteComment(ctx, actor, "/a/t/docs/one.txt", gone, registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	for _, l := range [][3]string{
		{"/a/t/docs/one.txt", "depends", "/a/t/deep/er/and/deeper/x"},
		{"/a/t/deep/er/and/deeper/x", "usedBy", "/a/t/docs/one.txt"},
		{"/a/t", "holds", "/a/t/docs"},
		{"/a/t/docs", "documents", "https://example.com/"},
	} {
		if _, _, _, err := n.svc.Associate(ctx, actor, registry.Path(l[0]), l[1], l[2]); err != nil {
			t.Fatal(err)
		}
	}
}

func testMoveAcross(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	settleTree(t, n)
	n.put(t, "/a/t/docs/deleted", "x")
	n.remove(t, "/a/t/docs/deleted")
	must[registry.Checkpoint](t)(n.svc.SetCheckpoint(t.Context(), actor, registry.CheckpointInput{Path: "/a/t/docs", Name: "then"}))
	for i := range 30 { // wider than one batch, with more versions than one page
		grow(t, &node{Store: n.from}, "/in/a/t/deep", 40)
		if i == 0 {
			for j := range 600 {
				n.put(t, "/a/t/docs/much", fmt.Sprint(j))
			}
		}
		must[registry.PutResult](t)(n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/a/t/deep/c000000", To: registry.Path(fmt.Sprintf("/a/t/deep/g%d", i))}))
	}
	before := portrait(t, n.svc, "/a/t", true)
	tops := must[[]registry.CloudTag](t)(n.svc.TagCloud(t.Context(), actor, 10))

	in := registry.MoveInput{From: "/a/t", To: "/b/new/place", If: registry.Precondition{Match: []string{n.get(t, "/a/t").ETag()}}}
	res, err := n.svc.Move(t.Context(), registry.Actor{User: "mover"}, in)
	if err != nil {
		t.Fatal(err)
	}
	if got := other.get(t, "/b/new/place"); !res.Changed || res.Created || res.Resource.Path != "/b/new/place" || got.ETag() != res.Resource.ETag() {
		t.Errorf("the answer is %+v, what is there %+v", res, got)
	}
	sameTree(t, portrait(t, other.svc, "/b/new/place", true), before)
	other.gone(t, "/a/t", "/a/t/docs/one.txt")
	list := must[registry.TrashPage](t)(other.svc.Trash(t.Context(), actor, "/a", "", 1)).Entries
	if len(list) != 1 || list[0].Path != "/a/t" || list[0].By != "mover" {
		t.Errorf("the trash has %+v", list)
	}
	if got := must[[]registry.CloudTag](t)(other.svc.TagCloud(t.Context(), actor, 10)); fmt.Sprint(got) != fmt.Sprint(tops) {
		t.Errorf("the tags are %v, they were %v", got, tops)
	}
	wantNothingOpen(t, n)

	// What is there lives on: versions, labels, comments.
	other.put(t, "/b/new/place/docs/one.txt", "text 4")
	if v := other.get(t, "/b/new/place/docs/one.txt").Version; v != 5 {
		t.Errorf("the next version is %d", v)
	}
	page := must[registry.CommentPage](t)(other.svc.Comments(t.Context(), actor, "/b/new/place/docs/one.txt", "", 100, registry.Freshness{}))
	last := page.Comments[len(page.Comments)-1].Number
	if _, c, err := other.svc.AddComment(t.Context(), actor, "/b/new/place/docs/one.txt", "later", 0); err != nil || c.Number <= last {
		t.Errorf("the next comment has the number %d after %d: %v", c.Number, last, err)
	}
	start := registry.Moment{Seq: res.Resource.Seq.N}
	old, _, err := other.svc.GetPick(t.Context(), actor, "/b/new/place/docs/one.txt", registry.Pick{At: start}, registry.Freshness{})
	if err != nil || old.Version != 4 {
		t.Errorf("as it came, %+v: %v", old, err)
	}
	_, _, err = other.svc.GetPick(t.Context(), actor, "/b/new/place/docs/one.txt", registry.Pick{At: registry.Moment{Seq: start.Seq - 1}}, registry.Freshness{})
	wantCode(t, err, registry.CodeNotFound)

	// And back, while the source is still in the trash: the ids are taken there.
	now := portrait(t, n.svc, "/b/new/place", false)
	must[registry.PutResult](t)(n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/b/new/place", To: "/a/t"}))
	sameTree(t, portrait(t, other.svc, "/a/t", false), now)
	wantNothingOpen(t, n)

	// Without its copies everything can go for good.
	for _, top := range []registry.Path{"/a", "/b"} {
		if _, err := n.svc.PurgeOlder(t.Context(), actor, top, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	sameTree(t, portrait(t, other.svc, "/a/t", false), now)
	if got := must[[]registry.CloudTag](t)(other.svc.TagCloud(t.Context(), actor, 10)); fmt.Sprint(got) != fmt.Sprint(tops) {
		t.Errorf("after all that the tags are %v, they were %v", got, tops)
	}
}

// wantNothingOpen: no move goes on.
func wantNothingOpen(t testing.TB, n *both) {
	t.Helper()
	for _, s := range []Store{n.from, n.to} {
		list, err := s.Transfers(context.Background(), false)
		if err != nil || len(list) > 0 {
			t.Errorf("the store %s has open moves %+v: %v", s.Name(), list, err)
		}
	}
}

func testCrossing(t *testing.T, p *pair) {
	n := p.open(t)
	n.put(t, "/a/t/in/x", "x")
	n.put(t, "/a/out/y", "y")
	for _, l := range [][2]registry.Path{{"/a/t/in/x", "/a/out/y"}, {"/a/out/y", "/a/t/in/x"}, {"/a/out", "/a/t"}} {
		if _, _, _, err := n.svc.Associate(t.Context(), actor, l[0], "depends", l[1].String()); err != nil {
			t.Fatal(err)
		}
		_, err := n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/a/t", To: "/b/t"})
		wantCode(t, err, registry.CodeConflict)
		if text := registry.MessageOf(err); !strings.Contains(text, l[0].String()) || !strings.Contains(text, l[1].String()) || !strings.Contains(text, "depends") {
			t.Errorf("the error does not name the association of %s to %s: %s", l[0], l[1], text)
		}
		n.gone(t, "/b/t")
		wantNothingOpen(t, n)
		n.put(t, "/a/t/in/x", l[0].String()) // it is not sealed any more
		if _, err := n.svc.Dissociate(t.Context(), actor, l[0], "depends", l[1].String()); err != nil {
			t.Fatal(err)
		}
	}
	// An end in the trash is out of sight; the association stays with it.
	if _, _, _, err := n.svc.Associate(t.Context(), actor, "/a/t/in/x", "depends", "/a/out/y"); err != nil {
		t.Fatal(err)
	}
	n.remove(t, "/a/out/y")
	must[registry.PutResult](t)(n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/a/t", To: "/b/t"}))
	page := must[registry.AssociationPage](t)(n.svc.Associations(t.Context(), actor, registry.AssociationsInput{Path: "/b/t/in/x"}, registry.Freshness{}))
	if len(page.Associations) != 0 {
		t.Errorf("it has the associations %+v", page.Associations)
	}
	if count, err := n.to.SweepTrees(t.Context()); err != nil {
		t.Errorf("sweep: %d, %v", count, err)
	}
}

func testMoveAcrossOnce(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	n.put(t, "/a/t/x", "1")
	in := registry.MoveInput{From: "/a/t", To: "/b/t"}
	first, err := n.svc.Move(t.Context(), by("key", "move"), in)
	if err != nil {
		t.Fatal(err)
	}
	other.put(t, "/b/t/x", "2")
	other.put(t, "/a/t/x", "something new there")
	for _, svc := range []*registry.Service{n.svc, other.svc} {
		again, err := svc.Move(t.Context(), by("key", "move"), in)
		if err != nil || again.Resource.ETag() != first.Resource.ETag() || again.Resource.Seq != first.Resource.Seq || again.Changed != first.Changed {
			t.Errorf("the answer is %+v, it was %+v: %v", again, first, err)
		}
	}
	other.get(t, "/a/t/x")
	_, err = n.svc.Move(t.Context(), by("key", "another request"), in)
	wantCode(t, err, registry.CodeKeyReused)
	_, err = n.svc.Move(t.Context(), actor, in)
	wantCode(t, err, registry.CodeConflict) // the place is taken
	in.Overwrite = true
	must[registry.PutResult](t)(n.svc.Move(t.Context(), actor, in))
	if got := other.text(t, "/b/t/x", 0); got != "something new there" {
		t.Errorf("over another: %q", got)
	}
	in.If = registry.Precondition{Match: []string{`"x"`}}
	n.put(t, "/a/t/x", "3")
	_, err = n.svc.Move(t.Context(), actor, in)
	wantCode(t, err, registry.CodePrecondition)
	_, err = n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/a/none", To: "/b/none"})
	wantCode(t, err, registry.CodeNotFound)
	wantNothingOpen(t, n)

	// One resource and one link alone.
	must[registry.PutResult](t)(n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/a/t/x", To: "/b/x"}))
	must[registry.PutResult](t)(n.svc.Link(t.Context(), actor, registry.LinkInput{Path: "/a/l", Target: "/b/x"}))
	must[registry.PutResult](t)(n.svc.Move(t.Context(), actor, registry.MoveInput{From: "/a/l", To: "/b/l"}))
	if got := other.text(t, "/b/l", 0); got != "3" {
		t.Errorf("over the link: %q", got)
	}
	other.gone(t, "/a/t/x", "/a/l")
}

// revoking takes the right to read a tree away after the first question.
type revoking struct {
	registry.SignedIn
	asked atomic.Bool
}

// AuthorizeTree implements [registry.Authorizer].
func (x *revoking) AuthorizeTree(_ context.Context, _ registry.Actor, r registry.Right, p registry.Path) error {
	if r == registry.RightRead && x.asked.Swap(true) {
		return registry.Errorf(registry.CodeDenied, "you may not read %s any more", p)
	}
	return nil
}

func testCopyAcross(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	settleTree(t, n)
	count := BigTree(t, 1300)
	grow(t, &node{Store: n.from}, "/in/a/t", count)
	in := registry.MoveInput{From: "/a/t", To: "/b/copy"}
	a := by("key", "copy")
	res, err := n.svc.Copy(t.Context(), a, in)
	if err != nil || !res.Created || res.Resource.Version != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	again, err := other.svc.Copy(t.Context(), a, in)
	if err != nil || again.Resource.ETag() != res.Resource.ETag() {
		t.Errorf("the answer is %+v, it was %+v: %v", again, res, err)
	}
	for _, p := range []registry.Path{"", "/docs", "/c000000"} {
		if a, b := names(t, other.node, "/a/t"+p), names(t, other.node, "/b/copy"+p); a != b || a == "" {
			t.Errorf("%s lists %s, its copy %s", p, a, b)
		}
	}
	for _, p := range []registry.Path{"/docs/one.txt", "/docs/large.bin", "/docs/middle.bin", "/docs/empty"} {
		src, dst := other.get(t, "/a/t"+p), other.get(t, "/b/copy"+p)
		if src.ID == dst.ID || src.Hash != dst.Hash || dst.Version != 1 || dst.CreatedBy != actor.User || other.text(t, "/b/copy"+p, 0) != other.text(t, "/a/t"+p, 0) {
			t.Errorf("%s is %+v, its copy %+v", p, src, dst)
		}
	}
	if tags := must[registry.TagList](t)(other.svc.Tags(t.Context(), actor, "/b/copy/docs/one.txt", registry.Freshness{})); len(tags.Tags) > 0 {
		t.Errorf("a copy has the tags %v", tags.Tags)
	}
	n.put(t, "/b/copy/docs/one.txt", "mine")
	if got := n.text(t, "/a/t/docs/one.txt", 0); got != "text 3" {
		t.Errorf("a change of the copy reached the source: %q", got)
	}
	for _, c := range []struct {
		in   registry.MoveInput
		code registry.Code
	}{
		{in, registry.CodeConflict},
		{registry.MoveInput{From: "/a/t/none", To: "/b/y"}, registry.CodeNotFound},
		{registry.MoveInput{From: "/a/t", To: "/b"}, registry.CodeConflict},
		{registry.MoveInput{From: "/a/t", To: "/b/y", If: registry.Precondition{Match: []string{`"x"`}}}, registry.CodePrecondition},
	} {
		_, err := n.svc.Copy(t.Context(), actor, c.in)
		wantCode(t, err, c.code)
	}
	n.gone(t, "/b/y")
	must[registry.PutResult](t)(n.svc.Copy(t.Context(), actor, registry.MoveInput{From: "/a/t/docs/one.txt", To: "/b/copy/docs/one.txt", Overwrite: true}))
	if got := other.text(t, "/b/copy/docs/one.txt", 0); got != "text 3" {
		t.Errorf("copied over another: %q", got)
	}
	_, err = n.svc.Copy(t.Context(), actor, registry.MoveInput{From: "/b/copy/docs", To: "/a/t/back"})
	if err != nil || other.text(t, "/a/t/back/large.bin", 0) != other.text(t, "/a/t/docs/large.bin", 0) {
		t.Errorf("the other way: %v", err)
	}
	_, _, err = n.svc.Batch(t.Context(), actor, []registry.Step{registry.CopyStep(registry.MoveInput{From: "/a/t/docs/one.txt", To: "/b/batch"})})
	wantCode(t, err, registry.CodeConflict)
	mounts, err := registry.NewMounts(registry.Mount{Path: "/a", Store: n.from, Target: "/in/a"}, registry.Mount{Path: "/b", Store: n.to, Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = registry.NewService(registry.Config{Mounts: mounts, Authorizer: &revoking{}}).Copy(t.Context(), actor, registry.MoveInput{From: "/a/t", To: "/b/secret"})
	wantCode(t, err, registry.CodeDenied)
	n.gone(t, "/b/secret")
}
