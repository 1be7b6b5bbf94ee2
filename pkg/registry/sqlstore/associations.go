package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// typeBytes is how many bytes of the hash of its type a key of an association begins with.
const typeBytes = 16

func typeKey(kind string) []byte {
	sum := sha256.Sum256([]byte(kind))
	return sum[:typeBytes]
}

// outKey is the association's key among those of its source.
func outKey(kind string, to registry.End) []byte {
	target := sha256.Sum256(append([]byte("resource "), to.ID[:]...))
	if to.URI != "" {
		target = sha256.Sum256([]byte("uri " + to.URI))
	}
	return append(typeKey(kind), target[:]...)
}

// inKey is the association's key among those of its target.
func inKey(kind string, src registry.ID) []byte { return append(typeKey(kind), src[:]...) }

// Associations implements [registry.AssociationReader]: for each node one range of an index, then the places of the other ends.
func (s *Store) Associations(ctx context.Context, q registry.AssociationQuery) ([]registry.Association, error) {
	if len(q.Nodes) == 0 {
		return nil, nil
	}
	query, args := s.associationsQuery(q)
	var list []registry.Association
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "associations", query, args, func(rows *sqlx.Rows) error {
			var src, dst, key, kind, uri, by []byte
			var us int64
			if err := rows.Scan(&src, &dst, &key, &kind, &uri, &us, &by); err != nil {
				return err
			}
			l := registry.Association{Type: string(kind), CreatedAt: toTime(us), CreatedBy: string(by), Key: registry.AssociationKey(key)}
			l.Source.ID, l.Target.ID, l.Target.URI = toID(src), toID(dst), string(uri)
			list = append(list, l)
			return nil
		})
	})
	if err != nil {
		return nil, s.fail("read associations", err)
	}
	return list, s.placeEnds(ctx, list, q.Incoming)
}

// associationsQuery writes the statement for q. A type is a range of the keys that begin with its hash.
func (s *Store) associationsQuery(q registry.AssociationQuery) (string, []any) {
	node, key, index := "src", "out_key", ""
	if q.Incoming {
		node, key, index = "dst", "in_key", "k_dst"
	}
	where, args := node+" IN ("+placeholders(len(q.Nodes))+")", idArgs(q.Nodes)
	lower := []byte(q.After)
	if q.Type != "" {
		first := typeKey(q.Type)
		if string(lower) < string(first) {
			lower = first // shorter than any key of the type, and so before the first
		}
		if next := successor(first); next != nil {
			where += " AND " + key + " < ?"
			args = append(args, next)
		}
	}
	if len(lower) > 0 {
		where += " AND " + key + " > ?"
		args = append(args, lower)
	}
	return "SELECT src, dst, " + key + ", type, uri, created_us, created_by FROM association" + s.backend.dialect.index(index) +
		" WHERE " + where + " ORDER BY " + node + ", " + key + " LIMIT ?", append(args, q.Limit)
}

// successor is the first text after all that begin with b; nil when there is none.
func successor(b []byte) []byte {
	next := slices.Clone(b)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next
		}
	}
	return nil
}

// placeEnds finds where the ends stand that were not asked by.
func (s *Store) placeEnds(ctx context.Context, list []registry.Association, incoming bool) error {
	far := func(l *registry.Association) *registry.End {
		if incoming {
			return &l.Source
		}
		return &l.Target
	}
	var ids []registry.ID
	seen := map[registry.ID]bool{{}: true}
	for i := range list {
		if id := far(&list[i]).ID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	places, err := s.places(ctx, ids)
	for i := range list {
		if e := far(&list[i]); e.URI == "" {
			e.Place = places[e.ID]
		}
	}
	return err
}

// Associate implements [registry.AssociationWriter].
func (o *operation) Associate(r registry.Resource, to registry.End, kind string) (bool, error) {
	key := outKey(kind, to)
	has, err := o.associated(r.ID, key)
	if err != nil || has {
		return false, err
	}
	var dst, uri any
	if to.URI == "" {
		dst = to.ID[:]
	} else {
		uri = []byte(to.URI)
	}
	o.touchAt(item{act: actAssociation, node: r.ID, n: 1, parent: to.ID, name: logName(kind)}, o.places.paths[r.ID], o.places.paths[to.ID])
	return true, o.send("write_association",
		"INSERT INTO association (src, out_key, dst, in_key, type, uri, created_us, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		r.ID[:], key, dst, inKey(kind, r.ID), []byte(kind), uri, toMicros(o.op.At), []byte(o.op.Actor.User))
}

// Dissociate implements [registry.AssociationWriter].
func (o *operation) Dissociate(r registry.Resource, to registry.End, kind string) error {
	key := outKey(kind, to)
	has, err := o.associated(r.ID, key)
	if err != nil {
		return err
	}
	if !has {
		target := string(to.Path)
		if to.URI != "" {
			target = to.URI
		}
		return registry.Errorf(registry.CodeNotFound, "%s has no association of the type %q to %s", r.Path, kind, target)
	}
	o.touchAt(item{act: actAssociation, node: r.ID, n: 0, parent: to.ID, name: logName(kind)}, o.places.paths[r.ID], o.places.paths[to.ID])
	return o.send("write_association", "DELETE FROM association WHERE src = ? AND out_key = ?", r.ID[:], key)
}

// associated tells whether there is that association.
func (o *operation) associated(src registry.ID, key []byte) (bool, error) {
	var one int
	err := o.tx.one(o.ctx, "associations", "SELECT 1 FROM association WHERE src = ? AND out_key = ?", []any{src[:], key}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, o.broken(err)
	}
	return true, nil
}
