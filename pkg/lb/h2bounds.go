package lb

// What bounds the work that a client can make without getting anything done.

import (
	"time"
)

// patience is how many frames a client may send that bring nothing on, but make work: resets, pings, settings, frames for streams that
// are over. Clients do that now and then, and attacks on HTTP/2 consist of it (CVE-2019-9511 to 9518, CVE-2023-44487, CVE-2025-8671).
// It comes back with time, and with what is useful, content and answers: some clients send a ping with every round trip, and a proxy in
// front of us gives up as many requests as its clients do.
type patience struct {
	left  int64
	since int64 // on the watch's clock: when left was last looked at
}

const (
	patienceMost    = 1000
	patienceRegains = int64(time.Second / 100) // the time in which one comes back
)

func newPatience(now int64) patience { return patience{left: patienceMost, since: now} }

// spend takes one, and reports false if none is left.
func (p *patience) spend(now int64) bool {
	if back := (now - p.since) / patienceRegains; back > 0 {
		p.left = min(p.left+back, patienceMost)
		p.since += back * patienceRegains
	}
	p.left--
	return p.left >= 0
}

// earn gives back what n useful things are worth.
func (p *patience) earn(n int) { p.left = min(p.left+int64(n), patienceMost) }

func (c *h2Conn) spend() error {
	if !c.patience.spend(c.proxy.watch.Now()) {
		return errCalm
	}
	return nil
}

// streamSet holds streams of a client, out of the last thousand or so that it began.
type streamSet struct {
	top  uint32 // the last one
	bits [16]uint64
}

// streamSetSize is how many of the last streams can be in a set.
const streamSetSize = 16 * 64

// reach says that the client began a stream.
func (s *streamSet) reach(stream uint32) {
	if stream-s.top >= 2*streamSetSize {
		s.bits = [16]uint64{}
	} else {
		for id := s.top + 1; id <= stream; id++ {
			s.bits[id/2/64%16] &^= 1 << (id / 2 % 64) // it stood for one that is forgotten now
		}
	}
	s.top = stream
}

func (s *streamSet) add(stream uint32) { s.bits[stream/2/64%16] |= 1 << (stream / 2 % 64) }

// has reports whether a stream is in the set. One that is too old is not.
func (s *streamSet) has(stream uint32) bool {
	return s.top-stream < 2*streamSetSize && s.bits[stream/2/64%16]&(1<<(stream/2%64)) != 0
}
