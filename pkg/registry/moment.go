package registry

import (
	"strconv"
	"strings"
	"time"
)

// Moment names a past state of a store: by a position of its change log, or by a time. The zero value names none.
type Moment struct {
	Seq  int64  // the state after that change; 0 with a zero Time for no moment
	Name string // of the store that Seq is of; "" for the one that is asked
	Time time.Time
}

// IsZero tells whether m names no moment.
func (m Moment) IsZero() bool { return m.Seq == 0 && m.Time.IsZero() }

// String writes m as [ParseMoment] reads it.
func (m Moment) String() string {
	switch {
	case !m.Time.IsZero():
		return m.Time.Format(time.RFC3339Nano)
	case m.Name != "":
		return m.Name + ":" + strconv.FormatInt(m.Seq, 10)
	}
	return strconv.FormatInt(m.Seq, 10)
}

// ParseMoment reads a position ("4711", or "shared:4711" as answers have it) or a time of RFC 3339. Its error has [CodeInvalid].
func ParseMoment(s string) (Moment, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return Moment{Time: t}, nil
	}
	digits, name := s, ""
	if i := strings.LastIndexByte(s, ':'); i > 0 {
		name, digits = s[:i], s[i+1:]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 1 {
		return Moment{}, Errorf(CodeInvalid,
			"at is %q; it must be a position of the change log from 1 on, with or without the name of its store, or a time such as 2026-01-31T12:00:00Z",
			firstRunes(s, 60))
	}
	return Moment{Seq: n, Name: name}, nil
}
