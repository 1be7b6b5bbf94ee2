package registrytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// comments reads all comments on p, by pages of the given length, as "author: text".
func (n *node) comments(t *testing.T, p registry.Path, limit int) []string {
	t.Helper()
	var texts []string
	for cursor := ""; ; {
		page, err := n.svc.Comments(t.Context(), ann, p, cursor, limit, registry.Freshness{})
		if err != nil || len(page.Comments) > limit {
			t.Fatalf("%d comments on %s: %v", len(page.Comments), p, err)
		}
		for _, c := range page.Comments {
			texts = append(texts, c.Author+": "+c.Text)
		}
		if cursor = page.Next; cursor == "" {
			return texts
		}
	}
}

func wantTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("comments are %q, want %q", got, want)
	}
}

func testComments(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	const p = "/comments/api.yaml"
	a.put(t, p, "x")
	a.put(t, "/comments/other", "x")
	_, first, err := a.svc.AddComment(ctx, ann, p, " Is <b>this</b>\r\nright? ", 0)
	if err != nil || first.Text != "Is <b>this</b>\nright?" || first.Author != "ann" || first.Thread != first.Number || first.CreatedAt.IsZero() || !first.EditedAt.IsZero() {
		t.Fatalf("made %+v: %v", first, err)
	}
	_, second, err := b.svc.AddComment(ctx, joe, p, "second", 0)
	if err != nil || second.Number <= first.Number {
		t.Fatalf("made %+v: %v", second, err)
	}
	_, reply, err := b.svc.AddComment(ctx, joe, p, "yes", first.Number)
	if err != nil || reply.Thread != first.Number || reply.ReplyTo != first.Number {
		t.Fatalf("made %+v: %v", reply, err)
	}
	_, deeper, err := a.svc.AddComment(ctx, ann, p, "sure?", reply.Number)
	if err != nil || deeper.Thread != first.Number || deeper.ReplyTo != reply.Number {
		t.Fatalf("made %+v: %v", deeper, err)
	}
	for _, n := range nodes {
		wantTexts(t, n.comments(t, p, 10), "ann: Is <b>this</b>\nright?", "joe: yes", "ann: sure?", "joe: second")
		_, c, err := n.svc.Comment(ctx, joe, p, reply.Number, registry.Freshness{})
		if err != nil || c != reply {
			t.Errorf("read %+v, want %+v: %v", c, reply, err)
		}
	}
	for name, c := range map[string]struct {
		path    registry.Path
		text    string
		replyTo int64
		code    registry.Code
	}{
		"empty": {p, " \n ", 0, registry.CodeInvalid}, "control": {p, "a\x00b", 0, registry.CodeInvalid}, "not UTF-8": {p, "\xff", 0, registry.CodeInvalid},
		"long":    {p, strings.Repeat("é", registry.MaxCommentLength+1), 0, registry.CodeInvalid},
		"nothing": {"/none", "x", 0, registry.CodeNotFound}, "answers nothing": {p, "x", 4711, registry.CodeNotFound},
		"answers elsewhere": {"/comments/other", "x", first.Number, registry.CodeNotFound},
	} {
		if _, _, err := a.svc.AddComment(ctx, ann, c.path, c.text, c.replyTo); registry.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := a.svc.AddComment(ctx, ann, "/comments/other", strings.Repeat("𝄞", registry.MaxCommentLength), 0); err != nil {
		t.Errorf("the longest comment: %v", err)
	}

	// Only the author or a moderator edits, under the condition on the comment's own tag.
	_, _, err = a.svc.EditComment(ctx, ann, p, reply.Number, "no", registry.Precondition{})
	wantCode(t, err, registry.CodeDenied)
	stale := registry.Precondition{Match: []string{reply.ETag()}}
	_, edited, err := b.svc.EditComment(ctx, joe, p, reply.Number, "yes, it is", stale)
	if err != nil || edited.Rev != 2 || edited.ETag() == reply.ETag() || edited.EditedBy != "joe" || edited.EditedAt.IsZero() {
		t.Errorf("edited %+v: %v", edited, err)
	}
	_, _, err = b.svc.EditComment(ctx, joe, p, reply.Number, "too late", stale)
	wantCode(t, err, registry.CodePrecondition)
	_, same, err := b.svc.EditComment(ctx, joe, p, reply.Number, "yes, it is", registry.Precondition{})
	if err != nil || same != edited {
		t.Errorf("the same again gave %+v: %v", same, err)
	}
	_, moderated, err := b.moderated(t).EditComment(ctx, ann, p, reply.Number, "moderated", registry.Precondition{})
	if err != nil || moderated.Author != "joe" || moderated.EditedBy != "ann" {
		t.Errorf("moderated %+v: %v", moderated, err)
	}

	// The beginning of a thread stays, empty, until the thread has nothing else.
	_, err = b.svc.DeleteComment(ctx, joe, p, first.Number, registry.Precondition{})
	wantCode(t, err, registry.CodeDenied)
	_, err = a.svc.DeleteComment(ctx, ann, p, first.Number, registry.Precondition{Match: []string{reply.ETag()}})
	wantCode(t, err, registry.CodePrecondition)
	remove := func(s *registry.Service, who registry.Actor, number int64) {
		t.Helper()
		if _, err := s.DeleteComment(ctx, who, p, number, registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
	}
	remove(a.svc, ann, first.Number)
	wantTexts(t, b.comments(t, p, 10), ": ", "joe: moderated", "ann: sure?", "joe: second")
	_, gone, err := b.svc.Comment(ctx, joe, p, first.Number, registry.Freshness{})
	if err != nil || !gone.Deleted || gone.ETag() == first.ETag() {
		t.Errorf("the deleted one is %+v: %v", gone, err)
	}
	_, err = a.svc.DeleteComment(ctx, ann, p, first.Number, registry.Precondition{})
	wantCode(t, err, registry.CodeNotFound)
	_, _, err = b.svc.AddComment(ctx, joe, p, "x", first.Number)
	wantCode(t, err, registry.CodeConflict)
	remove(b.moderated(t), ann, reply.Number)
	wantTexts(t, b.comments(t, p, 10), ": ", "ann: sure?", "joe: second")
	remove(a.svc, ann, deeper.Number)
	wantTexts(t, b.comments(t, p, 10), "joe: second")
	remove(b.svc, joe, second.Number)
	wantTexts(t, a.comments(t, p, 10))
	_, third, err := a.svc.AddComment(ctx, ann, p, "third", 0)
	if err != nil || third.Number <= deeper.Number {
		t.Errorf("a number is used twice: %+v after %d: %v", third, deeper.Number, err)
	}
}

func testCommentPages(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/pages", "x")
	var threads []int64
	want := make([][]string, 5)
	for i := range 40 {
		replyTo := int64(0)
		if i >= len(want) {
			replyTo = threads[i*i%len(want)]
		}
		_, c, err := n.svc.AddComment(t.Context(), ann, "/pages", fmt.Sprint(i), replyTo)
		if err != nil {
			t.Fatal(err)
		}
		if replyTo == 0 {
			threads = append(threads, c.Number)
		}
		k := slices.Index(threads, c.Thread)
		want[k] = append(want[k], fmt.Sprintf("ann: %d", i))
	}
	for _, limit := range []int{1, 3, 7, 39, 40, 41} {
		wantTexts(t, n.comments(t, "/pages", limit), slices.Concat(want...)...)
	}
	for _, cursor := range []string{"?", "AAAA", "MS4"} {
		_, err := n.svc.Comments(t.Context(), ann, "/pages", cursor, 0, registry.Freshness{})
		wantCode(t, err, registry.CodeInvalid)
	}
	before := n.Statements()
	if _, err := n.svc.Comments(t.Context(), ann, "/pages", "", 20, registry.Freshness{}); err != nil || n.Statements()-before > 2 {
		t.Errorf("a page took %d statements: %v", n.Statements()-before, err)
	}
}

func testRatings(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	const p = "/rated"
	nodes[0].put(t, p, "x")
	want := func(who registry.Actor, want registry.Rating) {
		t.Helper()
		for _, n := range nodes {
			if res, err := n.svc.Rating(t.Context(), who, p, registry.Freshness{}); err != nil || res.Rating != want {
				t.Errorf("%s sees %+v, want %+v: %v", who.User, res.Rating, want, err)
			}
		}
	}
	want(ann, registry.Rating{})
	for i, c := range []struct {
		who   registry.Actor
		score int
		want  registry.Rating
	}{
		{ann, 0, registry.Rating{}},
		{ann, 5, registry.Rating{Average: 5, Count: 1, Mine: 5}},
		{joe, 2, registry.Rating{Average: 3.5, Count: 2, Mine: 2}},
		{ann, 3, registry.Rating{Average: 2.5, Count: 2, Mine: 3}},
		{ann, 3, registry.Rating{Average: 2.5, Count: 2, Mine: 3}},
		{joe, 0, registry.Rating{Average: 3, Count: 1}},
		{ann, 0, registry.Rating{}},
		{joe, 1, registry.Rating{Average: 1, Count: 1, Mine: 1}},
	} {
		res, err := nodes[i%2].svc.Rate(t.Context(), c.who, p, c.score)
		if err != nil || res.Rating != c.want {
			t.Errorf("%s gives %d: %+v, want %+v: %v", c.who.User, c.score, res.Rating, c.want, err)
		}
		want(c.who, c.want)
	}
	want(ann, registry.Rating{Average: 1, Count: 1})
	for _, bad := range []int{-1, 6, 1 << 40} {
		_, err := nodes[0].svc.Rate(t.Context(), ann, p, bad)
		wantCode(t, err, registry.CodeInvalid)
	}
	_, err := nodes[0].svc.Rate(t.Context(), registry.Actor{}, p, 1)
	wantCode(t, err, registry.CodeUnauthenticated)
	_, err = nodes[0].svc.Rate(t.Context(), ann, "/none", 1)
	wantCode(t, err, registry.CodeNotFound)
}
