package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Past states are read from the database, in one snapshot: from the nodes as they are, from the places that nodes left since (dirent_hist) and from
// the versions. At a position s a node was at the first place that it left after s, or, where it left none since, where it is now.

// SeqAt implements [registry.Historian]: a binary search over the primary key of the log, which takes some thirty short reads at most.
func (s *Store) SeqAt(ctx context.Context, t time.Time) (int64, error) {
	var seq int64
	err := s.inSnapshot(ctx, func(q statements) (err error) {
		seq, err = seqAt(ctx, q, toMicros(t))
		return err
	})
	return seq, s.fail("find a position of the log", err)
}

func seqAt(ctx context.Context, q statements, us int64) (int64, error) {
	var head headRow
	if err := q.one(ctx, "head", headQuery, nil, head.dest()...); err != nil {
		return 0, err
	}
	first, firstUS, err := logAt(ctx, q, 1)
	switch {
	case err != nil:
		return 0, err
	case head.seq == 0, first == 1 && firstUS > us:
		return 0, nil // nothing had changed yet
	case first == 0:
		return 0, registry.Errorf(registry.CodeGone, "the change log is empty; what was when is not known any more")
	case firstUS > us:
		return 0, registry.Errorf(registry.CodeGone, "the change log begins at %s; what was before is not known any more", toTime(firstUS).Format(time.RFC3339))
	}
	low, high := first, head.seq+1 // the answer is at low or above, and below high
	for high-low > 1 {
		seq, at, err := logAt(ctx, q, low+(high-low)/2)
		if err != nil {
			return 0, err
		}
		if seq > 0 && seq < high && at <= us {
			low = seq
		} else {
			high = low + (high-low)/2
		}
	}
	return low, nil
}

// logAt reads the first row of the log at or after a position; 0 when there is none.
func logAt(ctx context.Context, q statements, from int64) (seq, us int64, err error) {
	err = q.one(ctx, "log_at", "SELECT t.seq, t.at_us FROM txn t WHERE t.seq >= ? ORDER BY t.seq LIMIT 1", []any{from}, &seq, &us)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	return seq, us, err
}

// inSnapshot runs reads that must see one state.
func (s *Store) inSnapshot(ctx context.Context, read func(statements) error) error {
	return s.retryRead(ctx, func() error {
		t, err := s.read.begin(ctx, s.backend.dialect.snapshot)
		if err != nil {
			return err
		}
		defer t.rollback()
		return read(t.statements)
	})
}

// GetAt implements [registry.Historian]. It sends at most two statements for each name and two more.
func (s *Store) GetAt(ctx context.Context, p registry.Path, seq int64) (registry.Resource, error) {
	var r registry.Resource
	err := s.inSnapshot(ctx, func(q statements) (err error) {
		if err = s.reached(ctx, q, seq); err != nil {
			return err
		}
		r, err = s.past(ctx, q, seq).get(p)
		return err
	})
	return r, s.fail("look up a past state", err)
}

// reached refuses a position that the log has not reached.
func (s *Store) reached(ctx context.Context, q statements, seq int64) error {
	var head headRow
	if err := q.one(ctx, "head", headQuery, nil, head.dest()...); err != nil {
		return err
	}
	if seq > head.seq {
		return registry.Errorf(registry.CodeInvalid, "at is the position %d; the change log of the store %s ends at %d", seq, s.name, head.seq)
	}
	return nil
}

// past is the state of the tree at a position.
type past struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the one of the read
	q     statements
	seq   int64
}

func (s *Store) past(ctx context.Context, q statements, seq int64) past { return past{s, ctx, q, seq} }

// get finds what was at p.
func (h past) get(p registry.Path) (registry.Resource, error) {
	id := h.store.root()
	names := p.Names()
	for i, name := range names {
		o, err := h.occupant(id, name)
		if err != nil {
			return registry.Resource{}, err
		}
		kept, err := h.stayed([]occupant{o})
		if err != nil {
			return registry.Resource{}, err
		}
		if len(kept) == 0 {
			return registry.Resource{}, h.missing(p, id, i)
		}
		id = o.node
	}
	states, err := h.states([]registry.ID{id})
	if err != nil {
		return registry.Resource{}, err
	}
	n, ok := states[id]
	switch {
	case !ok:
		return registry.Resource{}, notFound(p)
	case n.Version == 0:
		return registry.Resource{}, gone(p)
	}
	return n.at(p, h.store.name, h.seq), nil
}

// missing is the error where the node which was at the first i names of p had nothing of the next name: it may have been a link, or a collection that was
// purged since with all that it held.
func (h past) missing(p registry.Path, id registry.ID, i int) error {
	states, err := h.states([]registry.ID{id})
	if err != nil {
		return err
	}
	switch n, was := states[id]; {
	case was && n.ID.IsZero():
		return gone(p)
	case n.Kind != registry.KindLink:
		return notFound(p)
	}
	return viaLink(p, states[id], i, h.store.name, h.seq)
}

func gone(p registry.Path) error {
	return registry.Errorf(registry.CodeGone, "what was at %s is not kept any more", p)
}

// occupant is the node that may have had a name: the first to leave it after the position, or the one that has it now.
type occupant struct {
	name  string
	node  registry.ID
	until int64 // when it left the name; never: it is there
}

const leaverQuery = "SELECT x.node, x.until_seq FROM (SELECT h.node, h.until_seq FROM dirent_hist h WHERE h.parent = ? AND h.name = ? AND h.until_seq > ? " +
	"ORDER BY h.until_seq LIMIT 1) x UNION ALL SELECT n.id, 9223372036854775807 FROM node n WHERE n.parent = ? AND n.name = ?"

// occupant finds who may have had a name: one row of the primary key of dirent_hist, and one of the index on (parent, name) of node.
func (h past) occupant(parent registry.ID, name string) (occupant, error) {
	found := occupant{name: name}
	args := []any{parent[:], []byte(name), h.seq, parent[:], []byte(name)}
	err := h.q.each(h.ctx, "past_name", leaverQuery, args, func(rows *sqlx.Rows) error {
		var id []byte
		var until int64
		err := rows.Scan(&id, &until)
		if found.node.IsZero() || until < found.until {
			found.node, found.until = toID(id), until
		}
		return err
	})
	return found, err
}

// stayed keeps of the occupants those who were there at the position: who left another place between the position and the day that it left this
// one had not come yet.
func (h past) stayed(list []occupant) ([]occupant, error) {
	list = slices.DeleteFunc(list, func(o occupant) bool { return o.node.IsZero() })
	if len(list) == 0 {
		return nil, nil
	}
	first := map[registry.ID]int64{}
	args := make([]any, 0, len(list)+1)
	for _, o := range list {
		args = append(args, o.node[:])
	}
	query := "SELECT h.node, MIN(h.until_seq) FROM dirent_hist h WHERE h.node IN (" + placeholders(len(list)) + ") AND h.until_seq > ? GROUP BY h.node"
	err := h.q.each(h.ctx, "past_left", query, append(args, h.seq), func(rows *sqlx.Rows) error {
		var id []byte
		var until int64
		err := rows.Scan(&id, &until)
		first[toID(id)] = until
		return err
	})
	return slices.DeleteFunc(list, func(o occupant) bool {
		until, left := first[o.node]
		return left && until < o.until
	}), err
}

// states reads nodes as they were; those that did not exist yet are left out, those that were purged since, or whose version is not kept any more,
// have the version 0, and the former no id. Each costs one probe of the index on (node, seq) and a few of primary keys.
func (h past) states(ids []registry.ID) (map[registry.ID]node, error) {
	states := map[registry.ID]node{}
	if len(ids) == 0 {
		return states, nil
	}
	// The version comes in place of the current one. The outer joins fix their order.
	for _, id := range ids {
		states[id] = node{}
	}
	query := "SELECT " + strings.Replace(nodeColumns, "n.cur", "v.n", 1) + ", g.seq FROM node n LEFT JOIN version v ON v.node = n.id AND v.n = " +
		"(SELECT x.n FROM version x" + h.store.backend.dialect.index("k_at") + " WHERE x.node = n.id AND x.seq <= ? ORDER BY x.seq DESC, x.n DESC LIMIT 1) " + // what came from another store has versions of one position
		"LEFT JOIN meta_obj m ON m.sha = v.meta LEFT JOIN gap g ON g.node = n.id AND g.n = COALESCE(v.n, 0) " +
		"WHERE n.id IN (" + placeholders(len(ids)) + ")"
	err := h.q.each(h.ctx, "past_state", query, append([]any{h.seq}, idArgs(ids)...), func(rows *sqlx.Rows) error {
		var row nodeRow
		var gap sql.NullInt64
		if err := rows.Scan(append(row.dest(), &gap)...); err != nil {
			return err
		}
		switch {
		case gap.Valid && gap.Int64 <= h.seq: // a version that was removed had begun by then
			states[toID(row.id)] = node{Resource: registry.Resource{ID: toID(row.id)}}
			return nil
		case !row.cur.Valid:
			delete(states, toID(row.id))
			return nil
		}
		n, err := row.node()
		n.Gen = 0
		states[toID(row.id)] = n
		return err
	})
	return states, err
}

// ChildrenAt implements [registry.Historian].
func (s *Store) ChildrenAt(ctx context.Context, parent registry.Resource, seq int64, after string, limit int) ([]registry.Resource, string, error) {
	var list []registry.Resource
	var next string
	err := s.inSnapshot(ctx, func(q statements) (err error) {
		list, next, err = s.past(ctx, q, seq).children(parent, after, limit)
		return err
	})
	return list, next, s.fail("read past children", err)
}

// children looks at up to limit names that the collection has, and up to limit that it had. It sends four statements.
func (h past) children(parent registry.Resource, after string, limit int) ([]registry.Resource, string, error) {
	occupants, next, err := h.occupants(parent.ID, after, limit)
	if err != nil {
		return nil, "", err
	}
	if occupants, err = h.stayed(occupants); err != nil {
		return nil, "", err
	}
	ids := make([]registry.ID, len(occupants))
	for i, o := range occupants {
		ids[i] = o.node
	}
	states, err := h.states(ids)
	if err != nil {
		return nil, "", err
	}
	var list []registry.Resource
	for _, o := range occupants {
		n, ok := states[o.node]
		p := child(parent.Path, o.name)
		switch {
		case !ok:
		case n.Version == 0:
			return nil, "", gone(p)
		default:
			list = append(list, n.at(p, h.store.name, h.seq))
		}
	}
	return list, next, nil
}

// occupants finds who may have had names in a collection, in order of the names: a range of the index on (parent, name) for those that have them now,
// one of the primary key of dirent_hist for the others, whose distinct names are found by skipping from one to the next.
func (h past) occupants(parent registry.ID, after string, limit int) (list []occupant, next string, err error) {
	byName := map[string]occupant{}
	d := h.store.backend.dialect
	live := "SELECT n.name, n.id, 9223372036854775807 FROM node n" + d.byName + " WHERE n.parent = ? AND n.name > ? ORDER BY n.name LIMIT ?"
	liveEnd, err := h.page(live, []any{parent[:], []byte(after), limit}, limit, byName)
	if err != nil {
		return nil, "", err
	}
	first := " FROM dirent_hist h WHERE h.parent = ? AND h.name = d.name AND h.until_seq > ? ORDER BY h.until_seq LIMIT 1)"
	left := "SELECT d.name, (SELECT h.node" + first + ", (SELECT h.until_seq" + first +
		" FROM (SELECT DISTINCT o.name FROM dirent_hist o WHERE o.parent = ? AND o.name > ? ORDER BY o.name LIMIT ?) d"
	args := []any{parent[:], h.seq, parent[:], h.seq, parent[:], []byte(after), limit}
	leftEnd, err := h.page(left, args, limit, byName)
	if err != nil {
		return nil, "", err
	}
	// Beyond the end of a page that was full the other one's names say nothing.
	next = cmp.Or(liveEnd, leftEnd)
	if liveEnd != "" && leftEnd != "" {
		next = min(liveEnd, leftEnd)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if next == "" || name <= next {
			list = append(list, byName[name])
		}
	}
	return list, next, nil
}

// page reads occupants into byName, where the one that left first counts. It gives the last name when the page was full.
func (h past) page(query string, args []any, limit int, byName map[string]occupant) (string, error) {
	n, last := 0, ""
	err := h.q.each(h.ctx, "past_names", query, args, func(rows *sqlx.Rows) error {
		var name, id []byte
		var until sql.NullInt64
		if err := rows.Scan(&name, &id, &until); err != nil {
			return fmt.Errorf("past names: %w", err)
		}
		n++
		last = max(last, string(name))
		o := occupant{string(name), toID(id), until.Int64}
		if known, ok := byName[o.name]; until.Valid && (!ok || o.until < known.until) {
			byName[o.name] = o
		}
		return nil
	})
	if n < limit {
		last = ""
	}
	return last, err
}
