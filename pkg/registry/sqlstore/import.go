package sqlstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// A tree that comes from another store grows beside the trash as a copy does, batch by batch, each batch in one transaction with the contents that it needs.
// Its nodes keep their ids where those are free: no node has them, and none of which a place is known that it left. Others get one that is made of the import's and the old one, so nothing need be remembered between
// batches: whether a node was given another id, a look for that id tells.

// contentTries is how often a batch is tried when a content that was there is removed before the batch names it.
const contentTries = 3

// errContentGone says that a content which the database had is not there any more.
var errContentGone = errors.New("a content was removed meanwhile")

// ImportTree implements [registry.TransferStore].
func (s *Store) ImportTree(ctx context.Context, op registry.Op, in registry.TreeImport, b registry.TreeBatch) error {
	op.Actor.Once = registry.Once{} // that is of the change which puts the tree in its place
	for i := 1; ; i++ {
		err := s.importOnce(ctx, op, in, b)
		if !errors.Is(err, errContentGone) || i == contentTries {
			return s.fail("take a tree over", err)
		}
	}
}

func (s *Store) importOnce(ctx context.Context, op registry.Op, in registry.TreeImport, b registry.TreeBatch) error {
	sizes := map[registry.Hash]int64{}
	for _, n := range b.Nodes {
		sizes[n.Hash] = n.Size
	}
	for _, v := range b.Versions {
		sizes[v.Hash] = v.Size
	}
	delete(sizes, registry.Hash{})
	contents, err := s.fetch(ctx, in, sizes)
	defer func() {
		for _, g := range contents {
			g.Discard()
		}
	}()
	if err != nil {
		return err
	}
	_, err = s.update(ctx, op, func(o *operation) error {
		t := &treeImport{operation: o, in: in, ids: map[registry.ID]registry.ID{}}
		return o.passing(t.add(b, sizes, contents))
	})
	return err
}

// fetch brings those of the contents over that the database does not have.
func (s *Store) fetch(ctx context.Context, in registry.TreeImport, sizes map[registry.Hash]int64) (map[registry.Hash]*staged, error) {
	contents := map[registry.Hash]*staged{}
	missing := make(map[registry.Hash]int64, len(sizes))
	var hashes []any
	for h, size := range sizes {
		missing[h] = size
		hashes = append(hashes, slices.Clone(h[:]))
	}
	for part := range slices.Chunk(hashes, copyBatch) {
		query := "SELECT sha FROM blob_obj WHERE sha IN (" + placeholders(len(part)) + ")"
		err := s.read.each(ctx, "has_blob", query, part, func(rows *sqlx.Rows) error {
			var sha []byte
			err := rows.Scan(&sha)
			delete(missing, toHash(sha))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for h, size := range missing {
		g, err := s.fetchOne(ctx, in, h, size)
		if err != nil {
			return contents, err
		}
		contents[h] = g
	}
	return contents, nil
}

func (s *Store) fetchOne(ctx context.Context, in registry.TreeImport, h registry.Hash, size int64) (*staged, error) {
	c, err := in.Open(ctx, h)
	if registry.CodeOf(err) == registry.CodeNotFound {
		return nil, registry.Errorf(registry.CodeConflict, "what is to be copied was removed for good meanwhile")
	}
	if err != nil {
		return nil, err
	}
	defer c.Close()
	made, err := s.Stage(ctx, c, size)
	if err != nil {
		return nil, err
	}
	g, ok := made.(*staged)
	if !ok || g.hash != h || g.size != size {
		made.Discard()
		return nil, registry.Errorf(registry.CodeInternal, "the content %s is damaged: what was read has the hash %s", h, made.Hash())
	}
	return g, nil
}

// treeImport adds one batch.
type treeImport struct {
	*operation
	in    registry.TreeImport
	root  registry.ID // the top of the tree, here
	first int64       // where its first batch is in the change log
	ids   map[registry.ID]registry.ID
}

func (t *treeImport) add(b registry.TreeBatch, sizes map[registry.Hash]int64, contents map[registry.Hash]*staged) error {
	if err := t.identify(b); err != nil {
		return err
	}
	if err := t.growing(b); err != nil {
		return err
	}
	there := map[registry.Hash]bool{}
	for h := range sizes {
		if g := contents[h]; g != nil {
			t.blobs = append(t.blobs, g)
			t.size += len(g.small)
		} else {
			there[h] = true
		}
	}
	if len(there) > 0 {
		if err := t.hold(blobTable.name, there); registry.CodeOf(err) == registry.CodeConflict {
			return &registry.Error{Code: registry.CodeUnavailable, Message: "a content was removed meanwhile; try again", Err: errContentGone}
		} else if err != nil {
			return err
		}
	}
	t.sent = true
	if err := t.addNodes(b.Nodes); err != nil {
		return err
	}
	if err := t.addHistory(b); err != nil {
		return err
	}
	if err := t.importSearch(b); err != nil {
		return err
	}
	if err := t.addCommunity(b); err != nil {
		return err
	}
	t.touch(item{actStage, t.root, int64(len(b.Nodes)), trashID, t.root.String()})
	return nil
}

// derived is the id that a node gets where its own cannot be used.
func (t *treeImport) derived(id registry.ID) registry.ID {
	sum := sha256.Sum256(append(t.in.ID[:], id[:]...))
	made := toID(sum[:])
	made[6], made[8] = made[6]&0x0f|0x80, made[8]&0x3f|0x80 // a UUID of version 8 (RFC 9562)
	return made
}

// identify finds the ids that the nodes of a batch, and those that it speaks of, have here.
func (t *treeImport) identify(b registry.TreeBatch) error {
	fresh := map[registry.ID]bool{}
	for _, n := range b.Nodes {
		fresh[n.ID] = true
	}
	known := map[registry.ID]bool{}
	speak := func(id registry.ID) {
		if !id.IsZero() && !fresh[id] {
			known[id] = true
		}
	}
	for _, n := range b.Nodes {
		speak(n.Parent)
	}
	for _, v := range b.Versions {
		speak(v.Resource)
	}
	for _, l := range b.Labels {
		speak(l.Resource)
	}
	for _, r := range b.Rules {
		speak(r.Resource)
	}
	for _, p := range b.Permissions {
		speak(p.Resource)
	}
	for _, g := range b.Tags {
		speak(g.Resource)
	}
	for _, c := range b.Comments {
		speak(c.Resource)
	}
	for _, r := range b.Ratings {
		speak(r.Resource)
	}
	for _, star := range b.Stars {
		speak(star.Resource)
	}
	for _, l := range b.Associations {
		speak(l.Source.ID)
		speak(l.Target.ID)
	}
	if !t.in.Keep {
		for id := range fresh {
			t.ids[id] = t.derived(id)
		}
		for id := range known {
			t.ids[id] = t.derived(id)
		}
		return nil
	}
	taken, err := t.existing(fresh, func(id registry.ID) registry.ID { return id })
	if err != nil {
		return err
	}
	given, err := t.existing(known, t.derived)
	if err != nil {
		return err
	}
	for _, list := range []map[registry.ID]bool{taken, given} {
		for id, other := range list {
			t.ids[id] = id
			if other {
				t.ids[id] = t.derived(id)
			}
		}
	}
	return nil
}

// existing tells for each of the ids whether the database has, or had, the node that name makes of it. Of one that had places here and was purged, the
// history of names must go on to say that it is gone.
func (t *treeImport) existing(ids map[registry.ID]bool, name func(registry.ID) registry.ID) (map[registry.ID]bool, error) {
	there := make(map[registry.ID]bool, len(ids))
	back := make(map[registry.ID]registry.ID, len(ids))
	list := make([]registry.ID, 0, len(ids))
	for id := range ids {
		there[id] = false
		back[name(id)] = id
		list = append(list, name(id))
	}
	for part := range slices.Chunk(list, copyBatch) {
		in := " IN (" + placeholders(len(part)) + ")"
		query := "SELECT id FROM node WHERE id" + in + " UNION SELECT node FROM dirent_hist WHERE node" + in
		err := t.tx.each(t.ctx, "import", query, slices.Concat(idArgs(part), idArgs(part)), func(rows *sqlx.Rows) error {
			var id []byte
			err := rows.Scan(&id)
			there[back[toID(id)]] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return there, nil
}

// growing makes the place where the tree grows, or makes sure that it still does.
func (t *treeImport) growing(b registry.TreeBatch) error {
	if len(b.Nodes) > 0 && b.Nodes[0].Parent.IsZero() {
		t.root, t.first = t.ids[b.Nodes[0].ID], t.seq()+1
		t.own.trash[t.root] = trashRow{state: stateCopying, actor: t.op.Actor.User, at: t.at()}
		return t.sendRows(arrivalTable, [][]any{{t.in.ID[:], t.root[:], arrivalGrows, t.first, toMicros(t.op.At)}}, "")
	}
	a, err := t.arrival(t.in.ID)
	if err != nil {
		return err
	}
	if a.state != arrivalGrows {
		return registry.Errorf(registry.CodeUnavailable, "somebody else has ended the copy to the store %s; try again", t.store.name)
	}
	t.root, t.first = a.node, a.seq
	return nil
}

// addNodes writes nodes with their current versions.
func (t *treeImport) addNodes(list []registry.TreeNode) error {
	var nodes, versions [][]any
	for _, n := range list {
		id, parent, name := t.ids[n.ID], t.ids[n.Parent], n.Name
		if n.Parent.IsZero() {
			parent, name = trashID, id.String()
		}
		if !t.in.Keep {
			n.Version, n.Gen, n.Comment = 1, 1, ""
			n.CreatedAt, n.CreatedBy = t.at(), t.op.Actor.User
			n.UpdatedAt, n.UpdatedBy = n.CreatedAt, n.CreatedBy
		}
		n.ID = id
		nodes = append(nodes, node{Resource: n.Resource, parent: parent, name: name}.row())
		row, err := t.versionRow(registry.Version{
			Resource: id, Number: n.Version, Meta: n.Meta, Size: n.Size, Hash: n.Hash, CreatedAt: n.UpdatedAt, CreatedBy: n.UpdatedBy, Comment: n.Comment,
		})
		if err != nil {
			return err
		}
		versions = append(versions, row)
	}
	if err := t.sendRows(nodeTable, nodes, ""); err != nil {
		return err
	}
	return t.sendRows(versionTable, versions, "")
}

// versionRow gives the values of a version's columns, and notes its metadata. All versions that come with the tree begin at one position: before that the store had
// nothing of it, and after it the one with the highest number is the current one.
func (t *treeImport) versionRow(v registry.Version) ([]any, error) {
	data, sum, err := encodeMeta(v.Meta)
	if err != nil {
		return nil, err
	}
	if t.metas[sum] == nil {
		t.metas[sum] = data
		t.size += len(data)
	}
	return []any{
		v.Resource[:], v.Number, t.first, v.Hash[:], sum[:], v.Size, []byte(v.CreatedBy), toMicros(v.CreatedAt), []byte(v.Comment),
	}, nil
}

// addHistory writes older versions, labels, rules of retention and permission entries.
func (t *treeImport) addHistory(b registry.TreeBatch) error {
	var versions, labels, rules, entries [][]any
	for _, v := range b.Versions {
		v.Resource = t.ids[v.Resource]
		row, err := t.versionRow(v)
		if err != nil {
			return err
		}
		versions = append(versions, row)
	}
	for _, l := range b.Labels {
		id := t.ids[l.Resource]
		labels = append(labels, []any{id[:], []byte(l.Name), l.Version, t.seq() + 1, []byte(l.SetBy), toMicros(l.SetAt)})
	}
	for _, r := range b.Rules {
		id := t.ids[r.Resource]
		rules = append(rules, []any{id[:], r.KeepLast, r.KeepDays, t.seq() + 1, []byte(r.SetBy), toMicros(r.SetAt)})
	}
	for _, p := range b.Permissions {
		id := t.ids[p.Resource]
		entries = append(entries, []any{id[:], p.Role[:], int64(p.Allow), int64(p.Deny)})
	}
	if err := t.sendRows(aclTable, entries, ""); err != nil {
		return err
	}
	if err := t.sendRows(versionTable, versions, ""); err != nil {
		return err
	}
	if err := t.sendRows(labelTable, labels, ""); err != nil {
		return err
	}
	return t.sendRows(retentionTable, rules, "")
}
