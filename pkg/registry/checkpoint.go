package registry

import "time"

// Checkpoint is a state of a collection, with all below it, that has a name. Retention keeps the versions that it needs.
type Checkpoint struct {
	Resource ID
	Name     string
	Seq      Seq // the position of the change log whose state it is
	Comment  string
	SetAt    time.Time
	SetBy    string
}

// ETag is the strong entity tag of the checkpoint, with its quotes.
func (c Checkpoint) ETag() string { return entityTag(c.Resource, c.Seq.N, c.SetAt.UnixMicro()) }

// TreeRestore says what a collection is to become.
type TreeRestore struct {
	Path    Path  // of the collection, in the store
	Seq     int64 // the position whose state it takes
	Limit   int   // nodes that may be looked at; more are CodeTooLarge
	Comment string
}

// TreeRestored tells what a restore of a collection did.
type TreeRestored struct {
	Resource Resource // the collection
	Revised  int      // resources and collections that got a new version
	Returned int      // that came back from the trash
	Created  int      // that were made again
	Removed  int      // that went to the trash, each with all below it
	Seq      Seq
}

func findCheckpoint(list []Checkpoint, name string) *Checkpoint {
	for _, c := range list {
		if c.Name == name {
			return &c
		}
	}
	return nil
}

func noCheckpoint(p Path, name string) error {
	return Errorf(CodeNotFound, "%s has no checkpoint %q", p, name)
}
