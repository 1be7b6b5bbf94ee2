package sqlstore

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// lease is the right to do a job that one process at a time does on a database. It ends by itself, by the database's clock, when its holder is
// gone. It keeps others from doing work twice; it guards nothing that would go wrong if two did it.
type lease struct {
	store  *Store
	pool   *pool
	name   string
	holder uuid.UUID
	length time.Duration
}

// takeLease tells false when another process holds the lease of that name.
func (s *Store) takeLease(ctx context.Context, name string, length time.Duration) (*lease, bool, error) {
	return s.takeLeaseBy(ctx, s.bulk, name, length)
}

// takeLeaseBy is takeLease through a pool that writes.
func (s *Store) takeLeaseBy(ctx context.Context, p *pool, name string, length time.Duration) (*lease, bool, error) {
	holder, err := uuid.NewRandom()
	if err != nil {
		return nil, false, err
	}
	l := &lease{s, p, name, holder, length}
	ok, err := l.renew(ctx)
	return l, ok, err
}

// renew takes the lease, or holds it for another while; false when another process has it.
func (l *lease) renew(ctx context.Context) (bool, error) {
	d := l.store.backend.dialect
	taken := false
	err := l.pool.within(ctx, func(t *txn) error {
		row := "INSERT INTO lease (name, holder, until_us) VALUES (?, ?, 0)" + d.onConflict("name")
		if _, err := t.exec(ctx, "lease", row, []byte(l.name), l.holder[:]); err != nil {
			return err
		}
		take := "UPDATE lease SET holder = ?, until_us = " + d.nowUS + " + ? WHERE name = ? AND (holder = ? OR until_us < " + d.nowUS + ")"
		n, err := t.exec(ctx, "lease", take, l.holder[:], l.length.Microseconds(), []byte(l.name), l.holder[:])
		taken = n == 1
		return err
	})
	return taken && err == nil, err
}

// release gives the lease up, so that the next one need not wait for its end.
func (l *lease) release(ctx context.Context) error {
	return l.pool.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "lease", "UPDATE lease SET until_us = 0 WHERE name = ? AND holder = ?", []byte(l.name), l.holder[:])
		return err
	})
}
