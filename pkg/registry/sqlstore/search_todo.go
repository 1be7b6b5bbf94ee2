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
	case actTrash, actUser, actSession, actLeave, actPurge, actRemove, actStage, actOnce, actCollect, actSaved, actStar, actWebhook,
		actLabel, actPrune, actSweep, actRetain, actCheck, actAccess, actRole, actToken, actSeal, actArrive, actOrder:
	}
	return false
}

// flushSearch puts the nodes that the operations changed on the list.
func (u *unit) flushSearch() error {
	last := map[registry.ID]int64{}
	for k, o := range u.ops {
		for _, it := range o.items {
			if it.act.searched() {
				last[it.node] = u.head.seq + 1 + int64(k)
			}
		}
	}
	return u.listSearch(last)
}

// listSearch puts nodes on the list, each with the position of its change, in the order of their ids, in which the index takes them off it.
func (u *unit) listSearch(changed map[registry.ID]int64) error {
	rows := make([][]any, 0, len(changed))
	for id, seq := range changed {
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
	gone := map[registry.ID]int64{}
	for _, id := range nodes {
		gone[id] = o.seq() + 1
	}
	return o.listSearch(gone)
}

// relistSources puts the sources of associations on the list that end with nodes which are deleted for good. The index on (dst, in_key) has them.
func (o *operation) relistSources(in string, ids []any) error {
	d := o.store.backend.dialect
	query := "INSERT INTO search_todo (node, seq) SELECT DISTINCT a.src, ? FROM association a" + d.index("k_dst") + " WHERE a.dst" + in + " ORDER BY a.src" +
		d.onConflict("node", "seq")
	n, err := o.tx.exec(o.ctx, "purge_attached", query, append([]any{o.seq() + 1}, ids...)...)
	o.store.indexer.listed(int(n))
	return err
}

// stageSearch puts nodes of a copy on the list.
func (o *operation) stageSearch(nodes []node) error {
	made := map[registry.ID]int64{}
	for _, n := range nodes {
		made[n.ID] = o.seq() + 1
	}
	return o.listSearch(made)
}

// importSearch puts nodes of which a batch brings something that search knows on the list.
func (t *treeImport) importSearch(b registry.TreeBatch) error {
	brought, seq := map[registry.ID]int64{}, t.seq()+1
	for _, n := range b.Nodes {
		brought[t.ids[n.ID]] = seq
	}
	for _, g := range b.Tags {
		brought[t.ids[g.Resource]] = seq
	}
	for _, c := range b.Comments {
		brought[t.ids[c.Resource]] = seq
	}
	for _, r := range b.Ratings {
		brought[t.ids[r.Resource]] = seq
	}
	for _, l := range b.Associations {
		brought[t.ids[l.Source.ID]] = seq
	}
	if err := t.listSearch(brought); err != nil {
		return t.broken(err)
	}
	return nil
}
