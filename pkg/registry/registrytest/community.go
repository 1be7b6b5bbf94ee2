package registrytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

var (
	ann = registry.Actor{User: "ann"}
	joe = registry.Actor{User: "joe"}
)

// wantTags compares tags with "name count", or "name count mine", in their order.
func wantTags(t *testing.T, tags []registry.Tag, want ...string) {
	t.Helper()
	var got []string
	for _, tag := range tags {
		text := fmt.Sprintf("%s %d", tag.Name, tag.Count)
		if tag.Mine {
			text += " mine"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		t.Errorf("tags are %q, want %q", got, want)
	}
}

func testTags(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	const p = "/tags/api.yaml"
	a.put(t, p, "x")
	list, err := a.svc.AddTags(ctx, ann, p, []string{"pay", " Pay\t", "pay", "é"})
	if err != nil {
		t.Fatal(err)
	}
	wantTags(t, list.Tags, "Pay 1 mine", "pay 1 mine", "é 1 mine")
	list, err = b.svc.AddTags(ctx, joe, p, []string{"pay", "e\u0301", "new tag"}) // é in the other normal form
	if err != nil {
		t.Fatal(err)
	}
	wantTags(t, list.Tags, "Pay 1", "new tag 1 mine", "pay 2 mine", "é 2 mine")
	before := list.Resource.Seq
	list, err = b.svc.AddTags(ctx, joe, p, []string{"pay"})
	if err != nil || list.Resource.Seq != before {
		t.Errorf("a tag given twice moved the log from %v to %v: %v", before, list.Resource.Seq, err)
	}
	for _, n := range nodes {
		list, err = n.svc.Tags(ctx, ann, p, registry.Freshness{})
		if err != nil || list.Resource.Seq.N < before.N {
			t.Errorf("read at %v: %v", list.Resource.Seq, err)
		}
		wantTags(t, list.Tags, "Pay 1 mine", "new tag 1", "pay 2 mine", "é 2 mine")
	}
	if _, err := a.svc.RemoveTag(ctx, ann, p, "pay", false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pay", "new tag", "none"} { // taken back already, another's, nobody's
		_, err := b.svc.RemoveTag(ctx, ann, p, name, false)
		wantCode(t, err, registry.CodeNotFound)
	}
	_, err = a.svc.RemoveTag(ctx, ann, p, "new tag", true)
	wantCode(t, err, registry.CodeDenied)
	if _, err := b.moderated(t).RemoveTag(ctx, ann, p, "é", true); err != nil {
		t.Fatal(err)
	}
	list, err = a.svc.Tags(ctx, ann, p, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	wantTags(t, list.Tags, "Pay 1 mine", "new tag 1", "pay 1")

	for name, bad := range map[string][]string{
		"none": {}, "empty": {" "}, "comma": {"a,b"}, "control": {"a\nb"}, "markup": {"<b>"}, "not UTF-8": {"\xff"},
		"long": {strings.Repeat("é", registry.MaxTagLength+1)}, "many": make([]string, registry.MaxTagsAtOnce+1),
	} {
		if _, err := a.svc.AddTags(ctx, ann, p, bad); registry.CodeOf(err) != registry.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := strings.Repeat("𝄞", registry.MaxTagLength)
	longName := registry.Actor{User: strings.Repeat("𝄞", registry.MaxUserNameLength)}
	if list, err = a.svc.AddTags(ctx, longName, p, []string{longest}); err != nil || list.Tags[len(list.Tags)-1].Name != longest {
		t.Errorf("the longest tag of the longest name: %v", err)
	}
	_, err = a.svc.AddTags(ctx, registry.Actor{}, p, []string{"x"})
	wantCode(t, err, registry.CodeUnauthenticated)
	_, err = a.svc.AddTags(ctx, ann, "/none", []string{"x"})
	wantCode(t, err, registry.CodeNotFound)
	var many []string
	for i := range registry.MaxResourceTags {
		many = append(many, fmt.Sprintf("t%03d", i))
	}
	a.put(t, "/tags/full", "x")
	for part := range slices.Chunk(many, registry.MaxTagsAtOnce) {
		if _, err := a.svc.AddTags(ctx, ann, "/tags/full", part); err != nil {
			t.Fatal(err)
		}
	}
	_, err = a.svc.AddTags(ctx, joe, "/tags/full", []string{"t000", "one more"})
	wantCode(t, err, registry.CodeInvalid)
	if list, err = b.svc.Tags(ctx, joe, "/tags/full", registry.Freshness{}); err != nil || len(list.Tags) != registry.MaxResourceTags || list.Tags[0].Count != 1 {
		t.Errorf("%d tags, the first %+v: %v", len(list.Tags), list.Tags[0], err)
	}
}

// moderator lets ann moderate.
type moderator struct{}

// Moderates implements [registry.Moderator].
func (moderator) Moderates(_ context.Context, a registry.Actor, _ registry.Path) (bool, error) {
	return a.User == ann.User, nil
}

// moderated is the use cases of n with a moderator, ann.
func (n *node) moderated(t testing.TB) *registry.Service {
	t.Helper()
	return registry.NewService(registry.Config{Mounts: n.svc.Mounts(), Authorizer: registry.SignedIn{}, Moderator: moderator{}})
}

// but lets everybody who signed in do everything, but nothing below a path.
type but struct {
	registry.SignedIn

	p registry.Path
}

// Authorize implements [registry.Authorizer].
func (b but) Authorize(ctx context.Context, a registry.Actor, r registry.Right, p registry.Path) error {
	if b.p.Covers(p) {
		return registry.Errorf(registry.CodeDenied, "%s is hidden", p)
	}
	return b.SignedIn.Authorize(ctx, a, r, p)
}

// AuthorizeRead implements [registry.Authorizer].
func (b but) AuthorizeRead(ctx context.Context, a registry.Actor, r registry.Resource) error {
	return b.Authorize(ctx, a, registry.RightRead, r.Path)
}

// Visible implements [registry.Authorizer].
func (b but) Visible(ctx context.Context, a registry.Actor, places []registry.Place) ([]bool, error) {
	return authorize(b.Authorize).each(ctx, a, registry.RightRead, places), nil
}

// without is the use cases of n for users who may do nothing below p.
func (n *node) without(t testing.TB, p registry.Path) *registry.Service {
	t.Helper()
	return registry.NewService(registry.Config{Mounts: n.svc.Mounts(), Authorizer: but{p: p}})
}

func testTagged(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	const many = 45
	var want []string
	for i := range many {
		p := registry.Path(fmt.Sprintf("/tagged/%s/%02d", []string{"open", "secret"}[i/25], i))
		nodes[i%2].put(t, p, "x")
		if _, err := nodes[i%2].svc.AddTags(ctx, []registry.Actor{ann, joe}[i%2], p, []string{"every", fmt.Sprintf("tag-%d", i%3)}); err != nil {
			t.Fatal(err)
		}
		want = append(want, string(p))
	}
	if _, err := nodes[0].svc.AddTags(ctx, joe, "/tagged/open/00", []string{"every"}); err != nil { // counts once
		t.Fatal(err)
	}
	slices.Sort(want)
	all := func(s *registry.Service, limit int) (paths []string) {
		for cursor := ""; ; {
			page, err := s.Tagged(ctx, ann, "every", cursor, limit)
			if err != nil || len(page.Entries) > limit {
				t.Fatalf("%d entries: %v", len(page.Entries), err)
			}
			for _, e := range page.Entries {
				if e.Kind != registry.KindResource || e.ID.IsZero() {
					t.Errorf("entry %+v", e)
				}
				paths = append(paths, string(e.Path))
			}
			if cursor = page.Next; cursor == "" {
				slices.Sort(paths)
				return paths
			}
		}
	}
	for _, limit := range []int{1, 7, many, 100} {
		if got := all(nodes[1].svc, limit); !slices.Equal(got, want) {
			t.Errorf("by %d: %q", limit, got)
		}
		if got := all(nodes[1].without(t, "/tagged/secret"), limit); !slices.Equal(got, want[:25]) {
			t.Errorf("by %d, without the secret ones: %q", limit, got)
		}
	}
	page, err := nodes[0].svc.Tagged(ctx, ann, "Every", "", 0)
	if err != nil || len(page.Entries) != 0 || page.Next != "" {
		t.Errorf("another case gives %+v: %v", page, err)
	}
	for _, cursor := range []string{"?", "AAAA", strings.Repeat("A", 200)} {
		_, err = nodes[0].svc.Tagged(ctx, ann, "every", cursor, 0)
		wantCode(t, err, registry.CodeInvalid)
	}
	cloud := func(s *registry.Service, limit int) string {
		tags, err := s.TagCloud(ctx, ann, limit)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(tags)
	}
	if got := cloud(nodes[1].svc, 0); got != "[{every 45 true} {tag-0 15 false} {tag-1 15 false} {tag-2 15 false}]" {
		t.Errorf("the cloud is %s", got)
	}
	if got := cloud(nodes[1].svc, 1); got != "[{every 45 true}]" {
		t.Errorf("the smallest cloud is %s", got)
	}
	if got := cloud(nodes[1].without(t, "/tagged/secret"), 0); !strings.Contains(got, "{tag-0 9 false} {tag-1 8 false} {tag-2 8 false}") {
		t.Errorf("the cloud without the secret ones is %s", got)
	}
	if got := cloud(nodes[1].without(t, "/tagged"), 0); got != "[]" {
		t.Errorf("the cloud of who may see nothing is %s", got)
	}
	_, err = nodes[0].svc.TagCloud(ctx, registry.Actor{}, 0)
	wantCode(t, err, registry.CodeUnauthenticated)
}

// testFailedAnnotation: a change that fails after it has sent rows leaves nothing, and does not take those beside it along.
func testFailedAnnotation(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/base", "x")
	refusal := errors.New("refused")
	var wg sync.WaitGroup
	const clients = 30
	for i := range clients {
		wg.Go(func() {
			_, err := n.Update(context.Background(), registry.Op{Actor: registry.Actor{User: fmt.Sprint(i)}}, func(tx registry.Tx) error {
				r, err := tx.Get("/base")
				if err != nil {
					return err
				}
				if _, err := tx.AddTags(r, []string{"all"}); err != nil {
					return err
				}
				if _, err := tx.Rate(r, 5); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return refusal
				case 2:
					panic("a bug")
				}
				return nil
			})
			switch {
			case i%3 == 0 && err != nil:
				t.Errorf("change %d: %v", i, err)
			case i%3 == 1 && !errors.Is(err, refusal):
				t.Errorf("a refused change gave %v", err)
			case i%3 == 2:
				wantCode(t, err, registry.CodeInternal)
			}
		})
	}
	wg.Wait()
	list, err := n.svc.Tags(t.Context(), registry.Actor{User: "1"}, "/base", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	wantTags(t, list.Tags, fmt.Sprintf("all %d", clients/3))
	res, err := n.svc.Rating(t.Context(), registry.Actor{User: "1"}, "/base", registry.Freshness{})
	if err != nil || res.Rating != (registry.Rating{Average: 5, Count: clients / 3}) {
		t.Errorf("ratings are %+v: %v", res.Rating, err)
	}
}

// testAttachedLeavesVersions: what users attach makes no version and changes no entity tag, and is in the change log.
func testAttachedLeavesVersions(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	ctx := t.Context()
	n.put(t, "/plain/a", "x")
	n.put(t, "/plain/b", "x")
	a, up := n.get(t, "/plain/a"), n.get(t, "/plain")
	seq := up.Seq.N
	step := func(what string, got registry.Seq, err error) {
		t.Helper()
		if seq++; err != nil || got.N != seq || got.Store != n.Name() {
			t.Errorf("%s: at %v, want %d: %v", what, got, seq, err)
		}
	}
	list, err := n.svc.AddTags(ctx, ann, "/plain/a", []string{"one", "two"})
	step("tag", list.Resource.Seq, err)
	r, c, err := n.svc.AddComment(ctx, ann, "/plain/a", "text", 0)
	step("comment", r.Seq, err)
	r, _, err = n.svc.EditComment(ctx, ann, "/plain/a", c.Number, "another", registry.Precondition{})
	step("edit", r.Seq, err)
	res, err := n.svc.Rate(ctx, ann, "/plain/a", 3)
	step("rate", res.Resource.Seq, err)
	_, s, _, err := n.svc.Associate(ctx, ann, "/plain/a", "depends", "/plain/b")
	step("associate", s, err)
	s, err = n.svc.Dissociate(ctx, ann, "/plain/a", "depends", "/plain/b")
	step("dissociate", s, err)
	s, err = n.svc.DeleteComment(ctx, ann, "/plain/a", c.Number, registry.Precondition{})
	step("delete the comment", s, err)
	s, err = n.svc.RemoveTag(ctx, ann, "/plain/a", "one", false)
	step("remove the tag", s, err)
	for _, n := range nodes {
		if got := n.get(t, "/plain/a"); got.ETag() != a.ETag() || got.Seq.N != seq {
			t.Errorf("the resource is %s at %d, was %s at %d", got.ETag(), got.Seq.N, a.ETag(), a.Seq.N)
		}
		if got := n.get(t, "/plain"); got.ETag() != up.ETag() {
			t.Errorf("the collection is %s, was %s", got.ETag(), up.ETag())
		}
	}
}

// testConcurrentUsers lets many users of three nodes say something about one resource at once: each counts once.
func testConcurrentUsers(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 3)
	nodes[0].put(t, "/busy", "x")
	const users = 48
	var wg sync.WaitGroup
	for i := range users {
		wg.Go(func() {
			n, who, ctx := nodes[i%len(nodes)], registry.Actor{User: fmt.Sprint("user-", i)}, context.Background()
			_, tagErr := n.svc.AddTags(ctx, who, "/busy", []string{"all", fmt.Sprint("half-", i%2)})
			_, rateErr := n.svc.Rate(ctx, who, "/busy", 1+i%2)
			_, _, sayErr := n.svc.AddComment(ctx, who, "/busy", "text", 0)
			_, _, _, linkErr := n.svc.Associate(ctx, who, "/busy", "docs", "urn:same")
			if err := errors.Join(tagErr, rateErr, sayErr, linkErr); err != nil {
				t.Errorf("user %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		list, err := n.svc.Tags(t.Context(), ann, "/busy", registry.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		wantTags(t, list.Tags, fmt.Sprint("all ", users), fmt.Sprint("half-0 ", users/2), fmt.Sprint("half-1 ", users/2))
		res, err := n.svc.Rating(t.Context(), ann, "/busy", registry.Freshness{})
		if err != nil || res.Rating != (registry.Rating{Average: 1.5, Count: users}) {
			t.Errorf("the ratings are %+v: %v", res.Rating, err)
		}
		if got := n.comments(t, "/busy", 7); len(got) != users {
			t.Errorf("%d comments", len(got))
		}
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/busy"}), "/busy docs urn:same")
		if cloud, err := n.svc.TagCloud(t.Context(), ann, 0); err != nil || len(cloud) != 3 || cloud[0].Count != 1 {
			t.Errorf("the cloud is %v: %v", cloud, err)
		}
	}
}
