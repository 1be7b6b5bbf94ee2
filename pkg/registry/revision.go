package registry

import (
	"context"
	"strconv"
)

// RevisionInput names a version of what is at a path, as clients of WSO2's registry keep and delete versions.
type RevisionInput struct {
	Path    Path
	Version int64 // for [Service.RemoveRevision]
	If      Precondition
}

// RevisionName is the name of the label that keeps version n of a resource, and of the checkpoint that says what version n of a collection held.
func RevisionName(n int64) string { return "revision-" + strconv.FormatInt(n, 10) }

// KeepRevision makes the current state of what is at a path one that stays: it can be asked for by the number of its version, and retention leaves
// it. The current version of a resource gets the label [RevisionName]. A collection gets a new version, since changes below it make none, and a
// checkpoint of that name, which holds all below it. The result tells the version. Needs [RightWrite].
func (s *Service) KeepRevision(ctx context.Context, a Actor, in RevisionInput) (PutResult, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return PutResult{}, err
	}
	return s.update(ctx, a, m, in.Path, func(tx Tx, res *PutResult) error {
		current, err := tx.Get(sp)
		if err != nil {
			return at(in.Path, err)
		}
		if err := in.If.Check(&current); err != nil {
			return err
		}
		res.Resource = current
		switch current.Kind {
		case KindLink:
			return isLink(current)
		case KindCollection:
			return in.keepCollection(tx, res)
		case KindResource:
		}
		return in.keepResource(tx, current)
	})
}

func (in RevisionInput) keepResource(tx Tx, current Resource) error {
	name := RevisionName(current.Version)
	all, err := tx.Labels(current.ID)
	if err != nil {
		return err
	}
	for _, l := range all {
		switch {
		case l.Name == name && l.Version == current.Version:
			return nil
		case l.Name == name:
			return Errorf(CodeConflict, "%s has a label %q that points at version %d", in.Path, name, l.Version)
		}
	}
	if len(all) >= MaxLabels {
		return Errorf(CodeConflict, "%s has %d labels, which keep versions; the limit is %d", in.Path, len(all), MaxLabels)
	}
	_, err = tx.SetLabel(current, name, current.Version)
	return err
}

func (in RevisionInput) keepCollection(tx Tx, res *PutResult) error {
	current := res.Resource
	name := RevisionName(current.Version + 1)
	list, err := tx.Checkpoints(current.ID)
	switch {
	case err != nil:
		return err
	case findCheckpoint(list, name) != nil:
		return Errorf(CodeConflict, "%s has a checkpoint %q already", in.Path, name)
	case len(list) >= MaxCheckpoints:
		return Errorf(CodeConflict, "%s has %d checkpoints; the limit is %d", in.Path, len(list), MaxCheckpoints)
	}
	if res.Resource, err = tx.Revise(current, Draft{Meta: current.Meta}); err != nil {
		return err
	}
	res.Changed = true
	_, err = tx.SetCheckpoint(res.Resource, Checkpoint{Name: name})
	return err
}

// RemoveRevision removes one older version for good, with the label or checkpoint that [Service.KeepRevision] gave it. The current version, and one
// that another label or a checkpoint of a collection needs, is [CodeConflict]. Needs [RightDelete].
func (s *Service) RemoveRevision(ctx context.Context, a Actor, in RevisionInput) (Seq, error) {
	m, sp, err := s.writable(ctx, a, RightDelete, in.Path)
	if err != nil {
		return Seq{}, err
	}
	var earlier int64
	seq, err := m.Store.RemoveVersion(ctx, s.op(a), func(tx Tx, remove func(Resource, int64) error) (err error) {
		_, earlier, err = once(a, tx, func() (bool, error) { return true, in.remove(tx, sp, remove) })
		return err
	})
	if err != nil {
		return Seq{}, err
	}
	return seq.orEarlier(earlier), nil
}

func (in RevisionInput) remove(tx Tx, sp Path, remove func(Resource, int64) error) error {
	current, err := tx.Get(sp)
	if err != nil {
		return at(in.Path, err)
	}
	if err := in.If.Check(&current); err != nil {
		return err
	}
	n := in.Version
	if n < 1 || n > current.Version {
		return Errorf(CodeNotFound, "%s has no version %d; the newest is %d", in.Path, n, current.Version)
	}
	if n == current.Version {
		return Errorf(CodeConflict, "version %d is the current one of %s; older ones can be removed", n, in.Path)
	}
	if err := in.release(tx, current); err != nil {
		return err
	}
	return remove(current, n)
}

// release takes away what KeepRevision gave the version, unless somebody else needs it too.
func (in RevisionInput) release(tx Tx, current Resource) error {
	name := RevisionName(in.Version)
	labels, err := tx.Labels(current.ID)
	if err != nil {
		return err
	}
	for _, l := range labels {
		if l.Version == in.Version && l.Name != name {
			return Errorf(CodeConflict, "the label %q of %s points at version %d; it stays as long as that", l.Name, in.Path, in.Version)
		}
	}
	for _, l := range labels {
		if l.Version == in.Version {
			return tx.RemoveLabel(current, name)
		}
	}
	if current.Kind != KindCollection {
		return nil
	}
	list, err := tx.Checkpoints(current.ID)
	if err != nil || findCheckpoint(list, name) == nil {
		return err
	}
	return tx.RemoveCheckpoint(current, name)
}
