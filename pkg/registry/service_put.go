package registry

import (
	"context"
	"io"
	"time"
)

// PutInput is a content to store at a path.
type PutInput struct {
	Path Path
	Body io.Reader

	// MediaType is the content's type; "" keeps that of the resource, or guesses a new one from the name.
	MediaType string
	// KeepMediaType refuses (with [CodeInvalid]) a MediaType other than the one an existing resource has, as WSO2's API does.
	KeepMediaType bool
	// Description and Properties replace what is there; nil keeps it.
	Description *string
	Properties  Properties
	// Comment is what the author says of the change; a put that makes no version drops it.
	Comment string

	If Precondition
}

// PutResult tells what a change did.
type PutResult struct {
	Resource Resource
	Created  bool // nothing was there before
	Changed  bool // false when the same content and metadata were there already
}

// Put stores a content at a path: a new resource (with missing parents) or the next version of an existing one. What is there already makes no
// version. The body streams into the store before anything becomes visible. Needs [RightWrite].
func (s *Service) Put(ctx context.Context, a Actor, in PutInput) (PutResult, error) {
	m, sp, err := s.admitPut(ctx, a, in)
	if err != nil {
		return PutResult{}, err
	}
	// A look before the body moves: most refusals need not cost an upload. The transaction looks again. A request that may have been answered
	// already must not be refused for what it has done itself.
	if a.Once.IsZero() {
		if err := s.precheck(ctx, a, m, sp, in); err != nil {
			return PutResult{}, err
		}
	}
	began := s.now()
	staged, err := m.Store.Stage(ctx, in.Body, s.ContentLimit())
	if err != nil {
		return PutResult{}, err
	}
	defer staged.Discard()
	if s.now().Sub(began) > longUpload {
		a.Seen = Seq{}
		if err := s.auth.Authorize(ctx, a, RightWrite, in.Path); err != nil {
			return PutResult{}, err
		}
	}
	a.Once = a.Once.And(staged.Hash().String())
	return s.putStaged(ctx, a, m, sp, in, staged)
}

// longUpload is from when on an upload is authorised again at its end.
const longUpload = time.Second

// admitPut authorises a put and checks all of it that needs no store.
func (s *Service) admitPut(ctx context.Context, a Actor, in PutInput) (Mount, Path, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return Mount{}, "", err
	}
	if m.Path == in.Path || len(s.mounts.below(in.Path)) > 0 {
		return Mount{}, "", Errorf(CodeConflict, "%s is a mount point, or has mount points below it; a resource cannot stand there", in.Path)
	}
	offered := Meta{MediaType: in.MediaType, Properties: in.Properties}
	if in.Description != nil {
		offered.Description = *in.Description
	}
	if err := offered.check(); err != nil {
		return Mount{}, "", err
	}
	return m, sp, checkComment(in.Comment)
}

// putStaged makes a content that the store has received the one at a path.
func (s *Service) putStaged(ctx context.Context, a Actor, m Mount, sp Path, in PutInput, staged Staged) (PutResult, error) {
	res, err := s.update(ctx, a, m, in.Path, func(tx Tx, res *PutResult) error {
		current, err := lookup(tx, sp)
		if err != nil {
			return err
		}
		if err := in.admit(current); err != nil {
			return err
		}
		d := Draft{Meta: in.meta(current), Hash: staged.Hash(), Size: staged.Size(), Staged: staged, Comment: in.Comment}
		if current != nil {
			return revise(tx, *current, d, res)
		}
		parent, err := makeCollections(tx, sp.Parent())
		if err != nil {
			return err
		}
		res.Resource, err = tx.Create(parent, sp.Name(), KindResource, d)
		res.Created, res.Changed = true, true
		return err
	})
	if err == nil {
		res.Resource.Hash, res.Resource.Size = staged.Hash(), staged.Size() // also for who may not read it
	}
	return res, err
}

func (s *Service) precheck(ctx context.Context, a Actor, m Mount, sp Path, in PutInput) error {
	r, err := m.Store.Get(ctx, sp, Freshness{seen: a.Seen})
	switch {
	case err == nil:
		return in.admit(&r)
	case CodeOf(err) == CodeNotFound:
		return in.admit(nil)
	}
	return err
}

// admit tells why the input cannot replace what is there.
func (in PutInput) admit(current *Resource) error {
	if current != nil && current.Kind == KindCollection {
		return Errorf(CodeConflict, "%s is a collection; a resource cannot replace it", in.Path)
	}
	if err := in.If.Check(current); err != nil {
		return err
	}
	if current != nil && current.Kind == KindLink {
		return Errorf(CodeConflict, "%s is a link to %s; store the content there, or delete the link first", in.Path, current.Meta.Link)
	}
	if current != nil && in.KeepMediaType && in.MediaType != "" && in.MediaType != current.Meta.MediaType {
		return Errorf(CodeInvalid, "media type %q differs from the stored one, %q", in.MediaType, current.Meta.MediaType)
	}
	return nil
}

// meta is the metadata that the put leaves behind.
func (in PutInput) meta(current *Resource) Meta {
	m := Meta{MediaType: MediaTypeByName(in.Path.Name())}
	if current != nil {
		m = current.Meta
	}
	if in.MediaType != "" {
		m.MediaType = in.MediaType
	}
	if in.Description != nil {
		m.Description = *in.Description
	}
	if in.Properties != nil {
		m.Properties = in.Properties
	}
	return m.clean()
}
