package registry

import (
	"context"
	"time"
)

// Deleted is an entry of the trash: what was deleted, with the path where it was in its store, by whom and when.
type Deleted struct {
	Resource
	By string
	At time.Time
}

// TrashMark is a place in the list of the trash, newest entries first. The zero value stands before all.
type TrashMark struct {
	At time.Time
	ID ID
}

// TreeTx are the changes of a [Tx] that move what is there.
type TreeTx interface {
	// Move puts r, with all below it, at name in the collection parent, where the name must be free. Its id and its versions stay. A parent
	// that is r or lies below it is [CodeConflict]. However much lies below r, the number of rows written is the same.
	Move(r, parent Resource, name string) (Resource, error)
	// Deleted reads an entry of the trash; [CodeNotFound] when there is none, or somebody is removing it for good.
	Deleted(id ID) (Deleted, error)
	// Undelete takes an entry out of the trash and puts it at name in the collection parent, where the name must be free.
	Undelete(id ID, parent Resource, name string) (Resource, error)
	// Purge says that an entry of the trash can never come back. [TreeStore.Remove] then removes what it was.
	Purge(id ID) error
	// Copy puts a copy of r alone, a resource or a link, at name in the collection parent, where the name must be free. It has an id of its own and begins at version 1.
	Copy(r, parent Resource, name string) (Resource, error)
	// Attach puts a complete copy that [TreeStore.CopyTree] made at name in the collection parent, where the name must be free.
	Attach(id ID, parent Resource, name string) (Resource, error)
	OnceTx
}

// TreeStore is what a [Store] does with whole subtrees, beside [Store.Update]: in many small transactions, unseen by readers, and what it reads for that.
type TreeStore interface {
	// ChildrenBefore is [Store.Children] the other way round: those whose names sort before the given one, "" standing for the end, last first.
	ChildrenBefore(ctx context.Context, parent Resource, before string, limit int) ([]Resource, error)

	// CountChildren counts the children of a collection, and stops at most.
	CountChildren(ctx context.Context, parent Resource, most int64) (int64, error)

	// Trash reads up to limit entries of the trash that were deleted before the mark, newest first. Their paths are the store's own.
	Trash(ctx context.Context, before TrashMark, limit int) ([]Deleted, error)

	// Deleted reads one entry of the trash; [CodeNotFound] when there is none.
	Deleted(ctx context.Context, id ID) (Deleted, error)

	// Remove removes for good what [TreeTx.Purge] has marked, or an incomplete copy. What an error or a crash leaves, the store removes later.
	Remove(ctx context.Context, id ID) error

	// CopyTree copies what is at p, with all below it, to a place that no path leads to, all of it as it was at one moment, if the condition holds for the
	// top. The caller attaches the copy with [TreeTx.Attach], or removes it. Contents are shared. Older versions stay behind: the copy begins with version 1.
	CopyTree(ctx context.Context, op Op, p Path, c Precondition) (ID, error)
}
