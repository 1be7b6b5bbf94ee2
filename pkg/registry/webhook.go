package registry

import (
	"context"
	"time"
)

// Limits of webhooks.
const (
	MaxWebhooks      = 100  // of a registry
	MaxWebhookName   = 255  // characters
	MaxWebhookURL    = 2048 // bytes
	WebhookAnswerMax = 1024 // bytes of a receiver's answer that are kept
	// MaxDeliveries is how many deliveries of one webhook are kept, whatever their age.
	MaxDeliveries = 10_000
)

// Webhook tells another program what happens at a path and below: with one POST for each event, in the order of the change log, at least once.
// What its owner may not read at that time it does not tell.
type Webhook struct {
	ID        ID
	Name      string
	URL       string
	Path      Path     // of the registry
	Store     string   // whose change log it follows
	Actions   []string // those that it tells of; none means all
	Secret    WebhookSecret
	Enabled   bool
	Owner     ID // the account that made it
	OwnerName string
	Rev       int64 // grows with every change
	CreatedAt time.Time
	ChangedAt time.Time

	State WebhookState
}

// ETag is the strong entity tag of the webhook, with its quotes. Deliveries do not change it.
func (w Webhook) ETag() string { return entityTag(w.ID, w.Rev) }

// WebhookSecret is what deliveries are signed with. It writes itself as "[secret]" everywhere but in [WebhookSecret.Reveal].
type WebhookSecret string

const hiddenSecret = "[secret]"

// String hides the secret.
func (WebhookSecret) String() string { return hiddenSecret }

// GoString hides the secret.
func (WebhookSecret) GoString() string { return hiddenSecret }

// MarshalText hides the secret.
func (WebhookSecret) MarshalText() ([]byte, error) { return []byte(hiddenSecret), nil }

// Reveal gives the secret: "whsec_" and 32 random bytes in base64, as the Standard Webhooks have it.
func (s WebhookSecret) Reveal() string { return string(s) }

// WebhookState is how far a webhook has come.
type WebhookState struct {
	Rev      int64     // of this state
	Cursor   Position  // everything before was delivered, given up or not for it
	Waiting  ID        // the delivery of the event after that, when it was tried already; else zero
	Failures int       // how many tries in a row have failed
	Failing  time.Time // when the first of them was; zero while there are none
	Next     time.Time // no try before that
}

// DeliveryState is what has become of a [Delivery]. The numbers are those in the stores.
type DeliveryState uint8

// The states.
const (
	DeliveryWaiting DeliveryState = 1 // it failed, and is tried again
	DeliveryDone    DeliveryState = 2
	DeliveryFailed  DeliveryState = 3 // given up
)

// String gives "waiting", "delivered" or "failed".
func (s DeliveryState) String() string {
	switch s {
	case DeliveryWaiting:
		return "waiting"
	case DeliveryDone:
		return "delivered"
	case DeliveryFailed:
		return "failed"
	}
	return "unknown"
}

// DeliveryKind says why a [Delivery] is. The numbers are those in the stores.
type DeliveryKind uint8

// The kinds.
const (
	DeliveryEvent  DeliveryKind = 1 // something happened
	DeliveryResent DeliveryKind = 2 // somebody asked for it again
	DeliveryPing   DeliveryKind = 3 // a test
)

// String gives "event", "resent" or "ping".
func (k DeliveryKind) String() string {
	switch k {
	case DeliveryEvent:
		return "event"
	case DeliveryResent:
		return "resent"
	case DeliveryPing:
		return "ping"
	}
	return "unknown"
}

// Delivery is an entry of a webhook's log: something that was sent, or could not be.
type Delivery struct {
	ID       ID // of time order
	Webhook  ID
	Kind     DeliveryKind
	State    DeliveryState
	Event    Position // zero for a ping
	Action   string   // of the event; "ping" for a ping
	Path     Path     // of the event; "" for none
	Attempts int
	First    time.Time     // when it was tried first
	Last     time.Time     // and last
	Duration time.Duration // of the last try
	Status   int           // of the last answer; 0 when there was none
	Answer   string        // how its body begins, up to [WebhookAnswerMax] bytes
	Fault    string        // why the last try failed; "" when it did not
}

// WebhookStore keeps webhooks and their deliveries. It is a part of the store that has the users. Changes of webhooks are in its change log, deliveries are not.
type WebhookStore interface {
	// Webhooks reads all webhooks, by name, with their states.
	Webhooks(ctx context.Context) ([]Webhook, error)
	// AddWebhook stores one with a new id, and its state; [CodeConflict] when there are most of them already. A repeated request is [CodeConflict], since its secret is told
	// once.
	AddWebhook(ctx context.Context, op Op, w Webhook, most int) (Webhook, error)
	// ChangeWebhook puts what change makes of a webhook in its place, and its state where change made another one of that; [CodeNotFound] when there is none.
	// change may run several times.
	ChangeWebhook(ctx context.Context, op Op, id ID, change func(Webhook) (Webhook, error)) error
	// DeleteWebhook removes one with its deliveries; [CodeNotFound] when there is none. check may refuse it.
	DeleteWebhook(ctx context.Context, op Op, id ID, check func(Webhook) error) error

	// NoteDelivery stores a delivery, unless it has no id, and, where next is not nil, the webhook's next state: both, if the state is still of that revision, or nothing, and then it tells false.
	// It tells false, and stores nothing, when the webhook is gone.
	NoteDelivery(ctx context.Context, d Delivery, webhook ID, rev int64, next *WebhookState) (bool, error)
	// Deliveries reads up to limit deliveries of a webhook older than the one before (zero: from the newest), newest first.
	Deliveries(ctx context.Context, webhook, before ID, limit int) ([]Delivery, error)
	// Delivery reads one; [CodeNotFound] when it is not there, or not any more.
	Delivery(ctx context.Context, webhook, id ID) (Delivery, error)
	// PruneDeliveries removes deliveries of a webhook that began before then, and all but the newest keep. One that waits stays.
	PruneDeliveries(ctx context.Context, webhook ID, before time.Time, keep int) (int64, error)

	// Moved is that of [Log].
	Moved() <-chan struct{}

	// HoldWebhooks makes holder the one who delivers, for some time by the clock of the database, if it is so already or nobody is; else it tells false.
	HoldWebhooks(ctx context.Context, holder ID, d time.Duration) (bool, error)
	// LeaveWebhooks lets another one deliver at once.
	LeaveWebhooks(ctx context.Context, holder ID) error
}

// WebhookMessage is one POST to a receiver.
type WebhookMessage struct {
	URL    string
	Secret WebhookSecret
	ID     string // the same for every try: receivers know by it what they have already
	At     time.Time
	Body   []byte
}

// WebhookAnswer is what came of it. Err is why there was no answer.
type WebhookAnswer struct {
	Status     int
	Body       []byte // how it begins, up to [WebhookAnswerMax] bytes
	Duration   time.Duration
	RetryAfter time.Duration // as the receiver asks; 0 when it does not
	Err        error
}

// WebhookSender sends messages. Safe for concurrent use.
type WebhookSender interface {
	// CheckURL tells what is wrong with an address, as far as can be told without asking for names; [CodeInvalid].
	CheckURL(address string) error
	Send(ctx context.Context, m WebhookMessage) WebhookAnswer
}

// WebhookObserver is told of deliveries, for metrics. Safe for concurrent use.
type WebhookObserver interface {
	// Delivered is called after each try. result is "delivered", "retry" or "failed".
	Delivered(result string, d time.Duration)
	// Behind is called by the node that delivers, now and then: waiting is how many webhooks have something that is tried again, lag the age of the oldest event that was tried and not
	// delivered, operations how many of the change log the slowest webhook has not looked at. Zeros when the node stops to deliver.
	Behind(waiting int, lag time.Duration, operations int64)
}

// Webhooks is how a [Service] delivers. Zero durations are the defaults.
type Webhooks struct {
	Store    WebhookStore
	Sender   WebhookSender
	Shared   []string        // stores that all nodes have in common: others cannot be followed
	Observer WebhookObserver // may be nil
	GiveUp   time.Duration   // how long a receiver may fail until deliveries are given up; 24h
	Keep     time.Duration   // how long deliveries are kept; 30 days
	Lease    time.Duration   // how long the node that delivers may be silent until another one takes over; 15s
	Warn     func(ctx context.Context, what string, err error)
}

// The defaults of [Webhooks].
const (
	DefaultWebhookGiveUp = 24 * time.Hour
	DefaultWebhookKeep   = 30 * 24 * time.Hour
	DefaultWebhookLease  = 15 * time.Second
)

func (h Webhooks) withDefaults() Webhooks {
	if h.GiveUp <= 0 {
		h.GiveUp = DefaultWebhookGiveUp
	}
	if h.Keep <= 0 {
		h.Keep = DefaultWebhookKeep
	}
	if h.Lease <= 0 {
		h.Lease = DefaultWebhookLease
	}
	return h
}
