package sqlstore

import "github.com/regent-registry/regent/pkg/registry"

// leaving says that an operation took a node away from a place: it was renamed, moved, deleted, or came back from the trash.
type leaving struct {
	dirent
	node registry.ID
}

// left finds the places that the operation took nodes away from, for the history of names: it compares where each node was before with where it
// is now, so an operation need not say so. What it moved and moved back left nothing. Call it before the unit takes over the operation's layer.
func (o *operation) left() []leaving {
	var list []leaving
	for _, id := range o.changed {
		was, existed := o.known.nodes[id]
		now := o.own.nodes[id]
		if existed && (was.parent != now.parent || was.name != now.name) {
			list = append(list, leaving{dirent{was.parent, was.name}, id})
		}
	}
	return list
}
