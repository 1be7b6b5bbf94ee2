package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// answer is a row of the table once: the answer to a request, written in the transaction that made it true.
type answer struct {
	key, request registry.Hash
	seq          int64
	data         []byte
	at           time.Time
}

var onceTable = table{"once", []string{"id", "request", "seq", "answer", "at_us"}}

const onceQuery = "SELECT request, seq, answer FROM once WHERE id = ?"

// Answered implements [registry.OnceTx]. In the write turn nobody else can be at work on the same request.
func (o *operation) Answered() ([]byte, int64, bool, error) {
	asked := o.op.Actor.Once
	if asked.IsZero() {
		return nil, 0, false, nil
	}
	a, err := o.answered(asked.Key())
	switch {
	case err != nil:
		return nil, 0, false, err
	case a == nil:
		return nil, 0, false, nil
	case a.request != asked.Request():
		return nil, 0, false, registry.Errorf(registry.CodeKeyReused,
			"the idempotency key belongs to another request of the last %d hours; give each request a key of its own", int(registry.OnceKept.Hours()))
	}
	return a.data, a.seq, true, nil
}

// answered finds the answer of a key, nil when there is none.
func (o *operation) answered(key registry.Hash) (*answer, error) {
	for i := range o.answers {
		if o.answers[i].key == key {
			return &o.answers[i], nil
		}
	}
	a := answer{key: key}
	var request []byte
	err := o.tx.one(o.ctx, "once", onceQuery, []any{key[:]}, &request, &a.seq, &a.data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // "no answer" is a state here, not a failure
	}
	if err != nil {
		return nil, o.broken(err)
	}
	a.request = toHash(request)
	return &a, nil
}

// Answer implements [registry.OnceTx].
func (o *operation) Answer(data []byte) {
	asked := o.op.Actor.Once
	if asked.IsZero() {
		return
	}
	if len(o.items) == 0 {
		o.touch(item{act: actOnce}) // a change that changed nothing still takes a place in the log, which the answer names
	}
	o.answer = &answer{key: asked.Key(), request: asked.Request(), data: data, at: o.at()}
	o.size += len(data)
}

// updateOnce is update for a change of users, roles or tokens. It keeps the id that change gives as the answer to op's request, and gives that id, with
// repeated, when the request was answered before.
func (s *Store) updateOnce(ctx context.Context, op registry.Op, change func(o *operation) (registry.ID, error)) (id registry.ID, repeated bool, err error) {
	_, err = s.update(ctx, op, func(o *operation) error {
		data, _, answered, err := o.Answered()
		if err != nil {
			return err
		}
		if repeated = answered; answered {
			id = toID(data)
			return nil
		}
		if id, err = change(o); err != nil {
			return err
		}
		o.Answer(id[:])
		return nil
	})
	return id, repeated, err
}

func (u *unit) flushAnswers() error {
	rows := make([][]any, 0, len(u.answers))
	for _, a := range u.answers {
		rows = append(rows, []any{a.key[:], a.request[:], a.seq, a.data, toMicros(a.at)})
	}
	return u.insert(onceTable, rows, "")
}

// forgetAnswersQuery deletes some of the oldest answers. The inner table is for MySQL, which reads no table that it deletes from.
const forgetAnswersQuery = "DELETE FROM once WHERE id IN (SELECT id FROM (SELECT id FROM once WHERE at_us < ? ORDER BY at_us LIMIT ?) old)"

// forgetAnswers deletes answers that have been kept long enough.
func (s *Store) forgetAnswers(ctx context.Context) error {
	before := toMicros(s.now().Add(-registry.OnceKept))
	for {
		var n int64
		err := s.bulk.within(ctx, func(t *txn) (err error) {
			n, err = t.exec(ctx, "sweep", forgetAnswersQuery, before, removeBatch)
			return err
		})
		if err != nil || n < removeBatch {
			return err
		}
	}
}
