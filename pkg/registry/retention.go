package registry

import "time"

// Retention is how long a collection keeps old versions: its own, and those of what lies in it, down to collections that have a rule of their
// own. A version goes when no part of the rule keeps it. The current version, those that labels point at, and those that were current at a
// checkpoint of a collection above are always kept. The zero value is no rule: everything is kept.
type Retention struct {
	Resource ID    // the collection
	KeepLast int64 // so many of the newest versions are kept; 0: none for their number
	KeepDays int64 // those that were current within the last so many days are kept; 0: none for their age
	SetAt    time.Time
	SetBy    string
	Seq      Seq // the change that set it
}

// IsZero tells whether r is no rule.
func (r Retention) IsZero() bool { return r.KeepLast == 0 && r.KeepDays == 0 }

// ETag is the strong entity tag of the rule, with its quotes; "" for no rule.
func (r Retention) ETag() string {
	if r.IsZero() {
		return ""
	}
	return entityTag(r.Resource, r.KeepLast, r.KeepDays, r.Seq.N)
}

// check tells which field breaks which limit.
func (r Retention) check() error {
	switch {
	case r.KeepLast < 0 || r.KeepLast > MaxKeepLast:
		return Errorf(CodeInvalid, "keep_last is %d; it must be from 0 to %d", r.KeepLast, MaxKeepLast)
	case r.KeepDays < 0 || r.KeepDays > MaxKeepDays:
		return Errorf(CodeInvalid, "keep_days is %d; it must be from 0 to %d", r.KeepDays, MaxKeepDays)
	case r.IsZero():
		return Errorf(CodeInvalid, "keep_last and keep_days are both 0; to keep everything, remove the rule")
	}
	return nil
}

// RetentionReport tells what a run of retention did to one store.
type RetentionReport struct {
	Store    string
	Busy     bool  // another node is at it; nothing was done
	Versions int64 // removed
	Contents int64 // removed, with metadata that nothing names any more
}

// RetentionPreview tells what a rule of retention would remove.
type RetentionPreview struct {
	Looked   int   // resources and collections with older versions that were looked at
	Versions int64 // of theirs that would be removed
	Whole    bool  // that is all; else there are more than were looked at
}
