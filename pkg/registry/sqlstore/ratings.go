package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/regent-registry/regent/pkg/registry"
)

var (
	ratingTable    = table{"rating", []string{"node", "who", "score", "at_us"}}
	ratingSumTable = table{"rating_sum", []string{"node", "votes", "total"}}
)

// ratingQuery reads one row of each table, by their primary keys.
const ratingQuery = "SELECT s.votes, s.total, COALESCE(r.score, 0) FROM rating_sum s LEFT JOIN rating r ON r.node = s.node AND r.who = ? WHERE s.node = ?"

// ratings is what one user and all together say of a node.
type ratings struct {
	votes, total, mine int64
}

func readRatings(ctx context.Context, q statements, id registry.ID, who string) (r ratings, err error) {
	err = q.one(ctx, "rating", ratingQuery, []any{[]byte(who), id[:]}, &r.votes, &r.total, &r.mine)
	if errors.Is(err, sql.ErrNoRows) {
		return ratings{}, nil
	}
	return r, err
}

func (r ratings) rating() registry.Rating {
	out := registry.Rating{Count: r.votes, Mine: int(r.mine)}
	if r.votes > 0 {
		out.Average = float64(r.total) / float64(r.votes)
	}
	return out
}

// Rating implements [registry.RatingReader].
func (s *Store) Rating(ctx context.Context, id registry.ID, who string) (registry.Rating, error) {
	var r ratings
	err := s.retryRead(ctx, func() (err error) {
		r, err = readRatings(ctx, s.read.statements, id, who)
		return err
	})
	return r.rating(), s.fail("read ratings", err)
}

// Rate implements [registry.RatingWriter].
func (o *operation) Rate(r registry.Resource, score int) (registry.Rating, error) {
	who := []byte(o.op.Actor.User)
	now, err := readRatings(o.ctx, o.tx.statements, r.ID, o.op.Actor.User)
	if err != nil {
		return registry.Rating{}, o.broken(err)
	}
	if now.mine == int64(score) {
		return now.rating(), nil
	}
	if now.mine == 0 {
		now.votes++
	}
	if score == 0 {
		now.votes--
	}
	now.total += int64(score) - now.mine
	now.mine = int64(score)
	o.touch(item{act: actRating, node: r.ID, n: int64(score)})
	d := o.store.backend.dialect
	if score == 0 {
		err = o.send("write_rating", "DELETE FROM rating WHERE node = ? AND who = ?", r.ID[:], who)
	} else {
		err = o.sendRows(ratingTable, [][]any{{r.ID[:], who, int64(score), toMicros(o.op.At)}}, d.onConflict("node, who", "score", "at_us"))
	}
	if err != nil {
		return registry.Rating{}, err
	}
	if now.votes == 0 {
		err = o.send("write_rating", "DELETE FROM rating_sum WHERE node = ?", r.ID[:])
	} else {
		err = o.sendRows(ratingSumTable, [][]any{{r.ID[:], now.votes, now.total}}, d.onConflict("node", "votes", "total"))
	}
	return now.rating(), err
}
