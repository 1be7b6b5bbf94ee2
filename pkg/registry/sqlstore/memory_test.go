package sqlstore

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func tagged(seq int64, tag byte) snapshot { return snapshot{seq: seq, tag: [16]byte{tag}} }

func revised(seq int64, tag byte, id registry.ID) step {
	return step{seq, [16]byte{tag}, []item{{act: actRevise, node: id}}}
}

// The race that matters: a reader has read a row, a commit changes the row and evicts it, and only then the reader puts what it read into memory.
func TestMemory_TakesOnlyWhatIsStillTrue(t *testing.T) {
	one, two := registry.ID{1}, registry.ID{2}
	m := newMemory(1<<20, rootID)
	put := func(read snapshot, id registry.ID, version int64) bool {
		return m.fill(read, []any{id}, func() { m.nodes.put(id, node{Resource: registry.Resource{ID: id, Version: version}}) })
	}
	if put(tagged(5, 5), one, 1) {
		t.Error("took a row before there was a cursor")
	}
	m.reset(tagged(5, 5))
	if !put(tagged(5, 5), one, 1) || !put(tagged(5, 5), two, 1) {
		t.Fatal("did not take rows read at the cursor")
	}
	if !m.advance(tagged(5, 5), []step{revised(6, 6, one)}, nil) {
		t.Fatal("did not advance")
	}
	if _, ok := lookup(m, m.nodes, one); ok {
		t.Error("kept what a commit changed")
	}
	if _, ok := lookup(m, m.nodes, two); !ok {
		t.Error("evicted what the commit did not touch")
	}
	if put(tagged(5, 5), one, 1) {
		t.Error("took a row that was read before a commit that changed it")
	}
	if !put(tagged(5, 5), two, 1) {
		t.Error("did not take an older row that nothing changed since")
	}
	if put(tagged(7, 7), two, 2) {
		t.Error("took a row ahead of the cursor")
	}
	if put(tagged(5, 9), two, 1) || put(tagged(6, 9), two, 1) {
		t.Error("took a row of a history that the log does not have")
	}
	if m.advance(tagged(5, 5), []step{revised(6, 8, two)}, nil) {
		t.Error("advanced from where the cursor is not")
	}
	m.reset(tagged(6, 8))
	if put(tagged(5, 5), two, 1) || put(tagged(6, 6), two, 1) {
		t.Error("took a row of the history before everything was dropped")
	}
}

func TestMemory_CreationAndDeletionTouchTheParent(t *testing.T) {
	parent, child := registry.ID{1}, registry.ID{2}
	for _, a := range []act{actCreate, actTrash} {
		i := item{act: a, node: child, parent: parent, name: "c"}
		for _, k := range []any{parent, child, dirent{parent, "c"}} {
			if !i.touches(k) {
				t.Errorf("act %d does not touch %v", a, k)
			}
		}
		if i.touches(dirent{parent, "d"}) || i.touches(dirent{child, "c"}) {
			t.Errorf("act %d touches another name", a)
		}
	}
	if (item{act: actRevise, node: child, parent: parent, name: "c"}).touches(parent) {
		t.Error("a revision touches the parent")
	}
}

func TestMemory_BoundsItsSteps(t *testing.T) {
	m := newMemory(1<<20, rootID)
	m.reset(tagged(0, 0))
	at := tagged(0, 0)
	for i := range int64(5 * maxSteps) {
		next := revised(i+1, byte(i+1), registry.ID{1})
		if !m.advance(at, []step{next}, nil) {
			t.Fatalf("did not advance from %d", i)
		}
		at = snapshot{seq: next.seq, tag: next.tag}
		if len(m.steps) > maxSteps || m.items > maxItems {
			t.Fatalf("holds %d steps with %d items", len(m.steps), m.items)
		}
	}
	big := step{at.seq + 1, [16]byte{77}, make([]item, maxItems+1)}
	if !m.advance(at, []step{big}, nil) || len(m.steps) != 1 {
		t.Errorf("after one step with %d items %d steps are held", len(big.items), len(m.steps))
	}
	if m.fill(at, nil, func() {}) {
		t.Error("took a row from before the steps that are known")
	}
	if !m.fill(snapshot{seq: big.seq, tag: big.tag}, nil, func() {}) {
		t.Error("did not take a row at the cursor")
	}
}

func TestCache_KeepsWithinItsBytes(t *testing.T) {
	c := newCache(1000, func(_ int, v int64) int64 { return v })
	for i := range 100 {
		c.put(i, 90)
	}
	if c.bytes > 1000 || c.lru.Len() != 11 {
		t.Errorf("holds %d entries of %d bytes", c.lru.Len(), c.bytes)
	}
	c.put(99, 50) // replaces
	c.put(5, 500) // too large beside others
	if c.bytes != 10*90+50 {
		t.Errorf("counts %d bytes", c.bytes)
	}
	c.clear()
	if c.bytes != 0 {
		t.Errorf("counts %d bytes when empty", c.bytes)
	}
}

// A path that was walked once is looked up at once, until something that it may lead over changes its place.
func TestMemory_PathsLeadWhereTheTreeIs(t *testing.T) {
	a, b, x, y := registry.ID{10}, registry.ID{11}, registry.ID{12}, registry.ID{13}
	m := newMemory(1<<20, rootID)
	m.reset(tagged(1, 1))
	seq := int64(1)
	next := func(then func(), items ...item) {
		t.Helper()
		from := snapshot{seq: seq, tag: [16]byte{byte(seq)}}
		seq++
		if !m.advance(from, []step{{seq, [16]byte{byte(seq)}, items}}, then) {
			t.Fatal("did not advance")
		}
	}
	hold := func(parent registry.ID, name string, id registry.ID) {
		m.dirents.put(dirent{parent, name}, id)
		m.nodes.put(id, node{Resource: registry.Resource{ID: id}})
	}
	want := func(p registry.Path, id registry.ID) {
		t.Helper()
		for range 2 { // the second time by the path
			n, _, ok := m.resource(p)
			if ok != !id.IsZero() || n.ID != id {
				t.Errorf("%s is %v, %t, want %v", p, n.ID, ok, id)
			}
		}
	}
	next(func() { hold(rootID, "a", a); hold(a, "x", x) }, item{act: actCreate, node: a, parent: rootID, name: "a"})
	want("/a/x", x)
	want("/b/x", registry.ID{})
	next(func() { hold(a, "y", y); hold(a, "x", x) }, item{act: actCreate, node: y, parent: a, name: "y"})
	want("/a/x", x)
	// The collection goes elsewhere: what was below it does, too.
	next(func() { hold(rootID, "b", a) }, item{act: actLeave, node: a, parent: rootID, name: "a"}, item{act: actMove, node: a, parent: rootID, name: "b"})
	want("/a/x", registry.ID{})
	want("/b/x", x)
	next(func() { hold(rootID, "a", b) }, item{act: actCreate, node: b, parent: rootID, name: "a"})
	want("/a/x", registry.ID{})
	next(nil, item{act: actRevise, node: x})
	want("/b/x", registry.ID{}) // its row is to be read again
	next(func() { hold(a, "x", x) })
	want("/b/x", x)
	next(nil, item{act: actTrash, node: a, parent: rootID, name: "b"})
	want("/b/x", registry.ID{})
	m.reset(tagged(seq, byte(seq)))
	want("/b/y", registry.ID{})
}
