package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// A path is looked up by one statement: a chain of outer joins, one for each name, ending at the node's current version. The head's row comes with it,
// so the answer says which snapshot it is of.

// maxChain is how many names one statement follows: MySQL joins at most 61 tables, SQLite 64.
const maxChain = 30

// pathQueries are the statements for 0 to maxChain names below a node. Without state they give ids alone.
type pathQueries struct {
	state, ids [maxChain + 1]string
}

func newPathQueries() pathQueries {
	var q pathQueries
	for n := range q.state {
		q.state[n], q.ids[n] = pathQuery(n, true), pathQuery(n, false)
	}
	return q
}

// pathQuery writes the statement for n names. The last node is called n, those above it p1, p2, …
func pathQuery(n int, state bool) string {
	columns, joins := []string{headColumns}, []string{"FROM store_head h"}
	if n == 0 {
		joins = append(joins, "LEFT JOIN node n ON n.id = ?")
	}
	above := "?"
	for i := 1; i <= n; i++ {
		alias := "p" + strconv.Itoa(i)
		if i == n {
			alias = "n"
		}
		columns = append(columns, alias+".id")
		joins = append(joins, fmt.Sprintf("LEFT JOIN node %[1]s ON %[1]s.parent = %[2]s AND %[1]s.name = ?", alias, above))
		above = alias + ".id"
	}
	if state {
		columns = append(columns, nodeColumns)
		joins = append(joins, "LEFT JOIN version v ON v.node = n.id AND v.n = n.cur LEFT JOIN meta_obj m ON m.sha = v.meta")
	}
	return "SELECT " + strings.Join(columns, ", ") + " " + strings.Join(joins, " ") + " WHERE h.id = 1"
}

// found is what a look-up of names below a node gave: the ids as far as the names exist, and the last node when all do.
type found struct {
	at   snapshot
	from registry.ID
	path []string
	ids  []registry.ID
	node node
}

// complete tells whether all names exist; node is only set then.
func (f *found) complete() bool { return len(f.ids) == len(f.path) }

// parent gives the collection of the name at i.
func (f *found) parent(i int) registry.ID {
	if i == 0 {
		return f.from
	}
	return f.ids[i-1]
}

// queryPath looks up names below from. Longer paths than one statement takes must run in a transaction that sees one snapshot.
func (s *Store) queryPath(ctx context.Context, q statements, from registry.ID, names []string) (*found, error) {
	f := &found{from: from, path: names}
	for len(names) > maxChain {
		before := len(f.ids)
		if err := s.queryChain(ctx, q, f, from, names[:maxChain], false); err != nil {
			return nil, err
		}
		if len(f.ids)-before < maxChain {
			return f, nil // a name is missing: nothing lies below it
		}
		from, names = f.ids[len(f.ids)-1], names[maxChain:]
	}
	return f, s.queryChain(ctx, q, f, from, names, true)
}

// queryChain runs one statement of a look-up and adds what it gave to f.
func (s *Store) queryChain(ctx context.Context, q statements, f *found, from registry.ID, names []string, state bool) error {
	query := s.paths.ids[len(names)]
	if state {
		query = s.paths.state[len(names)]
	}
	args := make([]any, 0, len(names)+1)
	args = append(args, from[:])
	for _, name := range names {
		args = append(args, []byte(name))
	}
	var head headRow
	var row nodeRow
	ids := make([][]byte, len(names))
	dest := head.dest()
	for i := range ids {
		dest = append(dest, &ids[i])
	}
	if state {
		dest = append(dest, row.dest()...)
	}
	if err := q.one(ctx, "path", query, args, dest...); err != nil {
		return err
	}
	f.at = head.snapshot()
	for _, id := range ids {
		if id == nil {
			return nil
		}
		f.ids = append(f.ids, toID(id))
	}
	if !state || row.id == nil {
		return nil
	}
	var err error
	f.node, err = row.node()
	return err
}

// resolve looks p up in the database.
func (s *Store) resolve(ctx context.Context, p registry.Path) (*found, error) {
	names := p.Names()
	var f *found
	err := s.retryRead(ctx, func() (err error) {
		if len(names) <= maxChain {
			f, err = s.queryPath(ctx, s.read.statements, s.root(), names)
			return err
		}
		t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
		if err != nil {
			return err
		}
		defer t.rollback()
		f, err = s.queryPath(ctx, t.statements, s.root(), names)
		return err
	})
	return f, err
}

// remember puts what a look-up gave into memory, if it is still so at the cursor.
func (s *Store) remember(f *found) {
	keys := make([]any, 0, len(f.ids)+1)
	for i := range f.ids {
		keys = append(keys, dirent{f.parent(i), f.path[i]})
	}
	if f.complete() {
		keys = append(keys, f.node.ID)
	}
	s.mem.fill(f.at, keys, func() {
		for i, id := range f.ids {
			s.mem.dirents.put(dirent{f.parent(i), strings.Clone(f.path[i])}, id)
		}
		if f.complete() {
			s.mem.nodes.put(f.node.ID, f.node)
			s.mem.metas.put(f.node.metaSum, struct{}{})
		}
	})
}

// childrenQuery reads a page of children with their current state: one range of the index on (parent, name), never an offset. The joins are outer ones
// although no row can be missing: that fixes their order. MariaDB otherwise starts from a small meta_obj and reads all children (measured).
func childrenQuery(d *dialect) string { return childrenWhere(d, "") }

// childrenWhere is childrenQuery of those alone for which more, which begins with AND, holds.
func childrenWhere(d *dialect, more string) string {
	return "SELECT " + nodeColumns + " FROM node n" + d.byName +
		" LEFT JOIN version v ON v.node = n.id AND v.n = n.cur LEFT JOIN meta_obj m ON m.sha = v.meta " +
		"WHERE n.parent = ? AND n.name > ? " + more + "ORDER BY n.name LIMIT ?"
}

// childrenBeforeQuery is the same the other way round.
func childrenBeforeQuery(d *dialect) string {
	return "SELECT " + nodeColumns + " FROM node n" + d.byName +
		" LEFT JOIN version v ON v.node = n.id AND v.n = n.cur LEFT JOIN meta_obj m ON m.sha = v.meta " +
		"WHERE n.parent = ? AND n.name < ? ORDER BY n.name DESC LIMIT ?"
}

const (
	versionQuery = "SELECT " + headColumns + ", " + versionColumns + " FROM store_head h JOIN version v ON v.node = ? AND v.n = ? " +
		"JOIN meta_obj m ON m.sha = v.meta WHERE h.id = 1"
	versionsQuery = "SELECT " + versionColumns + " FROM version v LEFT JOIN meta_obj m ON m.sha = v.meta WHERE v.node = ? AND v.n < ? " +
		"ORDER BY v.n DESC LIMIT ?"
)

func scanVersions(list *[]registry.Version) func(*sqlx.Rows) error {
	return func(rows *sqlx.Rows) error {
		var row versionRow
		if err := rows.Scan(row.dest()...); err != nil {
			return err
		}
		v, err := row.version()
		*list = append(*list, v)
		return err
	}
}
