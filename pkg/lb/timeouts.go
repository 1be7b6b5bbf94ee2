package lb

import (
	"slices"
	"time"
)

// Timeouts bounds every wait of the request path. A zero field means its default; none can be infinite.
type Timeouts struct {
	Connect        time.Duration // TCP and TLS to a member; default 2s
	ResponseHeader time.Duration // from the end of the request to the member's answer head; default 60s
	// MemberIdle closes unused connections to members; default 20s. It must be shorter than the members'
	// own idle timeout, or a request meets a connection that is just being closed.
	MemberIdle  time.Duration
	Body        time.Duration // between two pieces of a body, from client or to member; default 60s
	Stream      time.Duration // between two pieces of a member's answer; default 5m
	Write       time.Duration // for the client to take a piece of the answer; default 60s
	UpgradeIdle time.Duration // of a websocket without any traffic; default 1h
}

// withDefaults fills in the fields that are zero.
func (t Timeouts) withDefaults() Timeouts {
	d := DefaultTimeouts()
	for _, f := range []struct{ have, use *time.Duration }{
		{&t.Connect, &d.Connect},
		{&t.ResponseHeader, &d.ResponseHeader},
		{&t.MemberIdle, &d.MemberIdle},
		{&t.Body, &d.Body},
		{&t.Stream, &d.Stream},
		{&t.Write, &d.Write},
		{&t.UpgradeIdle, &d.UpgradeIdle},
	} {
		if *f.have <= 0 {
			*f.have = *f.use
		}
	}
	return t
}

// DefaultTimeouts gives the timeouts that hold where nothing else is configured.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Connect:        2 * time.Second,
		ResponseHeader: time.Minute,
		MemberIdle:     20 * time.Second,
		Body:           time.Minute,
		Stream:         5 * time.Minute,
		Write:          time.Minute,
		UpgradeIdle:    time.Hour,
	}
}

// all gives the timeouts.
func (t *Timeouts) all() []time.Duration {
	return []time.Duration{t.Connect, t.ResponseHeader, t.MemberIdle, t.Body, t.Stream, t.Write, t.UpgradeIdle}
}

// tickFor is how often deadlines are looked at: often enough for the shortest of these times.
func tickFor(times []time.Duration) time.Duration {
	return max(min(slices.Min(times)/8, 250*time.Millisecond), 2*time.Millisecond)
}
