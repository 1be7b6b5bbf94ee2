package lb

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// HealthSpec is how a pool judges the health of its members. With the zero value they are not checked, and only what requests meet
// counts: a refused connection, and broken answers.
type HealthSpec struct {
	Interval time.Duration // between two checks of a member; 0 = members are not checked
	Timeout  time.Duration // of a check; not above Interval
	Fall     int           // so many failed checks in a row take a member out of use; a refused connection does it alone
	Rise     int           // so many passed checks in a row bring it back
	// Path is asked for on members that announce none; "" = that a connection is taken is enough.
	Path   string
	Status StatusRange // of a good answer
	// MaxTimeouts and MaxErrors eject a member after so many requests in a row that it did not answer in time, or answered with 502, 503 or
	// 504; 0 = never.
	MaxTimeouts, MaxErrors int
}

// DefaultHealth gives what the load balancer's configuration holds where nothing else is written.
func DefaultHealth() HealthSpec {
	return HealthSpec{
		Interval: time.Second, Timeout: 500 * time.Millisecond, Fall: 2, Rise: 2,
		Status: StatusRange{http.StatusOK, 299}, MaxTimeouts: 5, MaxErrors: 10,
	}
}

// checked reports whether members are checked at all.
func (s *HealthSpec) checked() bool { return s.Interval > 0 }

// soon is the time between two checks while something is in doubt.
func (s *HealthSpec) soon() time.Duration { return s.Interval / 4 }

// promptly is the time between two checks that others ask for, which may be lying.
func (s *HealthSpec) promptly() time.Duration { return min(s.Interval/20, 50*time.Millisecond) }

// patience is how long a request waits until a check looks whether its member is still there.
func (s *HealthSpec) patience() time.Duration { return s.Timeout / 4 }

// limit is how many offences in a row eject a member; 0 = none.
func (s *HealthSpec) limit(o offence) int {
	switch o {
	case offenceConnect:
		return 1 // it needs no second opinion
	case offenceBreak:
		return resetsToEject
	case offenceTimeout:
		return s.MaxTimeouts
	case offenceError:
		return s.MaxErrors
	}
	return 0
}

// check tells what is wrong with a specification.
func (s *HealthSpec) check() error {
	if s.MaxTimeouts < 0 || s.MaxErrors < 0 {
		return errors.New("health: a negative limit")
	}
	if s.Interval == 0 {
		return nil
	}
	switch {
	case s.Interval < 0 || s.Timeout <= 0 || s.Timeout > s.Interval:
		return fmt.Errorf("health: a timeout of %s every %s", s.Timeout, s.Interval)
	case s.Fall < 1 || s.Rise < 1:
		return fmt.Errorf("health: fall %d and rise %d; both must be at least 1", s.Fall, s.Rise)
	case s.Status.From < 200 || s.Status.To > 599 || s.Status.From > s.Status.To:
		return fmt.Errorf("health: status %s", s.Status)
	case s.Path != "":
		return CheckProbePath(s.Path)
	}
	return nil
}

// StatusRange is the status codes from From to To.
type StatusRange struct{ From, To int }

// String writes the range as the configuration does.
func (r StatusRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// ParseStatusRange reads "200" or "200-399": final status codes of HTTP.
func ParseStatusRange(s string) (StatusRange, error) {
	low, high, ranged := strings.Cut(s, "-")
	if !ranged {
		high = low
	}
	from, err1 := strconv.Atoi(strings.TrimSpace(low))
	to, err2 := strconv.Atoi(strings.TrimSpace(high))
	if errors.Join(err1, err2) != nil || from < 200 || to > 599 || from > to {
		return StatusRange{}, fmt.Errorf("%q is no status code from 200 to 599, and no range of them such as 200-399", s)
	}
	return StatusRange{from, to}, nil
}
