package registry

import (
	"context"
	"maps"
)

// MetaInput changes the metadata of what is at a path; nil fields keep theirs.
type MetaInput struct {
	Path        Path
	MediaType   *string
	Description *string
	Properties  Properties // a name without values removes that property
	// ReplaceProperties drops the properties that Properties does not name.
	ReplaceProperties bool
	Comment           string // of the version
	If                Precondition
}

// UpdateMeta makes a new version with changed metadata and the same content. Needs [RightWrite].
func (s *Service) UpdateMeta(ctx context.Context, a Actor, in MetaInput) (PutResult, error) {
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
		meta := in.apply(current.Meta)
		if current.Kind != KindResource && meta.MediaType != current.Meta.MediaType {
			return Errorf(CodeInvalid, "%s is a %s; it has no media type", in.Path, current.Kind)
		}
		if err := meta.check(); err != nil {
			return err
		}
		return revise(tx, current, Draft{Meta: meta, Hash: current.Hash, Size: current.Size, Comment: in.Comment}, res)
	})
}

func (in MetaInput) apply(m Meta) Meta {
	if in.MediaType != nil {
		m.MediaType = *in.MediaType
	}
	if in.Description != nil {
		m.Description = *in.Description
	}
	if in.Properties != nil || in.ReplaceProperties {
		merged := Properties{}
		if !in.ReplaceProperties {
			maps.Copy(merged, m.Properties)
		}
		maps.Copy(merged, in.Properties)
		m.Properties = merged
	}
	return m.clean()
}

// CollectionInput is a collection to make.
type CollectionInput struct {
	Path        Path
	Description string
	Properties  Properties
	Comment     string // of the first version
	If          Precondition
}

// CreateCollection makes a collection, with missing parents. One that is there already stays as it is, Created false; a resource there is
// [CodeConflict]. Needs [RightWrite].
func (s *Service) CreateCollection(ctx context.Context, a Actor, in CollectionInput) (PutResult, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return PutResult{}, err
	}
	meta := Meta{Description: in.Description, Properties: in.Properties}.clean()
	if err := meta.check(); err != nil {
		return PutResult{}, err
	}
	if err := checkComment(in.Comment); err != nil {
		return PutResult{}, err
	}
	return s.update(ctx, a, m, in.Path, func(tx Tx, res *PutResult) error {
		current, err := lookup(tx, sp)
		if err != nil {
			return err
		}
		if err := in.If.Check(current); err != nil {
			return err
		}
		if current != nil {
			res.Resource = *current
			return mustBeCollection(*current)
		}
		parent, err := makeCollections(tx, sp.Parent())
		if err != nil {
			return err
		}
		res.Resource, err = tx.Create(parent, sp.Name(), KindCollection, Draft{Meta: meta, Comment: in.Comment})
		res.Created, res.Changed = true, true
		return err
	})
}

// Delete takes what is at p, with everything below it, out of the tree. Needs [RightDelete].
func (s *Service) Delete(ctx context.Context, a Actor, p Path, c Precondition) (Seq, error) {
	return s.remove(ctx, a, p, c, func(Resource) error { return nil })
}

// DeleteContent takes the resource at p out of the tree; a collection is [CodeConflict], so that nobody deletes a tree who meant a file.
// Needs [RightDelete].
func (s *Service) DeleteContent(ctx context.Context, a Actor, p Path, c Precondition) (Seq, error) {
	return s.remove(ctx, a, p, c, func(r Resource) error {
		if r.Kind == KindCollection {
			return Errorf(CodeConflict, "%s is a collection, not a resource with content", p)
		}
		return nil
	})
}

// remove deletes what is at p if admit lets it.
func (s *Service) remove(ctx context.Context, a Actor, p Path, c Precondition, admit func(Resource) error) (Seq, error) {
	m, sp, err := s.writable(ctx, a, RightDelete, p)
	if err != nil {
		return Seq{}, err
	}
	if err := s.auth.AuthorizeTree(ctx, a, RightDelete, p); err != nil {
		return Seq{}, err
	}
	if err := s.fixed(m, p, sp, "deleted"); err != nil {
		return Seq{}, err
	}
	return s.change(ctx, a, m, func(tx Tx) error {
		current, err := tx.Get(sp)
		if err != nil {
			return at(p, err)
		}
		if err := admit(current); err != nil {
			return err
		}
		if err := c.Check(&current); err != nil {
			return err
		}
		return tx.Trash(current)
	})
}

// change runs one change without a result on the store of m.
func (s *Service) change(ctx context.Context, a Actor, m Mount, change func(Tx) error) (Seq, error) {
	_, seq, err := changeOnce(ctx, s, a, m, func(tx Tx) (bool, error) { return true, change(tx) })
	return seq, err
}
