package registry

import (
	"context"
	"errors"
	"time"
)

// Service is the registry's use cases. Every door calls it and nothing else. Safe for concurrent use.
type Service struct {
	mounts    *Mounts
	auth      Authorizer
	access    *Access // nil when permissions are not used
	directory Directory
	moderator Moderator
	saved     SavedSearches
	watching  *watching
	accesses  *accesses
	doctor    Doctor
	hooks     Webhooks
	backups   []Backuper
	hookIDs   *deliveryIDs
	orders    OrderLog
	limits    Limits
	now       func() time.Time

	transferTimeout time.Duration
}

// Config is what a [Service] is made of. Now is time.Now when nil.
type Config struct {
	Mounts     *Mounts
	Authorizer Authorizer
	Moderator  Moderator     // nil: the Authorizer when it is an [Access], else nobody may change what others wrote
	Directory  Directory     // needed when the Authorizer is an [Access]
	Saved      SavedSearches // nil: nobody can save searches
	Limits     Limits
	Now        func() time.Time
	Accesses   Log        // where sign-ins and refusals are noted; nil drops them
	Doctor     Doctor     // nil: an examination finds nothing
	Webhooks   Webhooks   // without a Store there are none
	Orders     OrderLog   // where orders to nodes are noted; nil: none are given
	Backups    []Backuper // stores that can be backed up
	// TransferTimeout is how long a move to another store may stand still before others take it over; [DefaultTransferTimeout] when 0.
	TransferTimeout time.Duration
}

// NewService makes the use cases on the mounted stores.
func NewService(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.TransferTimeout <= 0 {
		c.TransferTimeout = DefaultTransferTimeout
	}
	access, _ := c.Authorizer.(*Access)
	if access != nil && c.Moderator == nil {
		c.Moderator = access
	}
	return &Service{
		mounts: c.Mounts, auth: c.Authorizer, access: access, directory: c.Directory, moderator: c.Moderator, limits: c.Limits, now: c.Now,
		watching: &watching{}, accesses: &accesses{log: c.Accesses, now: c.Now},
		saved: c.Saved, transferTimeout: c.TransferTimeout, doctor: c.Doctor, hooks: c.Webhooks.withDefaults(), hookIDs: &deliveryIDs{},
		orders: c.Orders, backups: c.Backups,
	}
}

// Mounts is the table of mounts, by which doors find the store of a path. What a door tells of it to people it takes from [Service.ServerView].
func (s *Service) Mounts() *Mounts { return s.mounts }

// ContentLimit is the most bytes that one content may have.
func (s *Service) ContentLimit() int64 { return s.limits.content() }

// EnsureMounts creates the collections that the mount points stand for, where they are missing and the mount may be written to.
func (s *Service) EnsureMounts(ctx context.Context) error {
	for _, m := range s.mounts.All() {
		_, err := m.Store.Get(ctx, m.Target, Freshness{})
		if CodeOf(err) == CodeNotFound && !m.ReadOnly {
			_, err = m.Store.Update(ctx, s.op(Actor{User: "system"}), func(tx Tx) error {
				_, err := makeCollections(tx, m.Target)
				return err
			})
		}
		if err != nil && CodeOf(err) != CodeNotFound {
			return err
		}
	}
	return nil
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
	var earlier int64
	seq, err := m.Store.Update(ctx, s.op(a), func(tx Tx) (err error) {
		res = PutResult{}
		var made outcome
		made, earlier, err = once(a, tx, func() (outcome, error) {
			err := change(tx, &res)
			return outcomeOf(res), err
		})
		if err == nil && earlier > 0 {
			res, err = made.result(tx)
		}
		return err
	})
	if err != nil {
		return PutResult{}, err
	}
	res.Resource.Path, res.Resource.Mount, res.Resource.Seq = p, m.Path == p, seq.orEarlier(earlier)
	if s.auth.Authorize(ctx, a, RightRead, p) != nil {
		res.Resource = res.Resource.concealed()
	}
	return res, nil
}

// concealed is what somebody learns of r who may change it, but not read it.
func (r Resource) concealed() Resource {
	r.Meta, r.Comment, r.Hash, r.Size = Meta{}, "", Hash{}, 0
	return r
}

func (s *Service) op(a Actor) Op { return Op{Actor: a, At: s.now()} }

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
	if r.Kind == KindLink {
		return isLink(r)
	}
	if r.Kind != KindCollection {
		return Errorf(CodeConflict, "%s is a resource, not a collection", r.Path)
	}
	return nil
}

// isLink refuses a change of what a link leads to: it would say one path and change another.
func isLink(r Resource) error {
	return Errorf(CodeConflict, "%s is a link to %s; changes are made there", r.Path, r.Meta.Link)
}

// at makes a not-found error of a store speak of the path that the caller used.
func at(p Path, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeNotFound {
		return notFound(p)
	}
	return err
}
