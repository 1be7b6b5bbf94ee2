package accesslog

import (
	"strconv"
	"time"
)

// clock writes times. The text of a second and of its time zone is made once and used for all requests of that second; there is room for
// several seconds, since requests that end together may have begun apart.
type clock struct {
	json    bool
	seconds [8]second
}

type second struct {
	unix   int64
	in     *time.Location
	prefix []byte // up to the second
	zone   []byte // with JSON, what follows the fraction
}

// append writes t as "2006-01-02 15:04:05.000", or with JSON by RFC 3339 with nanoseconds.
func (c *clock) append(dst []byte, t time.Time) []byte {
	unix, in := t.Unix(), t.Location()
	s := &c.seconds[uint64(unix)%uint64(len(c.seconds))]
	if s.unix != unix || s.in != in {
		s.unix, s.in = unix, in
		layout := time.DateTime
		if c.json {
			layout = "2006-01-02T15:04:05"
			s.zone = t.AppendFormat(s.zone[:0], "Z07:00")
		}
		s.prefix = t.AppendFormat(s.prefix[:0], layout)
	}
	dst = append(append(dst, s.prefix...), '.')
	if c.json {
		dst = appendPadded(dst, t.Nanosecond(), 9)
		return append(dst, s.zone...)
	}
	return appendPadded(dst, t.Nanosecond()/int(time.Millisecond), 3)
}

// appendPadded writes n with leading zeros; it has no more than the given number of digits.
func appendPadded(dst []byte, n, digits int) []byte {
	start := len(dst)
	for range digits {
		dst = append(dst, '0')
	}
	for i := start + digits - 1; n > 0 && i >= start; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// appendDuration writes d as time.Duration.String does; from a millisecond on it drops what is below a microsecond.
func appendDuration(dst []byte, d time.Duration) []byte {
	switch {
	case d < 0 || d >= time.Minute: // none, or so long that it may cost an allocation
		return append(dst, d.Truncate(time.Microsecond).String()...)
	case d == 0:
		return append(dst, "0s"...)
	case d < time.Microsecond:
		return append(strconv.AppendInt(dst, int64(d), 10), "ns"...)
	case d < time.Millisecond:
		return append(appendDecimal(dst, int(d), 3), "µs"...)
	case d < time.Second:
		return append(appendDecimal(dst, int(d/time.Microsecond), 3), "ms"...)
	}
	return append(appendDecimal(dst, int(d/time.Microsecond), 6), 's')
}

// appendDecimal writes n divided by ten to the power of places, without zeros at the end.
func appendDecimal(dst []byte, n, places int) []byte {
	unit := 1
	for range places {
		unit *= 10
	}
	dst = strconv.AppendInt(dst, int64(n/unit), 10)
	fraction := n % unit
	if fraction == 0 {
		return dst
	}
	for fraction%10 == 0 {
		fraction /= 10
		places--
	}
	return appendPadded(append(dst, '.'), fraction, places)
}
