package registrytest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// tree is a whole tree: what is at each path, in words.
type tree map[registry.Path]string

func describe(r registry.Resource) string {
	return fmt.Sprintf("%s %s v%d %s %q", r.Kind, r.ID, r.Version, r.Hash, r.Meta.Description)
}

// walk reads all below a collection, now or at a moment, by small pages.
func (n *node) walk(t testing.TB, p registry.Path, when registry.Moment) tree {
	t.Helper()
	all := tree{}
	for open := []registry.Path{p}; len(open) > 0; {
		p := open[0]
		open = open[1:]
		for cursor := ""; ; {
			page, err := n.page(p, when, cursor)
			if err != nil {
				t.Fatalf("list %s at %s: %v", p, when, err)
			}
			for _, r := range page.Entries {
				all[r.Path] = describe(r)
				if r.Kind == registry.KindCollection {
					open = append(open, r.Path)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	return all
}

func (n *node) page(p registry.Path, when registry.Moment, cursor string) (registry.Page, error) {
	if when.IsZero() {
		return n.svc.List(context.Background(), actor, p, cursor, 3, registry.Freshness{})
	}
	return n.svc.ListAt(context.Background(), actor, p, when, cursor, 3)
}

func (n *node) at(p registry.Path, when registry.Moment) (registry.Resource, error) {
	r, _, err := n.svc.GetPick(context.Background(), actor, p, registry.Pick{At: when}, registry.Freshness{})
	return r, err
}

func (n *node) remove(t testing.TB, p registry.Path) registry.Seq {
	t.Helper()
	seq, err := n.svc.Delete(context.Background(), actor, p, registry.Precondition{})
	if err != nil {
		t.Fatalf("delete %s: %v", p, err)
	}
	return seq
}

func testAt(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// One change a minute, whose position is its number.
	changes := []func(registry.Tx) error{
		func(tx registry.Tx) error { return make1(tx, "/a", registry.KindCollection, "") },
		func(tx registry.Tx) error { return make1(tx, "/a/x", registry.KindResource, "first") },
		func(tx registry.Tx) error { return revise1(tx, "/a/x", "second") },
		func(tx registry.Tx) error { return trash1(tx, "/a/x") },
		func(tx registry.Tx) error { return make1(tx, "/a/x", registry.KindResource, "another") },
		func(tx registry.Tx) error { return trash1(tx, "/a") },
		func(tx registry.Tx) error { return make1(tx, "/a", registry.KindResource, "a file") },
	}
	for i, change := range changes {
		op := registry.Op{Actor: actor, At: start.Add(time.Duration(i+1) * time.Minute)}
		if seq, err := nodes[i%2].Update(t.Context(), op, change); err != nil || seq.N != int64(i+1) {
			t.Fatalf("change %d is at %d: %v", i+1, seq.N, err)
		}
	}
	for seq, want := range []map[registry.Path]string{
		{"/": "", "/a": "-", "/a/x": "-"},
		{"/a": "", "/a/x": "-"},
		{"/a": "", "/a/x": "first"},
		{"/a": "", "/a/x": "second"},
		{"/a": "", "/a/x": "-"},
		{"/a": "", "/a/x": "another"},
		{"/a": "-", "/a/x": "-"},
		{"/a": "a file", "/a/x": "-"},
	} {
		moments := []registry.Moment{{Time: start.Add(time.Duration(seq)*time.Minute + time.Second)}}
		if seq > 0 {
			moments = append(moments, registry.Moment{Seq: int64(seq)}, registry.Moment{Seq: int64(seq), Name: nodes[0].Name()})
		}
		for _, when := range moments {
			for p, text := range want {
				r, err := nodes[seq%2].at(p, when)
				got := r.Meta.Description
				if registry.CodeOf(err) == registry.CodeNotFound {
					got, err = "-", nil
				}
				if got != text || err != nil {
					t.Errorf("at %s %s is %q, want %q: %v", when, p, got, text, err)
				}
				if err == nil && got != "-" && (r.Seq.N != int64(seq) || r.Path != p || !r.IsPast()) {
					t.Errorf("at %s the state of %s is %+v", when, p, r)
				}
			}
		}
	}
	for _, when := range []registry.Moment{{Seq: 8}, {Seq: 1, Name: "other"}} {
		_, err := nodes[0].at("/a", when)
		wantCode(t, err, registry.CodeInvalid)
	}
	_, err := nodes[0].svc.ListAt(t.Context(), actor, "/a", registry.Moment{Seq: 7}, "", 0)
	wantCode(t, err, registry.CodeConflict)
	if now, err := nodes[0].at("/a", registry.Moment{Time: time.Now().Add(time.Hour)}); err != nil || now.Version != 1 {
		t.Errorf("in an hour it is %+v: %v", now, err)
	}
}

func make1(tx registry.Tx, p registry.Path, kind registry.Kind, text string) error {
	parent, err := tx.Get(p.Parent())
	if err == nil {
		_, err = tx.Create(parent, p.Name(), kind, registry.Draft{Meta: registry.Meta{Description: text}})
	}
	return err
}

func revise1(tx registry.Tx, p registry.Path, text string) error {
	r, err := tx.Get(p)
	if err == nil {
		_, err = tx.Revise(r, registry.Draft{Meta: registry.Meta{Description: text}})
	}
	return err
}

func trash1(tx registry.Tx, p registry.Path) error {
	r, err := tx.Get(p)
	if err == nil {
		err = tx.Trash(r)
	}
	return err
}

// testAtRandom: after each of many random changes the tree is noted; later each position tells the tree that was noted there. Restores take
// nodes out of the trash, so places are left and taken again.
func testAtRandom(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	r := rand.New(rand.NewPCG(7, 7))
	names := []string{"a", "b", "c", "d", "e"}
	path := func() registry.Path {
		p := registry.Path("/t")
		for range 1 + r.IntN(3) {
			p += registry.Path("/" + names[r.IntN(len(names))])
		}
		return p
	}
	noted := map[int64]tree{}
	nodes[0].put(t, "/t/a/a/a", "0")
	for i := range 200 {
		n := nodes[r.IntN(2)]
		var err error
		switch p := path(); r.IntN(14) {
		case 0:
			_, err = n.svc.Delete(t.Context(), actor, p, registry.Precondition{})
		case 1:
			_, err = n.svc.CreateCollection(t.Context(), actor, registry.CollectionInput{Path: p})
		case 2:
			_, err = n.svc.UpdateMeta(t.Context(), actor, registry.MetaInput{Path: p, Description: new(fmt.Sprint("d", i))})
		case 3:
			seqs := slices.Sorted(maps.Keys(noted))
			if len(seqs) == 0 {
				continue
			}
			when := registry.Moment{Seq: seqs[r.IntN(len(seqs))]}
			p = registry.Path("/t")
			if _, err = n.svc.RestoreTree(t.Context(), actor, registry.RestoreTreeInput{Path: p, At: when}); err == nil {
				// Ids and numbers of versions may be new; the rest is what it was.
				if got, want := plain(nodes[0].walk(t, p, registry.Moment{})), plain(noted[when.Seq]); !maps.Equal(got, want) {
					t.Fatalf("restored to %s it is\n%v\nwant\n%v", when, got, want)
				}
			}
		case 4, 5:
			_, err = n.svc.Move(t.Context(), actor, registry.MoveInput{From: p, To: path(), Overwrite: r.IntN(2) == 0})
		case 6, 7:
			_, err = n.svc.Copy(t.Context(), actor, registry.MoveInput{From: p, To: path(), Overwrite: r.IntN(2) == 0})
		case 8:
			if list := n.trash(t, "/", 100); len(list) > 0 {
				_, err = n.svc.Undelete(t.Context(), actor, list[r.IntN(len(list))].ID, path())
			}
		case 9:
			_, err = n.svc.Link(t.Context(), actor, registry.LinkInput{Path: p, Target: path()})
		default:
			_, err = n.svc.Put(t.Context(), actor, registry.PutInput{Path: p, Body: strings.NewReader(fmt.Sprint(i % 7))})
		}
		if code := registry.CodeOf(err); code != "" && code != registry.CodeConflict && code != registry.CodeNotFound {
			t.Fatal(err)
		}
		noted[nodes[0].get(t, "/").Seq.N] = nodes[0].walk(t, "/t", registry.Moment{})
	}
	if len(noted) < 80 {
		t.Fatalf("only %d changes were made", len(noted))
	}
	for seq, want := range noted {
		if got := nodes[1].walk(t, "/t", registry.Moment{Seq: seq}); !maps.Equal(got, want) {
			t.Errorf("at %d there was\n%v\nwant\n%v", seq, got, want)
		}
		for p, text := range want {
			if strings.HasPrefix(text, registry.KindLink.String()) {
				continue // it leads elsewhere
			}
			if r, err := nodes[0].at(p, registry.Moment{Seq: seq}); err != nil || describe(r) != text {
				t.Errorf("at %d %s was %s, want %s: %v", seq, p, describe(r), text, err)
			}
		}
	}
}

// plain leaves out ids and numbers of versions.
func plain(full tree) tree {
	short := tree{}
	for p, text := range full {
		words := strings.Fields(text)
		short[p] = words[0] + " " + words[3] + " " + words[4]
	}
	return short
}

// testAtRetention: what retention removed is said to be gone, and never taken for another version or for nothing.
func testAtRetention(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	before := n.put(t, "/h/other", "x").Resource.Seq.N
	seqs := make([]int64, 9)
	for i := 1; i <= 8; i++ {
		seqs[i] = n.put(t, "/h/x", fmt.Sprint(i)).Resource.Seq.N
		if i == 4 {
			if _, err := n.svc.SetCheckpoint(t.Context(), actor, registry.CheckpointInput{Path: "/h", Name: "release"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	label := registry.LabelInput{Path: "/h/x", Name: "prod", Version: 2}
	if _, err := n.svc.SetLabel(t.Context(), actor, label); err != nil {
		t.Fatal(err)
	}
	n.keep(t, "/h", 2, 0)
	expect := func(numbers string, versions map[int]int64) {
		t.Helper()
		n.apply(t, 0)
		n.wantNumbers(t, map[registry.Path]string{"/h/x": numbers})
		for i := 1; i <= 8; i++ {
			r, err := nodes[1].at("/h/x", registry.Moment{Seq: seqs[i]})
			_, listErr := nodes[1].svc.ListAt(t.Context(), actor, "/h", registry.Moment{Seq: seqs[i]}, "", 0)
			if want, kept := versions[i]; kept {
				if err != nil || r.Version != want || listErr != nil {
					t.Errorf("when version %d was made it was %d: %v, %v", i, r.Version, err, listErr)
				}
				continue
			}
			wantCode(t, err, registry.CodeGone)
			wantCode(t, listErr, registry.CodeGone)
		}
		_, err := nodes[1].at("/h/x", registry.Moment{Seq: before})
		wantCode(t, err, registry.CodeNotFound)
	}
	expect("8 7 4 2", map[int]int64{2: 2, 4: 4, 7: 7, 8: 8})
	// Between two changes of it, and after changes of others, the version that was current counts.
	if r, err := nodes[1].at("/h/x", registry.Moment{Seq: seqs[4] + 1}); err != nil || r.Version != 4 {
		t.Errorf("at the checkpoint it was version %d: %v", r.Version, err)
	}
	if _, err := n.svc.RemoveLabel(t.Context(), actor, label); err != nil {
		t.Fatal(err)
	}
	expect("8 7 4", map[int]int64{4: 4, 7: 7, 8: 8})
	if _, err := n.svc.RestoreTree(t.Context(), actor, registry.RestoreTreeInput{Path: "/h", Checkpoint: "release"}); err != nil || n.text(t, "/h/x", 0) != "4" {
		t.Errorf("the restore to the checkpoint left %q: %v", n.text(t, "/h/x", 0), err)
	}
	_, err := n.svc.RestoreTree(t.Context(), actor, registry.RestoreTreeInput{Path: "/h", At: registry.Moment{Seq: seqs[2]}})
	wantCode(t, err, registry.CodeGone)
	if _, err := n.svc.RemoveCheckpoint(t.Context(), actor, registry.CheckpointInput{Path: "/h", Name: "release"}); err != nil {
		t.Fatal(err)
	}
	expect("9 8", map[int]int64{8: 8})
}

// testAtPages: a page of the past looks at a bounded number of names, however many came and went since.
func testAtPages(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	many := func(prefix string, change func(tx registry.Tx, p registry.Path) error) int64 {
		seq, err := nodes[0].Update(t.Context(), op(), func(tx registry.Tx) error {
			for i := range 300 {
				if err := change(tx, registry.Path(fmt.Sprintf("/m/%s%03d", prefix, i))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return seq.N
	}
	create := func(tx registry.Tx, p registry.Path) error { return make1(tx, p, registry.KindResource, "") }
	if _, err := nodes[0].svc.CreateCollection(t.Context(), actor, registry.CollectionInput{Path: "/m"}); err != nil {
		t.Fatal(err)
	}
	many("k", create)
	seq := many("x", create)
	many("x", trash1)
	many("a", create)
	many("x", create)
	many("x", trash1)
	when := registry.Moment{Seq: seq}
	var got []string
	for cursor, pages := "", 0; ; pages++ {
		before := nodes[1].Statements()
		page, err := nodes[1].svc.ListAt(t.Context(), actor, "/m", when, cursor, 50)
		if err != nil || pages > 100 {
			t.Fatalf("page %d: %v", pages, err)
		}
		if sent := nodes[1].Statements() - before; sent > 15 {
			t.Errorf("a page took %d statements", sent)
		}
		for _, r := range page.Entries {
			got = append(got, r.Path.Name())
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(got) != 600 || !slices.IsSorted(got) || got[0] != "k000" || got[599] != "x299" {
		t.Errorf("there were %d names, want 600", len(got))
	}
}
