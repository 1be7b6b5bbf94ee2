package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/extract"
)

// What search knows of nodes, read from where it is.

// attachedMost bounds the comments, and the associations, that one statement reads for some nodes; where there are more, fewer nodes are read together.
const attachedMost = 20_000

var errManyNotes = errors.New("too many comments or associations for one statement")

// loadText bounds the bytes of contents that are taken apart together, but for one content. What a text is taken apart to may be ten times as large.
const loadText = 4 << 20

// loadDocs takes nodes apart, the first ones as long as their contents are not too much together, and tells how many it took; a node that has gone, root and trash
// have nil.
func (s *Store) loadDocs(ctx context.Context, q statements, keys []todoKey) (map[todoKey]*registry.SearchDoc, int, error) {
	keys = keys[:min(len(keys), examinePage)]
	sources := make(map[registry.ID]*registry.SearchSource, len(keys))
	ids := make([]registry.ID, len(keys))
	for i, k := range keys {
		ids[i] = k.node
	}
	if err := s.loadNodes(ctx, q, ids, sources); err != nil {
		return nil, 0, err
	}
	n, bytes := 0, int64(0)
	for ; n < len(keys); n++ {
		if src := sources[keys[n].node]; src != nil && extract.Of(src.Meta.MediaType) != extract.None {
			if bytes += min(src.Size, registry.MaxSearchText); bytes > loadText && n > 0 {
				break
			}
		}
	}
	for _, k := range keys[n:] {
		delete(sources, k.node)
	}
	keys, ids = keys[:n], ids[:n]
	if err := s.loadAttached(ctx, q, ids, sources); err != nil {
		return nil, 0, err
	}
	var facts []registry.SearchFacts
	for _, src := range sources {
		facts = append(facts, registry.SearchFacts{Hash: src.Hash, MediaType: src.Meta.MediaType, Size: src.Size})
	}
	texts, err := s.texts(ctx, q, facts)
	if err != nil {
		return nil, 0, err
	}
	docs := make(map[todoKey]*registry.SearchDoc, len(keys))
	for _, k := range keys {
		docs[k] = nil
		if src := sources[k.node]; src != nil {
			src.Text = texts[textKey{src.Hash, extract.Of(src.Meta.MediaType)}]
			docs[k] = registry.NewSearchDoc(*src)
		}
	}
	return docs, n, nil
}

// loadEach is loadDocs of all of the nodes, part by part, until give tells that it has enough. Nodes that cannot be read are told to skip, one by one, and left out.
func (s *Store) loadEach(
	ctx context.Context, q statements, keys []todoKey, give func(map[todoKey]*registry.SearchDoc) bool, skip func(todoKey, error),
) error {
	size := examinePage
	for len(keys) > 0 {
		docs, n, err := s.loadDocs(ctx, q, keys[:min(size, len(keys))])
		switch {
		case err == nil:
			size = min(2*size, examinePage)
			if !give(docs) {
				return nil
			}
		case ctx.Err() != nil || passingReason(err) != "":
			return err
		case size > 1:
			size /= 2
		default:
			skip(keys[0], err)
			n = 1
		}
		keys = keys[n:]
	}
	return nil
}

func (s *Store) loadNodes(ctx context.Context, q statements, ids []registry.ID, into map[registry.ID]*registry.SearchSource) error {
	query := "SELECT " + nodeColumns + " FROM node n LEFT JOIN version v ON v.node = n.id AND v.n = n.cur LEFT JOIN meta_obj m ON m.sha = v.meta " +
		"WHERE n.id IN (" + placeholders(len(ids)) + ")"
	return q.each(ctx, "search_load", query, idArgs(ids), func(rows *sqlx.Rows) error {
		n, err := scanNode(rows)
		if err != nil {
			return err
		}
		if !n.parent.IsZero() { // the trash and the roots of tenants hang on nothing
			into[n.ID] = &registry.SearchSource{Resource: n.Resource, Parent: n.parent, Name: n.name}
		}
		return nil
	})
}

// loadAttached reads tags, comments, ratings and associations: ranges of primary keys.
func (s *Store) loadAttached(ctx context.Context, q statements, ids []registry.ID, into map[registry.ID]*registry.SearchSource) error {
	in := " IN (" + placeholders(len(ids)) + ")"
	return errors.Join(
		q.each(ctx, "search_load", "SELECT node, tag FROM tag WHERE node"+in+" ORDER BY node, tag", idArgs(ids), func(rows *sqlx.Rows) error {
			var id, tag []byte
			err := rows.Scan(&id, &tag)
			if src := into[toID(id)]; src != nil {
				src.Tags = append(src.Tags, string(tag))
			}
			return err
		}),
		loadNotes(ctx, q, "SELECT node, body FROM comment WHERE node"+in+" AND deleted = 0 ORDER BY node, thread, n LIMIT ?", ids, into,
			func(src *registry.SearchSource) *[]string { return &src.Comments }),
		loadNotes(ctx, q, "SELECT src, type FROM association WHERE src"+in+" ORDER BY src, out_key LIMIT ?", ids, into,
			func(src *registry.SearchSource) *[]string { return &src.Associations }),
		q.each(ctx, "search_load", "SELECT node, votes, total FROM rating_sum WHERE node"+in, idArgs(ids), func(rows *sqlx.Rows) error {
			var id []byte
			var votes, total int64
			err := rows.Scan(&id, &votes, &total)
			if src := into[toID(id)]; src != nil {
				src.Votes, src.RatingTotal = votes, total
			}
			return err
		}),
	)
}

// loadNotes reads comments, or associations: of each node as many as search takes up.
func loadNotes(
	ctx context.Context, q statements, query string, ids []registry.ID, into map[registry.ID]*registry.SearchSource, list func(*registry.SearchSource) *[]string,
) error {
	n := 0
	err := q.each(ctx, "search_load", query, append(idArgs(ids), attachedMost), func(rows *sqlx.Rows) error {
		var id, text []byte
		n++
		err := rows.Scan(&id, &text)
		if src := into[toID(id)]; src != nil {
			if notes := list(src); len(*notes) < registry.MaxSearchNotes {
				*notes = append(*notes, string(text))
			}
		}
		return err
	})
	if err == nil && n == attachedMost && len(ids) > 1 {
		return errManyNotes
	}
	return err
}

// textKey names the text of a content: the same bytes may be read as one format or another.
type textKey struct {
	hash   registry.Hash
	format extract.Format
}

// SearchTexts implements [registry.SearchReader].
func (s *Store) SearchTexts(ctx context.Context, of []registry.SearchFacts) (map[registry.Hash]string, error) {
	var texts map[textKey]string
	err := s.retryRead(ctx, func() (err error) {
		texts, err = s.texts(ctx, s.read.statements, of)
		return err
	})
	if err != nil {
		return nil, s.fail("read texts", err)
	}
	byHash := make(map[registry.Hash]string, len(texts))
	for _, f := range of {
		if text, ok := texts[textKey{f.Hash, extract.Of(f.MediaType)}]; ok {
			byHash[f.Hash] = text
		}
	}
	return byHash, nil
}

// texts gives the texts of contents. Those of formats that are slow to read are kept in the database.
func (s *Store) texts(ctx context.Context, q statements, of []registry.SearchFacts) (map[textKey]string, error) {
	found := map[textKey]string{}
	formats := map[registry.Hash][]extract.Format{}
	var hashes []any
	for _, f := range of {
		k := textKey{f.Hash, extract.Of(f.MediaType)}
		if _, ok := found[k]; ok || k.format == extract.None || f.Size == 0 {
			continue
		}
		text, ok := lookup(s.mem, s.mem.texts, k)
		found[k] = text
		if !ok {
			if formats[k.hash] == nil {
				hashes = append(hashes, k.hash[:])
			}
			formats[k.hash] = append(formats[k.hash], k.format)
		}
	}
	if len(hashes) == 0 {
		return found, nil
	}
	if err := s.keptTexts(ctx, q, hashes, formats, found); err != nil {
		return nil, err
	}
	contents, err := s.contents(ctx, q, hashes, formats)
	if err != nil {
		return nil, err
	}
	for _, c := range contents {
		for _, format := range formats[c.hash] {
			k := textKey{c.hash, format}
			data, err := c.read(ctx, q, format.Needs())
			if err != nil {
				return nil, err
			}
			text, whole := extract.Text(ctx, format, data, registry.MaxSearchText)
			if err := ctx.Err(); err != nil {
				return nil, err // what there is of it must not pass for all of it
			}
			found[k] = text
			keep(s.mem, s.mem.texts, k, text)
			if format.Slow() && whole {
				s.keepText(k, found[k])
			}
		}
	}
	return found, nil
}

// keptTexts takes what the database has, and drops it from formats.
func (s *Store) keptTexts(ctx context.Context, q statements, hashes []any, formats map[registry.Hash][]extract.Format, found map[textKey]string) error {
	slow := false
	for _, list := range formats {
		for _, f := range list {
			slow = slow || f.Slow()
		}
	}
	if !slow {
		return nil
	}
	return q.each(ctx, "search_load", "SELECT sha, format, data FROM search_text WHERE sha IN ("+placeholders(len(hashes))+")", hashes, func(rows *sqlx.Rows) error {
		var sha, data []byte
		var format int64
		if err := rows.Scan(&sha, &format, &data); err != nil {
			return err
		}
		k := textKey{toHash(sha), extract.Format(format)}
		found[k] = string(data)
		keep(s.mem, s.mem.texts, k, found[k])
		var rest []extract.Format
		for _, f := range formats[k.hash] {
			if f != k.format {
				rest = append(rest, f)
			}
		}
		formats[k.hash] = rest
		return nil
	})
}

// keptText is a text on its way into the database.
type keptText struct {
	textKey
	text string
}

// keepText hands a text to the indexer. When that is busy the text is made again some day.
func (s *Store) keepText(k textKey, text string) {
	select {
	case s.indexer.texts <- keptText{k, text}:
	default:
	}
}

// searchable is a content whose text is wanted.
type searchable struct {
	hash      registry.Hash
	small     []byte
	set       []byte
	chunkSize int64
}

// contents finds those whose formats are left.
func (s *Store) contents(ctx context.Context, q statements, hashes []any, formats map[registry.Hash][]extract.Format) ([]searchable, error) {
	var list []searchable
	query := "SELECT sha, chunk_size, small, chunk_set FROM blob_obj WHERE sha IN (" + placeholders(len(hashes)) + ")"
	err := q.each(ctx, "search_load", query, hashes, func(rows *sqlx.Rows) error {
		var sha []byte
		var c searchable
		err := rows.Scan(&sha, &c.chunkSize, &c.small, &c.set)
		if c.hash = toHash(sha); len(formats[c.hash]) > 0 {
			list = append(list, c)
		}
		return err
	})
	return list, err
}

// read gives the beginning of the content.
func (c searchable) read(ctx context.Context, q statements, most int64) ([]byte, error) {
	if c.set == nil {
		return c.small, nil
	}
	var data []byte
	for i := int64(0); i*c.chunkSize < most; i++ {
		var chunk []byte
		err := q.one(ctx, "search_load", "SELECT data FROM blob_chunk WHERE chunk_set = ? AND i = ?", []any{c.set, i}, &chunk)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return nil, err
		}
		data = append(data, chunk...)
		if int64(len(chunk)) < c.chunkSize {
			break
		}
	}
	return data, nil
}
