package accesslog

import (
	"bytes"
	"time"
)

// reporter remembers what was told about losses. Only the goroutine of run uses it.
type reporter struct {
	dropped uint64 // told so far
	last    time.Time
	cause   error // of the last failed write, until it is told
	torn    bool  // the writer stopped in the middle of a line
}

// run writes until Close. It is the only one that calls the writer.
func (l *Log) run() {
	defer close(l.done)
	tick := time.NewTicker(l.flushEvery)
	defer tick.Stop()
	var told reporter
	for {
		select {
		case <-tick.C:
			l.drain(&told)
		case <-l.wake:
			l.drain(&told)
		case written := <-l.flush:
			l.drain(&told)
			close(written)
		case <-l.stop:
			l.drain(&told)
			l.report(&told)
			return
		}
		if time.Since(told.last) >= warnEvery {
			l.report(&told)
		}
	}
}

// drain writes both halves as they are now. It does not go on for as long as there is something, which under load would be one write for every record.
func (l *Log) drain(told *reporter) {
	for range 2 {
		half := l.take()
		if half == nil {
			return
		}
		l.write(half, told)
		l.mu.Lock()
		l.free = half[:0]
		l.mu.Unlock()
	}
}

// take gives the half that is to be written next, or nil.
func (l *Log) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	half := l.full
	switch {
	case half != nil:
		l.full = nil
	case len(l.line.buf) > 0:
		half = l.line.buf
		l.line.buf, l.free = l.free, nil
	}
	return half
}

// write writes whole lines, and counts those that the writer did not take.
func (l *Log) write(lines []byte, told *reporter) {
	if told.torn {
		if _, err := l.w.Write([]byte{'\n'}); err != nil {
			l.lost(lines, err, told)
			return
		}
		told.torn = false
	}
	n, err := l.w.Write(lines)
	if err != nil {
		n = min(max(n, 0), len(lines))
		told.torn = n > 0 && lines[n-1] != '\n'
		l.lost(lines[n:], err, told)
	}
}

func (l *Log) lost(lines []byte, err error, told *reporter) {
	l.failures.Add(1)
	l.dropped.Add(uint64(bytes.Count(lines, []byte{'\n'})))
	told.cause = err
}

// report warns of the records that were lost since the last warning, if any.
func (l *Log) report(told *reporter) {
	dropped := l.dropped.Load()
	if dropped == told.dropped {
		return
	}
	if told.cause != nil {
		l.log.Warn("access log lost records, its writer fails", "records", dropped-told.dropped, "error", told.cause)
	} else {
		l.log.Warn("access log lost records, its writer is too slow", "records", dropped-told.dropped)
	}
	told.dropped, told.last, told.cause = dropped, time.Now(), nil
}
