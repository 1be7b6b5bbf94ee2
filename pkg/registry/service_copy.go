package registry

import (
	"context"
	"time"
)

// Copy makes a copy of what is at From at To, with missing collections above it. A collection is copied with all below it, as it was at one moment
// after the call began, and appears at To at once or not at all. Contents are shared; versions begin at 1 again, and comments and the like stay behind.
// Needs [RightRead] on From and on everything below it, [RightWrite] on To, and [RightDelete] on To to overwrite. A copy into itself is
// [CodeConflict]. Into another store the contents are copied, too; all else is the same.
func (s *Service) Copy(ctx context.Context, a Actor, in MoveInput) (PutResult, error) {
	if err := s.auth.AuthorizeTree(ctx, a, RightRead, in.From); err != nil {
		return PutResult{}, err
	}
	from, fp, ok := s.mounts.Resolve(in.From)
	if !ok {
		return PutResult{}, Errorf(CodeConflict, "no store is mounted at or above %s", in.From)
	}
	if err := s.leadsToNoMount(in.From); err != nil {
		return PutResult{}, err
	}
	to, tp, err := s.target(ctx, a, in)
	if err != nil {
		return PutResult{}, err
	}
	if in.From == in.To {
		return PutResult{}, Errorf(CodeConflict, "%s exists already; a copy needs another place", in.To)
	}
	if res, ok, err := s.answered(ctx, a, to, in.To); ok || err != nil {
		return res, err
	}
	if to.Store != from.Store {
		return s.copyAcross(ctx, a, in, from, fp, to, tp)
	}
	r, err := from.Store.Get(ctx, fp, Freshness{seen: a.Seen})
	if err != nil {
		return PutResult{}, at(in.From, err)
	}
	r.Path = in.From
	switch err := s.auth.AuthorizeRead(ctx, a, r); CodeOf(err) {
	case "":
	case CodePrecondition:
		return PutResult{}, Errorf(CodeUnavailable, "%s has changed meanwhile; try again", in.From)
	default:
		return PutResult{}, err
	}
	if r.Kind == KindCollection {
		return s.copyTree(ctx, a, in, from, fp, to, tp)
	}
	return s.update(ctx, a, to, in.To, func(tx Tx, res *PutResult) error {
		current, err := tx.Get(fp)
		if err != nil {
			return at(in.From, err)
		}
		// What the actor may read is what was looked at: a version that came since may be for others.
		if current.ID != r.ID || current.Version != r.Version {
			return Errorf(CodeUnavailable, "%s has changed meanwhile; try again", in.From)
		}
		if err := in.If.Check(&current); err != nil {
			return err
		}
		res.Created, res.Changed = true, true
		res.Resource, err = into(tx, tp, in, func(parent Resource) (Resource, error) { return tx.Copy(current, parent, tp.Name()) })
		return err
	})
}

// copyTree lets the store make the copy out of sight and then attaches it.
func (s *Service) copyTree(ctx context.Context, a Actor, in MoveInput, from Mount, fp Path, to Mount, tp Path) (PutResult, error) {
	if err := s.vacant(ctx, a, in, to, tp); err != nil {
		return PutResult{}, err
	}
	id, err := from.Store.CopyTree(ctx, s.op(a), fp, in.If)
	if err = at(in.From, err); err == nil {
		err = s.copyableStill(ctx, a, in)
	}
	var res PutResult
	if err == nil {
		res, err = s.update(ctx, a, to, in.To, func(tx Tx, res *PutResult) (err error) {
			res.Created, res.Changed = true, true
			res.Resource, err = into(tx, tp, in, func(parent Resource) (Resource, error) { return tx.Attach(id, parent, tp.Name()) })
			return err
		})
	}
	// A twin of the request may have been faster, with a copy of its own. When it is unknown whether the copy was attached, the store knows.
	if !id.IsZero() && (err != nil || res.Resource.ID != id) {
		s.discard(ctx, from.Store, id)
	}
	return res, err
}

// copyableStill asks again, as of now, whether the actor may read what was copied, where what came below meanwhile was copied, too, and put it where it goes.
func (s *Service) copyableStill(ctx context.Context, a Actor, in MoveInput) error {
	a.Seen = Seq{}
	if err := s.auth.AuthorizeTree(ctx, a, RightRead, in.From); err != nil {
		return err
	}
	_, _, err := s.target(ctx, a, in)
	return err
}

// copyAcross is [Service.Copy] to another store.
func (s *Service) copyAcross(ctx context.Context, a Actor, in MoveInput, from Mount, fp Path, to Mount, tp Path) (PutResult, error) {
	if err := s.vacant(ctx, a, in, to, tp); err != nil {
		return PutResult{}, err
	}
	id, err := newID()
	if err != nil {
		return PutResult{}, err
	}
	op := s.op(a)
	batch := TreeImport{ID: id, Open: from.Store.Open}
	err = from.Store.ExportTree(ctx, TreeExport{Path: fp, If: in.If}, func(b TreeBatch) error {
		return to.Store.ImportTree(ctx, op, batch, b)
	})
	if err = at(in.From, err); err == nil {
		err = s.copyableStill(ctx, a, in)
	}
	var res PutResult
	if err == nil {
		res, err = s.update(ctx, a, to, in.To, func(tx Tx, res *PutResult) (err error) {
			res.Created, res.Changed = true, true
			res.Resource, err = into(tx, tp, in, func(parent Resource) (Resource, error) { return tx.Arrive(id, parent, tp.Name()) })
			return err
		})
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	// A twin of the request may have been faster, and after an error the copy may be there all the same. What is left, the store removes later.
	if arrived, late := to.Store.AbandonArrival(ctx, op, id); late == nil {
		leave(ctx, to.Store, id, arrived)
	}
	return res, err
}

// discardTimeout bounds how long a failed copy keeps its caller; the store removes later what is left.
const discardTimeout = 30 * time.Second

// discard removes a copy that was not attached.
func (s *Service) discard(ctx context.Context, store Store, id ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	_ = store.Remove(ctx, id)
}
