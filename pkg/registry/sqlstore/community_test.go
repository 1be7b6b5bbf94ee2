package sqlstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

var tester = registry.Op{Actor: registry.Actor{User: "tester"}, At: time.Unix(1_800_000_000, 0)}

// makeNode makes the collection p with those above it.
func makeNode(t *testing.T, s *Store, p registry.Path) registry.Resource {
	t.Helper()
	var r registry.Resource
	_, err := s.Update(t.Context(), tester, func(tx registry.Tx) (err error) {
		if r, err = tx.Get(registry.Root); err != nil {
			return err
		}
		for q := registry.Root; q != p; {
			name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(string(p), string(q)), "/"), "/")
			q = child(q, name)
			next, err := tx.Get(q)
			if registry.CodeOf(err) == registry.CodeNotFound {
				next, err = tx.Create(r, name, registry.KindCollection, registry.Draft{})
			}
			if err != nil {
				return err
			}
			r = next
		}
		return nil
	})
	if err != nil {
		t.Fatalf("make %s: %v", p, err)
	}
	return r
}

// trashNode moves p to the trash.
func trashNode(t *testing.T, s *Store, p registry.Path) {
	t.Helper()
	_, err := s.Update(t.Context(), tester, func(tx registry.Tx) error {
		r, err := tx.Get(p)
		if err != nil {
			return err
		}
		return tx.Trash(r)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// attach gives r a tag, a comment, a rating, and an association to another node.
func attach(t *testing.T, s *Store, r, to registry.Resource, tags ...string) {
	t.Helper()
	_, err := s.Update(t.Context(), tester, func(tx registry.Tx) error {
		_, err := tx.AddTags(r, tags)
		if err != nil {
			return err
		}
		if _, err := tx.AddComment(r, "text", nil); err != nil {
			return err
		}
		if _, err := tx.Rate(r, 4); err != nil {
			return err
		}
		_, err = tx.Associate(r, registry.End{Place: registry.Place{ID: to.ID}}, "depends")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlaces(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	want := map[registry.ID]registry.Path{rootID: "/", trashID: "", {9, 9}: ""}
	ids := []registry.ID{rootID, trashID, {9, 9}}
	for _, depth := range []int{1, 15, 16, 17, 31, 32, 33, 48, 200, registry.MaxDepth} {
		p := registry.Path(strings.Repeat("/d", depth-1) + "/end")
		r := makeNode(t, s, p)
		want[r.ID] = p
		ids = append(ids, r.ID)
	}
	for _, p := range []registry.Path{"/gone", registry.Path("/gone2" + strings.Repeat("/d", 15)), registry.Path("/gone3" + strings.Repeat("/d", 40))} {
		want[makeNode(t, s, p).ID] = ""
		trashNode(t, s, "/"+registry.Path(p.Names()[0]))
	}
	check := func() {
		t.Helper()
		got, err := s.places(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if got[id].Path != want[id] || got[id].ID != id {
				t.Errorf("%s stands at %q, want %q", id, got[id].Path, want[id])
			}
		}
	}
	check()
	for id := range want { // one by one, where no other way of the same statement hides a fault
		ids = []registry.ID{id}
		check()
	}
	// A way that is broken right where a statement ends, as no store has it, ends too.
	r := makeNode(t, s, registry.Path("/broken"+strings.Repeat("/d", 16)))
	if _, err := s.write.db.ExecContext(t.Context(), "DELETE FROM node WHERE name = CAST('broken' AS BLOB)"); err != nil {
		t.Fatal(err)
	}
	want[r.ID], ids = "", []registry.ID{r.ID}
	check()
}

// rowsOf counts the rows of what is attached, table by table.
func rowsOf(t *testing.T, s *Store) string {
	t.Helper()
	var all []string
	for _, name := range []string{"tagging", "tag", "tag_use", "comment", "rating", "rating_sum", "association"} {
		var n int
		if err := s.read.one(t.Context(), "test", "SELECT COUNT(*) FROM "+name, nil, &n); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %d", name, n))
	}
	return strings.Join(all, ", ")
}

func testPurgeAttached(t *testing.T, s *Store) {
	keep, gone, below := makeNode(t, s, "/keep"), makeNode(t, s, "/gone"), makeNode(t, s, "/gone/below")
	attach(t, s, keep, gone, "both", "kept")
	before := rowsOf(t, s)
	attach(t, s, gone, keep, "both", "lost")
	attach(t, s, below, gone, "both", "lost")
	trashNode(t, s, "/gone")
	if got := rowsOf(t, s); got != "tagging 6, tag 6, tag_use 3, comment 3, rating 3, rating_sum 3, association 3" {
		t.Errorf("with the trash: %s", got)
	}
	purge := func(ids []registry.ID, then error) error {
		_, err := s.update(t.Context(), tester, func(o *operation) error {
			o.sent = true
			o.touch(item{act: actTrash, node: gone.ID})
			return errors.Join(s.purgeAttached(o.ctx, o.tx, ids), then)
		})
		return err
	}
	failed := errors.New("failed")
	if err := purge([]registry.ID{gone.ID, below.ID}, failed); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	if got := rowsOf(t, s); !strings.HasPrefix(got, "tagging 6, tag 6, tag_use 3") {
		t.Errorf("after a purge that failed: %s", got)
	}
	for _, ids := range [][]registry.ID{nil, {gone.ID, below.ID}, {gone.ID}} {
		if err := purge(ids, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := rowsOf(t, s), strings.Replace(before, "association 1", "association 0", 1); got != want { // its target is gone
		t.Errorf("after the purge: %s, want %s", got, want)
	}
	uses, err := s.TopTags(t.Context(), 10, 10)
	if err != nil || len(uses) != 2 || uses[0].Nodes != 1 || uses[1].Nodes != 1 {
		t.Errorf("the tags that are left: %+v: %v", uses, err)
	}
}

func TestPurgeAttached(t *testing.T) {
	testPurgeAttached(t, testStore(t, Config{DSN: sqliteFile(t)}))
}

// TestAttached_IsBackWithItsNode: nothing goes with a node to the trash, so all is there when it leaves it.
func TestAttached_IsBackWithItsNode(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	a, b := makeNode(t, s, "/a"), makeNode(t, s, "/b")
	attach(t, s, a, b, "tag")
	see := func() string {
		tagged, err := s.Tagged(t.Context(), "tag", registry.ID{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		in, err := s.Associations(t.Context(), registry.AssociationQuery{Nodes: []registry.ID{b.ID}, Incoming: true, Limit: 10})
		if err != nil || len(in) != 1 || len(tagged) != 1 {
			t.Fatalf("%d tagged, %d associations: %v", len(tagged), len(in), err)
		}
		return string(tagged[0].Path + "," + in[0].Source.Path)
	}
	if got := see(); got != "/a,/a" {
		t.Errorf("before: %s", got)
	}
	trashNode(t, s, "/a")
	if got := see(); got != "," {
		t.Errorf("in the trash: %s", got)
	}
	_, err := s.update(t.Context(), tester, func(o *operation) error { // to another place
		n, err := o.node(a.ID)
		if err != nil {
			return err
		}
		n.parent, n.name = b.ID, "back"
		o.put(n)
		o.touch(item{act: actCreate, node: n.ID, parent: n.parent, name: n.name})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := see(); got != "/b/back,/b/back" {
		t.Errorf("after: %s", got)
	}
}

func TestLogName(t *testing.T) {
	for in, want := range map[string]int{"": 0, "short": 5, strings.Repeat("a", 1020): 1020, strings.Repeat("a", 1021): 1020, strings.Repeat("日", 500): 1020, "a" + strings.Repeat("日", 500): 1018} {
		if got := logName(in); len(got) != want || !strings.HasPrefix(in, got) || !slices.Equal([]rune(got), []rune(in)[:len([]rune(got))]) {
			t.Errorf("%.10q… of %d bytes gives %d, want %d", in, len(in), len(got), want)
		}
	}
}

func testPurgeOnMySQL(t *testing.T, server *registrytest.MySQL) {
	testPurgeAttached(t, testStore(t, Config{DSN: "mysql:" + server.Database(t)}))
}

// testAttachedReads counts the rows that pages in the middle of many make the server look at.
func testAttachedReads(t *testing.T, server *registrytest.MySQL) {
	s := testStore(t, Config{DSN: "mysql:" + server.Database(t), PoolSize: 1}) // so that the counters are of the connection that reads
	ctx := t.Context()
	const many, page = 1500, 50
	hub := makeNode(t, s, "/hub")
	nodes := make([]registry.Resource, many)
	_, err := s.Update(ctx, tester, func(tx registry.Tx) error {
		for i := range nodes {
			var err error
			if nodes[i], err = tx.Create(hub, fmt.Sprintf("%05d", i), registry.KindCollection, registry.Draft{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var tagged, used, linked, said [][]any
	for i, n := range nodes {
		tagged = append(tagged, []any{n.ID[:], []byte("tag"), 1})
		used = append(used, []any{fmt.Appendf(nil, "t%d", i), i})
		to := registry.End{Place: registry.Place{ID: n.ID}}
		linked = append(linked,
			[]any{hub.ID[:], outKey("depends", to), n.ID[:], inKey("depends", hub.ID), []byte("depends"), nil, 0, []byte("x")},
			[]any{n.ID[:], outKey("depends", registry.End{Place: registry.Place{ID: hub.ID}}), hub.ID[:], inKey("depends", n.ID), []byte("depends"), nil, 0, []byte("x")})
		thread := 1
		if i >= many/2 {
			thread = i + 1 // one long thread, then short ones
		}
		said = append(said, []any{hub.ID[:], thread, i + 1, 0, 1, 0, []byte("x"), 0, []byte{}, 0, []byte("text")})
	}
	_, err = s.update(ctx, tester, func(o *operation) error {
		o.touch(item{act: actTag, node: hub.ID})
		return errors.Join(o.sendRows(tagTable, tagged, ""), o.sendRows(tagUseTable, used, ""),
			o.sendRows(table{"association", []string{"src", "out_key", "dst", "in_key", "type", "uri", "created_us", "created_by"}}, linked, ""),
			o.sendRows(table{"comment", []string{"node", "thread", "n", "reply_to", "rev", "deleted", "author", "created_us", "edited_by", "edited_us", "body"}}, said, ""))
	})
	if err != nil {
		t.Fatal(err)
	}
	reads := func() (sum int64) {
		for _, name := range []string{"key", "next", "prev", "first", "last", "rnd_next"} {
			var label string
			var n int64
			if err := s.read.db.QueryRowContext(ctx, "SHOW SESSION STATUS LIKE 'Handler_read_"+name+"'").Scan(&label, &n); err != nil {
				t.Fatal(err)
			}
			if name != "rnd_next" || n > 10*page { // SHOW itself reads a table in memory
				sum += n
			}
		}
		return sum
	}
	keys, err := s.Associations(ctx, registry.AssociationQuery{Nodes: []registry.ID{hub.ID}, Limit: many})
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() (int, error){
		"tagged": func() (int, error) {
			l, err := s.Tagged(ctx, "tag", nodes[many/2].ID, page)
			return len(l), err
		},
		"out": func() (int, error) {
			l, err := s.Associations(ctx, registry.AssociationQuery{Nodes: []registry.ID{hub.ID}, After: keys[many/2].Key, Limit: page})
			return len(l), err
		},
		"in, of one type": func() (int, error) {
			l, err := s.Associations(ctx, registry.AssociationQuery{
				Nodes: []registry.ID{hub.ID}, Incoming: true, Type: "depends", After: registry.AssociationKey(inKey("depends", nodes[many/2].ID)), Limit: page,
			})
			return len(l), err
		},
		"comments in a thread": func() (int, error) {
			l, err := s.Comments(ctx, hub.ID, registry.CommentKey{Thread: 1, Number: many / 4}, page)
			return len(l), err
		},
		"comments after it": func() (int, error) {
			l, err := s.Comments(ctx, hub.ID, registry.CommentKey{Thread: many * 3 / 4, Number: many * 3 / 4}, page)
			return len(l), err
		},
		"cloud": func() (int, error) {
			l, err := s.TopTags(ctx, page, 16)
			return len(l), err
		},
	} {
		before := reads()
		n, err := read()
		if err != nil || n != page {
			t.Fatalf("%s: %d rows: %v", name, n, err)
		}
		// An entry, its node and those above it for each, and a few to find the start.
		if sum := reads() - before; sum > 6*page {
			t.Errorf("%s: a page of %d in the middle of %d read %d rows", name, page, many, sum)
		} else {
			t.Logf("%s: %d rows", name, sum)
		}
	}
}
