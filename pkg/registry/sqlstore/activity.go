package sqlstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// The change log as the audit reads it: backward, filtered. The work for a page is bounded: at most auditChunks pieces of auditChunk operations are looked
// at, each by two statements, and the page then tells where the next one goes on.
const (
	auditChunk  = 500
	auditChunks = 10

	// clockSlack is how much later than its neighbours in the log an operation may have begun, by the clocks of the nodes.
	clockSlack = 15 * time.Minute
)

// Activity implements [registry.Log].
func (s *Store) Activity(ctx context.Context, q registry.ActivityQuery) (registry.ActivityPage, error) {
	a := audit{store: s, q: q, upper: q.Older}
	err := a.start(ctx)
	for i := 0; err == nil && !a.ended && len(a.found) < q.Limit && i < auditChunks; i++ {
		if q.Node.IsZero() {
			err = a.chunkOfLog(ctx)
		} else {
			err = a.chunkOfNode(ctx)
		}
	}
	if err != nil {
		return registry.ActivityPage{}, s.fail("read the activity", err)
	}
	page := registry.ActivityPage{Events: a.found}
	switch {
	case len(a.found) > q.Limit:
		page.Events = a.found[:q.Limit]
		page.Next = page.Events[q.Limit-1].Position
	case !a.ended:
		page.Next = a.upper
	}
	return page, nil
}

// audit is one page in the making.
type audit struct {
	store *Store
	q     registry.ActivityQuery
	verb  verb              // of q.Action, when there is one
	upper registry.Position // what comes next is before it
	ended bool              // nothing older matches
	found []registry.Event
}

func (a *audit) start(ctx context.Context) error {
	if a.upper.Seq == 0 {
		a.upper = registry.Position{Seq: math.MaxInt64}
		if a.q.To > 0 && a.q.To < math.MaxInt64 {
			a.upper.Seq = a.q.To + 1
		}
		if !a.q.Until.IsZero() {
			seq, err := a.store.seqAfter(ctx, a.q.Until.Add(clockSlack))
			if err != nil {
				return err
			}
			a.upper.Seq = min(a.upper.Seq, seq)
		}
	}
	if a.q.Action != "" {
		var known bool
		if a.verb, known = verbOf(a.q.Action); !known {
			a.ended = true
		}
	}
	return nil
}

// newest is the newest operation that may have something before upper.
func (a *audit) newest() int64 {
	if a.upper.Item == 0 {
		return a.upper.Seq - 1
	}
	return a.upper.Seq
}

// chunkOfLog looks at the next operations of the log or of one user, and takes what matches of their items.
func (a *audit) chunkOfLog(ctx context.Context) error {
	d := a.store.backend.dialect
	table, where, args := "txn t", "t.seq <= ? AND t.seq >= ?", []any{a.newest(), a.q.From}
	if a.q.User != "" {
		table, where, args = "txn t"+d.index("k_txn_actor"), "t.actor = ? AND "+where, append([]any{[]byte(a.q.User)}, args...)
	}
	query := "SELECT " + operationColumns + " FROM " + table + " WHERE " + where + " ORDER BY t.seq DESC LIMIT ?"
	ops, order, err := a.store.operations(ctx, query, append(args, auditChunk))
	if err != nil {
		return err
	}
	a.ended = len(order) < auditChunk
	if n := len(order); n > 0 && !a.q.Since.IsZero() && toTime(ops[order[n-1]].atUS).Before(a.q.Since.Add(-clockSlack)) {
		a.ended = true
	}
	if len(order) == 0 {
		return nil
	}
	upper := registry.Position{Seq: order[len(order)-1]}
	// Chosen before their items are read: those have a limit, which nothing unwanted may use up.
	if order = slices.DeleteFunc(order, func(seq int64) bool { return !a.timely(ops[seq]) }); len(order) > 0 {
		query, args = a.itemsOf(order)
		if err := a.items(ctx, query, args, ops); err != nil {
			return err
		}
	}
	a.upper = upper
	return nil
}

// itemsOf is the statement for those items of operations that match; they are found by the primary key.
func (a *audit) itemsOf(order []int64) (string, []any) {
	args := make([]any, 0, len(order)+8)
	var where string
	if newest, oldest := order[0], order[len(order)-1]; newest-oldest == int64(len(order)-1) {
		where, args = "i.seq >= ? AND i.seq <= ?", append(args, oldest, newest) // all of a range: MySQL takes five times as long for as many single ones
	} else {
		where = "i.seq IN (" + placeholders(len(order)) + ")"
		for _, seq := range order {
			args = append(args, seq)
		}
	}
	where += " AND (i.seq < ? OR i.i < ?)"
	args = append(args, a.upper.Seq, int64(a.upper.Item))
	switch p := a.q.Under; {
	case a.q.Exact:
		where += " AND i.path = ?"
		args = append(args, []byte(p))
	case p == "":
	case p.IsRoot():
		where += " AND i.path > ?"
		args = append(args, []byte{})
	default:
		where += " AND (i.path = ? OR i.path > ? AND i.path < ?)"
		args = append(args, []byte(p), []byte(p+"/"), []byte(p+"0")) // '0' follows '/'
	}
	if a.q.Action != "" {
		which, more := a.verb.where()
		where, args = where+which, append(args, more...)
	} else {
		hidden := untold()
		where, args = where+" AND i.act NOT IN ("+placeholders(len(hidden))+")", append(args, hidden...)
	}
	// One more than can be needed tells that there is more.
	return "SELECT " + itemColumns + " FROM txn_item i WHERE " + where + " ORDER BY i.seq DESC, i.i DESC LIMIT ?", append(args, a.q.Limit-len(a.found)+1)
}

// items reads items and adds those whose operation is known and matches.
func (a *audit) items(ctx context.Context, query string, args []any, ops map[int64]operationRow) error {
	var read []itemRow
	err := a.store.retryRead(ctx, func() error {
		read = nil
		return a.store.read.each(ctx, "activity_items", query, args, scanItems(&read))
	})
	if err == nil {
		a.take(read, ops)
	}
	return err
}

func scanItems(list *[]itemRow) func(*sqlx.Rows) error {
	return func(rows *sqlx.Rows) error {
		var r itemRow
		err := rows.Scan(r.dest()...)
		*list = append(*list, r)
		return err
	}
}

func (a *audit) take(read []itemRow, ops map[int64]operationRow) {
	for _, r := range read {
		o, ok := ops[*r.seq]
		if !ok {
			continue // was removed meanwhile
		}
		if a.timely(o) && (a.q.User == "" || string(o.actor) == a.q.User) {
			a.found = append(a.found, event(o, r))
		}
	}
}

// timely tells whether an operation began in the time that is asked for.
func (a *audit) timely(o operationRow) bool {
	at := toTime(o.atUS)
	return (a.q.Since.IsZero() || !at.Before(a.q.Since)) && (a.q.Until.IsZero() || at.Before(a.q.Until))
}

// chunkOfNode looks at the next things that happened to one resource.
func (a *audit) chunkOfNode(ctx context.Context) error {
	d := a.store.backend.dialect
	query := "SELECT " + itemColumns + " FROM txn_item i" + d.index("k_item_node") +
		" WHERE i.node = ? AND i.seq <= ? AND i.seq >= ? AND (i.seq < ? OR i.i < ?) ORDER BY i.seq DESC, i.i DESC LIMIT ?"
	args := []any{a.q.Node[:], a.newest(), a.q.From, a.upper.Seq, int64(a.upper.Item), auditChunk}
	var read []itemRow
	err := a.store.retryRead(ctx, func() error {
		read = nil
		return a.store.read.each(ctx, "activity_items", query, args, scanItems(&read))
	})
	if err != nil {
		return err
	}
	a.ended = len(read) < auditChunk
	if len(read) == 0 {
		return nil
	}
	var seqs []any
	for _, r := range read {
		seqs = append(seqs, *r.seq)
	}
	ops, order, err := a.store.operations(ctx, "SELECT "+operationColumns+" FROM txn t WHERE t.seq IN ("+placeholders(len(seqs))+") ORDER BY t.seq DESC", seqs)
	if err != nil {
		return err
	}
	last := read[len(read)-1]
	a.upper = registry.Position{Seq: *last.seq, Item: int(*last.i)}
	if n := len(order); n > 0 && !a.q.Since.IsZero() && toTime(ops[order[n-1]].atUS).Before(a.q.Since.Add(-clockSlack)) {
		a.ended = true
	}
	a.take(slices.DeleteFunc(read, a.unwanted), ops)
	return nil
}

// unwanted tells whether an item is not an event, or not of the action that is asked for.
func (a *audit) unwanted(r itemRow) bool {
	did := act(*r.act)
	return !did.told() || a.q.Action != "" && (did != a.verb.act || !a.verb.fits(*r.n, string(r.name)))
}

// operations reads rows of txn, and tells their positions in the order of the answer.
func (s *Store) operations(ctx context.Context, query string, args []any) (map[int64]operationRow, []int64, error) {
	var ops map[int64]operationRow
	var order []int64
	err := s.retryRead(ctx, func() error {
		ops, order = map[int64]operationRow{}, nil
		return s.read.each(ctx, "activity", query, args, func(rows *sqlx.Rows) error {
			var o operationRow
			err := rows.Scan(o.dest()...)
			ops[o.seq] = o
			order = append(order, o.seq)
			return err
		})
	})
	return ops, order, err
}

// seqAfter gives the first operation that began at that time or later, about: operations are in the order of their commits. It halves the log by its
// primary key, so that no index on the time is kept up with every write.
func (s *Store) seqAfter(ctx context.Context, t time.Time) (int64, error) {
	var low, high *int64
	if err := s.read.one(ctx, "activity_time", "SELECT MIN(seq), MAX(seq) + 1 FROM txn", nil, &low, &high); err != nil {
		return 0, err
	}
	if low == nil {
		return 0, nil
	}
	for *low < *high {
		middle := *low + (*high-*low)/2
		var at int64
		if err := s.read.one(ctx, "activity_time", "SELECT at_us FROM txn WHERE seq >= ? ORDER BY seq LIMIT 1", []any{middle}, &at); err != nil {
			return 0, err
		}
		if at < toMicros(t) {
			*low = middle + 1
		} else {
			*high = middle
		}
	}
	return *low, nil
}
