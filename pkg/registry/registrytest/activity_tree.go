package registrytest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// told says an event of the tree or of what is attached to it in short; the store's own work takes numbers of the log, which are left out.
func told(e registry.Event) string {
	s := fmt.Sprintf("%s %s", e.Action, e.Path)
	if e.Related != "" {
		s += " ~ " + string(e.Related)
	}
	if e.Subject != "" {
		s += " " + e.Subject
	}
	if e.Action == "rate" {
		s += fmt.Sprintf(" %d", e.Number)
	}
	return s
}

func allTold(list []registry.Event) []string {
	all := make([]string, 0, len(list))
	for _, e := range list {
		all = append(all, told(e))
	}
	return all
}

// journey moves a subtree about, in one store: where it was and where it is are told, to whoever watches either.
func journey(t *testing.T, n *node) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	n.put(t, "/a/b/c.txt", "one")
	_, err := n.svc.Move(ctx, actor, registry.MoveInput{From: "/a/b", To: "/x/y"})
	must(err)
	_, err = n.svc.Copy(ctx, actor, registry.MoveInput{From: "/x/y", To: "/z"})
	must(err)
	n.put(t, "/x/y/c.txt", "two")
	_, err = n.svc.Delete(ctx, actor, "/x/y", registry.Precondition{})
	must(err)
	page, err := n.svc.Trash(ctx, actor, "/", "", 10)
	must(err)
	_, err = n.svc.Undelete(ctx, actor, page.Entries[0].ID, "/w/y")
	must(err)
	_, err = n.svc.Delete(ctx, actor, "/w/y/c.txt", registry.Precondition{})
	must(err)
	page, err = n.svc.Trash(ctx, actor, "/", "", 10)
	must(err)
	_, err = n.svc.Purge(ctx, actor, "/", page.Entries[0].ID)
	must(err)
	_, err = n.svc.Move(ctx, actor, registry.MoveInput{From: "/z/c.txt", To: "/a/d.txt", Overwrite: true})
	must(err)
	_, err = n.svc.Copy(ctx, actor, registry.MoveInput{From: "/a/d.txt", To: "/w/alone"})
	must(err)
	_, _, err = n.svc.Batch(ctx, actor, []registry.Step{registry.CopyStep(registry.MoveInput{From: "/w/alone", To: "/w/batch"})})
	must(err)
}

var journeyTold = []string{
	"create /a", "create /a/b", "create /a/b/c.txt",
	"create /x", "leave /a/b ~ /x/y", "move /x/y ~ /a/b",
	"copy /z ~ /x/y",
	"update /x/y/c.txt",
	"delete /x/y",
	"create /w", "undelete /w/y ~ /x/y",
	"delete /w/y/c.txt",
	"purge /w/y/c.txt",
	"leave /z/c.txt ~ /a/d.txt", "move /a/d.txt ~ /z/c.txt",
	"copy /w/alone ~ /a/d.txt", "copy /w/batch ~ /w/alone",
}

func testTreeEvents(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	watched := map[registry.Path][]string{
		"/":          journeyTold,
		"/a/b/c.txt": {"create /a", "create /a/b", "create /a/b/c.txt", "leave /a/b ~ /x/y"},
		"/x":         {"create /x", "move /x/y ~ /a/b", "update /x/y/c.txt", "delete /x/y"},
		"/x/y/deep":  {"create /x", "move /x/y ~ /a/b", "delete /x/y"},
		"/z/c.txt":   {"copy /z ~ /x/y", "leave /z/c.txt ~ /a/d.txt"},
		"/w":         {"create /w", "undelete /w/y ~ /x/y", "delete /w/y/c.txt", "purge /w/y/c.txt", "copy /w/alone ~ /a/d.txt", "copy /w/batch ~ /w/alone"},
	}
	watches := map[registry.Path]*registry.Watch{}
	for p := range watched {
		w, err := nodes[1].svc.Watch(t.Context(), actor, registry.WatchInput{Path: p})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		watches[p] = w
	}
	journey(t, nodes[0])
	for p, want := range watched {
		var got []registry.Event
		for len(got) < len(want) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			events, err := watches[p].Next(ctx, func() (registry.Actor, error) { return actor, nil })
			cancel()
			if err != nil {
				t.Fatalf("%s: told %q, then %v", p, allTold(got), err)
			}
			got = append(got, events...)
		}
		if l := allTold(got); !slices.Equal(l, want) {
			t.Errorf("who watches %s is told\n%q\nwant\n%q", p, l, want)
		}
	}
	for _, limit := range []int{1, 3, 100} {
		all := allTold(readAll(t, nodes[1], registry.Position{}, limit))
		if !slices.Equal(all, journeyTold) {
			t.Errorf("the log in pieces of %d is\n%q\nwant\n%q", limit, all, journeyTold)
		}
	}
	checkBodies(t, readAll(t, nodes[1], registry.Position{}, 100))
	checkAudit(t, nodes[1])
}

// checkBodies looks at the contents before and after of what was moved about.
func checkBodies(t *testing.T, all []registry.Event) {
	t.Helper()
	sum := func(s string) registry.Hash { return sha256.Sum256([]byte(s)) }
	none := registry.Hash{}
	for _, e := range all {
		want, ok := map[string][2]registry.Hash{
			"create /a/b/c.txt":         {none, sum("one")},
			"update /x/y/c.txt":         {sum("one"), sum("two")},
			"delete /w/y/c.txt":         {sum("two"), none},
			"purge /w/y/c.txt":          {sum("two"), none},
			"leave /z/c.txt ~ /a/d.txt": {sum("one"), sum("one")},
			"copy /w/alone ~ /a/d.txt":  {none, sum("one")},
			"move /a/d.txt ~ /z/c.txt":  {sum("one"), sum("one")},
		}[told(e)]
		if ok && (e.Before != want[0] || e.After != want[1]) {
			t.Errorf("%s: content %s before and %s after", told(e), e.Before, e.After)
		}
	}
}

// checkAudit looks at the log of the journey backwards: nothing of the store's own work is in it, whatever is asked for.
func checkAudit(t *testing.T, n *node) {
	t.Helper()
	moved := n.get(t, "/a/d.txt")
	for _, c := range []struct {
		what string
		q    registry.ActivityQuery
		want []string
	}{
		{"all", registry.ActivityQuery{}, journeyTold},
		{"the actor", registry.ActivityQuery{User: actor.User}, journeyTold},
		{"the system", registry.ActivityQuery{User: "system"}, nil},
		{"moves", registry.ActivityQuery{Action: "move"}, []string{"move /x/y ~ /a/b", "move /a/d.txt ~ /z/c.txt"}},
		{"one resource", registry.ActivityQuery{Node: moved.ID}, []string{"leave /z/c.txt ~ /a/d.txt", "move /a/d.txt ~ /z/c.txt"}},
		{"one collection", registry.ActivityQuery{Node: n.get(t, "/w/y").ID, Action: "undelete"}, []string{"undelete /w/y ~ /x/y"}},
	} {
		for _, limit := range []int{1, 4, 100} {
			got := allTold(readBack(t, n, c.q, limit))
			slices.Reverse(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s in pages of %d:\n%q\nwant\n%q", c.what, limit, got, c.want)
			}
		}
	}
}

// readBack reads all that a query chooses, newest first, in pages.
func readBack(t *testing.T, n *node, q registry.ActivityQuery, limit int) []registry.Event {
	t.Helper()
	var all []registry.Event
	for q.Limit = limit; ; {
		page, err := n.Activity(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Events...)
		if page.Next == (registry.Position{}) {
			return all
		}
		q.Older = page.Next
	}
}

// testEventsOnce: a request is told once however often it comes, the steps of a batch once each, and what came to nothing not at all.
func testEventsOnce(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	nodes[0].put(t, "/a/1.txt", "one")
	repeat := func(what string, change func(n *node) error) {
		for i := range 4 {
			if err := change(nodes[i%2]); err != nil {
				t.Fatalf("%s, time %d: %v", what, i, err)
			}
		}
	}
	repeat("move", func(n *node) error {
		_, err := n.svc.Move(ctx, by("move", "m"), registry.MoveInput{From: "/a/1.txt", To: "/b/1.txt"})
		return err
	})
	repeat("move to where it is", func(n *node) error {
		_, err := n.svc.Move(ctx, by("still", "m"), registry.MoveInput{From: "/b/1.txt", To: "/b/1.txt"})
		return err
	})
	repeat("comment", func(n *node) error {
		_, _, err := n.svc.AddComment(ctx, by("comment", "c"), "/b/1.txt", "hello", 0)
		return err
	})
	repeat("copy", func(n *node) error {
		_, err := n.svc.Copy(ctx, by("copy", "c"), registry.MoveInput{From: "/b", To: "/c"})
		return err
	})
	batch := func(n *node, a registry.Actor, to, last registry.Path) error {
		_, _, err := n.svc.Batch(ctx, a, []registry.Step{
			registry.PutStep(registry.PutInput{Path: "/d/2.txt"}, []byte("two")),
			registry.PutStep(registry.PutInput{Path: "/d/2.txt"}, []byte("three")),
			registry.MoveStep(registry.MoveInput{From: "/d", To: to}),
			registry.DeleteStep(last, registry.Precondition{}),
		})
		return err
	}
	repeat("batch", func(n *node) error { return batch(n, by("batch", "b"), "/e", "/c") })
	if err := batch(nodes[0], actor, "/f", "/none"); registry.CodeOf(err) != registry.CodeNotFound {
		t.Fatalf("a batch whose last step fails: %v", err)
	}
	refused := errors.New("refused")
	_, err := nodes[0].Update(ctx, op(), func(tx registry.Tx) error { // after it wrote rows already
		r, err := tx.Get("/b/1.txt")
		if err != nil {
			return err
		}
		if _, err := tx.AddComment(r, "never", nil); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	want := []string{
		"create /a", "create /a/1.txt",
		"create /b", "leave /a/1.txt ~ /b/1.txt", "move /b/1.txt ~ /a/1.txt",
		"comment /b/1.txt",
		"copy /c ~ /b",
		"create /d", "create /d/2.txt", "update /d/2.txt", "leave /d ~ /e", "move /e ~ /d", "delete /c",
	}
	if got := allTold(readAll(t, nodes[1], registry.Position{}, 100)); !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}

func testCommunityEvents(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	ctx := t.Context()
	n.put(t, "/a", "one")
	n.put(t, "/b", "two")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time changes nothing
		_, err := n.svc.AddTags(ctx, actor, "/a", []string{"red", "blue"})
		must(err)
		_, err = n.svc.Rate(ctx, actor, "/a", 4)
		must(err)
		_, _, _, err = n.svc.Associate(ctx, actor, "/a", "depends", "/b")
		must(err)
	}
	_, err := n.svc.RemoveTag(ctx, actor, "/a", "red", false)
	must(err)
	_, err = n.svc.Rate(ctx, actor, "/a", 0)
	must(err)
	_, c, err := n.svc.AddComment(ctx, actor, "/a", "hello", 0)
	must(err)
	_, _, err = n.svc.EditComment(ctx, actor, "/a", c.Number, "hullo", registry.Precondition{})
	must(err)
	_, err = n.svc.DeleteComment(ctx, actor, "/a", c.Number, registry.Precondition{})
	must(err)
	_, err = n.svc.Dissociate(ctx, actor, "/a", "depends", "/b")
	must(err)
	want := []string{
		"create /a", "create /b", "tag /a red", "tag /a blue", "rate /a 4", "associate /a ~ /b depends",
		"untag /a red", "rate /a 0", "comment /a", "edit_comment /a", "delete_comment /a", "dissociate /a ~ /b depends",
	}
	all := readAll(t, n, registry.Position{}, 3)
	if got := allTold(all); !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
	for _, e := range all {
		attached := e.Action != "create"
		if e.Moves == attached || (e.Version == 0) != attached || attached && (e.HasBefore() || e.HasAfter()) {
			t.Errorf("%s is told as %+v", told(e), e)
		}
		if comment := strings.HasSuffix(e.Action, "comment"); comment && e.Number != c.Number {
			t.Errorf("%s is of comment %d, want %d", told(e), e.Number, c.Number)
		}
	}
	for _, action := range []string{"tag", "untag", "comment", "edit_comment", "delete_comment", "rate", "associate", "dissociate"} {
		for _, q := range []registry.ActivityQuery{{Action: action}, {Action: action, Node: n.get(t, "/a").ID}} {
			got := allTold(readBack(t, n, q, 1))
			slices.Reverse(got)
			chosen := slices.DeleteFunc(slices.Clone(want), func(l string) bool { return !strings.HasPrefix(l, action+" ") })
			if !slices.Equal(got, chosen) {
				t.Errorf("%+v: %q, want %q", q, got, chosen)
			}
		}
	}
}

// testActivityTimes: what a time leaves out must not use up a page, wherever it lies in the log: clocks of nodes differ.
func testActivityTimes(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	base := time.Now().UTC().Truncate(time.Second)
	const all = 60
	for i := range all {
		o := op()
		o.At = base.Add(time.Duration(i) * time.Second)
		if i%10 == 5 {
			o.At = o.At.Add(-5 * time.Minute) // a clock that is behind
		}
		_, err := n.Update(t.Context(), o, func(tx registry.Tx) error {
			root, err := tx.Get(registry.Root)
			if err != nil {
				return err
			}
			_, err = tx.Create(root, fmt.Sprintf("%02d", i), registry.KindCollection, registry.Draft{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	since, until := base.Add(10*time.Second), base.Add(20*time.Second)
	var want []string
	for i := 19; i >= 10; i-- {
		if i%10 != 5 {
			want = append(want, fmt.Sprintf("create /%02d", i))
		}
	}
	for _, q := range []registry.ActivityQuery{{Since: since, Until: until}, {Since: since, Until: until, User: actor.User}} {
		for _, limit := range []int{1, 2, 5, 100} {
			if got := allTold(readBack(t, n, q, limit)); !slices.Equal(got, want) {
				t.Errorf("%+v in pages of %d: %q, want %q", q, limit, got, want)
			}
		}
	}
}
