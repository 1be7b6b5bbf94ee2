package lb

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// AffinityMode is how the requests of a session are kept at one member; its values are the words of the configuration.
type AffinityMode string

// The modes.
const (
	AffinityNone        AffinityMode = "none"        // they are not
	AffinityCookie      AffinityMode = "cookie"      // by a cookie of ours
	AffinityApplication AffinityMode = "application" // by a token behind the value of the application's own session cookie
)

// AffinityModes lists all modes, the default first.
func AffinityModes() []AffinityMode {
	return []AffinityMode{AffinityNone, AffinityCookie, AffinityApplication}
}

// What holds where nothing else is configured.
const (
	DefaultAffinityCookie = "elb_route"
	DefaultSessionCookie  = "JSESSIONID"
)

// AffinitySpec is whether and how the requests of a session are kept at one member of a pool. The zero value is: not at all.
type AffinitySpec struct {
	Mode AffinityMode // "" = none
	// Cookie is the name of our cookie; "" = DefaultAffinityCookie. AffinityApplication needs it for sessions whose member is gone.
	Cookie string
	// SessionCookies are the application's, for AffinityApplication; none = DefaultSessionCookie.
	SessionCookies []string
	// SessionTimeout is how long our cookie counts after a request, to the second, within a tenth of it; 0 = until the browser is closed.
	SessionTimeout time.Duration
	// DrainWindow is how long the requests of a session follow a member that drains; 0 = they leave it at once, as all others do. It should
	// be shorter than the time for which such a member goes on serving.
	DrainWindow time.Duration
}

// Check tells what is wrong with a specification.
func (s AffinitySpec) Check() error {
	switch {
	case s.Mode != "" && !slices.Contains(AffinityModes(), s.Mode):
		return fmt.Errorf("%q is no affinity; write none, cookie or application", s.Mode)
	case s.Cookie != "" && !isToken(s.Cookie):
		return fmt.Errorf("%q cannot be the name of a cookie", s.Cookie)
	case s.SessionTimeout != 0 && s.SessionTimeout < time.Second, s.SessionTimeout > maxSessionTimeout:
		return fmt.Errorf("is %s; a session's timeout is 0s, for none, or from 1s to %s", s.SessionTimeout, maxSessionTimeout)
	case s.DrainWindow < 0:
		return fmt.Errorf("is %s; it must not be negative", s.DrainWindow)
	}
	s = s.withDefaults()
	for _, name := range s.SessionCookies {
		if !isToken(name) {
			return fmt.Errorf("%q cannot be the name of a cookie", name)
		}
		if name == s.Cookie {
			return fmt.Errorf("%s is both the load balancer's cookie and the application's", name)
		}
	}
	return nil
}

// maxSessionTimeout is as long as browsers keep a cookie.
const maxSessionTimeout = 400 * 24 * time.Hour

// withDefaults fills in what is left out, and leaves out what the mode does not use.
func (s AffinitySpec) withDefaults() AffinitySpec {
	if s.Cookie == "" {
		s.Cookie = DefaultAffinityCookie
	}
	switch {
	case s.Mode != AffinityApplication:
		s.SessionCookies = nil
	case len(s.SessionCookies) == 0:
		s.SessionCookies = []string{DefaultSessionCookie}
	}
	return s
}

// On tells whether there is any affinity.
func (s AffinitySpec) On() bool { return s.Mode == AffinityCookie || s.Mode == AffinityApplication }

// affinity is what a pool needs to read and write tokens. It is immutable, and made anew for each table.
type affinity struct {
	AffinitySpec
	keys       []*affinityKey
	homes      map[memberTag]home // by the tags under all keys
	timeout    int64              // seconds; 0 = none
	attributes string             // of our cookie, behind its value
	counts     stickyCounts
}

// home is a member that a token can name.
type home struct {
	target *Target
	key    int // index of the key that the tag was made with
	// mac is that of the member's token without a time: most tokens are checked without computing one.
	mac [macSize]byte
}

// masterKey makes a key of one secret, from which those of all pools are derived.
type masterKey []byte

// leastSecret is the length of the shortest secret that is taken, in bytes.
const leastSecret = 16

// newMasterKeys makes the keys of secrets, the first of which signs. Without a secret it makes one up.
func newMasterKeys(secrets [][]byte) ([]masterKey, error) {
	if len(secrets) == 0 {
		secret := make([]byte, 32)
		if _, err := rand.Read(secret); err != nil {
			return nil, fmt.Errorf("affinity key: %w", err)
		}
		secrets = [][]byte{secret}
	}
	var keys []masterKey
	for _, secret := range secrets {
		if len(secret) < leastSecret {
			return nil, errors.New("an affinity key has " + strconv.Itoa(len(secret)) + " bytes; it must have 16 at least")
		}
		key, err := newMasterKey(secret)
		if err != nil {
			return nil, fmt.Errorf("affinity key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// attachAffinity gives a pool, whose targets are complete, what its tokens need.
func (p *Proxy) attachAffinity(pool *Pool) {
	if !pool.stick.On() {
		return
	}
	a := &affinity{
		AffinitySpec: pool.stick.withDefaults(),
		homes:        make(map[memberTag]home, len(pool.all())),
		counts:       p.metrics.stickiness(pool.Domain),
	}
	a.timeout = int64(a.SessionTimeout / time.Second)
	a.attributes = "; Path=/; HttpOnly; SameSite=Lax"
	if a.timeout > 0 {
		a.attributes += "; Max-Age=" + strconv.FormatInt(a.timeout, 10)
	}
	for i, master := range p.masters {
		key := master.pool(pool.key())
		a.keys = append(a.keys, key)
		for _, t := range pool.all() {
			tag := key.tag(t.Member.ID)
			token := key.token(tag, 0)
			h := home{target: t, key: i}
			copy(h.mac[:], token[macAt:])
			a.homes[tag] = h
			if i == 0 {
				t.tag, t.token = tag, token.text()
			}
		}
	}
	pool.affinity = a
}

// tokenState is what a token turned out to be.
type tokenState uint8

const (
	tokenForged  tokenState = iota // not ours, or not this pool's, or changed
	tokenExpired                   // ours, but too old
	tokenOld                       // in order, but one of the first key and of this time should replace it
	tokenGood
)

// check reads a token. The target is nil when the token's member is not there, whatever the state.
func (a *affinity) check(s *stickiness, text []byte, now int64) (*Target, tokenState) {
	t := &s.token
	if !t.parse(text) {
		return nil, tokenForged
	}
	h, known := a.homes[t.tag()]
	issued := t.issued()
	switch {
	case !known:
		if !slices.ContainsFunc(a.keys, func(k *affinityKey) bool { return k.signed(t) }) {
			return nil, tokenForged
		}
	case issued == 0:
		if subtle.ConstantTimeCompare(h.mac[:], t[macAt:]) == 0 {
			return nil, tokenForged
		}
	case !a.keys[h.key].signed(t):
		return nil, tokenForged
	}
	timed := issued != 0
	age := now/int64(time.Second) - issued
	switch {
	case timed && a.timeout > 0 && (age > a.timeout || -age > a.timeout): // a clock ahead of ours by more is not to be trusted
		return nil, tokenExpired
	case h.key > 0, timed != (a.timeout > 0), timed && age*10 > a.timeout:
		return h.target, tokenOld
	}
	return h.target, tokenGood
}

// appendToken appends the text of a token that names t: one with a time if sessions have a timeout.
func (a *affinity) appendToken(dst []byte, s *stickiness, t *Target, now int64) []byte {
	if a.timeout == 0 {
		return append(dst, t.token...)
	}
	a.keys[0].fill(&s.token, t.tag, now/int64(time.Second))
	return s.token.append(dst)
}

// follows reports whether requests of a session still go to a member: it does not drain, or has done so for a short time only.
func (a *affinity) follows(t *Target, now int64) bool {
	return !t.Member.Draining || now-t.drains < int64(a.DrainWindow)
}
