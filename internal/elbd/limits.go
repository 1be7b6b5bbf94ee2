package elbd

import (
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// Limits is the limits block at the top.
type Limits struct {
	MaxInFlight int `yaml:"max_in_flight"` // requests that this ELB carries at once; 0: no limit
}

// PoolLimits is the limits block of a domain or sub-domain.
type PoolLimits struct {
	MaxInFlight int   `yaml:"max_in_flight"` // requests that each member is given at once; 0: no limit
	Queue       Queue `yaml:"queue"`         // for requests that find all members at their limits
}

// Queue is where requests wait for room at a member.
type Queue struct {
	Length int           `yaml:"length"` // how many may wait; 100 when not set
	Time   time.Duration `yaml:"time"`   // how long each may; 1s when not set
}

// Retry is a retry block.
type Retry struct {
	TryTimeout time.Duration `yaml:"try_timeout"` // how long an attempt may take to the first byte of its answer while another member can be asked; 0s: it is waited for
	Hedge      bool          `yaml:"hedge"`       // whether a GET that takes longer goes on at its member beside the attempt at the other one
}

func (l Limits) validate(d *daemon.Document) []error {
	if l.MaxInFlight < 0 {
		return []error{d.Fault("limits.max_in_flight", "is %d; it must not be negative; 0 is no limit", l.MaxInFlight)}
	}
	return nil
}

// spec reads a limits block, with a fault for whatever cannot be meant.
func (l *PoolLimits) spec(d *daemon.Document, key string) (lb.LimitSpec, []error) {
	var faults []error
	fault := func(name, format string, args ...any) {
		faults = append(faults, d.Fault(key+"."+name, format, args...))
	}
	s := lb.LimitSpec{MaxInFlight: l.MaxInFlight, QueueLength: l.Queue.Length, QueueTime: l.Queue.Time}
	if l.MaxInFlight < 0 {
		fault("max_in_flight", "is %d; it must not be negative; 0 is no limit", l.MaxInFlight)
	}
	if l.MaxInFlight == 0 {
		if d.IsSet(key + ".queue") {
			fault("queue", "is never used without max_in_flight; set that too")
		}
		return lb.LimitSpec{}, faults
	}
	if !d.IsSet(key + ".queue.length") {
		s.QueueLength = lb.DefaultQueueLength
	}
	if !d.IsSet(key + ".queue.time") {
		s.QueueTime = lb.DefaultQueueTime
	}
	if s.QueueLength < 0 || s.QueueLength > maxQueue {
		fault("queue.length", "is %d; it must be from 0, which is no queue, to %d", s.QueueLength, maxQueue)
	}
	if s.QueueTime < time.Millisecond || s.QueueTime > maxQueueTime {
		fault("queue.time", "is %s; it must be from 1ms to %s", s.QueueTime, maxQueueTime)
	}
	return s, faults
}

// Bounds of a queue. It is to bridge moments: those who wait longer had better be told.
const (
	maxQueue     = 10_000 // each place that is given back looks at those who wait for a member of their own
	maxQueueTime = time.Minute
)

// limits reads how much the members of a pool are given at once. A block that several pools share is blamed once.
func (b *specBuilder) limits(s poolSource) lb.LimitSpec {
	if s.limits == nil {
		return lb.LimitSpec{}
	}
	spec, faults := s.limits.spec(b.doc, s.limitsKey)
	if !b.checked[s.limitsKey] {
		b.checked[s.limitsKey] = true
		b.faults = append(b.faults, faults...)
	}
	return spec
}

// minTryTimeout is the shortest time of an attempt: the watch over all connections looks eight times as often.
const minTryTimeout = 20 * time.Millisecond

// retry reads when requests of a pool are sent once more.
func (b *specBuilder) retry(s poolSource) lb.RetrySpec {
	if s.retry == nil {
		return lb.RetrySpec{}
	}
	try := s.retry.TryTimeout
	if !b.checked[s.retryKey] {
		b.checked[s.retryKey] = true
		if try != 0 && try < minTryTimeout {
			b.fault(s.retryKey+".try_timeout", "is %s; it must be at least %s, or 0s for none", try, minTryTimeout)
		}
		if s.retry.Hedge && try == 0 {
			b.fault(s.retryKey+".hedge", "is never used without try_timeout, the time after which a second member is asked; set that too")
		}
	}
	return lb.RetrySpec{TryTimeout: try, Hedge: s.retry.Hedge}
}
