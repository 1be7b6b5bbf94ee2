package sqlstore

import (
	"sync"

	"github.com/regent-registry/regent/pkg/registry"
)

// trace is what the activity tells of an item of the change log beside what memory needs: where the thing was, and its content before and after.
type trace struct {
	path, related registry.Path // "" where no path leads
	before, after registry.Hash // zero for none
}

// places are what an operation has learned of its nodes while it ran, for traces. A node is found by walking its path, so whatever changes it has been
// noted before.
type places struct {
	paths  map[registry.ID]registry.Path
	bodies map[registry.ID]registry.Hash // after the last item of the node
}

func (p *places) note(id registry.ID, path registry.Path) {
	if p.paths == nil {
		p.paths = map[registry.ID]registry.Path{}
	}
	p.paths[id] = path
}

func (p *places) remember(id registry.ID, body registry.Hash) {
	if p.bodies == nil {
		p.bodies = map[registry.ID]registry.Hash{}
	}
	p.bodies[id] = body
}

// pathOf is where the operation found a resource, in the store.
func (o *operation) pathOf(r registry.Resource) registry.Path {
	if p, ok := o.places.paths[r.ID]; ok {
		return p
	}
	return r.Path
}

// bodies gives the content of an item's node before and after what is about to be noted.
func (o *operation) bodies(i item) (before, after registry.Hash) {
	now := o.own.nodes[i.node]
	was, traced := o.places.bodies[i.node]
	if !traced {
		was = o.known.nodes[i.node].Hash
	}
	switch i.act {
	case actTrash, actPurge:
		return was, registry.Hash{}
	case actCreate, actUndelete, actCopy:
		after = now.Hash
	case actRevise, actLeave, actMove:
		before, after = was, now.Hash
	default: // nothing of the node itself
		return before, after
	}
	o.places.remember(i.node, now.Hash)
	return before, after
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
