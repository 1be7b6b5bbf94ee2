package registry

import (
	"context"
	"unicode"
)

// RestoreInput names a version that is to become the newest.
type RestoreInput struct {
	Path    Path
	Version int64  // its number; or
	Label   string // the label that points at it
	Comment string // of the version that this makes
	If      Precondition
}

// Restore makes a new version that holds what version n held. Needs [RightWrite].
func (s *Service) Restore(ctx context.Context, a Actor, p Path, n int64, c Precondition) (PutResult, error) {
	return s.RestoreVersion(ctx, a, RestoreInput{Path: p, Version: n, If: c})
}

// RestoreVersion makes a new version that holds what an older one held; what the current one holds already makes none. A version that is not
// there, or not any more, is [CodeNotFound]. Needs [RightWrite].
func (s *Service) RestoreVersion(ctx context.Context, a Actor, in RestoreInput) (PutResult, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return PutResult{}, err
	}
	if err := checkComment(in.Comment); err != nil {
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
		n, err := in.number(tx, current)
		if err != nil {
			return err
		}
		v, err := tx.Version(current.ID, n)
		if err != nil {
			return err
		}
		return revise(tx, current, Draft{Meta: v.Meta, Hash: v.Hash, Size: v.Size, Comment: in.Comment}, res)
	})
}

// number is the version that the input names.
func (in RestoreInput) number(tx Tx, current Resource) (int64, error) {
	if in.Label != "" {
		return labelled(tx, in.Path, current.ID, in.Label)
	}
	if in.Version < 1 || in.Version > current.Version {
		return 0, Errorf(CodeNotFound, "%s has no version %d; the newest is %d", in.Path, in.Version, current.Version)
	}
	return in.Version, nil
}

// checkComment tells why a version cannot have the comment.
func checkComment(text string) error {
	if err := checkText("version comment", text, MaxVersionComment); err != nil {
		return err
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return Errorf(CodeInvalid, "version comment has the control character %U, which is not allowed", r)
		}
	}
	return nil
}
