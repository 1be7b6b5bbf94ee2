package lb

import (
	"errors"
	"fmt"
	"time"
)

// How much a member is given at once. A pool whose members are all at their limit has requests wait in a line for a short time, and refuses what the line
// does not hold: an answer "try again" now is worth more than one that comes when nobody waits for it any more.

// LimitSpec is how much the members of a pool are given at once. The zero value is no limit.
type LimitSpec struct {
	MaxInFlight int // requests and tunnels of this process that may run on one member; 0 = no limit
	// QueueLength is how many requests may wait while every member that they could go to is at its limit; 0 = none, they are refused at once.
	QueueLength int
	QueueTime   time.Duration // how long each of them may wait; above 0 if QueueLength is
}

// The queue where a limit is configured and nothing else.
const (
	DefaultQueueLength = 100
	DefaultQueueTime   = time.Second
)

// check tells what is wrong with a specification.
func (s LimitSpec) check() error {
	switch {
	case s.MaxInFlight < 0 || s.QueueLength < 0 || s.QueueTime < 0:
		return errors.New("a limit must not be negative")
	case s.QueueLength > 0 && s.QueueTime == 0:
		return fmt.Errorf("a queue of %d without a time is none", s.QueueLength)
	}
	return nil
}

// full reports whether the member may get no more requests now.
func (t *Target) full() bool { return t.limit > 0 && t.load.inFlight.Load() >= t.limit }

// shedReason is why a request was refused for want of room; its words are label values of metrics.
type shedReason uint8

const (
	shedNone     shedReason = iota
	shedFull                // all members were at their limits, and the queue had no room either
	shedTime                // it waited in the queue for as long as it may
	shedInFlight            // this process carries as many requests as it may
	shedReasons
)

func shedLabels() [shedReasons]string {
	return [...]string{"", "queue_full", "queue_time", "max_in_flight"}
}

// String gives the word that metrics and logs use; "" for shedNone.
func (r shedReason) String() string { return shedLabels()[r] }

// seize chooses a member that has room, and counts the request there; nil if there is none, when x.choice.full tells whether room is all that is missing.
func (x *exchange) seize() *Target {
	for {
		t := x.pick()
		if t == nil || t.load.begin(t.limit) {
			return t
		}
		// Another request took the last place, so this loop ends when members are full, at the latest.
	}
}

// choose gives the member for the next attempt, and counts the attempt there. It may wait for a place. nil: nobody can be asked; x.shed tells if that is for want
// of room, x.result if it is because the client left.
func (x *exchange) choose() *Target {
	line := x.pool.line
	x.shed = shedNone
	if x.aside != nil {
		return x.chooseBeside()
	}
	x.loyal = x.pool.limits.QueueLength > 0
	again := x.result.Kept
	if !x.loyal || again || line.waiting.Load() == 0 { // else it is not its turn
		if t := x.seize(); t != nil {
			return t
		}
		if again && x.target.load.begin(x.target.limit) {
			return x.target // nobody else can be had, and what failed was perhaps only an old connection
		}
		if !x.choice.full {
			return nil
		}
	}
	if !x.loyal {
		x.pool.metrics.limitHits.Inc()
		x.shed = shedFull
		return nil
	}
	return line.wait(x)
}
