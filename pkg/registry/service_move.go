package registry

import (
	"context"
	"slices"
)

// MoveInput says what to move, or to copy, where.
type MoveInput struct {
	From, To Path
	// Overwrite puts what stands at To into the trash; without it that is [CodeConflict].
	Overwrite bool
	If        Precondition // of what is at From
}

// Move puts what is at From, with all below it, at To, and makes missing collections above To. Ids and versions stay. Within one collection
// (a rename) it needs [RightWrite] or [RightDelete] on From and all below it, elsewhere [RightRead] on From and [RightDelete] on all; always [RightWrite] on
// To, and [RightDelete] on To and all below it to overwrite. A move into itself, and of or onto a mount point or a system collection, is [CodeConflict].
//
// A move to another store copies everything, with its versions and what users attached, and then puts the source into the trash of its store. Meanwhile the source can be
// read, and every change of it is [CodeUnavailable]. An association that leads out of it, or into it, is [CodeConflict]. Ids stay where they are free.
func (s *Service) Move(ctx context.Context, a Actor, in MoveInput) (PutResult, error) {
	from, fp, err := s.movable(ctx, a, in)
	if err != nil {
		return PutResult{}, err
	}
	to, tp, err := s.target(ctx, a, in)
	if err != nil {
		return PutResult{}, err
	}
	if to.Store != from.Store {
		return s.moveAcross(ctx, a, in, from, fp, to, tp)
	}
	return s.update(ctx, a, to, in.To, func(tx Tx, res *PutResult) error {
		current, err := tx.Get(fp)
		if err != nil {
			return at(in.From, err)
		}
		if err := in.If.Check(&current); err != nil {
			return err
		}
		if fp == tp {
			res.Resource = current
			return nil
		}
		res.Changed = true
		res.Resource, err = into(tx, tp, in, func(parent Resource) (Resource, error) { return tx.Move(current, parent, tp.Name()) })
		return err
	})
}

// movable authorises the way out of From.
func (s *Service) movable(ctx context.Context, a Actor, in MoveInput) (Mount, Path, error) {
	right := RightDelete
	if in.From.Parent() == in.To.Parent() {
		if s.auth.AuthorizeTree(ctx, a, RightWrite, in.From) == nil {
			right = RightWrite
		}
	} else if err := s.auth.Authorize(ctx, a, RightRead, in.From); err != nil {
		return Mount{}, "", err
	}
	m, sp, err := s.writable(ctx, a, right, in.From)
	if err == nil {
		err = s.auth.AuthorizeTree(ctx, a, right, in.From)
	}
	if err != nil {
		return Mount{}, "", err
	}
	return m, sp, s.fixed(m, in.From, sp, "moved")
}

// fixed refuses to move or delete what the registry itself stands on; done says in the error what cannot be done.
func (s *Service) fixed(m Mount, p, sp Path, done string) error {
	switch {
	case m.Path == p || sp.IsRoot():
		return Errorf(CodeConflict, "%s is a mount point; it cannot be %s", p, done)
	case systemCollection(p):
		return Errorf(CodeConflict, "%s is a system collection; it cannot be %s", p, done)
	}
	return s.leadsToNoMount(p)
}

func (s *Service) leadsToNoMount(p Path) error {
	if below := s.mounts.below(p); len(below) > 0 {
		return Errorf(CodeConflict, "%s has mount points below it (%s)", p, below[0].name)
	}
	return nil
}

// systemCollection tells whether p is one of the collections that every registry has.
func systemCollection(p Path) bool {
	return p == "/_system" || p.Parent() == "/_system" && slices.Contains([]string{"local", "config", "governance"}, p.Name())
}

// target authorises the way in to To.
func (s *Service) target(ctx context.Context, a Actor, in MoveInput) (Mount, Path, error) {
	m, sp, err := s.place(ctx, a, in.To)
	if err != nil {
		return Mount{}, "", err
	}
	if in.Overwrite {
		if err := s.auth.AuthorizeTree(ctx, a, RightDelete, in.To); err != nil {
			return Mount{}, "", err
		}
	}
	switch {
	case in.From == in.To:
	case in.From.Covers(in.To):
		return Mount{}, "", Errorf(CodeConflict, "%s lies below %s; nothing can be put into itself", in.To, in.From)
	case in.To.Covers(in.From):
		return Mount{}, "", Errorf(CodeConflict, "%s holds %s; what is to stay cannot be replaced", in.To, in.From)
	}
	return m, sp, nil
}

// place authorises a change that puts something at p, where a resource may stand.
func (s *Service) place(ctx context.Context, a Actor, p Path) (Mount, Path, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, p)
	if err != nil {
		return Mount{}, "", err
	}
	if m.Path == p || sp.IsRoot() {
		return Mount{}, "", Errorf(CodeConflict, "%s is a mount point; nothing can be put in its place", p)
	}
	return m, sp, s.leadsToNoMount(p)
}

// into lets put place something at tp, in the collection that it is given.
func into(tx Tx, tp Path, in MoveInput, put func(parent Resource) (Resource, error)) (Resource, error) {
	parent, err := vacate(tx, tp, in)
	if err != nil {
		return Resource{}, err
	}
	return put(parent)
}

// vacate gives the collection that is to hold tp, made where it is missing, with the name free.
func vacate(tx Tx, tp Path, in MoveInput) (Resource, error) {
	old, err := lookup(tx, tp)
	if err != nil {
		return Resource{}, err
	}
	switch {
	case old == nil:
	case !in.Overwrite:
		return Resource{}, Errorf(CodeConflict, "%s exists already", in.To)
	case systemCollection(in.To):
		return Resource{}, Errorf(CodeConflict, "%s is a system collection; it cannot be replaced", in.To)
	default:
		if err := tx.Trash(*old); err != nil {
			return Resource{}, err
		}
	}
	return makeCollections(tx, tp.Parent())
}
