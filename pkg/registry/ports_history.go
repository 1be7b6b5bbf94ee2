package registry

import (
	"context"
	"time"
)

// Labeller is the part of a [Store] that reads labels.
type Labeller interface {
	// Labels reads the labels of a resource, by name.
	Labels(ctx context.Context, id ID) ([]Label, error)
}

// LabelTx is the part of a [Tx] that changes labels. None of them makes a version or changes an entity tag of the resource.
type LabelTx interface {
	// Labels reads the labels of a resource, by name. Those set by this transaction have no position of the change log yet.
	Labels(id ID) ([]Label, error)
	// SetLabel makes a label of r point at version n, from wherever it pointed.
	SetLabel(r Resource, name string, n int64) (Label, error)
	// RemoveLabel takes a label of r away.
	RemoveLabel(r Resource, name string) error
}

// Retainer is the part of a [Store] that keeps rules of retention and applies them.
type Retainer interface {
	// Retentions reads the rules of those of the collections that have one.
	Retentions(ctx context.Context, ids []ID) (map[ID]Retention, error)

	// ApplyRetention removes the versions that the rules do not keep at op.At, in many small transactions, and then the contents and metadata
	// that no version names any more. Only one process at a time does this on a database; others are told Busy.
	ApplyRetention(ctx context.Context, op Op) (RetentionReport, error)

	// PreviewRetention tells what a run at op.At would remove if the collection rule.Resource had that rule. It changes nothing, and looks at some hundred
	// resources at most.
	PreviewRetention(ctx context.Context, op Op, rule Retention) (RetentionPreview, error)

	// RemoveVersion runs a change, as Update does, which may call remove once: that removes version n of r, which is not the current one.
	// [CodeNotFound] when there is none, [CodeConflict] when a checkpoint needs it. Labels are the caller's business.
	RemoveVersion(ctx context.Context, op Op, change func(tx Tx, remove func(r Resource, n int64) error) error) (Seq, error)
}

// RetentionTx is the part of a [Tx] that changes rules of retention.
type RetentionTx interface {
	// Retention reads the rule of a collection; zero when it has none.
	Retention(id ID) (Retention, error)
	// SetRetention replaces the rule of a collection; a zero one removes it.
	SetRetention(r Resource, rule Retention) (Retention, error)
}

// Historian is the part of a [Store] that tells of past states. A state is that after a position of the change log; one beyond the log is
// [CodeInvalid], one that retention has removed [CodeGone].
type Historian interface {
	// SeqAt gives the last position that the log reached by a time; 0 before the first one. Times are those of the nodes that made the changes, so
	// changes within the differences between their clocks may count on the wrong side.
	SeqAt(ctx context.Context, t time.Time) (int64, error)

	// GetAt reads what was at p; [CodeNotFound] when nothing was. Gen is 0, and Seq the position asked for.
	GetAt(ctx context.Context, p Path, seq int64) (Resource, error)

	// ChildrenAt reads children that a collection had, in order of their names (by bytes), after the given one. Next is where to go on, "" at
	// the end. It looks at no more than about limit names, so a page may have fewer entries, even none, and still have a Next.
	ChildrenAt(ctx context.Context, parent Resource, seq int64, after string, limit int) (list []Resource, next string, err error)

	// Checkpoints reads the checkpoints of a collection, by name.
	Checkpoints(ctx context.Context, id ID) ([]Checkpoint, error)

	// RestoreTree runs a change, as Update does, which may call restore once: that makes the collection at r.Path, with all below it, what was
	// there at a position.
	RestoreTree(ctx context.Context, op Op, r TreeRestore, change func(tx Tx, restore func() (TreeRestored, error)) error) (Seq, error)
}

// CheckpointTx is the part of a [Tx] that changes checkpoints.
type CheckpointTx interface {
	// Checkpoints reads the checkpoints of a collection, by name.
	Checkpoints(id ID) ([]Checkpoint, error)
	// SetCheckpoint adds a checkpoint to r: of the position in c, which must not be beyond the log, or, where that is 0, of this change.
	SetCheckpoint(r Resource, c Checkpoint) (Checkpoint, error)
	// RemoveCheckpoint takes a checkpoint of r away.
	RemoveCheckpoint(r Resource, name string) error
}
