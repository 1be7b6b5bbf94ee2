package registrytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

var clerk = registry.Actor{User: "clerk", RequestID: "request-9", Client: "192.0.2.7", Agent: "curl/8"}

// story is what the tests of the log are about: seven operations of two users on one store.
func story(t *testing.T, n *node) {
	t.Helper()
	put := func(a registry.Actor, p registry.Path, text string) {
		if _, err := n.svc.Put(t.Context(), a, registry.PutInput{Path: p, Body: bytes.NewReader([]byte(text))}); err != nil {
			t.Fatal(err)
		}
	}
	put(clerk, "/a/b.txt", "one")                                                                                                   // 1
	put(actor, "/a/b.txt", "two")                                                                                                   // 2
	put(actor, "/a/b.txt", "two")                                                                                                   // changes nothing, and so is not in the log
	if _, err := n.svc.UpdateMeta(t.Context(), clerk, registry.MetaInput{Path: "/a/b.txt", Description: new("text")}); err != nil { // 3
		t.Fatal(err)
	}
	if _, err := n.CreateUser(t.Context(), registry.User{Name: "ann", Password: "x"}); err != nil { // 4
		t.Fatal(err)
	}
	put(clerk, "/a0", "other")                                                                 // 5
	if _, err := n.svc.Delete(t.Context(), clerk, "/a", registry.Precondition{}); err != nil { // 6
		t.Fatal(err)
	}
	refused := errors.New("refused")
	_, err := n.Update(t.Context(), op(), func(tx registry.Tx) error {
		root, err := tx.Get("/")
		if err != nil {
			return err
		}
		if _, err := tx.Create(root, "never", registry.KindCollection, registry.Draft{}); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	put(clerk, "/a/b.txt", "new") // 7
}

// line says an event in short.
func line(e registry.Event) string {
	return fmt.Sprintf("%d.%d %s %s v%d %s by %s %s", e.Seq, e.Item, e.Action, e.Path, e.Version, e.Subject, e.User, e.Client)
}

func lines(list []registry.Event) []string {
	all := make([]string, 0, len(list))
	for _, e := range list {
		all = append(all, line(e))
	}
	return all
}

var storyLines = []string{
	"1.0 create /a v1  by clerk 192.0.2.7",
	"1.1 create /a/b.txt v1  by clerk 192.0.2.7",
	"2.0 update /a/b.txt v2  by tester ",
	"3.0 update /a/b.txt v3  by clerk 192.0.2.7",
	"4.0 user  v0 ann by system ",
	"5.0 create /a0 v1  by clerk 192.0.2.7",
	"6.0 delete /a v1  by clerk 192.0.2.7",
	"7.0 create /a v1  by clerk 192.0.2.7",
	"7.1 create /a/b.txt v1  by clerk 192.0.2.7",
}

func wantLines(t *testing.T, what string, got []registry.Event, want []string) {
	t.Helper()
	if l := lines(got); !slices.Equal(l, want) {
		t.Errorf("%s:\n%q\nwant\n%q", what, l, want)
	}
}

func testEvents(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	empty, err := nodes[0].Head(ctx)
	if err != nil || empty.Seq != 0 {
		t.Fatalf("an empty log is at %v: %v", empty, err)
	}
	if page, err := nodes[0].Events(ctx, empty, 10); err != nil || len(page.Events) != 0 || page.Last != empty {
		t.Errorf("an empty log gave %+v, %v", page, err)
	}
	story(t, nodes[0])
	for k, n := range nodes {
		head, err := n.Head(ctx)
		if err != nil || head.Seq != 7 {
			t.Errorf("store %d: the log is at %v: %v", k, head, err)
		}
		for _, limit := range []int{1, 2, 3, 100} {
			wantLines(t, fmt.Sprintf("store %d in pieces of %d", k, limit), readAll(t, n, registry.Position{}, limit), storyLines)
		}
		wantLines(t, "from the middle of an operation", readAll(t, n, registry.Position{Seq: 1, Item: 0}, 5), storyLines[1:])
		wantLines(t, "from the end", readAll(t, n, head, 5), nil)
	}
	all := readAll(t, nodes[1], registry.Position{}, 100)
	sum := func(s string) registry.Hash { return sha256.Sum256([]byte(s)) }
	for i, want := range map[int][2]registry.Hash{
		0: {}, 1: {{}, sum("one")}, 2: {sum("one"), sum("two")}, 3: {sum("two"), sum("two")}, 6: {}, 8: {{}, sum("new")},
	} {
		if e := all[i]; e.Before != want[0] || e.After != want[1] {
			t.Errorf("event %d: content %s before and %s after", i, e.Before, e.After)
		}
	}
	first := all[1]
	if first.RequestID != clerk.RequestID || first.Agent != clerk.Agent || time.Since(first.At) > time.Hour || first.Node.IsZero() || !first.Moves || all[2].Moves {
		t.Errorf("the first put is told as %+v", first)
	}

	// A position that another log gave is noticed, whether this one has that number or not.
	for _, p := range []registry.Position{{Seq: 3, Item: 0, Mark: all[3].Mark + 1}, {Seq: 8, Item: 0, Mark: 5}, {Seq: 700}} {
		_, err := nodes[0].Events(ctx, p, 10)
		gone, ok := errors.AsType[*registry.GoneError](err)
		wantCode(t, err, registry.CodeGone)
		if !ok || gone.Oldest != 0 {
			t.Errorf("position %v: %v", p, err)
		}
	}
}

// readAll reads the log from a position on, in pieces.
func readAll(t *testing.T, n *node, from registry.Position, limit int) []registry.Event {
	t.Helper()
	var all []registry.Event
	for {
		page, err := n.Events(t.Context(), from, limit)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Events...)
		if len(page.Events) > 0 && page.Last.Before(page.Events[len(page.Events)-1].Position) { // it may end after the store's own work
			t.Fatalf("a piece ends at %v after %v", page.Last, page.Events)
		}
		if page.More && page.Last == from {
			t.Fatalf("a piece of %d after %v is empty, and there is more", limit, from)
		}
		if from = page.Last; !page.More {
			return all
		}
	}
}

func testActivity(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	story(t, nodes[0])
	s := storyLines
	reversed := slices.Clone(s)
	slices.Reverse(reversed)
	file := nodes[0].get(t, "/a/b.txt")
	for _, c := range []struct {
		what string
		q    registry.ActivityQuery
		want []string
	}{
		{"all", registry.ActivityQuery{}, reversed},
		{"a subtree", registry.ActivityQuery{Under: "/a"}, []string{s[8], s[7], s[6], s[3], s[2], s[1], s[0]}},
		{"one path", registry.ActivityQuery{Under: "/a0"}, []string{s[5]}},
		{"what has a path", registry.ActivityQuery{Under: "/"}, slices.DeleteFunc(slices.Clone(reversed), func(l string) bool { return l == s[4] })},
		{"nothing", registry.ActivityQuery{Under: "/b"}, nil},
		{"one resource", registry.ActivityQuery{Node: file.ID}, []string{s[8]}},
		{"a user", registry.ActivityQuery{User: "tester"}, []string{s[2]}},
		{"a user below a path", registry.ActivityQuery{User: "clerk", Under: "/a0"}, []string{s[5]}},
		{"an action", registry.ActivityQuery{Action: "delete"}, []string{s[6]}},
		{"an action that does not exist", registry.ActivityQuery{Action: "dance"}, nil},
		{"a range", registry.ActivityQuery{From: 2, To: 3}, []string{s[3], s[2]}},
		{"a time", registry.ActivityQuery{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}, reversed},
		{"a time that has passed", registry.ActivityQuery{Until: time.Now().Add(-time.Hour)}, nil},
		{"a time to come", registry.ActivityQuery{Since: time.Now().Add(time.Hour)}, nil},
	} {
		for _, limit := range []int{1, 2, 3, 100} {
			var got []registry.Event
			q := c.q
			for q.Limit = limit; ; {
				page, err := nodes[1].Activity(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, page.Events...)
				if len(page.Events) > limit || len(got) > len(s) {
					t.Fatalf("%s: too many: %q", c.what, lines(got))
				}
				if page.Next == (registry.Position{}) {
					break
				}
				q.Older = page.Next
			}
			wantLines(t, fmt.Sprintf("%s in pages of %d", c.what, limit), got, c.want)
		}
	}
}

func testAccesses(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	now := time.Now().UTC().Truncate(time.Millisecond)
	var want []registry.AccessEvent
	for i := range 5 {
		want = append(want, registry.AccessEvent{
			Kind: registry.AccessKind(i%3 + 1), Times: int64(i + 1), At: now.Add(time.Duration(i) * time.Second), User: "ann", Client: "192.0.2.1",
			Agent: "curl/8", RequestID: "r", Path: "/secret",
		})
	}
	if err := nodes[0].NoteAccess(t.Context(), want[:3]); err != nil {
		t.Fatal(err)
	}
	if err := nodes[1].NoteAccess(t.Context(), want[3:]); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(want)
	var got []registry.AccessEvent
	before := registry.ID{}
	for {
		page, err := nodes[1].Accesses(t.Context(), before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		before = page[len(page)-1].ID
		got = append(got, page...)
	}
	for i := range got {
		got[i].ID = registry.ID{}
	}
	if !slices.Equal(got, want) {
		t.Errorf("accesses are %+v\nwant %+v", got, want)
	}
}

// testWatch lets watchers of one node follow what two nodes write at once: each is told what the log says, in that order, once.
func testWatch(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	each := max(rounds(200), 40)
	const writers, paths = 4, 5
	inputs := []registry.WatchInput{
		{Path: "/"}, {Path: "/w"}, {Path: "/w/1", Only: true}, {Path: "/w/2/deep"}, {Path: "/w", From: &registry.Position{}}, {Path: "/none"},
	}
	var watches []*registry.Watch
	for i, in := range inputs {
		w, err := nodes[i%2].svc.Watch(t.Context(), actor, in)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		watches = append(watches, w)
	}
	var wg sync.WaitGroup
	for c := range writers {
		wg.Go(func() {
			for i := range each {
				n, p := nodes[c%2], registry.Path(fmt.Sprintf("/w/%d", (c+i)%paths))
				if i%7 == 3 {
					_, err := n.svc.Delete(context.Background(), actor, p, registry.Precondition{})
					if err != nil && registry.CodeOf(err) != registry.CodeNotFound {
						t.Errorf("delete %s: %v", p, err)
					}
					continue
				}
				n.put(t, p, fmt.Sprintf("%d of %d", i, c))
			}
		})
	}
	wg.Wait()
	nodes[0].put(t, "/w/last", "x")
	all := readAll(t, nodes[0], registry.Position{}, 100)
	if len(all) < writers*each/2 {
		t.Fatalf("the log has only %d events", len(all))
	}
	for i, in := range inputs {
		var want []registry.Event
		for _, e := range all {
			below := e.Moves && e.Path.Covers(in.Path)
			if below || e.Path == in.Path || !in.Only && in.Path.Covers(e.Path) {
				e.Client, e.Agent = "", ""
				want = append(want, e)
			}
		}
		var got []registry.Event
		for len(got) < len(want) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			events, err := watches[i].Next(ctx, func() (registry.Actor, error) { return actor, nil })
			cancel()
			if err != nil {
				t.Fatalf("%+v: after %d of %d events: %v", in, len(got), len(want), err)
			}
			got = append(got, events...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: told %d events, want %d, or in another order", in, len(got), len(want))
		}
	}
}
