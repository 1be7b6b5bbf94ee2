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
		actLabel, actPrune, actSweep, actRetain, actCheck, actAccess, actRole, actToken:
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

// stageSearch puts nodes of a copy on the list.
func (o *operation) stageSearch(nodes []copied) error {
	rows := make([][]any, len(nodes))
	for i := range nodes {
		rows[i] = []any{nodes[i].ID[:], o.seq() + 1}
	}
	o.store.indexer.listed(len(rows))
	return o.insert(searchTodo, sortedByID(rows), o.store.backend.dialect.onConflict("node", "seq"))
}
