package registry

import (
	"context"
	"time"
)

// Transfer is a move of a subtree from one store to another. It stands in the store that the subtree leaves, for as long as it is not at its end; meanwhile nothing at
// or below the node changes there.
type Transfer struct {
	ID    ID     // of the move
	Node  ID     // what is moved
	Path  Path   // where it is, in its store
	Home  ID     // the identity of the store that it goes to
	Store string // the name that this store has where the move began
	To    Path   // where it goes, in that store
	By    string
	At    time.Time
}

// TreeExport says what [TransferStore.ExportTree] reads.
type TreeExport struct {
	Path Path
	// Whole reads all versions, labels, rules of retention, permission entries and what users attached, too. Without it only the current state of each node is read.
	Whole bool
	// If is held against the top of the tree.
	If Precondition
	// Crossing gives the error for an association that has one end in the tree and one outside. Needed with Whole.
	Crossing func(Association) error
}

// TreeBatch is a part of a tree. Each node comes before what lies in it and before what belongs to it, in the same batch or an earlier one. Ids
// are those of the store that the tree comes from.
type TreeBatch struct {
	Nodes        []TreeNode // with their current versions
	Versions     []Version  // older ones
	Labels       []Label
	Rules        []Retention
	Tags         []Tagging
	Comments     []Comment
	Ratings      []RatingBy
	Stars        []StarBy
	Permissions  []Permission
	Associations []Association // both ends in the tree, or the target a URI
}

// TreeNode is a node of a tree.
type TreeNode struct {
	Resource
	Parent ID // zero for the top of the tree
	Name   string
}

// Permission is a permission entry of a node.
type Permission struct {
	Resource ID
	Entry
}

// Tagging is a tag that a user gave.
type Tagging struct {
	Resource ID
	Name     string
	By       string
	At       time.Time
}

// RatingBy is the rating that a user gave.
type RatingBy struct {
	Resource ID
	By       string
	Score    int
	At       time.Time
}

// TreeImport says what becomes of the batches of a tree.
type TreeImport struct {
	// ID names the import. Nobody else uses it, so whoever comes late with a batch of an import that was given up is refused.
	ID ID
	// Keep keeps versions, times, authors and, where they are free, ids. Without it the nodes are new ones, at version 1.
	Keep bool
	// Open gives a content of the store that the tree comes from.
	Open func(ctx context.Context, h Hash) (Content, error)
}

// TransferStore is what a [Store] does for copies and moves from and to other stores.
type TransferStore interface {
	// Identity names the database for ever, whatever name the store has in a configuration.
	Identity(ctx context.Context) (ID, error)

	// ExportTree reads a tree as it was at one moment and hands it to emit, batch by batch. It holds one batch in memory, and of a tree that is wide
	// some names for each level. What emit fails with ends it.
	ExportTree(ctx context.Context, e TreeExport, emit func(TreeBatch) error) error

	// ImportTree adds a batch to a tree that grows where no path leads to, with the contents that the store does not have. [TransferTx.Arrive] puts the
	// complete tree in its place; [TransferStore.AbandonArrival] gives it up.
	ImportTree(ctx context.Context, op Op, in TreeImport, b TreeBatch) error

	// AbandonArrival sees to it, in one short transaction, that a tree never arrives; when it has arrived already it only says so. Also an import that
	// never began is given up, as long as no batch of it comes later. What there is of the tree [TransferStore.ClearArrivals] removes.
	AbandonArrival(ctx context.Context, op Op, id ID) (arrived bool, err error)

	// ClearArrivals removes what there is of a tree that was given up, or with a zero id of all of them, in many small changes between which others have their
	// turn. When it ends early the next call goes on. Of all of them one process at a time removes what there is; others do nothing.
	ClearArrivals(ctx context.Context, id ID) error

	// HasArrived tells whether a tree has arrived, and nobody has been told to forget it.
	HasArrived(ctx context.Context, id ID) (bool, error)

	// ForgetArrival says that nobody will ask any more whether a tree has arrived.
	ForgetArrival(ctx context.Context, id ID) error

	// Transfers reads moves out of this store; with idle only those that nobody is at: whoever held them last did so longer ago than it had said.
	Transfers(ctx context.Context, idle bool) ([]Transfer, error)

	// HoldTransfer makes holder the one who is at a move, for some time by the clock of the database, if it was so already or nobody is. It tells
	// false when somebody else is, or when the move has ended.
	HoldTransfer(ctx context.Context, id, holder ID, d time.Duration) (bool, error)

	// EndTransfer ends a move: the node goes to the trash when it has arrived elsewhere, and may be changed again when not. A move that has ended
	// already stays as it is.
	EndTransfer(ctx context.Context, op Op, id ID, arrived bool) error
}

// TransferTx is the part of a [Tx] that begins and ends moves between stores.
type TransferTx interface {
	// Seal begins a move of r: from this transaction on every change at or below r, in whatever transaction and at whatever node, is
	// [CodeUnavailable]. holder is the one who is at it. Something that is sealed, lies below or holds such a thing is [CodeUnavailable].
	Seal(r Resource, t Transfer, holder ID, d time.Duration) error
	// Arrive puts a complete tree that [TransferStore.ImportTree] made at name in the collection parent, where the name must be free.
	Arrive(id ID, parent Resource, name string) (Resource, error)
}
