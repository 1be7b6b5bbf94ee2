package registry

import (
	"context"
	"errors"
)

// Checkpoints are the checkpoints of the collection at p, by name, at most [MaxCheckpoints]. Needs [RightRead].
func (s *Service) Checkpoints(ctx context.Context, a Actor, p Path, f Freshness) (Resource, []Checkpoint, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, nil, err
	}
	r, m, err := s.reach(ctx, a, p, f)
	if err != nil {
		return r, nil, err
	}
	if err := mustBeCollection(r); err != nil || m.Store == nil {
		return r, nil, err
	}
	list, err := m.Store.Checkpoints(ctx, r.ID)
	return r, list, err
}

// CheckpointInput names a state of a collection.
type CheckpointInput struct {
	Path    Path
	Name    string
	At      Moment // the state as it is then; the current one when zero
	Comment string
	If      Precondition // on the entity tag of the collection
}

// SetCheckpoint gives the state of a collection, with all below it, a name. One of that name already is [CodeConflict]: a checkpoint never
// moves. A moment at which another collection was at the path is [CodeConflict], too. The collection's versions and entity tag stay. Needs [RightWrite].
func (s *Service) SetCheckpoint(ctx context.Context, a Actor, in CheckpointInput) (Checkpoint, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return Checkpoint{}, err
	}
	if in.Name, err = parseShortName("checkpoint", in.Name); err != nil {
		return Checkpoint{}, err
	}
	if err := checkComment(in.Comment); err != nil {
		return Checkpoint{}, err
	}
	c := Checkpoint{Name: in.Name, Comment: in.Comment}
	var then ID
	if !in.At.IsZero() {
		// Only a state that can still be read whole is worth a name; of what lies below, retention may have removed some.
		past, _, err := s.getAt(ctx, a, in.Path, in.At)
		if err != nil {
			return Checkpoint{}, err
		}
		then = past.ID
		if c.Seq = past.Seq; c.Seq.N == 0 {
			return Checkpoint{}, Errorf(CodeNotFound, "nothing had changed yet at %s", in.At)
		}
	}
	made, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (Checkpoint, error) {
		r, list, err := in.collection(tx, sp)
		if err != nil {
			return Checkpoint{}, err
		}
		switch {
		case !then.IsZero() && then != r.ID:
			return Checkpoint{}, Errorf(CodeConflict, "%s was another collection then; a checkpoint is one of the collection that is there", in.Path)
		case findCheckpoint(list, in.Name) != nil:
			return Checkpoint{}, Errorf(CodeConflict, "%s has a checkpoint %q already", in.Path, in.Name)
		case len(list) >= MaxCheckpoints:
			return Checkpoint{}, Errorf(CodeConflict, "%s has %d checkpoints; the limit is %d", in.Path, len(list), MaxCheckpoints)
		}
		return tx.SetCheckpoint(r, c)
	})
	if err != nil {
		return Checkpoint{}, err
	}
	if made.Seq.N == 0 {
		made.Seq = seq
	}
	return made, nil
}

func (in CheckpointInput) collection(tx Tx, sp Path) (Resource, []Checkpoint, error) {
	r, err := tx.Get(sp)
	if err != nil {
		return Resource{}, nil, at(in.Path, err)
	}
	if err := mustBeCollection(r); err != nil {
		return Resource{}, nil, err
	}
	if err := in.If.Check(&r); err != nil {
		return Resource{}, nil, err
	}
	list, err := tx.Checkpoints(r.ID)
	return r, list, err
}

// RemoveCheckpoint takes a name away; what retention kept for it goes with its next run. Needs [RightWrite].
func (s *Service) RemoveCheckpoint(ctx context.Context, a Actor, in CheckpointInput) (Seq, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return Seq{}, err
	}
	if in.Name, err = parseShortName("checkpoint", in.Name); err != nil {
		return Seq{}, err
	}
	_, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (bool, error) {
		r, list, err := in.collection(tx, sp)
		switch {
		case err != nil:
			return false, err
		case findCheckpoint(list, in.Name) == nil:
			return false, noCheckpoint(in.Path, in.Name)
		}
		return true, tx.RemoveCheckpoint(r, in.Name)
	})
	return seq, err
}

// RestoreTreeInput says to which state a collection goes back: that of a checkpoint of it, or of a moment.
type RestoreTreeInput struct {
	Path       Path
	Checkpoint string
	At         Moment
	Comment    string // of the versions that this makes
	If         Precondition
	DryRun     bool // tell what it would do, and leave all as it is
}

// errDryRun takes back what a dry run did.
var errDryRun = errors.New("dry run")

// RestoreTree makes the collection at a path, with all below it, what was there then: what differs gets new versions that hold what the old ones
// held, what was deleted since comes back, what is new goes to the trash. All of it happens or nothing does; more than [MaxRestore] resources and
// collections are [CodeTooLarge]. A dry run has the same errors, and gives the counts alone. Mount points below the path are [CodeConflict]. Needs [RightWrite] and [RightDelete] on all that is there,
// and [RightRead] and [RightWrite] on all that was.
func (s *Service) RestoreTree(ctx context.Context, a Actor, in RestoreTreeInput) (TreeRestored, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return TreeRestored{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightDelete, in.Path); err != nil {
		return TreeRestored{}, err
	}
	if err := checkComment(in.Comment); err != nil {
		return TreeRestored{}, err
	}
	if below := s.mounts.below(in.Path); len(below) > 0 {
		return TreeRestored{}, Errorf(CodeConflict, "%s has mount points below it (%s); restore what lies in them by itself", in.Path, below[0].name)
	}
	then, err := s.restorePoint(ctx, a, m, in)
	if err != nil {
		return TreeRestored{}, err
	}
	if err := s.mayRestoreTree(ctx, a, m, in.Path, sp, then); err != nil {
		return TreeRestored{}, at(in.Path, err)
	}
	r := TreeRestore{Path: sp, Seq: then, Limit: MaxRestore, Comment: in.Comment}
	var done TreeRestored
	var earlier int64
	seq, err := m.Store.RestoreTree(ctx, s.op(a), r, func(tx Tx, restore func() (TreeRestored, error)) (err error) {
		done, earlier, err = once(a, tx, func() (TreeRestored, error) {
			current, err := tx.Get(sp)
			if err == nil {
				err = mustBeCollection(current)
			}
			if err == nil {
				err = in.If.Check(&current)
			}
			if err != nil {
				return TreeRestored{}, err
			}
			made, err := restore()
			if err == nil && in.DryRun {
				err = errDryRun
			}
			return made, err
		})
		return err
	})
	switch {
	case errors.Is(err, errDryRun):
		return TreeRestored{Revised: done.Revised, Returned: done.Returned, Created: done.Created, Removed: done.Removed}, nil
	case CodeOf(err) == CodeNotFound:
		return TreeRestored{}, Errorf(CodeNotFound, "nothing is, or nothing was then, at %s", in.Path)
	case err != nil:
		return TreeRestored{}, err
	}
	done.Seq = seq.orEarlier(earlier)
	done.Resource.Path, done.Resource.Mount, done.Resource.Seq = in.Path, m.Path == in.Path, done.Seq
	if s.auth.Authorize(ctx, a, RightRead, in.Path) != nil {
		done.Resource = done.Resource.concealed()
	}
	return done, nil
}

// restorePoint finds the position that the input names.
func (s *Service) restorePoint(ctx context.Context, a Actor, m Mount, in RestoreTreeInput) (int64, error) {
	switch {
	case in.Checkpoint == "" && in.At.IsZero():
		return 0, Errorf(CodeInvalid, "neither a checkpoint nor a moment to go back to is named")
	case in.Checkpoint != "" && !in.At.IsZero():
		return 0, Errorf(CodeInvalid, "checkpoint %q and at %s are both named; one of them says where to go back to", in.Checkpoint, in.At)
	case in.Checkpoint == "":
		return s.position(ctx, m, in.At)
	}
	name, err := parseShortName("checkpoint", in.Checkpoint)
	if err != nil {
		return 0, err
	}
	r, _, err := s.get(ctx, a, in.Path, Freshness{})
	if err != nil {
		return 0, err
	}
	list, err := m.Store.Checkpoints(ctx, r.ID)
	if err != nil {
		return 0, err
	}
	c := findCheckpoint(list, name)
	if c == nil {
		return 0, noCheckpoint(in.Path, name)
	}
	return c.Seq.N, nil
}
