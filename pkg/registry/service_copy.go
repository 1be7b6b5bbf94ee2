package registry

import (
	"context"
	"time"
)

// Copy makes a copy of what is at From at To, with missing collections above it. A collection is copied with all below it, as it was at one moment
// after the call began, and appears at To at once or not at all. Contents are shared; versions begin at 1 again, and comments and the like stay behind.
// Needs [RightRead] on From and on everything below it, [RightWrite] on To, and [RightDelete] on To to overwrite. A copy into itself and into another
// store is [CodeConflict].
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
	to, tp, err := s.target(ctx, a, in, from)
	if err != nil {
		return PutResult{}, err
	}
	if in.From == in.To {
		return PutResult{}, Errorf(CodeConflict, "%s exists already; a copy needs another place", in.To)
	}
	if res, ok, err := s.answered(ctx, a, to, in.To); ok || err != nil {
		return res, err
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
		parent, err := vacate(tx, tp, in)
		if err != nil {
			return err
		}
		res.Resource, err = tx.Create(parent, tp.Name(), current.Kind, Draft{Meta: current.Meta, Hash: current.Hash, Size: current.Size})
		res.Created, res.Changed = true, true
		return err
	})
}

// copyTree lets the store make the copy out of sight and then attaches it.
func (s *Service) copyTree(ctx context.Context, a Actor, in MoveInput, from Mount, fp Path, to Mount, tp Path) (PutResult, error) {
	if !in.Overwrite {
		// A look before the work; the transaction looks again.
		_, err := to.Store.Get(ctx, tp, Freshness{seen: a.Seen})
		if err == nil {
			return PutResult{}, Errorf(CodeConflict, "%s exists already", in.To)
		}
		if CodeOf(err) != CodeNotFound {
			return PutResult{}, err
		}
	}
	id, err := from.Store.CopyTree(ctx, s.op(a), fp, func(r Resource) error {
		if r.Path == fp {
			return in.If.Check(&r)
		}
		return nil
	})
	if err = at(in.From, err); err == nil {
		// Asked again, as of now: what came below meanwhile was copied, too.
		later := a
		later.Seen = Seq{}
		err = s.auth.AuthorizeTree(ctx, later, RightRead, in.From)
	}
	var res PutResult
	if err == nil {
		res, err = s.update(ctx, a, to, in.To, func(tx Tx, res *PutResult) error {
			parent, err := vacate(tx, tp, in)
			if err != nil {
				return err
			}
			res.Resource, err = tx.Attach(id, parent, tp.Name())
			res.Created, res.Changed = true, true
			return err
		})
	}
	// A twin of the request may have been faster, with a copy of its own. When it is unknown whether the copy was attached, the store knows.
	if !id.IsZero() && (err != nil || res.Resource.ID != id) {
		s.discard(ctx, from.Store, id)
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
