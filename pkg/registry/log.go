package registry

import (
	"context"
	"time"
)

// Log is the change log of a store, as the activity and watchers read it. Paths are the store's own.
type Log interface {
	// Head tells the newest position. It is read after the call began, so no write that was acknowledged before is missing.
	Head(ctx context.Context) (Position, error)

	// Moved gives a channel that is closed when this process next commits a change of the store, or learns of one. Anything may close it sooner; who
	// must not miss the changes of other nodes asks for the Head from time to time.
	Moved() <-chan struct{}

	// Events reads what follows a position, oldest first, up to about limit events. [CodeGone] with a [GoneError] when the log has not all of it any
	// more, or is another log than the one that the position is of.
	Events(ctx context.Context, after Position, limit int) (EventPage, error)

	// Activity reads what matches, newest first. A page may be short, or empty, and have a next one: the work for one page is bounded.
	Activity(ctx context.Context, q ActivityQuery) (ActivityPage, error)

	// Actions are the words that Event.Action can have, sorted.
	Actions() []string

	// NoteAccess stores accesses; they are in no log and need not survive a crash at once.
	NoteAccess(ctx context.Context, list []AccessEvent) error

	// Accesses reads up to limit accesses older than the one before (zero: from the newest), newest first.
	Accesses(ctx context.Context, before ID, limit int) ([]AccessEvent, error)
}

// EventPage is a piece of a log. Last is where it ends; More tells that there is more already.
type EventPage struct {
	Events []Event
	Last   Position
	More   bool
}

// ActivityQuery chooses events. Zero fields choose all.
type ActivityQuery struct {
	Under  Path // that path and all below, as paths were then
	Exact  bool // that path alone
	Node   ID   // what happened to that resource, wherever it was; then Under chooses nothing
	User   string
	Action string
	Since  time.Time // from then on
	Until  time.Time // before then
	From   int64     // from that operation on
	To     int64     // up to that operation
	Older  Position  // only events before it: the Next of the page before; zero for the newest
	Limit  int
}

// ActivityPage is a page of events, newest first. Next is zero at the end.
type ActivityPage struct {
	Events []Event
	Next   Position
}

// AccessKind says what an [AccessEvent] is.
type AccessKind uint8

// The kinds; the numbers are those in the stores.
const (
	AccessSignIn AccessKind = 1 // somebody opened a session
	AccessFailed AccessKind = 2 // credentials that are not right
	AccessDenied AccessKind = 3 // somebody asked for what they may not do
)

// String gives "sign_in", "failed" or "denied".
func (k AccessKind) String() string {
	switch k {
	case AccessSignIn:
		return "sign_in"
	case AccessFailed:
		return "failed"
	case AccessDenied:
		return "denied"
	}
	return "unknown"
}

// AccessEvent is a sign-in or a refusal. Several alike in a short time are one, with Times.
type AccessEvent struct {
	ID        ID // of time order
	Kind      AccessKind
	Times     int64
	At        time.Time // of the first
	User      string    // as the client said for AccessFailed
	Client    string
	Agent     string
	RequestID string // of the first
	Path      Path   // of AccessDenied
}
