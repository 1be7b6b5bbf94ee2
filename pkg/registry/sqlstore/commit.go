package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	queueLength = 1024    // changes that wait for the committer; more wait in their callers
	maxGroup    = 64      // operations of one transaction
	maxUnit     = 1 << 20 // bytes after which a transaction takes no further operation

	// commitTimeout bounds the attempts at one group; it is longer than a frozen writer can hold the head.
	commitTimeout = 10 * time.Second
	// settleTimeout bounds how long the committer asks whether a commit took effect.
	settleTimeout = 30 * time.Second
)

// job is one Update that waits for the committer.
type job struct {
	id     uuid.UUID
	op     registry.Op
	change func(*operation) error
	alone  bool // it has a transaction of its own, whose rows it may read and write at once
	state  atomic.Int32
	done   chan outcome // buffered: the committer never waits for the caller
	result outcome      // of the last run, until the transaction is settled
}

type outcome struct {
	seq int64
	err error
}

// The states of a job: it is taken by the committer or left by its caller, never both.
const (
	jobWaits int32 = iota
	jobTaken
	jobLeft
)

func (j *job) take() bool  { return j.state.CompareAndSwap(jobWaits, jobTaken) }
func (j *job) leave() bool { return j.state.CompareAndSwap(jobWaits, jobLeft) }

// Update implements [registry.Store]. A caller whose ctx ends before the committer has taken the change leaves it, with CodeCanceled; after that it waits for
// the outcome, which the committer's own deadlines bound.
func (s *Store) Update(ctx context.Context, op registry.Op, change func(registry.Tx) error) (registry.Seq, error) {
	return s.update(ctx, op, func(o *operation) error { return change(o) })
}

func (s *Store) update(ctx context.Context, op registry.Op, change func(*operation) error) (registry.Seq, error) {
	return s.submit(ctx, op, change, false)
}

// updateAlone is update in a transaction that no other operation shares: what the database says is then what the operation changes.
func (s *Store) updateAlone(ctx context.Context, op registry.Op, change func(*operation) error) (registry.Seq, error) {
	return s.submit(ctx, op, change, true)
}

func (s *Store) submit(ctx context.Context, op registry.Op, change func(*operation) error, alone bool) (registry.Seq, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return registry.Seq{}, fmt.Errorf("make an id: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return registry.Seq{}, s.fail("change the store", err)
	}
	j := &job{id: id, op: op, change: change, alone: alone, done: make(chan outcome, 1)}
	select {
	case s.queue <- j:
	case <-ctx.Done():
		return registry.Seq{}, s.fail("wait to change the store", ctx.Err())
	case <-s.life.Done():
		return registry.Seq{}, s.closed()
	}
	var out outcome
	select {
	case out = <-j.done:
	case <-ctx.Done():
		if j.leave() {
			return registry.Seq{}, s.fail("wait to change the store", ctx.Err())
		}
		out = <-j.done
	case <-s.idle:
		if j.leave() {
			return registry.Seq{}, s.closed()
		}
		out = <-j.done
	}
	if out.err != nil {
		return registry.Seq{}, out.err
	}
	return registry.Seq{Store: s.name, N: out.seq}, nil
}

// commitLoop is the committer: it takes what waits, as one group. While one group commits the next one gathers, so there is no need to wait for more.
func (s *Store) commitLoop() {
	defer close(s.idle)
	for {
		select {
		case <-s.life.Done():
			return
		case j := <-s.queue:
			s.commitGroup(s.gather(j))
		}
	}
}

func (s *Store) gather(first *job) []*job {
	var group []*job
	for j := first; j != nil; {
		if j.take() {
			group = append(group, j)
		}
		j = nil
		if len(group) < maxGroup {
			select {
			case j = <-s.queue:
			default:
			}
		}
	}
	return group
}

// commitGroup runs the jobs and answers each. A transaction takes only so many bytes, so there may be several.
func (s *Store) commitGroup(group []*job) {
	for len(group) > 0 {
		n, err := s.commit(group)
		_, refused := errors.AsType[*refusedError](err)
		for _, j := range group[:n] {
			if refused && n > 1 {
				// One operation that the database refuses must not fail those beside it.
				_, err = s.commit([]*job{j})
			}
			j.answer(err)
		}
		group = group[n:]
	}
}

func (j *job) answer(err error) {
	if err != nil {
		j.result = outcome{err: err}
	}
	j.done <- j.result
}

// commit runs the first jobs of a group in one transaction, again and again while failures are passing ones. It tells how many jobs it ran; their results are
// only valid without an error.
func (s *Store) commit(group []*job) (int, error) {
	// Not the life of the store: Close waits for the transaction that runs.
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	for i := 1; ; i++ {
		n, err := s.attempt(ctx, group)
		if err == nil {
			return n, nil
		}
		if lost, ok := errors.AsType[*lostCommitError](err); ok {
			done, settleErr := s.settle(lost.op)
			if settleErr != nil {
				return n, fmt.Errorf("store %s: it is unknown whether the change took effect: %w", s.name, errors.Join(err, settleErr))
			}
			if done {
				for _, j := range group[:n] {
					s.witnessed.Store(max(s.witnessed.Load(), j.result.seq)) // 0 where a change was refused
				}
				return n, nil
			}
		}
		reason := passingReason(err)
		switch {
		case ctx.Err() != nil:
			return n, s.fail("change the store", err)
		case reason == "":
			return n, &refusedError{s.fail("change the store", err)}
		}
		s.metrics.retries.WithLabelValues(reason).Inc()
		if s.pause(ctx, i) != nil {
			return n, s.fail("change the store", err)
		}
	}
}

// refusedError is an error of the database that another run would meet again: nothing of the transaction took effect.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// lostCommitError is an error at COMMIT: the transaction may have taken effect or not.
type lostCommitError struct {
	op  uuid.UUID
	err error
}

func (e *lostCommitError) Error() string { return "commit: " + e.err.Error() }
func (e *lostCommitError) Unwrap() error { return e.err }

const lockHeadQuery = headQuery // the dialect adds the lock

// attempt is one transaction: the write turn, the operations, what they left, COMMIT.
func (s *Store) attempt(ctx context.Context, group []*job) (int, error) {
	t, err := s.write.begin(ctx, nil)
	if err != nil {
		return len(group), fmt.Errorf("begin: %w", err)
	}
	defer t.rollback()
	var head headRow
	if err := t.one(ctx, "lock_head", lockHeadQuery+s.backend.dialect.forUpdate, nil, head.dest()...); err != nil {
		return len(group), fmt.Errorf("lock the head: %w", err)
	}
	s.witnessed.Store(head.seq)
	u := newUnit(ctx, s, t, head.snapshot())
	n := 0
	for n < len(group) && (n == 0 || u.size < maxUnit && !group[n-1].alone && !group[n].alone) {
		j := group[n]
		n++
		j.result = s.run(u, j)
		if errors.Is(u.err, errSpoiled) && n == 1 {
			return n, nil // it was alone: the transaction ends without effect, and the operation has its own error
		}
		if u.err != nil {
			return n, u.err
		}
	}
	if len(u.ops) == 0 {
		return n, nil
	}
	steps, owned, err := u.flush()
	if err != nil {
		return n, err
	}
	if err := t.commit(); err != nil {
		return n, &lostCommitError{u.ops[0].id, err}
	}
	for _, g := range owned {
		g.settle()
	}
	s.witnessed.Store(u.seq())
	s.metrics.groups.Inc()
	s.metrics.commits.Add(float64(len(u.ops)))
	u.publish(steps)
	s.moved.fire()
	return n, nil
}

// errSpoiled is the error of a unit in which an operation failed after it had sent rows of its own. They go with the transaction; the operations
// of the unit run again, each alone.
var errSpoiled = errors.New("an operation failed after it had written")

// run runs one operation on the unit. A panic is the operation's failure, not the committer's.
func (s *Store) run(u *unit, j *job) (out outcome) {
	o := u.operation(j.op)
	defer func() {
		if out.err != nil && o.sent {
			_ = u.broken(errSpoiled)
		}
	}()
	defer func() {
		if r := recover(); r != nil {
			out = outcome{err: &registry.Error{
				Code: registry.CodeInternal, Message: "a change of the store panicked", Err: fmt.Errorf("%v\n%s", r, debug.Stack()),
			}}
		}
	}()
	if err := j.change(o); err != nil {
		return outcome{err: err}
	}
	return outcome{seq: o.join(j.id)}
}

// settle tells whether the transaction with the operation took effect. It locks the head first: while the transaction lives it holds that lock, so
// afterwards it is either in the log or never will be.
func (s *Store) settle(op uuid.UUID) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), settleTimeout)
	defer cancel()
	for i := 1; ; i++ {
		done, err := s.inLog(ctx, op)
		if err == nil || ctx.Err() != nil || passingReason(err) == "" {
			return done, err
		}
		s.metrics.retries.WithLabelValues("settle").Inc()
		if s.pause(ctx, i) != nil {
			return false, err
		}
	}
}

func (s *Store) inLog(ctx context.Context, op uuid.UUID) (bool, error) {
	t, err := s.write.begin(ctx, nil)
	if err != nil {
		return false, err
	}
	defer t.rollback()
	var head headRow
	if err := t.one(ctx, "lock_head", lockHeadQuery+s.backend.dialect.forUpdate, nil, head.dest()...); err != nil {
		return false, err
	}
	var n int
	err = t.one(ctx, "settle", "SELECT COUNT(*) FROM txn WHERE op_id = ?", []any{op[:]}, &n)
	return n > 0, err
}

// pause waits before attempt i+1: longer each time, with jitter so that two nodes do not meet again.
func (s *Store) pause(ctx context.Context, i int) error {
	const first, longest = 5 * time.Millisecond, 500 * time.Millisecond
	d := min(first<<min(i-1, 10), longest)
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
