package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// A move to another store takes steps in two databases, and each may be the last one of its process:
//
//  1. the source is sealed, by a row of its store that names the move: nothing at or below it changes any more;
//  2. a copy of it, with all that belongs to it, grows in the other store, where no path leads to;
//  3. the copy takes its place in the other store, in one transaction, which keeps the answer to the request, too;
//  4. the source goes to the trash and the row goes, in one transaction.
//
// Up to step 3 the source is whole and the target is not there; from then on the target is whole, and until step 4 both are. Who finds a row that
// nobody holds any more asks the other store: when the copy has arrived, step 4 is what is missing; when not, it is made never to arrive,
// the source unsealed, and the copy removed. In the other store's write turn the copy either arrives or is given up, and whoever comes second sees it. So
// a mover that slept through all this cannot finish what others gave up.

// DefaultTransferTimeout is how long a move to another store may stand still before others take it over.
const DefaultTransferTimeout = time.Minute

// settleTimeout bounds how long the end of a move keeps its caller; others end it later.
const settleTimeout = 30 * time.Second

// newID makes a random id, a UUID of version 4.
func newID() (ID, error) {
	var id ID
	if _, err := rand.Read(id[:]); err != nil {
		return ID{}, fmt.Errorf("make an id: %w", err)
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id, nil
}

// moveAcross is [Service.Move] to another store.
func (s *Service) moveAcross(ctx context.Context, a Actor, in MoveInput, from Mount, fp Path, to Mount, tp Path) (PutResult, error) {
	if res, ok, err := s.answered(ctx, a, to, in.To); err != nil {
		return PutResult{}, err
	} else if ok {
		return res, afterwards(s.finishArrived(ctx, from.Store, to.Store, fp, tp))
	}
	err := s.vacant(ctx, a, in, to, tp)
	var t Transfer
	var holder ID
	if err == nil {
		t, holder, err = s.seal(ctx, a, in, from, fp, to, tp)
	}
	if err != nil {
		// A twin of the request may have been faster.
		if res, ok, e := s.answered(ctx, a, to, in.To); e == nil && ok {
			return res, afterwards(s.finishArrived(ctx, from.Store, to.Store, fp, tp))
		}
		return PutResult{}, err
	}
	var res PutResult
	err = s.holding(ctx, from.Store, t.ID, holder, func(ctx context.Context) error { return s.carry(ctx, a, t, from, to) })
	if err == nil {
		err = s.movableStill(ctx, a, in)
	}
	if err == nil {
		res, err = s.update(ctx, a, to, in.To, func(tx Tx, res *PutResult) (err error) {
			res.Changed = true
			res.Resource, err = into(tx, tp, in, func(parent Resource) (Resource, error) { return tx.Arrive(t.ID, parent, tp.Name()) })
			return err
		})
	}
	// Also after an error the copy may have arrived: the store knows.
	made, late := s.settle(ctx, from.Store, to.Store, t)
	switch {
	case err == nil:
		return res, afterwards(late)
	case made && late == nil:
		return s.lostAnswer(ctx, a, in, to, err)
	}
	return PutResult{}, err
}

// movableStill asks again, as of now, for the rights that a move needs: its copy took its time.
func (s *Service) movableStill(ctx context.Context, a Actor, in MoveInput) error {
	a.Seen = Seq{}
	if _, _, err := s.movable(ctx, a, in); err != nil {
		return err
	}
	_, _, err := s.target(ctx, a, in)
	return err
}

// lostAnswer is the answer to a move that was made although the last that was heard of it is err.
func (s *Service) lostAnswer(ctx context.Context, a Actor, in MoveInput, to Mount, err error) (PutResult, error) {
	if res, ok, late := s.answered(ctx, a, to, in.To); ok && late == nil {
		return res, nil
	}
	return PutResult{}, &Error{Code: CodeInternal, Message: "the move was made, but its answer was lost; look at " + in.To.String(), Err: err}
}

// vacant looks, before the work, whether the place is free; the transaction that takes it looks again.
func (s *Service) vacant(ctx context.Context, a Actor, in MoveInput, to Mount, tp Path) error {
	if in.Overwrite {
		return nil
	}
	_, err := to.Store.Get(ctx, tp, Freshness{seen: a.Seen})
	switch {
	case err == nil:
		return Errorf(CodeConflict, "%s exists already", in.To)
	case CodeOf(err) != CodeNotFound:
		return err
	}
	return nil
}

// seal is the first step of a move.
func (s *Service) seal(ctx context.Context, a Actor, in MoveInput, from Mount, fp Path, to Mount, tp Path) (Transfer, ID, error) {
	t := Transfer{Path: fp, Store: to.Store.Name(), To: tp, By: a.User}
	var holder ID
	var err error
	if t.ID, err = newID(); err != nil {
		return t, holder, err
	}
	if holder, err = newID(); err != nil {
		return t, holder, err
	}
	if t.Home, err = to.Store.Identity(ctx); err != nil {
		return t, holder, err
	}
	a.Once = Once{} // that is of the change in the other store
	_, err = from.Store.Update(ctx, s.op(a), func(tx Tx) error {
		current, err := tx.Get(fp)
		if err != nil {
			return at(in.From, err)
		}
		if err := in.If.Check(&current); err != nil {
			return err
		}
		t.Node = current.ID
		return tx.Seal(current, t, holder, s.transferTimeout)
	})
	return t, holder, err
}

// carry copies what is sealed, with all that belongs to it.
func (s *Service) carry(ctx context.Context, a Actor, t Transfer, from, to Mount) error {
	a.Once = Once{}
	op := s.op(a)
	in := TreeImport{ID: t.ID, Keep: true, Open: from.Store.Open}
	return from.Store.ExportTree(ctx, TreeExport{
		Path: t.Path, Whole: true,
		Crossing: func(l Association) error {
			return Errorf(CodeConflict, "%s has an association of the type %q to %s; both ends lie in one store, so remove it, or move both",
				l.Source.Path.rebase(from.Target, from.Path), l.Type, l.Target.Path.rebase(from.Target, from.Path))
		},
	}, func(b TreeBatch) error { return to.Store.ImportTree(ctx, op, in, b) })
}

// errTakenOver ends a move that others have ended.
var errTakenOver = Errorf(CodeUnavailable, "the move stood still for too long, and was given up; try again")

// holding runs one part of a move while it says, again and again, that somebody is at it. When others took the move over the part ends. After a part that
// went well nobody else has the move, and nobody will for a while.
func (s *Service) holding(ctx context.Context, store Store, id, holder ID, part func(context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(max(s.transferTimeout/4, time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// A failure of the database says nothing of the move: the last look decides.
			if held, err := store.HoldTransfer(ctx, id, holder, s.transferTimeout); err == nil && !held {
				end(errTakenOver)
			}
		}
	}()
	err := part(ctx)
	held := false
	if err == nil {
		held, err = store.HoldTransfer(ctx, id, holder, s.transferTimeout)
	}
	end(nil)
	<-done
	switch {
	case errors.Is(context.Cause(ctx), errTakenOver), err == nil && !held:
		return errTakenOver
	}
	return err
}

// settle ends a move: what has arrived leaves the store that it came from, and what has not never will. It tells which.
func (s *Service) settle(ctx context.Context, from, to Store, t Transfer) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	op := s.op(Actor{User: t.By})
	arrived, err := to.AbandonArrival(ctx, op, t.ID)
	if err != nil {
		return arrived, err
	}
	if err := from.EndTransfer(ctx, op, t.ID, arrived); err != nil {
		return arrived, err
	}
	leave(ctx, to, t.ID, arrived)
	return arrived, nil
}

// leave takes away what the store to keeps of a copy whose end is known. What it leaves, RecoverTransfers or the store removes later; a row that nobody
// asks for does no harm.
func leave(ctx context.Context, to Store, id ID, arrived bool) {
	if arrived {
		_ = to.ForgetArrival(ctx, id)
	} else {
		_ = to.ClearArrivals(ctx, id)
	}
}

// finishArrived ends moves from fp to tp in another store that have arrived, whoever began them. Others it leaves alone.
func (s *Service) finishArrived(ctx context.Context, from, to Store, fp, tp Path) error {
	list, err := from.Transfers(ctx, false)
	if err != nil {
		return err
	}
	for _, t := range list {
		if t.Path != fp || t.To != tp {
			continue
		}
		arrived, err := to.HasArrived(ctx, t.ID)
		if err == nil && arrived {
			_, err = s.settle(ctx, from, to, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// RecoverTransfers ends the moves to other stores that nobody is at any more, as far as this node has both stores, and removes some of what moves and copies
// left that were given up. It tells how many moves it ended.
func (s *Service) RecoverTransfers(ctx context.Context) (int, error) {
	var errs []error
	ended := 0
	stores := s.mounts.stores()
	for _, from := range stores {
		list, err := from.Transfers(ctx, true)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, t := range list {
			ok, err := s.recoverTransfer(ctx, stores, from, t)
			if err != nil {
				errs = append(errs, err)
			}
			if ok {
				ended++
			}
		}
	}
	for _, store := range stores {
		if err := clearSome(ctx, store); err != nil {
			errs = append(errs, err)
		}
	}
	return ended, errors.Join(errs...)
}

// clearTimeout bounds how long the moves that stand still wait for what others left to be removed; the next call goes on with that.
const clearTimeout = 10 * time.Second

func clearSome(ctx context.Context, store Store) error {
	part, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	err := store.ClearArrivals(part, ID{})
	if part.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

func (s *Service) recoverTransfer(ctx context.Context, stores []Store, from Store, t Transfer) (bool, error) {
	var errs []error
	for _, to := range stores {
		home, err := to.Identity(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if home != t.Home {
			continue // the store of another node may have the same name
		}
		holder, err := newID()
		if err != nil {
			return false, err
		}
		held, err := from.HoldTransfer(ctx, t.ID, holder, s.transferTimeout)
		if err != nil || !held {
			return false, err
		}
		_, err = s.settle(ctx, from, to, t)
		return err == nil, err
	}
	return false, errors.Join(errs...)
}
