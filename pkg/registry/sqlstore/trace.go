package sqlstore

import (
	"sync"

	"github.com/regent-registry/regent/pkg/registry"
)

// trace is what the activity tells of an item of the change log beside what memory needs: where the thing was, and its content before and after.
type trace struct {
	path          registry.Path // "" where no path leads
	before, after registry.Hash // zero for none
}

// places are what an operation has learned of its nodes while it ran, for traces. Only a path that was walked leads to a node, so whatever changes it
// has been noted before.
type places struct {
	paths  map[registry.ID]registry.Path
	bodies map[registry.ID]registry.Hash // after the last item of the node
}

func (p *places) note(id registry.ID, path registry.Path) {
	if p.paths == nil {
		p.paths, p.bodies = map[registry.ID]registry.Path{}, map[registry.ID]registry.Hash{}
	}
	p.paths[id] = path
}

// trace describes an item that is about to be noted. For an item that names a place in the tree, that place counts, else where the node was found.
func (o *operation) trace(i item) trace {
	var t trace
	t.path = o.places.paths[i.node]
	if up, ok := o.places.paths[i.parent]; ok && i.act.moves() {
		t.path = child(up, i.name)
	}
	now, changed := o.own.nodes[i.node]
	was, traced := o.places.bodies[i.node]
	if !traced {
		was = o.known.nodes[i.node].Hash
	}
	switch {
	case i.act == actCreate:
		t.after = now.Hash
	case i.act == actTrash:
		t.before = was
		return t
	case changed:
		t.before, t.after = was, now.Hash
	}
	if changed && o.places.bodies != nil {
		o.places.bodies[i.node] = now.Hash
	}
	return t
}

func hashBytes(h registry.Hash) []byte {
	if h == (registry.Hash{}) {
		return []byte{}
	}
	return h[:]
}

// signal wakes whoever waits for the next of a row of events. The zero value is ready. Safe for concurrent use.
type signal struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// next gives a channel that is closed when fire is called next.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
