package registry

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// OnceKept is how long, at least, a store remembers the answer to a request with an idempotency key.
const OnceKept = 24 * time.Hour

// MaxOnceKeyLength is the most characters of an idempotency key.
const MaxOnceKeyLength = 255

// Once makes a change happen once, however often its request comes: the store keeps the answer in the transaction of the change, so that whoever
// asks again, at any node, after whatever failure, gets it. The zero value asks for nothing. A request that was refused leaves no answer: it
// may be sent again under the same key when what was in its way is gone.
type Once struct {
	key     Hash // of user and key: nobody meets the keys of others
	request Hash
}

// NewOnce names a request: the idempotency key that the user's program chose, and all that makes the request this one.
func NewOnce(user, key string, request ...string) Once {
	return Once{hashOf(user, key), hashOf(request...)}
}

// IsZero tells whether nothing was asked for.
func (o Once) IsZero() bool { return o.key == Hash{} }

// Key names the request in a store.
func (o Once) Key() Hash { return o.key }

// Request is the same for the same request.
func (o Once) Request() Hash { return o.request }

// And adds what the request was not known to hold before.
func (o Once) And(more string) Once {
	if !o.IsZero() {
		o.request = hashOf(string(o.request[:]), more)
	}
	return o
}

// Part is the key of one of several changes that serve the same request.
func (o Once) Part(name string) Once {
	if !o.IsZero() {
		o.key = hashOf(string(o.key[:]), name)
	}
	return o
}

// hashOf hashes texts, each with its length, so that no two lists are alike.
func hashOf(texts ...string) Hash {
	var b []byte
	for _, t := range texts {
		b = binary.AppendUvarint(b, uint64(len(t)))
		b = append(b, t...)
	}
	return sha256.Sum256(b)
}

// OnceTx remembers answers. A transaction on behalf of an actor without [Once] has none and keeps none.
type OnceTx interface {
	// Answered gives what Answer kept for an earlier run of the same request, and the position of the change log at which that took effect. The
	// same key for another request is [CodeKeyReused].
	Answered() (data []byte, n int64, ok bool, err error)
	// Answer keeps data, the last thing that a change does.
	Answer(data []byte)
}

// outcome is what is kept of a [PutResult]: enough to make it again, with the version, which never changes.
type outcome struct {
	ID        ID        `json:"id"`
	Path      Path      `json:"path"`
	Kind      Kind      `json:"kind"`
	Version   int64     `json:"version"`
	Gen       int64     `json:"gen"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	Created   bool      `json:"created"`
	Changed   bool      `json:"changed"`
}

func outcomeOf(res PutResult) outcome {
	r := res.Resource
	return outcome{r.ID, r.Path, r.Kind, r.Version, r.Gen, r.CreatedAt, r.CreatedBy, res.Created, res.Changed}
}

// result makes the result again. When retention has removed the version meanwhile, what it held is missing; status and entity tag are not.
func (o outcome) result(tx Tx) (PutResult, error) {
	r := Resource{ID: o.ID, Path: o.Path, Kind: o.Kind, Version: o.Version, Gen: o.Gen, CreatedAt: o.CreatedAt, CreatedBy: o.CreatedBy}
	v, err := tx.Version(o.ID, o.Version)
	switch {
	case err == nil:
		r.Meta, r.Hash, r.Size, r.UpdatedAt, r.UpdatedBy, r.Comment = v.Meta, v.Hash, v.Size, v.CreatedAt, v.CreatedBy, v.Comment
	case CodeOf(err) != CodeNotFound:
		return PutResult{}, err
	}
	return PutResult{Resource: r, Created: o.Created, Changed: o.Changed}, nil
}

// changeOnce runs one change of a store in a transaction of its own, and gives what it made and where in the change log. A request that was answered
// already gets the same again.
func changeOnce[T any](ctx context.Context, s *Service, a Actor, m Mount, change func(Tx) (T, error)) (made T, seq Seq, err error) {
	var earlier int64
	seq, err = m.Store.Update(ctx, s.op(a), func(tx Tx) (err error) {
		made, earlier, err = once(a, tx, func() (T, error) { return change(tx) })
		return err
	})
	if err != nil {
		var none T
		return none, Seq{}, err
	}
	return made, seq.orEarlier(earlier), nil
}

// orEarlier is s, or the position n of the same store where n is not 0: that of the first time of a request that was repeated.
func (s Seq) orEarlier(n int64) Seq {
	if n > 0 {
		s.N = n
	}
	return s
}

// once runs a change of a transaction and keeps what it made, unless its request was answered already: then it gives that answer, and the position of the
// log, which is not 0, at which it took effect.
func once[T any](a Actor, tx OnceTx, change func() (T, error)) (made T, earlier int64, err error) {
	if a.Once.IsZero() {
		made, err = change()
		return made, 0, err
	}
	made, earlier, answered, err := kept[T](tx)
	if err != nil || answered {
		return made, earlier, err
	}
	if made, err = change(); err != nil {
		return made, 0, err
	}
	data, err := json.Marshal(made)
	if err != nil {
		return made, 0, fmt.Errorf("keep an answer: %w", err)
	}
	tx.Answer(data)
	return made, 0, nil
}

// kept gives what once kept for an earlier run of the request, if there was one.
func kept[T any](tx OnceTx) (made T, n int64, answered bool, err error) {
	data, n, answered, err := tx.Answered()
	if err != nil || !answered {
		return made, 0, false, err
	}
	if err := json.Unmarshal(data, &made); err != nil {
		return made, 0, false, fmt.Errorf("read a kept answer: %w", err)
	}
	return made, n, true, nil
}
