package wire

// Due times: how waits are bounded without a timer for each of them.

import (
	"sync/atomic"
	"time"
)

const (
	stoppedNow   = -1 // a due time that has passed and did its work
	closedInPark = -1
	unknown      = -1 // how much was acknowledged
)

// longAgo as a deadline makes pending and later operations of a socket fail at once.
func longAgo() time.Time { return time.Unix(1, 0) }

// limit is the due time of one direction.
type limit struct {
	due     atomic.Int64 // of the watch's clock; 0 none, stoppedNow after it passed
	every   atomic.Int64 // what was last given, to be given again on progress
	waiting atomic.Bool  // somebody waits in the kernel
}

// by sets the due time d from now.
func (l *limit) by(w *Watch, d time.Duration) {
	l.every.Store(int64(d))
	l.set(w, int64(d))
}

// again gives the last due time anew: bytes have moved.
func (l *limit) again(w *Watch) { l.set(w, l.every.Load()) }

func (l *limit) set(w *Watch, d int64) {
	next := int64(0)
	if d > 0 {
		next = w.Due(time.Duration(d))
	}
	for {
		old := l.due.Load()
		if old == next || old == stoppedNow || l.due.CompareAndSwap(old, next) {
			return
		}
	}
}

// late reports a due time that has passed.
func (l *limit) late(now int64) (due int64, late bool) {
	due = l.due.Load()
	return due, due > 0 && due <= now
}

// ReadBy bounds reading: d from now, 0 for no bound. A read that waits when the time has passed, or that begins later, fails with
// os.ErrDeadlineExceeded, and so do all after it until Revive. The time that passes while nobody reads does no harm if a new one is
// given before the next read. It takes a few nanoseconds; the precision is that of the watch.
func (c *Conn) ReadBy(d time.Duration) { c.in.by(c.watch, d) }

// WriteBy bounds writing as ReadBy does reading. Progress counts: while a Write or a Splice gets bytes away, its due time moves on.
// Under TLS a Write that failed cannot be mended by Revive.
func (c *Conn) WriteBy(d time.Duration) { c.out.by(c.watch, d) }

// Revive clears both due times, the other direction's too, and takes back an expiry or an Interrupt, so that a last answer can be written.
func (c *Conn) Revive() {
	c.stop.Lock()
	defer c.stop.Unlock()
	for _, l := range []*limit{&c.in.limit, &c.out.limit} {
		l.every.Store(0)
		l.due.Store(0)
	}
	if c.stopped {
		c.stopped = false
		_ = c.tcp.SetDeadline(time.Time{}) // fails only when the connection is closed
	}
}

// Interrupt makes the pending read and those after it fail with os.ErrDeadlineExceeded, until Revive.
func (c *Conn) Interrupt() {
	c.stop.Lock()
	defer c.stop.Unlock()
	c.in.due.Store(stoppedNow)
	c.stopped = true
	_ = c.tcp.SetReadDeadline(longAgo()) // fails only when the connection is closed
}

// GiveUpIf has the watch ask, at every tick while a read waits, whether waiting has become pointless. When lost says so, reading is
// stopped as by Interrupt. lost must be quick; it is not called any more after GiveUpIf(nil) has returned. The result tells whether
// reading has been stopped, by lost or otherwise.
func (c *Conn) GiveUpIf(lost func() bool) (stopped bool) {
	c.stop.Lock()
	defer c.stop.Unlock()
	c.lost = lost
	return c.stopped
}

// giveUp stops reading if it has become pointless.
func (c *Conn) giveUp() {
	c.stop.Lock()
	defer c.stop.Unlock()
	if c.lost != nil && c.lost() {
		c.in.due.Store(stoppedNow)
		c.stopped = true
		_ = c.tcp.SetReadDeadline(longAgo()) // fails only when the connection is closed
	}
}

// Reconsider has what GiveUpIf was given asked now rather than at the next tick, if a read waits. It may be called by anybody.
func (c *Conn) Reconsider() {
	if c.in.waiting.Load() {
		c.giveUp()
	}
}

// expireRead stops reading, unless its due time was moved on meanwhile.
func (c *Conn) expireRead(due int64) {
	c.stop.Lock()
	defer c.stop.Unlock()
	if c.in.due.CompareAndSwap(due, stoppedNow) {
		c.stopped = true
		_ = c.tcp.SetReadDeadline(longAgo()) // fails only when the connection is closed
	}
}

// expireWrite stops writing, unless its due time was moved on meanwhile.
func (c *Conn) expireWrite(due int64) {
	c.stop.Lock()
	defer c.stop.Unlock()
	if c.out.due.CompareAndSwap(due, stoppedNow) {
		c.stopped = true
		_ = c.tcp.SetWriteDeadline(longAgo()) // fails only when the connection is closed
	}
}

// Park says that the connection lies unused in a pool. When d has passed the watch closes it and calls gone, which must be quick and
// may be nil. Nothing may be done with a parked connection but Unpark and Close. d must be above 0.
func (c *Conn) Park(d time.Duration, gone func()) {
	c.ReadBy(0)
	c.WriteBy(0)
	c.gone = gone
	c.parked.Store(c.watch.Due(d))
}

// Unpark takes the connection back into use. It reports false if it was closed meanwhile.
func (c *Conn) Unpark() bool {
	for {
		due := c.parked.Load()
		if due == closedInPark || c.Closed() {
			return false
		}
		if c.parked.CompareAndSwap(due, 0) {
			c.gone = nil
			return true
		}
	}
}

// sweepWrite looks after a write that waits. The socket wakes its writer only when a good part of its buffer is free, which can be
// megabytes; a slow peer that takes them steadily must not be cut off before. So what it has acknowledged counts as progress too.
func (c *Conn) sweepWrite(now int64) {
	if !c.out.waiting.Load() {
		c.acked = unknown
		return
	}
	due, late := c.out.late(now)
	if !late && c.acked != unknown {
		return
	}
	before := c.acked
	c.acked = c.acknowledged()
	switch {
	case !late:
	case before != unknown && c.acked > before:
		c.out.again(c.watch)
	default:
		c.expireWrite(due)
	}
}

// sweep is the watch's look at the connection.
func (c *Conn) sweep(now int64) {
	if due := c.parked.Load(); due > 0 {
		if due <= now && c.parked.CompareAndSwap(due, closedInPark) {
			_ = c.Close() // the peer may have closed it long ago
			if c.gone != nil {
				c.gone()
			}
		}
		return
	}
	if c.in.waiting.Load() {
		if due, late := c.in.late(now); late {
			c.expireRead(due)
		}
		c.giveUp()
	}
	c.sweepWrite(now)
}
