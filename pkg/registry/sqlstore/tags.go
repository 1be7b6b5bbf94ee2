package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

var (
	taggingTable = table{"tagging", []string{"node", "tag", "who", "at_us"}}
	tagTable     = table{"tag", []string{"node", "tag", "uses"}}
	tagUseTable  = table{"tag_use", []string{"tag", "uses"}}
)

// tagsQuery reads a range of the primary key of tag, with a look at the primary key of tagging for each.
const tagsQuery = "SELECT t.tag, t.uses, CASE WHEN g.node IS NULL THEN 0 ELSE 1 END FROM tag t " +
	"LEFT JOIN tagging g ON g.node = t.node AND g.tag = t.tag AND g.who = ? WHERE t.node = ? ORDER BY t.tag LIMIT ?"

func readTags(ctx context.Context, q statements, id registry.ID, who string) ([]registry.Tag, error) {
	var tags []registry.Tag
	err := q.each(ctx, "tags", tagsQuery, []any{[]byte(who), id[:], registry.MaxResourceTags}, func(rows *sqlx.Rows) error {
		var name []byte
		var uses, mine int64
		err := rows.Scan(&name, &uses, &mine)
		tags = append(tags, registry.Tag{Name: string(name), Count: uses, Mine: mine != 0})
		return err
	})
	return tags, err
}

// Tags implements [registry.TagReader].
func (s *Store) Tags(ctx context.Context, id registry.ID, who string) (tags []registry.Tag, err error) {
	err = s.retryRead(ctx, func() error {
		tags, err = readTags(ctx, s.read.statements, id, who)
		return err
	})
	return tags, s.fail("read tags", err)
}

// Tagged implements [registry.TagReader]. It reads one range of the index on (tag, node).
func (s *Store) Tagged(ctx context.Context, tag string, after registry.ID, limit int) ([]registry.Place, error) {
	var ids []registry.ID
	query := "SELECT t.node FROM tag t" + s.backend.dialect.index("k_tag") + " WHERE t.tag = ? AND t.node > ? ORDER BY t.node LIMIT ?"
	err := s.retryRead(ctx, func() error {
		ids = nil
		return s.read.each(ctx, "tagged", query, []any{[]byte(tag), after[:], limit}, func(rows *sqlx.Rows) error {
			var id []byte
			err := rows.Scan(&id)
			ids = append(ids, toID(id))
			return err
		})
	})
	if err != nil {
		return nil, s.fail("read tagged resources", err)
	}
	places, err := s.places(ctx, ids)
	list := make([]registry.Place, 0, len(ids))
	for _, id := range ids {
		list = append(list, places[id])
	}
	return list, err
}

// maxUnion is how many parts one statement has; SQLite takes 500.
const maxUnion = 100

// TopTags implements [registry.TagReader]. The tags are the end of the index on (uses, tag); the samples are ranges of that on (tag, node).
func (s *Store) TopTags(ctx context.Context, limit, sample int) ([]registry.TagUse, error) {
	var uses []registry.TagUse
	query := "SELECT tag, uses FROM tag_use" + s.backend.dialect.index("k_uses") + " ORDER BY uses DESC, tag DESC LIMIT ?"
	err := s.retryRead(ctx, func() error {
		uses = nil
		return s.read.each(ctx, "top_tags", query, []any{limit}, func(rows *sqlx.Rows) error {
			var tag []byte
			var n int64
			err := rows.Scan(&tag, &n)
			uses = append(uses, registry.TagUse{Name: string(tag), Nodes: n})
			return err
		})
	})
	if err != nil {
		return nil, s.fail("read the most used tags", err)
	}
	samples := map[string][]registry.ID{}
	for part := range slices.Chunk(uses, maxUnion) {
		if err := s.sampleTags(ctx, part, sample, samples); err != nil {
			return nil, s.fail("read the most used tags", err)
		}
	}
	var ids []registry.ID
	seen := map[registry.ID]bool{}
	for _, list := range samples {
		for _, id := range list {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	places, err := s.places(ctx, ids)
	for i, u := range uses {
		for _, id := range samples[u.Name] {
			uses[i].Sample = append(uses[i].Sample, places[id])
		}
	}
	return uses, err
}

// sampleTags reads the first nodes of each tag.
func (s *Store) sampleTags(ctx context.Context, uses []registry.TagUse, sample int, into map[string][]registry.ID) error {
	one := "SELECT * FROM (SELECT t.tag, t.node FROM tag t" + s.backend.dialect.index("k_tag") + " WHERE t.tag = ? ORDER BY t.node LIMIT ?) q"
	args := make([]any, 0, 2*len(uses))
	for _, u := range uses {
		args = append(args, []byte(u.Name), sample)
	}
	query := strings.TrimSuffix(strings.Repeat(one+" UNION ALL ", len(uses)), " UNION ALL ")
	return s.retryRead(ctx, func() error {
		for _, u := range uses {
			delete(into, u.Name)
		}
		return s.read.each(ctx, "top_tags", query, args, func(rows *sqlx.Rows) error {
			var tag, id []byte
			err := rows.Scan(&tag, &id)
			into[string(tag)] = append(into[string(tag)], toID(id))
			return err
		})
	})
}

// AddTags implements [registry.TagWriter].
func (o *operation) AddTags(r registry.Resource, names []string) ([]registry.Tag, error) {
	tags, err := readTags(o.ctx, o.tx.statements, r.ID, o.op.Actor.User)
	if err != nil {
		return nil, o.broken(err)
	}
	var given, counted [][]any
	var fresh []string
	for _, name := range names {
		i := slices.IndexFunc(tags, func(t registry.Tag) bool { return t.Name == name })
		if i < 0 {
			i = len(tags)
			tags = append(tags, registry.Tag{Name: name})
			fresh = append(fresh, name)
		}
		if tags[i].Mine {
			continue
		}
		tags[i].Mine = true
		tags[i].Count++
		given = append(given, []any{r.ID[:], []byte(name), []byte(o.op.Actor.User), toMicros(o.op.At)})
		counted = append(counted, []any{r.ID[:], []byte(name), tags[i].Count})
	}
	if len(tags) > registry.MaxResourceTags {
		return nil, registry.Errorf(registry.CodeInvalid, "%s would have %d tags; the limit is %d", r.Path, len(tags), registry.MaxResourceTags)
	}
	slices.SortFunc(tags, func(a, b registry.Tag) int { return strings.Compare(a.Name, b.Name) })
	if len(given) == 0 {
		return tags, nil
	}
	d := o.store.backend.dialect
	if err := o.sendRows(taggingTable, given, ""); err != nil {
		return nil, err
	}
	if err := o.sendRows(tagTable, counted, d.onConflict("node, tag", "uses")); err != nil {
		return nil, err
	}
	if err := o.countTags(fresh); err != nil {
		return nil, err
	}
	for _, row := range given {
		name, _ := row[1].([]byte)
		o.touch(item{act: actTag, node: r.ID, n: 1, name: logName(string(name))})
	}
	return tags, nil
}

// countTags adds one more resource to tags of the store.
func (o *operation) countTags(names []string) error {
	if len(names) == 0 {
		return nil
	}
	rows := make([][]any, len(names))
	for i, name := range names {
		rows[i] = []any{[]byte(name), 1}
	}
	return o.sendRows(tagUseTable, rows, o.store.backend.dialect.onConflictAdd("tag", "uses"))
}

// RemoveTag implements [registry.TagWriter].
func (o *operation) RemoveTag(r registry.Resource, name string, everyone bool) error {
	tag := []byte(name)
	var uses, mine int64
	query := "SELECT t.uses, CASE WHEN g.node IS NULL THEN 0 ELSE 1 END FROM tag t " +
		"LEFT JOIN tagging g ON g.node = t.node AND g.tag = t.tag AND g.who = ? WHERE t.node = ? AND t.tag = ?"
	err := o.tx.one(o.ctx, "tags", query, []any{[]byte(o.op.Actor.User), r.ID[:], tag}, &uses, &mine)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return o.broken(err)
	case err != nil:
		return registry.Errorf(registry.CodeNotFound, "%s has no tag %q", r.Path, name)
	case mine == 0 && !everyone:
		return registry.Errorf(registry.CodeNotFound, "%s has no tag %q of %s", r.Path, name, o.op.Actor.User)
	}
	o.touch(item{act: actTag, node: r.ID, n: 0, name: logName(name)})
	if !everyone && uses > 1 {
		if err := o.send("write_tag", "DELETE FROM tagging WHERE node = ? AND tag = ? AND who = ?", r.ID[:], tag, []byte(o.op.Actor.User)); err != nil {
			return err
		}
		return o.send("write_tag", "UPDATE tag SET uses = ? WHERE node = ? AND tag = ?", uses-1, r.ID[:], tag)
	}
	for _, table := range []string{"tagging", "tag"} {
		if err := o.send("write_tag", "DELETE FROM "+table+" WHERE node = ? AND tag = ?", r.ID[:], tag); err != nil {
			return err
		}
	}
	if err := o.send("write_tag", "UPDATE tag_use SET uses = uses - 1 WHERE tag = ?", tag); err != nil {
		return err
	}
	return o.send("write_tag", "DELETE FROM tag_use WHERE tag = ? AND uses <= 0", tag)
}
