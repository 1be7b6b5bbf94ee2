package sqlstore

import (
	"slices"

	"github.com/regent-registry/regent/pkg/registry"
)

// searchTodo is the list of nodes that the index does not know as they are.
var searchTodo = table{"search_todo", []string{"node", "seq"}}

// searched tells of acts that change what search knows of their node: its words, or its name. Whether it lies in the trash every search looks.
func (a act) searched() bool {
	switch a {
	case actCreate, actRevise, actMove, actUndelete, actCopy, actTag, actComment, actRating, actAssociation:
		return true
	case actTrash, actUser, actSession, actLeave, actPurge, actRemove, actStage, actOnce, actCollect, actSaved,
		actLabel, actPrune, actSweep, actRetain, actCheck, actAccess, actRole, actToken, actSeal, actArrive:
	}
	return false
}

// flushSearch puts the nodes that the operations changed on the list, in the order of their ids, in which the index takes them off it.
func (u *unit) flushSearch() error {
	var rows [][]any
	last := map[registry.ID]int64{}
	for k, o := range u.ops {
		for _, it := range o.items {
			if it.act.searched() {
				last[it.node] = u.head.seq + 1 + int64(k)
			}
		}
	}
	for id, seq := range last {
		rows = append(rows, []any{id[:], seq})
	}
	u.store.indexer.listed(len(rows))
	return u.insert(searchTodo, sortedByID(rows), u.store.backend.dialect.onConflict("node", "seq"))
}

func sortedByID(rows [][]any) [][]any {
	slices.SortFunc(rows, func(a, b []any) int {
		x, _ := a[0].([]byte)
		y, _ := b[0].([]byte)
		return slices.Compare(x, y)
	})
	return rows
}

// unlistSearch puts nodes that are deleted for good on the list: what brings the index up to date finds that they have gone. It alone writes the index.
func (o *operation) unlistSearch(nodes []registry.ID) error {
	rows := make([][]any, len(nodes))
	for i := range nodes {
		rows[i] = []any{nodes[i][:], o.seq() + 1}
	}
	o.store.indexer.listed(len(rows))
	return o.insert(searchTodo, sortedByID(rows), o.store.backend.dialect.onConflict("node", "seq"))
}

// stageSearch puts nodes of a copy on the list.
func (o *operation) stageSearch(nodes []copied) error {
	rows := make([][]any, len(nodes))
	for i := range nodes {
		rows[i] = []any{nodes[i].ID[:], o.seq() + 1}
	}
	o.store.indexer.listed(len(rows))
	return o.insert(searchTodo, sortedByID(rows), o.store.backend.dialect.onConflict("node", "seq"))
}

// listSearch puts nodes of which a batch brings something that search knows on the list.
func (t *treeImport) listSearch(b registry.TreeBatch) error {
	nodes := map[registry.ID]bool{}
	for _, n := range b.Nodes {
		nodes[t.ids[n.ID]] = true
	}
	for _, g := range b.Tags {
		nodes[t.ids[g.Resource]] = true
	}
	for _, c := range b.Comments {
		nodes[t.ids[c.Resource]] = true
	}
	for _, r := range b.Ratings {
		nodes[t.ids[r.Resource]] = true
	}
	for _, l := range b.Associations {
		nodes[t.ids[l.Source.ID]] = true
	}
	var rows [][]any
	for id := range nodes {
		rows = append(rows, []any{id[:], t.seq() + 1})
	}
	t.store.indexer.listed(len(rows))
	return t.sendRows(searchTodo, sortedByID(rows), t.store.backend.dialect.onConflict("node", "seq"))
}
