package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Permission entries. Memory keeps those of each node that was asked for, also that it has none; the items of the change log evict them, so a
// permission taken away on one node is gone on all of them with their next request.

// aclKey keys the entries of a node.
type aclKey registry.ID

// Permissions implements [registry.Store]. At rest it sends no statement of its own.
func (s *Store) Permissions(ctx context.Context, p registry.Path, ids []registry.ID, f registry.Freshness) (registry.Permissions, error) {
	if !s.covers(f) {
		if err := s.refresh(ctx); err != nil {
			return registry.Permissions{}, err
		}
	}
	perms, ok := s.mem.permissions(p, ids)
	s.metrics.looked("acl", ok)
	if !ok {
		var err error
		if perms, err = s.readPermissions(ctx, p, ids); err != nil {
			return registry.Permissions{}, s.fail("read permissions", err)
		}
	}
	perms.Seq.Store = s.name
	return perms, nil
}

// permissions answers from memory; false when a part of the answer is not there.
func (m *memory) permissions(p registry.Path, ids []registry.ID) (registry.Permissions, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	perms := registry.Permissions{Seq: registry.Seq{N: m.cursor.seq}}
	if !m.valid {
		return perms, false
	}
	id, rest := m.root, string(p)
	for depth := 0; ; depth++ {
		entries, ok := m.acls.get(aclKey(id))
		if !ok {
			return perms, false
		}
		if len(entries) > 0 {
			perms.Way = append(perms.Way, registry.Bound{Depth: depth, Entries: entries})
		}
		name, more := nextName(&rest)
		if !more {
			perms.Node = id
			break
		}
		// A name that is not there is not in memory either: the answer for what does not exist comes from the database.
		if id, ok = m.dirents.get(dirent{id, name}); !ok {
			return perms, false
		}
	}
	if len(ids) > 0 {
		perms.Of = make([][]registry.Entry, len(ids))
	}
	for i, id := range ids {
		entries, ok := m.acls.get(aclKey(id))
		if !ok {
			return perms, false
		}
		perms.Of[i] = entries
	}
	return perms, true
}

// nextName takes the first name off a path.
func nextName(rest *string) (string, bool) {
	s := *rest
	if len(s) <= 1 {
		return "", false
	}
	s = s[1:]
	for i := range len(s) {
		if s[i] == '/' {
			*rest = s[i:]
			return s[:i], true
		}
	}
	*rest = ""
	return s, true
}

// readPermissions asks the database: for the way, and for the entries of the nodes on it. When something was written between the two answers, it
// asks again in one transaction.
func (s *Store) readPermissions(ctx context.Context, p registry.Path, ids []registry.ID) (registry.Permissions, error) {
	perms, same, err := s.queryPermissions(ctx, s.read.statements, p, ids)
	if same || err != nil {
		return perms, err
	}
	err = s.retryRead(ctx, func() error {
		t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
		if err != nil {
			return err
		}
		defer t.rollback()
		perms, _, err = s.queryPermissions(ctx, t.statements, p, ids)
		return err
	})
	return perms, err
}

// queryPermissions reads the permissions of a path by two statements, and tells whether both saw the same state.
func (s *Store) queryPermissions(ctx context.Context, q statements, p registry.Path, ids []registry.ID) (registry.Permissions, bool, error) {
	f := &found{}
	var err error
	if names := p.Names(); len(names) > 0 {
		err = s.retryRead(ctx, func() (err error) {
			f, err = s.queryPath(ctx, q, s.root(), names)
			return err
		})
		if err != nil {
			return registry.Permissions{}, false, err
		}
		s.remember(f)
	}
	way := append([]registry.ID{s.root()}, f.ids...)
	entries, at, err := s.queryEntries(ctx, q, append(way[:len(way):len(way)], ids...))
	if err != nil {
		return registry.Permissions{}, false, err
	}
	perms := registry.Permissions{Seq: registry.Seq{N: at.seq}}
	for depth, id := range way {
		if list := entries[id]; len(list) > 0 {
			perms.Way = append(perms.Way, registry.Bound{Depth: depth, Entries: list})
		}
	}
	if f.complete() {
		perms.Node = way[len(way)-1]
	}
	for _, id := range ids {
		perms.Of = append(perms.Of, entries[id])
	}
	return perms, len(f.path) == 0 || f.at == at && len(f.path) <= maxChain, nil
}

// queryEntries reads the entries of nodes, by the primary key of acl, and remembers them.
func (s *Store) queryEntries(ctx context.Context, q statements, ids []registry.ID) (map[registry.ID][]registry.Entry, snapshot, error) {
	var at snapshot
	var entries map[registry.ID][]registry.Entry
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	// One statement sees one state, so the head in the first row is that of all rows.
	query := "SELECT " + headColumns + ", NULL AS node, NULL AS role, NULL AS allow, NULL AS deny FROM store_head h WHERE h.id = 1 " +
		"UNION ALL SELECT NULL, NULL, NULL, a.node, a.role, a.allow, a.deny FROM acl a WHERE a.node IN (" + placeholders(len(ids)) + ")"
	err := s.retryRead(ctx, func() error {
		entries = map[registry.ID][]registry.Entry{}
		return q.each(ctx, "acl", query, args, func(rows *sqlx.Rows) error {
			var seq, allow, deny sql.NullInt64
			var tag, epoch, node, role []byte
			if err := rows.Scan(&seq, &tag, &epoch, &node, &role, &allow, &deny); err != nil {
				return err
			}
			if seq.Valid {
				at = snapshot{seq.Int64, toID(tag), toID(epoch)}
				return nil
			}
			id := toID(node)
			entries[id] = append(entries[id], entryOf(role, allow.Int64, deny.Int64))
			return nil
		})
	})
	if err != nil {
		return nil, snapshot{}, err
	}
	for _, id := range ids {
		list := entries[id]
		slices.SortFunc(list, func(a, b registry.Entry) int { return bytes.Compare(a.Role[:], b.Role[:]) })
		s.mem.fill(at, []any{aclKey(id)}, func() { s.mem.acls.put(aclKey(id), list) })
	}
	return entries, at, nil
}

const (
	denialsHead = "WITH RECURSIVE up (x, id, parent, hops) AS (SELECT DISTINCT a.node, n.id, n.parent, 0 FROM acl a JOIN node n ON n.id = a.node WHERE a.role IN ("
	denialsTail = ") AND (a.deny & ?) <> 0 UNION ALL SELECT up.x, n.id, n.parent, up.hops + 1 FROM up JOIN node n ON n.id = up.parent " +
		"WHERE up.id <> ? AND up.hops < ?) SELECT x, id FROM up ORDER BY x, hops DESC LIMIT ?"
)

// Denials implements [registry.Store]. It goes from the entries of the roles (index k_acl_role) upwards, so it costs by their number and depth, not
// by what lies below p.
func (s *Store) Denials(ctx context.Context, top registry.ID, roles []registry.ID, r registry.Right, limit int) ([][]registry.Bound, error) {
	args := make([]any, 0, len(roles)+4)
	for i := range roles {
		args = append(args, roles[i][:])
	}
	most := limit * registry.MaxDepth
	args = append(args, int64(registry.RightsOf(r)), top[:], registry.MaxDepth, most+1)
	var ways [][]registry.ID // each from below p down to a node with a denial
	rows, last := 0, registry.ID{}
	err := s.retryRead(ctx, func() error {
		ways, rows, last = nil, 0, registry.ID{}
		reaches := false
		return s.read.each(ctx, "denials", denialsHead+placeholders(len(roles))+denialsTail, args, func(r *sqlx.Rows) error {
			var x, id []byte
			if err := r.Scan(&x, &id); err != nil {
				return err
			}
			rows++
			if node := toID(x); node != last {
				last, reaches = node, toID(id) == top
				if reaches && node != top {
					ways = append(ways, nil)
				}
				return nil
			}
			if reaches {
				ways[len(ways)-1] = append(ways[len(ways)-1], toID(id))
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, s.fail("look for denials", err)
	case rows > most || len(ways) > limit:
		return nil, registry.Errorf(registry.CodeConflict, "more than %d denials lie there; let an administrator do this", limit)
	case len(ways) == 0:
		return nil, nil
	}
	return s.bounds(ctx, ways)
}

// bounds puts entries in place of ids; nodes without any are left out.
func (s *Store) bounds(ctx context.Context, ways [][]registry.ID) ([][]registry.Bound, error) {
	var ids []registry.ID
	for _, way := range ways {
		ids = append(ids, way...)
	}
	all := map[registry.ID][]registry.Entry{}
	for len(ids) > 0 {
		n := min(len(ids), s.backend.dialect.maxRows)
		entries, _, err := s.queryEntries(ctx, s.read.statements, ids[:n])
		if err != nil {
			return nil, s.fail("read permissions", err)
		}
		maps.Copy(all, entries)
		ids = ids[n:]
	}
	list := make([][]registry.Bound, len(ways))
	for i, way := range ways {
		for depth, id := range way {
			if entries := all[id]; len(entries) > 0 {
				list[i] = append(list[i], registry.Bound{Depth: depth, Entries: entries})
			}
		}
	}
	return list, nil
}

// Guarded implements [registry.Store]. It reads the range of the index on (parent, name) that Children reads, with a look at the primary key of acl for each.
func (s *Store) Guarded(ctx context.Context, parent registry.Resource, after string, limit int) ([]registry.Resource, error) {
	return s.children(ctx, parent, guardedQuery(s.backend.dialect), parent.ID[:], []byte(after), limit)
}

func guardedQuery(d *dialect) string {
	return childrenWhere(d, "AND EXISTS (SELECT 1 FROM acl a WHERE a.node = n.id) ")
}

// Entries implements [registry.Tx].
func (o *operation) Entries(id registry.ID) ([]registry.Entry, error) {
	var list []registry.Entry
	err := o.tx.each(o.ctx, "acl", "SELECT role, allow, deny FROM acl WHERE node = ? ORDER BY role", []any{id[:]}, func(rows *sqlx.Rows) error {
		var role []byte
		var allow, deny int64
		err := rows.Scan(&role, &allow, &deny)
		list = append(list, entryOf(role, allow, deny))
		return err
	})
	if err != nil {
		return nil, o.broken(err)
	}
	return list, nil
}

var aclTable = table{"acl", []string{"node", "role", "allow", "deny"}}

// SetEntries implements [registry.Tx]. It writes at once: see send.
func (o *operation) SetEntries(id registry.ID, entries []registry.Entry) error {
	if err := o.send("write_acl", "DELETE FROM acl WHERE node = ?", id[:]); err != nil {
		return err
	}
	rows := make([][]any, len(entries))
	for i, e := range entries {
		rows[i] = []any{id[:], e.Role[:], int64(e.Allow), int64(e.Deny)}
	}
	if err := o.sendRows(aclTable, rows, ""); err != nil {
		return err
	}
	o.touch(item{act: actAccess, node: id})
	return nil
}

func entryOf(role []byte, allow, deny int64) registry.Entry {
	return registry.Entry{Role: toID(role), Allow: registry.Rights(allow), Deny: registry.Rights(deny)}
}
