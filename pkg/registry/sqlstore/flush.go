package sqlstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// table is a table with the columns that rows are written with.
type table struct {
	name    string
	columns []string
}

var (
	nodeTable    = table{"node", []string{"id", "parent", "name", "kind", "cur", "gen", "created_us", "created_by"}}
	versionTable = table{"version", []string{"node", "n", "seq", "body", "meta", "size", "author", "created_us", "comment"}}
	metaTable    = table{"meta_obj", []string{"sha", "data"}}
	blobTable    = table{"blob_obj", []string{"sha", "size", "chunks", "chunk_size", "small", "chunk_set"}}
	txnTable     = table{"txn", []string{"seq", "op_id", "tag", "actor", "at_us", "req", "client", "agent"}}
	placeTable   = table{"dirent_hist", []string{"parent", "name", "until_seq", "node"}}
	itemTable    = table{"txn_item", []string{"seq", "i", "act", "node", "n", "parent", "name", "path", "related", "body_before", "body_after"}}
)

// maxStatement bounds the bytes of one statement's values; escaped they may double, and servers take at least 4 MiB.
const maxStatement = 1 << 20

// insert writes rows of the unit.
func (u *unit) insert(t table, rows [][]any, suffix string) error {
	return u.store.insertRows(u.ctx, u.tx, t, rows, suffix)
}

// insertRows writes rows with as few statements as the limits allow. suffix follows the values.
func (s *Store) insertRows(ctx context.Context, tx *txn, t table, rows [][]any, suffix string) error {
	d := s.backend.dialect
	for len(rows) > 0 {
		n, size := 0, 0
		for n < len(rows) && n < d.maxRows {
			size += rowBytes(rows[n])
			if n > 0 && size > maxStatement {
				break
			}
			n++
		}
		row := "(" + placeholders(len(t.columns)) + ")"
		args := make([]any, 0, n*len(t.columns))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		query := "INSERT INTO " + t.name + " (" + strings.Join(t.columns, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(row+",", n), ",") + suffix
		if err := s.sendRows(ctx, tx, t, n, query, args); err != nil {
			return fmt.Errorf("write %s: %w", t.name, err)
		}
		rows = rows[n:]
	}
	return nil
}

// sendRows sends an INSERT of n rows: an operation's own at once, so that its failure is the operation's, those of flush together.
func (s *Store) sendRows(ctx context.Context, tx *txn, t table, n int, query string, args []any) error {
	if tx.together {
		return tx.later(ctx, "write_"+t.name, int64(n), query, args...)
	}
	affected, err := tx.exec(ctx, "write_"+t.name, query, args...)
	s.metrics.rows.Add(int64(n) - affected) // MySQL counts a row that it updates twice
	return err
}

func rowBytes(row []any) int {
	size := 0
	for _, v := range row {
		size += 16
		if b, ok := v.([]byte); ok {
			size += len(b)
		}
	}
	return size
}

// flush writes what the operations left, and moves the head. It gives the steps of the change log and the contents that are now owned.
func (u *unit) flush() ([]step, []*staged, error) {
	u.tx.together = true
	var tag [16]byte
	if _, err := rand.Read(tag[:]); err != nil {
		return nil, nil, fmt.Errorf("make a tag: %w", err)
	}
	owned, err := u.flushContents()
	if err != nil {
		return nil, nil, err
	}
	if err := u.flushNodes(); err != nil {
		return nil, nil, err
	}
	if err := u.flushTrash(); err != nil {
		return nil, nil, err
	}
	if err := u.flushAnswers(); err != nil {
		return nil, nil, err
	}
	if err := u.flushSearch(); err != nil {
		return nil, nil, err
	}
	steps, err := u.flushLog(tag)
	if err != nil {
		return nil, nil, err
	}
	if err := u.flushLast(); err != nil {
		return nil, nil, err
	}
	n, err := u.tx.exec(u.ctx, "write_head", "UPDATE store_head SET seq = ?, tag = ? WHERE id = 1 AND seq = ?", u.seq(), tag[:], u.head.seq)
	if err == nil && n != 1 {
		err = fmt.Errorf("the head is not at %d any more", u.head.seq)
	}
	return steps, owned, err
}

// flushContents writes metadata and contents that the database does not have.
func (u *unit) flushContents() ([]*staged, error) {
	d := u.store.backend.dialect
	var metas, blobs [][]any
	for sum, data := range u.metas {
		metas = append(metas, []any{sum[:], data})
	}
	if err := u.insert(metaTable, metas, d.onConflict("sha")); err != nil {
		return nil, err
	}
	has, err := u.existing()
	if err != nil {
		return nil, err
	}
	var owned []*staged
	for hash, g := range u.blobs {
		switch {
		case g.chunks == 0:
			blobs = append(blobs, []any{hash[:], g.size, 0, 0, g.small, nil})
		case !has[hash]:
			if err := u.adopt(g); err != nil {
				return nil, err
			}
			blobs = append(blobs, []any{hash[:], g.size, g.chunks, u.store.chunk, nil, g.set[:]})
			owned = append(owned, g)
		}
	}
	return owned, u.insert(blobTable, blobs, d.onConflict("sha"))
}

// existing tells which of the large contents the database has already; in the write turn nobody can add one.
func (u *unit) existing() (map[registry.Hash]bool, error) {
	var hashes []any
	for hash, g := range u.blobs {
		if g.chunks > 0 {
			hashes = append(hashes, hash[:])
		}
	}
	if len(hashes) == 0 {
		return nil, nil //nolint:nilnil // a nil map has nothing
	}
	has := map[registry.Hash]bool{}
	query := "SELECT sha FROM blob_obj WHERE sha IN (" + placeholders(len(hashes)) + ")"
	err := u.tx.each(u.ctx, "has_blob", query, hashes, func(rows *sqlx.Rows) error {
		var sha []byte
		err := rows.Scan(&sha)
		has[toHash(sha)] = true
		return err
	})
	return has, err
}

// adopt takes the pieces of a content for good.
func (u *unit) adopt(g *staged) error {
	n, err := u.tx.exec(u.ctx, "adopt", "DELETE FROM staged WHERE chunk_set = ?", g.set[:])
	if err == nil && n != 1 {
		err = fmt.Errorf("the pieces of content %s are gone", g.hash)
	}
	return err
}

func (u *unit) flushNodes() error {
	var added, left, updated, versions [][]any
	parked := u.parked()
	for _, id := range u.changed {
		n := u.known.nodes[id]
		switch row := n.row(); {
		case u.created[id]:
			added = append(added, row)
		case n.parent == trashID:
			left = append(left, row)
		default:
			updated = append(updated, row)
		}
	}
	for _, n := range parked {
		n.parent, n.name = trashID, n.ID.String()
		left = append(left, n.row())
	}
	// What frees a name comes before what may take it.
	d := u.store.backend.dialect
	if err := u.insert(nodeTable, append(left, updated...), d.onConflict("id", "parent", "name", "cur", "gen")); err != nil {
		return err
	}
	if err := u.insert(nodeTable, added, ""); err != nil {
		return err
	}
	for _, v := range u.versions {
		versions = append(versions, []any{
			v.Resource[:], v.Number, v.seq, v.Hash[:], v.metaSum[:], v.Size, []byte(v.CreatedBy), toMicros(v.CreatedAt), []byte(v.Comment),
		})
	}
	return u.insert(versionTable, versions, "")
}

// parked gives the nodes that must leave their places before any of them takes its new one: those that change places among each other. One
// alone need not: its new name is free, or freed by what goes to the trash.
func (u *unit) parked() []node {
	var list []node
	for _, id := range u.changed {
		if n := u.known.nodes[id]; u.moved[id] && !u.created[id] && n.parent != trashID {
			list = append(list, n)
		}
	}
	if len(list) < 2 {
		return nil
	}
	return list
}

// row gives the values of the node's columns.
func (n node) row() []any {
	return []any{n.ID[:], n.parent[:], []byte(n.name), int64(n.Kind), n.Version, n.Gen, toMicros(n.CreatedAt), []byte(n.CreatedBy)}
}

func (u *unit) flushLog(tag [16]byte) ([]step, error) {
	var ops, items [][]any
	var places [][]any
	steps := make([]step, 0, len(u.ops))
	for k, o := range u.ops {
		seq := u.head.seq + 1 + int64(k)
		ops = append(ops, []any{seq, o.id[:], tag[:], []byte(o.op.Actor.User), toMicros(o.op.At), []byte(o.op.Actor.RequestID), []byte(o.op.Actor.Client), []byte(o.op.Actor.Agent)})
		for i, it := range o.items {
			tr := o.traces[i]
			items = append(items, []any{
				seq, int64(i), int64(it.act), it.node[:], it.n, it.parent[:], []byte(it.name), []byte(tr.path), []byte(tr.related), hashBytes(tr.before), hashBytes(tr.after),
			})
		}
		for _, l := range o.left {
			places = append(places, []any{l.parent[:], []byte(l.name), seq, l.node[:]})
		}
		steps = append(steps, step{seq, tag, o.items})
	}
	if err := u.insert(txnTable, ops, ""); err != nil {
		return nil, err
	}
	if err := u.insert(placeTable, places, ""); err != nil {
		return nil, err
	}
	return steps, u.insert(itemTable, items, "")
}

// flushLast sends the statements of operations that know nothing of rows, each with the operation's position.
func (u *unit) flushLast() error {
	for k, o := range u.ops {
		for _, send := range o.last {
			if err := send(u, u.head.seq+1+int64(k)); err != nil {
				return err
			}
		}
	}
	return nil
}

// publish moves memory to the state that the unit has committed, if it was at the state before.
func (u *unit) publish(steps []step) {
	m := u.store.mem
	m.advance(u.head, steps, func() {
		for _, id := range u.changed {
			if n := u.known.nodes[id]; n.parent != trashID {
				m.nodes.put(id, n)
				m.dirents.put(dirent{n.parent, n.name}, id)
			}
		}
		for sum := range u.metas {
			m.metas.put(sum, struct{}{})
		}
		for hash, g := range u.blobs {
			if g.chunks == 0 {
				m.blobs.put(hash, g.small)
			}
		}
	})
}
