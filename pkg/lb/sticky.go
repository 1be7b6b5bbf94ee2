package lb

import (
	"bytes"
	"slices"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// stickiness is what the cookies of a request say about the member that it should go to, and what has to be done about that.
type stickiness struct {
	by        *affinity // of the pool; nil: it has none, and nothing is done
	ours      *Target   // whom our cookie names
	session   *Target   // whom the application's cookie names
	inSession bool      // the application's cookie is there
	named     bool      // some token was in order, whether its member is still there or not
	forged    bool      // some token was not
	renew     bool      // our cookie should be replaced by a newer one
	looked    int       // how many values were taken for tokens
	cuts      []cut
	token     affinityToken // the one at hand
	value     []byte        // of a field that is being written
}

// tokensMost bounds how many tokens of one request are looked at, and so what a hostile client costs. What comes after them goes to the
// member as it is.
const tokensMost = 8

// cut is a part of a Cookie field that the member does not get: value[from:to] of the field.
type cut struct {
	field, from, to int
	pair            bool // a whole cookie, with what parts it from the next one
}

func (s *stickiness) reset() {
	if s.by == nil {
		return
	}
	value := s.value[:0]
	if cap(value) > smallSize {
		value = nil // of an unusually long field
	}
	*s = stickiness{value: value, cuts: s.cuts[:0]}
}

// readSticky looks for tokens in the request's cookies. More than one Cookie field is not allowed (RFC 6265 section 5.4), but no harm.
func (x *exchange) readSticky() {
	s := &x.sticky
	s.by = x.pool.affinity
	if s.by == nil || x.req.Count(h1.Cookie) == 0 {
		return
	}
	for i := range x.req.Len() {
		if x.req.ID(i) != h1.Cookie {
			continue
		}
		value := x.req.Value(i)
		for from := 0; from < len(value); {
			to := len(value)
			if n := bytes.IndexByte(value[from:], ';'); n >= 0 {
				to = from + n
			}
			s.pair(i, value, from, to, x.choice.now)
			from = to + 1
		}
	}
}

// pair looks at one cookie, value[from:to] of a field. Quotes mean nothing around a semicolon (RFC 6265 section 4.2.1).
func (s *stickiness) pair(field int, value []byte, from, to int, now int64) {
	from, to = h1.Trim(value, from, to)
	equals := bytes.IndexByte(value[from:to], '=')
	if equals < 0 {
		return
	}
	name := value[from : from+equals]
	if string(name) != s.by.Cookie {
		if s.by.isSession(name) {
			s.sessionCookie(field, value, from+equals+1, to, now)
		}
		return
	}
	if s.looked == tokensMost {
		return
	}
	s.looked++
	s.ourCookie(value[from+equals+1:to], now)
	if n := bytes.IndexByte(value[to:], ';'); n >= 0 {
		to, _ = h1.Trim(value, to+n+1, len(value))
	} else {
		to = len(value)
	}
	s.cuts = append(s.cuts, cut{field, from, to, true})
}

// ourCookie takes the member from a cookie of ours. The first good one counts.
func (s *stickiness) ourCookie(text []byte, now int64) {
	if s.ours != nil {
		return
	}
	t, is := s.by.check(s, text, now)
	switch is {
	case tokenForged:
		s.forged = true
	case tokenExpired:
	case tokenOld, tokenGood:
		s.named, s.ours, s.renew = true, t, is == tokenOld
	}
}

// sessionCookie takes the member from a cookie of the application's, value[from:to], and the token out of it. If there is none, it is left
// as it is: the application may have dots of its own.
func (s *stickiness) sessionCookie(field int, value []byte, from, to int, now int64) {
	if to > from && value[to-1] == '"' {
		to--
	}
	s.inSession = s.inSession || to > from
	dot := to - tokenText - 1
	if dot < from || value[dot] != '.' || s.looked == tokensMost {
		return
	}
	s.looked++
	t, is := s.by.check(s, value[dot+1:to], now)
	switch is {
	case tokenForged:
		s.forged = true
		return
	case tokenExpired:
	case tokenOld, tokenGood:
		s.named = true
		if s.session == nil {
			s.session = t
		}
	}
	s.cuts = append(s.cuts, cut{field, dot, to, false})
}

// pick chooses the member for the next attempt: the session's own if it can be used, else by the pool's balancer. While the session's own has no room and x is
// loyal it chooses nobody.
func (x *exchange) pick() *Target {
	s := &x.sticky
	x.held = false
	if s.by != nil {
		for _, t := range [...]*Target{s.session, s.ours} {
			x.choice.full = false
			if x.canFollow(t) && x.choice.Take(t) {
				return t
			}
			if x.held = x.choice.full && x.loyal; x.held {
				return nil
			}
		}
	}
	return x.pool.pick(&x.choice)
}

// canFollow reports whether the next attempt may go to t, whom a cookie names; nil if none does.
func (x *exchange) canFollow(t *Target) bool {
	if t == nil || !x.sticky.by.follows(t, x.choice.now) {
		return false
	}
	x.choice.resort = resortUnproven // or a load balancer that has just started would move all sessions
	if t.Member.Draining {
		x.choice.resort = resortAlive // it says itself that it is not ready
	}
	return x.choice.Usable(t)
}

// appendCookie appends field i of the request, a Cookie field, without our cookies and tokens. All else stays as it came.
func (x *exchange) appendCookie(dst []byte, i int) []byte {
	s := &x.sticky
	if !slices.ContainsFunc(s.cuts, func(c cut) bool { return c.field == i }) {
		return x.req.AppendLine(dst, i)
	}
	start := len(dst)
	dst = append(dst, x.req.Name(i)...)
	dst = append(dst, ": "...)
	begin := len(dst)
	dst = s.appendUncut(dst, i, x.req.Value(i))
	if len(dst) == begin {
		return dst[:start] // there was nothing but ours
	}
	return append(dst, "\r\n"...)
}

func (s *stickiness) appendUncut(dst []byte, field int, value []byte) []byte {
	begin, from := len(dst), 0
	last := false // the last cookie was ours
	for _, c := range s.cuts {
		if c.field == field {
			dst = append(dst, value[from:c.from]...)
			from = c.to
			last = c.pair && c.to == len(value)
		}
	}
	dst = append(dst, value[from:]...)
	if last { // what parted it from the one before parts nothing any more
		_, end := h1.Trim(dst, begin, len(dst))
		if end > begin && dst[end-1] == ';' {
			end--
		}
		dst = dst[:end]
	}
	return dst
}

// issues reports whether the answer of x.target should carry a cookie of ours: a session, or what may become one, has no cookie that
// names this member.
func (x *exchange) issues() bool {
	s := &x.sticky
	switch {
	case s.by == nil || x.target == nil:
		return false
	case s.by.Mode == AffinityApplication && (!s.inSession || s.session == x.target):
		return false // what the application sets, if anything, gets a token
	}
	return s.ours != x.target || s.renew
}

// oursValue makes the value of a Set-Cookie field that names x.target. It lives until the next call of it or of routed.
func (x *exchange) oursValue() []byte {
	s := &x.sticky
	s.value = append(s.value[:0], s.by.Cookie...)
	s.value = append(s.value, '=')
	s.value = s.by.appendToken(s.value, s, x.target, x.choice.now)
	s.value = append(s.value, s.by.attributes...)
	if x.secure() {
		s.value = append(s.value, "; Secure"...)
	}
	return s.value
}

// appendSetOurs appends that field.
func (x *exchange) appendSetOurs(dst []byte) []byte {
	dst = append(dst, "Set-Cookie: "...)
	dst = append(dst, x.oursValue()...)
	return append(dst, "\r\n"...)
}

// secure reports whether the client speaks TLS, with us or with a trusted proxy.
func (x *exchange) secure() bool {
	if x.from.trusted {
		switch string(x.req.First(h1.XForwardedProto)) {
		case schemeHTTPS:
			return true
		case schemeHTTP:
			return false
		}
	}
	return x.from.scheme == schemeHTTPS
}

// appendSetCookie appends field i of an answer of x.target, a Set-Cookie field, with a token if it is for the application's session.
func (x *exchange) appendSetCookie(dst []byte, res *h1.Response, i int) []byte {
	value, changed := x.routed(res.Value(i))
	if !changed {
		return res.AppendLine(dst, i)
	}
	dst = append(dst, res.Name(i)...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}

// routed gives the value of a Set-Cookie field of x.target as the client is to get it: with a token behind the value of a session's
// cookie (RFC 6265 section 4.1.1), inside its quotes if it has some. What it gives lives until the next call.
func (x *exchange) routed(value []byte) (_ []byte, changed bool) {
	s := &x.sticky
	if s.by == nil || len(s.by.SessionCookies) == 0 || x.target == nil {
		return value, false
	}
	end := bytes.IndexByte(value, ';')
	if end < 0 {
		end = len(value)
	}
	equals := bytes.IndexByte(value[:end], '=')
	if equals < 0 {
		return value, false
	}
	if from, to := h1.Trim(value, 0, equals); !s.by.isSession(value[from:to]) {
		return value, false
	}
	from, to := h1.Trim(value, equals+1, end)
	if to-from > 1 && value[from] == '"' && value[to-1] == '"' {
		from, to = from+1, to-1
	}
	if from == to {
		return value, false // it takes a cookie back
	}
	s.value = append(s.value[:0], value[:to]...)
	s.value = append(s.value, '.')
	s.value = append(s.value, x.target.token...)
	s.value = append(s.value, value[to:]...)
	return s.value, true
}

func (a *affinity) isSession(name []byte) bool {
	return slices.ContainsFunc(a.SessionCookies, func(session string) bool { return string(name) == session }) // without a copy
}

// stickyResult is what became of a session's wish, as metrics count it: a place in stickyLabels.
type stickyResult uint8

const (
	stickyHit     stickyResult = iota // the member that the cookie names
	stickyMiss                        // there was no cookie, or its time was over
	stickyMoved                       // another member: the one that the cookie names is gone or could not be used
	stickyInvalid                     // a token was forged, of another pool, or of a key that we do not have
	stickyResults
)

func stickyLabels() [stickyResults]string { return [...]string{"hit", "miss", "moved", "invalid"} }

// stickyResult tells what became of the request's wish; ok is false if the pool has no affinity, or no member was asked.
func (x *exchange) stickyResult() (result stickyResult, ok bool) {
	s := &x.sticky
	switch {
	case s.by == nil || x.target == nil:
		return 0, false
	case x.target == s.session || x.target == s.ours:
		return stickyHit, true
	case s.named:
		return stickyMoved, true
	case s.forged:
		return stickyInvalid, true
	}
	return stickyMiss, true
}
