package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// headCheck shares queries of the head of the change log: at most one runs at a time, and it serves all reads that arrived before it was sent. A read
// that arrives during a query may have been preceded by a write which that query does not see, so it joins the next one.
type headCheck struct {
	query func() error // asks for the head; has its own deadline
	spawn func(func()) // starts a goroutine that the owner waits for

	mu      sync.Mutex
	running bool
	closed  bool
	next    *flight
}

// flight is one query of the head and the reads that wait for it.
type flight struct {
	done chan struct{}
	err  error
}

// errClosed is the error of a wait that began after close.
var errClosed = errors.New("closed")

// wait returns when a query has ended that was sent after wait was called. ctx ends only the waiting.
func (h *headCheck) wait(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return errClosed
	}
	if h.next == nil {
		h.next = &flight{done: make(chan struct{})}
	}
	f := h.next
	if !h.running {
		h.running = true
		h.spawn(h.loop)
	}
	h.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loop runs flights until nobody waits.
func (h *headCheck) loop() {
	for {
		// Reads that are about to ask join this query instead of the next one: with 64 clients that halves the number of queries.
		runtime.Gosched()
		f := h.take()
		if f == nil {
			return
		}
		f.err = h.query()
		close(f.done)
	}
}

// take gives the flight to run next, nil when nobody waits.
func (h *headCheck) take() *flight {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.next
	h.next = nil
	h.running = f != nil
	return f
}

// close lets no further wait begin.
func (h *headCheck) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
}

// refresh returns when memory is at least at the head that the database had when refresh was called.
func (s *Store) refresh(ctx context.Context) error {
	s.metrics.waiters.Inc()
	err := s.head.wait(ctx)
	if errors.Is(err, errClosed) {
		return s.closed()
	}
	return s.fail("wait for the head", err)
}

func (s *Store) closed() error {
	return registry.Errorf(registry.CodeUnavailable, "the store %s is closed", s.name)
}

func (s *Store) check() error {
	ctx, cancel := context.WithTimeout(s.life, checkTimeout)
	defer cancel()
	err := s.retryRead(ctx, func() error { return s.follow(ctx) })
	if err != nil && s.life.Err() != nil {
		return s.closed()
	}
	return s.fail("check the head", err)
}

const (
	headColumns = "h.seq, h.tag, h.epoch"
	headQuery   = "SELECT " + headColumns + " FROM store_head h WHERE h.id = 1"

	// maxFollow is how far behind the cursor may be for reading the log to be worth it.
	maxFollow = 2000
)

// headRow receives headColumns.
type headRow struct {
	seq        int64
	tag, epoch []byte
}

func (r *headRow) dest() []any { return []any{&r.seq, &r.tag, &r.epoch} }

func (r *headRow) snapshot() snapshot {
	return snapshot{r.seq, toID(r.tag), toID(r.epoch)}
}

// follow moves the cursor to the head, or drops everything when the log does not lead there.
func (s *Store) follow(ctx context.Context) error {
	for {
		moved, err := s.followOnce(ctx)
		if moved || err != nil {
			return err
		}
	}
}

// followOnce asks for the head and goes there. It tells false when the committer moved the cursor meanwhile, but perhaps not as far.
func (s *Store) followOnce(ctx context.Context) (bool, error) {
	s.metrics.checks.Inc()
	// The cursor is read first: what it has seen was committed before the query, so an honest head cannot be behind it.
	cursor, valid := s.mem.at()
	var row headRow
	if err := s.read.one(ctx, "head", headQuery, nil, row.dest()...); err != nil {
		return false, err
	}
	head := row.snapshot()
	switch {
	case valid && cursor == head:
		return true, nil
	case !valid, head.epoch != cursor.epoch, head.seq <= cursor.seq, head.seq-cursor.seq > maxFollow:
		s.reset(cursor, head, valid)
		return true, nil
	}
	steps, err := s.readLog(ctx, cursor.seq)
	if err != nil {
		return false, err
	}
	// The cursor's own row tells whether this log is the one that the cursor was on; position 0 has none.
	if cursor.seq > 0 {
		if len(steps) == 0 || steps[0].seq != cursor.seq || steps[0].tag != cursor.tag {
			s.reset(cursor, head, true)
			return true, nil
		}
		steps = steps[1:]
	}
	for i, st := range steps {
		if st.seq != cursor.seq+1+int64(i) {
			return false, fmt.Errorf("the change log has no position %d", cursor.seq+1+int64(i))
		}
	}
	if !s.mem.advance(cursor, steps, nil) {
		return false, nil
	}
	s.moved.fire()
	return true, nil
}

func (s *Store) reset(cursor, head snapshot, valid bool) {
	if valid {
		s.log.Warn("dropped caches", "cursor", cursor.seq, "head", head.seq, "same_epoch", cursor.epoch == head.epoch)
	}
	s.mem.reset(head)
	s.moved.fire()
}

const logQuery = "SELECT t.seq, t.tag, i.act, i.node, i.n, i.parent, i.name FROM txn t LEFT JOIN txn_item i ON i.seq = t.seq " +
	"WHERE t.seq >= ? ORDER BY t.seq, i.i"

// readLog reads the change log from a position on.
func (s *Store) readLog(ctx context.Context, from int64) ([]step, error) {
	var steps []step
	err := s.read.each(ctx, "log", logQuery, []any{from}, func(rows *sqlx.Rows) error {
		var seq int64
		var tag, node, parent, name []byte
		var did, n *int64
		if err := rows.Scan(&seq, &tag, &did, &node, &n, &parent, &name); err != nil {
			return err
		}
		if len(steps) == 0 || steps[len(steps)-1].seq != seq {
			steps = append(steps, step{seq: seq, tag: toID(tag)})
		}
		if did != nil {
			st := &steps[len(steps)-1]
			st.items = append(st.items, item{act(*did), toID(node), *n, toID(parent), string(name)})
		}
		return nil
	})
	return steps, err
}
