package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Get implements [registry.Store]. At rest it sends no statement of its own, only its share of a query of the head.
func (s *Store) Get(ctx context.Context, p registry.Path, f registry.Freshness) (registry.Resource, error) {
	if !s.covers(f) {
		if err := s.refresh(ctx); err != nil {
			return registry.Resource{}, err
		}
	}
	n, at, ok := s.mem.resource(p)
	s.metrics.looked("node", ok)
	if ok {
		return n.at(p, s.name, at.seq), nil
	}
	found, err := s.resolve(ctx, p)
	if err != nil {
		return registry.Resource{}, s.fail("look up a path", err)
	}
	s.remember(found)
	if !found.complete() {
		return registry.Resource{}, s.missing(ctx, p, found)
	}
	return found.node.at(p, s.name, found.at.seq), nil
}

// missing says that nothing is at p, and of the link on the way there, if one is.
func (s *Store) missing(ctx context.Context, p registry.Path, f *found) error {
	if len(f.ids) == 0 {
		return notFound(p)
	}
	last := f.ids[len(f.ids)-1]
	n, ok := lookup(s.mem, s.mem.nodes, last)
	if !ok {
		var end *found
		err := s.retryRead(ctx, func() (err error) {
			end, err = s.queryPath(ctx, s.read.statements, last, nil)
			return err
		})
		if err != nil {
			return s.fail("look up a path", err)
		}
		s.remember(end)
		n = end.node
	}
	if n.Kind != registry.KindLink {
		return notFound(p)
	}
	return viaLink(p, n, len(f.ids), s.name, f.at.seq)
}

// viaLink is the error where the first i names of p lead to a link.
func viaLink(p registry.Path, n node, i int, store string, seq int64) error {
	names := p.Names()
	link := n.at(registry.Path("/"+strings.Join(names[:i], "/")), store, seq)
	return &registry.Error{
		Code: registry.CodeNotFound, Message: "nothing is at " + p.String(), Err: &registry.ViaLinkError{Link: link, Rest: strings.Join(names[i:], "/")},
	}
}

func notFound(p registry.Path) error {
	return registry.Errorf(registry.CodeNotFound, "nothing is at %s", p)
}

// covers tells whether the cursor is as far as f asks for, so that memory may answer without a look at the head.
func (s *Store) covers(f registry.Freshness) bool {
	cursor, valid := s.mem.at()
	// What a transaction of this process has made, or has refused a change for, a later read must not miss, whatever f says.
	return valid && cursor.seq >= s.witnessed.Load() && f.Covered(registry.Seq{Store: s.name, N: cursor.seq})
}

// Children implements [registry.Store].
func (s *Store) Children(ctx context.Context, parent registry.Resource, after string, limit int) ([]registry.Resource, error) {
	return s.children(ctx, parent, childrenQuery(s.backend.dialect), parent.ID[:], []byte(after), limit)
}

// ChildrenBefore implements [registry.TreeStore].
func (s *Store) ChildrenBefore(ctx context.Context, parent registry.Resource, before string, limit int) ([]registry.Resource, error) {
	end := []byte(before)
	if before == "" {
		end = []byte{0xff} // no name has this byte: it is in no UTF-8 text
	}
	return s.children(ctx, parent, childrenBeforeQuery(s.backend.dialect), parent.ID[:], end, limit)
}

// CountChildren implements [registry.TreeStore]. It reads the index on (parent, name) alone.
func (s *Store) CountChildren(ctx context.Context, parent registry.Resource, most int64) (int64, error) {
	var n int64
	query := "SELECT COUNT(*) FROM (SELECT 1 FROM node n" + s.backend.dialect.byName + " WHERE n.parent = ? LIMIT ?) some"
	err := s.retryRead(ctx, func() error { return s.read.one(ctx, "count", query, []any{parent.ID[:], most}, &n) })
	return n, s.fail("count children", err)
}

func (s *Store) children(ctx context.Context, parent registry.Resource, query string, args ...any) ([]registry.Resource, error) {
	var list []registry.Resource
	scan := func(rows *sqlx.Rows) error {
		n, err := scanNode(rows)
		list = append(list, n.at(child(parent.Path, n.name), s.name, parent.Seq.N))
		return err
	}
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "children", query, args, scan)
	})
	if err != nil {
		return nil, s.fail("read children", err)
	}
	return list, nil
}

// child is the path of a name that is in the tree, and so needs no checks.
func child(p registry.Path, name string) registry.Path {
	if p.IsRoot() {
		return registry.Path("/" + name)
	}
	return p + registry.Path("/"+name)
}

// Version implements [registry.Store].
func (s *Store) Version(ctx context.Context, id registry.ID, n int64) (registry.Version, error) {
	v, ok := lookup(s.mem, s.mem.versions, versionKey{id, n})
	s.metrics.looked("version", ok)
	if ok {
		return v, nil
	}
	var head headRow
	var row versionRow
	err := s.retryRead(ctx, func() error {
		return s.read.one(ctx, "version", versionQuery, []any{id[:], n}, append(head.dest(), row.dest()...)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Version{}, noVersion(n)
	}
	if err == nil {
		v, err = row.version()
	}
	if err != nil {
		return registry.Version{}, s.fail("read a version", err)
	}
	// A version never changes, but retention may remove it, and a database can lose its last commits: hence the look at the snapshot.
	s.mem.fill(head.snapshot(), []any{versionKey{id, n}}, func() { s.mem.versions.put(versionKey{id, n}, v) })
	return v, nil
}

func noVersion(n int64) error {
	return registry.Errorf(registry.CodeNotFound, "there is no version %d", n)
}

// Versions implements [registry.Store].
func (s *Store) Versions(ctx context.Context, id registry.ID, before int64, limit int) ([]registry.Version, error) {
	var list []registry.Version
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "versions", versionsQuery, []any{id[:], before, limit}, scanVersions(&list))
	})
	if err != nil {
		return nil, s.fail("read versions", err)
	}
	return list, nil
}

// retryRead runs a read again when its connection turned out to be dead or the database was busy; a read changes nothing.
func (s *Store) retryRead(ctx context.Context, read func() error) error {
	const attempts = 3
	for i := 1; ; i++ {
		err := read()
		if err == nil || i == attempts || ctx.Err() != nil {
			return err
		}
		reason := passingReason(err)
		if reason == "" {
			return err
		}
		s.metrics.retries.WithLabelValues(reason).Inc()
		if err := s.pause(ctx, i); err != nil {
			return fmt.Errorf("retry: %w", err)
		}
	}
}
