package registry

import (
	"context"
	"io"
	"time"
)

// Store is one database: a tree of nodes, their versions and contents. Paths here are the store's own; mounts map to them.
// All methods are safe for concurrent use. Errors are [Error] values with the codes named below, or internal.
type Store interface {
	// Name is the store's name in the configuration.
	Name() string

	// Get reads the current state of what is at p; [CodeNotFound] when nothing is. Seq is filled.
	Get(ctx context.Context, p Path, f Freshness) (Resource, error)

	// Children reads up to limit children of the collection parent whose names sort (by bytes) after the given one, in that order.
	// Each has parent.Path joined with its name as Path, whatever tree that path is of.
	Children(ctx context.Context, parent Resource, after string, limit int) ([]Resource, error)

	// Version reads version n of a resource; [CodeNotFound] when there is none.
	Version(ctx context.Context, id ID, n int64) (Version, error)

	// Versions reads up to limit versions with numbers below before, newest first.
	Versions(ctx context.Context, id ID, before int64, limit int) ([]Version, error)

	// Open gives the content with that hash; [CodeNotFound] when the store has none.
	Open(ctx context.Context, h Hash) (Content, error)

	// Stage streams a content into the store, in pieces, without making it visible. More than limit bytes end in [CodeTooLarge];
	// what r fails with is passed on, wrapped. Nothing staged remains after an error.
	Stage(ctx context.Context, r io.Reader, limit int64) (Staged, error)

	// Permissions reads the permission entries on the way to p and those of the nodes ids, all at one state.
	Permissions(ctx context.Context, p Path, ids []ID, f Freshness) (Permissions, error)

	// Denials gives, for each node below the node top at which one of the roles is denied the right, the entries on the way from there down to
	// it; at the time of the call. More than limit nodes are [CodeConflict].
	Denials(ctx context.Context, top ID, roles []ID, r Right, limit int) ([][]Bound, error)

	// Origins tells of nodes where they are, or of those in the trash where they would be had they not been deleted, and the permission entries that would count there, their own
	// last; at the time of the call. Path is "" where something on the way is gone for good.
	Origins(ctx context.Context, ids []ID) ([]Origin, error)

	// Guarded is [Store.Children] of those children alone that have permission entries of their own.
	Guarded(ctx context.Context, parent Resource, after string, limit int) ([]Resource, error)

	// Update runs change in one transaction and tells the position of the change log at which it took effect (the current head when it
	// changed nothing). change may run several times, each time on a fresh Tx, since transactions are retried and grouped: it must not keep
	// state between runs, nor block. When it returns an error nothing of it is stored, and Update returns that error as it is.
	// When Update returns nil the change is durable; [CodeUnavailable] means that it did not happen.
	Update(ctx context.Context, op Op, change func(Tx) error) (Seq, error)

	CommunityReader
	SearchReader
	TreeStore
	Log
	Labeller
	Retainer
	Historian
	TransferStore
}

// Tx is one transaction on a store, as a use case sees it: it reads the state that the transaction changes. Not for concurrent use.
type Tx interface {
	// Get reads what is at p; [CodeNotFound] when nothing is.
	Get(p Path) (Resource, error)
	// Version reads version n of a resource; [CodeNotFound] when there is none.
	Version(id ID, n int64) (Version, error)
	// Create adds a node, with version 1, below a collection; the name must be free.
	Create(parent Resource, name string, kind Kind, d Draft) (Resource, error)
	// Revise adds the next version of r with what d holds.
	Revise(r Resource, d Draft) (Resource, error)
	// Trash takes r, with everything below it, out of the tree. r.Path is what the trash will say of where it was.
	Trash(r Resource) error

	CommunityWriter
	TreeTx
	LabelTx
	RetentionTx
	CheckpointTx
	TransferTx
	// Entries reads the permission entries of the node with that id, in order of their roles.
	Entries(id ID) ([]Entry, error)
	// SetEntries replaces the permission entries of the node with that id. It must be the last change of the transaction.
	SetEntries(id ID, entries []Entry) error
}

// Draft is what a new version is to hold. Staged is nil where the store has the content already, or there is none.
type Draft struct {
	Meta    Meta
	Hash    Hash
	Size    int64
	Staged  Staged
	Comment string // of the version
}

// Staged is a content that a store has received and no version names yet.
type Staged interface {
	Hash() Hash
	Size() int64
	// Discard frees what no version took over. It is safe to call after a successful Update, and twice.
	Discard()
}

// Content is an open content. Seek is cheap: it reads nothing.
type Content interface {
	io.ReadSeekCloser
	Size() int64
}

// Op says who changes a store, when and on which request, for versions and the change log. Store.Update makes its identity.
type Op struct {
	Actor Actor
	At    time.Time
}

// Actor is the person or program on whose behalf a use case runs.
type Actor struct {
	User      string // name; "" for nobody
	UserID    ID
	RequestID string
	Client    string // address that the request came from, as trusted proxies say
	Agent     string // what the client calls itself, shortened; see [AgentOf]
	// Roles are the roles that the user was given; those of everyone who signed in are not among them.
	Roles []ID
	// Grants are the administrative rights that come with the roles.
	Grants Grants
	// Scope, when set, is all that the credentials of this request are good for, whatever the user may do.
	Scope *Scope
	// Seen is a state of a store that was read for this request, when it was: what was read to find out who the actor is. Reads of the same
	// request need not ask that store for its head again.
	Seen Seq
	// Once makes the one change of this request happen once, however often the request comes.
	Once Once
}

// Freshness relaxes the promise of a read. The zero value is the default: the read sees every write acknowledged before it began.
type Freshness struct {
	// Min, when set and of the same store, lets the store answer from memory as soon as it knows the change log up to there, without
	// asking the database for newer writes.
	Min Seq

	seen Seq // the head of a store, as it was asked for after the request began
}

// Covered tells whether a store that knows its change log up to at may answer without asking the database.
func (f Freshness) Covered(at Seq) bool {
	for _, min := range [...]Seq{f.Min, f.seen} {
		if min.N > 0 && min.Store == at.Store && min.N <= at.N {
			return true
		}
	}
	return false
}
