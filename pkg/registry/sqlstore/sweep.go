package sqlstore

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	sweepEvery = time.Hour
	// abandoned is the age from which pieces that nothing names are taken for those of a process that died. An upload that takes longer fails.
	abandoned  = 24 * time.Hour
	sweepBatch = 100
	// sweepTreesTimeout is longer than that of the other sweep: a tree may be large, and the next sweep goes on.
	sweepTreesTimeout = 20 * time.Minute
)

// sweepLoop removes what nobody uses any more: pieces of contents whose upload ended with its process, and sessions that have expired.
func (s *Store) sweepLoop() {
	for {
		t := time.NewTimer(sweepEvery/2 + rand.N(sweepEvery))
		select {
		case <-s.life.Done():
			t.Stop()
			return
		case <-t.C:
		}
		s.sweepStep(WorkSweep, func(ctx context.Context) (int64, error) {
			n, err := s.sweep(ctx)
			return int64(n), err
		})
		s.sweepStep(WorkCollect, s.SweepTrees)
		s.sweepStep(WorkPurge, s.purge)
	}
}

// sweepStep does a part of the sweep, and says what came of it.
func (s *Store) sweepStep(job string, do func(context.Context) (int64, error)) {
	ended := s.work(job, s.now().Add(sweepEvery))
	n, err := do(s.life)
	ended(n, err)
	switch {
	case err != nil && s.life.Err() == nil:
		s.log.Warn("sweep ended early", "job", job, "removed", n, "error", err)
	case err == nil && n > 0:
		s.log.Info("swept", "job", job, "count", n)
	}
}

// SweepTrees removes answers that nobody asks for any more, what removals and copies left, and then contents that no version names. It tells how many
// contents. The store does it by itself about every hour.
func (s *Store) SweepTrees(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTreesTimeout)
	defer cancel()
	if err := s.forgetAnswers(ctx); err != nil {
		return 0, err
	}
	if err := s.removeLeft(ctx); err != nil {
		return 0, err
	}
	return s.collect(ctx)
}

// sweep removes abandoned pieces and expired sessions, and tells how many chunk sets it removed.
func (s *Store) sweep(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	err := s.bulk.within(ctx, func(t *txn) error {
		if _, err := t.exec(ctx, "sweep", "DELETE FROM signin WHERE expires_us < ?", toMicros(s.now())); err != nil {
			return err
		}
		_, err := t.exec(ctx, "sweep", "DELETE FROM session WHERE expires_us < ?", toMicros(s.now()))
		return err
	})
	if err != nil {
		return 0, err
	}
	removed := 0
	for {
		sets, err := s.abandonedSets(ctx)
		if err != nil || len(sets) == 0 {
			return removed, err
		}
		for _, set := range sets {
			dropped, err := s.dropPieces(ctx, set)
			if err != nil {
				return removed, err
			}
			if dropped {
				removed++
			}
		}
	}
}

func (s *Store) abandonedSets(ctx context.Context) ([]registry.ID, error) {
	before := stagedBefore(s.now().Add(-abandoned))
	var sets []registry.ID
	err := s.read.each(ctx, "sweep", "SELECT chunk_set FROM staged WHERE chunk_set < ? ORDER BY chunk_set LIMIT ?", []any{before[:], sweepBatch},
		func(rows *sqlx.Rows) error {
			var set []byte
			err := rows.Scan(&set)
			sets = append(sets, toID(set))
			return err
		})
	return sets, err
}
