package registry

import (
	"context"
	"errors"
	"io"
	"time"
)

// Service is the registry's use cases. Every door calls it and nothing else. Safe for concurrent use.
type Service struct {
	mounts *Mounts
	auth   Authorizer
	limits Limits
	now    func() time.Time
}

// Config is what a [Service] is made of. Now is time.Now when nil.
type Config struct {
	Mounts     *Mounts
	Authorizer Authorizer
	Limits     Limits
	Now        func() time.Time
}

// NewService makes the use cases on the mounted stores.
func NewService(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{mounts: c.Mounts, auth: c.Authorizer, limits: c.Limits, now: c.Now}
}

// Mounts is the table of mounts, for pages that show it.
func (s *Service) Mounts() *Mounts { return s.mounts }

// ContentLimit is the most bytes that one content may have.
func (s *Service) ContentLimit() int64 { return s.limits.content() }

// EnsureMounts creates the collections that the mount points stand for, where they are missing.
func (s *Service) EnsureMounts(ctx context.Context) error {
	for _, m := range s.mounts.All() {
		if _, err := m.Store.Get(ctx, m.Target, Freshness{}); err == nil || CodeOf(err) != CodeNotFound {
			if err != nil {
				return err
			}
			continue
		}
		_, err := m.Store.Update(ctx, s.op(Actor{User: "system"}), func(tx Tx) error {
			_, err := makeCollections(tx, m.Target)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Get reads the current state of what is at p. Needs [RightRead].
func (s *Service) Get(ctx context.Context, a Actor, p Path, f Freshness) (Resource, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, err
	}
	r, _, err := s.get(ctx, p, f)
	return r, err
}

// get reads what is at p, and the mount it lies on; a collection that only leads to mount points has none.
func (s *Service) get(ctx context.Context, p Path, f Freshness) (Resource, Mount, error) {
	m, sp, covered := s.mounts.Resolve(p)
	if covered {
		r, err := m.Store.Get(ctx, sp, f)
		if err == nil {
			r.Path, r.Mount = p, m.Path == p
			return r, m, nil
		}
		if CodeOf(err) != CodeNotFound {
			return Resource{}, Mount{}, err
		}
	}
	if len(s.mounts.below(p)) > 0 {
		return Resource{Path: p, Kind: KindCollection, Mount: true}, Mount{}, nil
	}
	return Resource{}, Mount{}, notFound(p)
}

func notFound(p Path) error { return Errorf(CodeNotFound, "nothing is at %s", p) }

// Open reads a resource with its content: its current state, or version n when n > 0 (the Resource then still tells the current state).
// A collection is [CodeConflict]. Needs [RightRead]. The caller closes the content.
func (s *Service) Open(ctx context.Context, a Actor, p Path, n int64, f Freshness) (Resource, Version, Content, error) {
	fail := func(err error) (Resource, Version, Content, error) { return Resource{}, Version{}, nil, err }
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return fail(err)
	}
	r, m, err := s.get(ctx, p, f)
	if err != nil {
		return fail(err)
	}
	if r.Kind != KindResource {
		return fail(Errorf(CodeConflict, "%s is a collection; it has no content", p))
	}
	v, err := s.version(ctx, m, r, n)
	if err != nil {
		return fail(err)
	}
	c, err := m.Store.Open(ctx, v.Hash)
	if err != nil {
		return fail(err)
	}
	return r, v, c, nil
}

// version gives version n of r, the current one for 0; that needs no store.
func (s *Service) version(ctx context.Context, m Mount, r Resource, n int64) (Version, error) {
	if n == 0 || n == r.Version {
		return r.current(), nil
	}
	if n < 0 || n > r.Version || m.Store == nil {
		return Version{}, Errorf(CodeNotFound, "%s has no version %d; the newest is %d", r.Path, n, r.Version)
	}
	return m.Store.Version(ctx, r.ID, n)
}

// GetVersion reads version n of what is at p, the current one for 0. Needs [RightRead].
func (s *Service) GetVersion(ctx context.Context, a Actor, p Path, n int64, f Freshness) (Resource, Version, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, Version{}, err
	}
	r, m, err := s.get(ctx, p, f)
	if err != nil {
		return Resource{}, Version{}, err
	}
	v, err := s.version(ctx, m, r, n)
	return r, v, err
}

// Versions reads a page of versions, newest first, with numbers below before (0: from the newest). A limit of 0 is [DefaultPageSize].
// Needs [RightRead].
func (s *Service) Versions(ctx context.Context, a Actor, p Path, before int64, limit int, f Freshness) (VersionPage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return VersionPage{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return VersionPage{}, err
	}
	r, m, err := s.get(ctx, p, f)
	if err != nil {
		return VersionPage{}, err
	}
	page := VersionPage{Resource: r}
	if m.Store == nil {
		return page, nil
	}
	if before <= 0 || before > r.Version {
		before = r.Version + 1
	}
	page.Versions, err = m.Store.Versions(ctx, r.ID, before, limit)
	if n := len(page.Versions); n > 0 && page.Versions[n-1].Number > 1 {
		page.Next = page.Versions[n-1].Number
	}
	return page, err
}

func pageSize(limit int) (int, error) {
	switch {
	case limit == 0:
		return DefaultPageSize, nil
	case limit < 0 || limit > MaxPageSize:
		return 0, Errorf(CodeInvalid, "limit is %d; it must be from 1 to %d", limit, MaxPageSize)
	}
	return limit, nil
}

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
	m, sp, err := s.writable(ctx, a, RightWrite, in.Path)
	if err != nil {
		return PutResult{}, err
	}
	offered := Meta{MediaType: in.MediaType, Properties: in.Properties}
	if in.Description != nil {
		offered.Description = *in.Description
	}
	if err := offered.check(); err != nil {
		return PutResult{}, err
	}
	// A look before the body moves: most refusals need not cost an upload. The transaction looks again.
	if err := s.precheck(ctx, m, sp, in); err != nil {
		return PutResult{}, err
	}
	staged, err := m.Store.Stage(ctx, in.Body, s.ContentLimit())
	if err != nil {
		return PutResult{}, err
	}
	defer staged.Discard()

	return s.update(ctx, a, m, in.Path, func(tx Tx, res *PutResult) error {
		current, err := lookup(tx, sp)
		if err != nil {
			return err
		}
		if err := in.admit(current); err != nil {
			return err
		}
		d := Draft{Meta: in.meta(current), Hash: staged.Hash(), Size: staged.Size(), Staged: staged}
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
}

func (s *Service) precheck(ctx context.Context, m Mount, sp Path, in PutInput) error {
	r, err := m.Store.Get(ctx, sp, Freshness{})
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

// MetaInput changes the metadata of what is at a path; nil fields keep theirs.
type MetaInput struct {
	Path        Path
	MediaType   *string
	Description *string
	Properties  Properties // a name without values removes that property
	// ReplaceProperties drops the properties that Properties does not name.
	ReplaceProperties bool
	If                Precondition
}

// UpdateMeta makes a new version with changed metadata and the same content. Needs [RightWrite].
func (s *Service) UpdateMeta(ctx context.Context, a Actor, in MetaInput) (PutResult, error) {
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
		meta := in.apply(current.Meta)
		if current.Kind == KindCollection && meta.MediaType != current.Meta.MediaType {
			return Errorf(CodeInvalid, "%s is a collection; it has no media type", in.Path)
		}
		if err := meta.check(); err != nil {
			return err
		}
		return revise(tx, current, Draft{Meta: meta, Hash: current.Hash, Size: current.Size}, res)
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
			for name, list := range m.Properties {
				merged[name] = list
			}
		}
		for name, list := range in.Properties {
			merged[name] = list
		}
		m.Properties = merged
	}
	return m.clean()
}

// CollectionInput is a collection to make.
type CollectionInput struct {
	Path        Path
	Description string
	Properties  Properties
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
		res.Resource, err = tx.Create(parent, sp.Name(), KindCollection, Draft{Meta: meta})
		res.Created, res.Changed = true, true
		return err
	})
}

// Restore makes a new version that holds what version n held. Needs [RightWrite].
func (s *Service) Restore(ctx context.Context, a Actor, p Path, n int64, c Precondition) (PutResult, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, p)
	if err != nil {
		return PutResult{}, err
	}
	return s.update(ctx, a, m, p, func(tx Tx, res *PutResult) error {
		current, err := tx.Get(sp)
		if err != nil {
			return at(p, err)
		}
		if err := c.Check(&current); err != nil {
			return err
		}
		if n < 1 || n > current.Version {
			return Errorf(CodeNotFound, "%s has no version %d; the newest is %d", p, n, current.Version)
		}
		v, err := tx.Version(current.ID, n)
		if err != nil {
			return err
		}
		return revise(tx, current, Draft{Meta: v.Meta, Hash: v.Hash, Size: v.Size}, res)
	})
}

// Delete takes what is at p, with everything below it, out of the tree. Needs [RightDelete].
func (s *Service) Delete(ctx context.Context, a Actor, p Path, c Precondition) (Seq, error) {
	m, sp, err := s.writable(ctx, a, RightDelete, p)
	if err != nil {
		return Seq{}, err
	}
	if m.Path == p || sp.IsRoot() {
		return Seq{}, Errorf(CodeConflict, "%s is a mount point; it cannot be deleted", p)
	}
	if below := s.mounts.below(p); len(below) > 0 {
		return Seq{}, Errorf(CodeConflict, "%s has mount points below it (%s); it cannot be deleted", p, below[0].name)
	}
	seq, err := m.Store.Update(ctx, s.op(a), func(tx Tx) error {
		current, err := tx.Get(sp)
		if err != nil {
			return at(p, err)
		}
		if err := c.Check(&current); err != nil {
			return err
		}
		return tx.Trash(current)
	})
	return seq, err
}

// writable authorises a change at p and finds its place in a store.
func (s *Service) writable(ctx context.Context, a Actor, right Right, p Path) (Mount, Path, error) {
	if err := s.auth.Authorize(ctx, a, right, p); err != nil {
		return Mount{}, "", err
	}
	m, sp, ok := s.mounts.Resolve(p)
	switch {
	case !ok:
		return Mount{}, "", Errorf(CodeConflict, "no store is mounted at or above %s", p)
	case m.ReadOnly:
		return Mount{}, "", Errorf(CodeDenied, "the mount %s is read-only", m.Path)
	}
	return m, sp, nil
}

// update runs one change on the store of m and completes its result.
func (s *Service) update(ctx context.Context, a Actor, m Mount, p Path, change func(Tx, *PutResult) error) (PutResult, error) {
	var res PutResult
	seq, err := m.Store.Update(ctx, s.op(a), func(tx Tx) error {
		res = PutResult{}
		return change(tx, &res)
	})
	if err != nil {
		return PutResult{}, err
	}
	res.Resource.Path, res.Resource.Mount, res.Resource.Seq = p, m.Path == p, seq
	return res, nil
}

func (s *Service) op(a Actor) Op { return Op{Actor: a, At: s.now()} }

// current is r's current version.
func (r Resource) current() Version {
	return Version{Resource: r.ID, Number: r.Version, Meta: r.Meta, Size: r.Size, Hash: r.Hash, CreatedAt: r.UpdatedAt, CreatedBy: r.UpdatedBy}
}

// revise adds a version to current unless it would say the same again.
func revise(tx Tx, current Resource, d Draft, res *PutResult) error {
	if current.Hash == d.Hash && current.Meta.equal(d.Meta) {
		res.Resource = current
		return nil
	}
	var err error
	res.Resource, err = tx.Revise(current, d)
	res.Changed = true
	return err
}

// lookup gives what is at p, nil when nothing is.
func lookup(tx Tx, p Path) (*Resource, error) {
	r, err := tx.Get(p)
	switch {
	case err == nil:
		return &r, nil
	case CodeOf(err) == CodeNotFound:
		return nil, nil //nolint:nilnil // "nothing there" is a state here, not a failure
	}
	return nil, err
}

// makeCollections gives the collection at p and makes it, and those above it, where they are missing.
func makeCollections(tx Tx, p Path) (Resource, error) {
	r, err := lookup(tx, p)
	if err != nil {
		return Resource{}, err
	}
	if r != nil {
		return *r, mustBeCollection(*r)
	}
	if p.IsRoot() {
		return Resource{}, Errorf(CodeInternal, "the store has no root")
	}
	parent, err := makeCollections(tx, p.Parent())
	if err != nil {
		return Resource{}, err
	}
	return tx.Create(parent, p.Name(), KindCollection, Draft{})
}

func mustBeCollection(r Resource) error {
	if r.Kind != KindCollection {
		return Errorf(CodeConflict, "%s is a resource, not a collection", r.Path)
	}
	return nil
}

// at makes a not-found error of a store speak of the path that the caller used.
func at(p Path, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotFound {
		return notFound(p)
	}
	return err
}
