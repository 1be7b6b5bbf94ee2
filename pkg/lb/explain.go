package lb

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// RouteQuestion is a request whose way is to be explained.
type RouteQuestion struct {
	Host   string // as a Host header has it
	Path   string // with the query, if that matters
	Cookie string // as a Cookie header has it; "" = none
}

// RouteAnswer explains the way that a request would go. Only what is known by then is filled in.
type RouteAnswer struct {
	Host    string `json:"host,omitempty"`    // in the form that routes are compared by
	Pattern string `json:"pattern,omitempty"` // the host of the configuration that it matched
	Match   string `json:"match,omitempty"`   // why: exact, labels dropped, wildcard
	Path    string `json:"path,omitempty"`    // as the member gets it

	Tenant *RouteTenant `json:"tenant,omitempty"` // where tenants of the host go to different domains

	Service     string `json:"service,omitempty"`
	Domain      string `json:"domain,omitempty"`
	SubDomain   string `json:"sub_domain,omitempty"`
	TenantRange string `json:"tenant_range,omitempty"` // of the pool

	Balancer string        `json:"balancer,omitempty"`
	Affinity string        `json:"affinity,omitempty"` // what the cookies say, if the pool has affinity
	Choice   string        `json:"choice,omitempty"`   // whom the request would go to now, and why
	Members  []RouteMember `json:"members,omitempty"`

	Status int    `json:"status,omitempty"` // of the refusal, if the request would be refused
	Detail string `json:"detail,omitempty"` // likewise: why
}

// RouteTenant is the tenant of a request.
type RouteTenant struct {
	Domain string `json:"domain"` // "" = the request names none
	ID     *int   `json:"id,omitempty"`
	State  string `json:"state"`            // none, known, unknown, failed, ambiguous
	From   string `json:"source,omitempty"` // that told the id, or should have
	Error  string `json:"error,omitempty"`
}

// RouteMember is a member of the pool that a request would go to. Those that come first are preferred.
type RouteMember struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Address  string  `json:"address"`
	Rank     string  `json:"rank"`             // here, elsewhere, backup, backup elsewhere, weight 0, suspect, draining
	Standing string  `json:"standing"`         // as in MemberStatus
	Reason   string  `json:"reason,omitempty"` // likewise
	Weight   float64 `json:"weight"`
	Next     bool    `json:"next,omitempty"` // it would be chosen, or one of those that are marked
}

// Explain tells which way a request would go now, by the code that real requests go through. Nothing is sent.
func (p *Proxy) Explain(q RouteQuestion) RouteAnswer {
	text := "GET " + q.Path + " HTTP/1.1\r\nHost: " + q.Host + "\r\n"
	if q.Cookie != "" {
		text += "Cookie: " + q.Cookie + "\r\n"
	}
	text += "\r\n"
	for _, s := range []string{q.Host, q.Path, q.Cookie} {
		if strings.ContainsAny(s, "\r\n") {
			return RouteAnswer{Status: http.StatusBadRequest, Detail: "Host, path and cookie are one line each."}
		}
	}
	x := p.takeExchange()
	defer p.freeExchange(x)
	x.from = &client{scheme: schemeHTTP, major: 1}
	if _, err := x.req.Parse([]byte(text)); err != nil {
		no := malformed(err)
		return RouteAnswer{Status: no.status, Detail: no.detail}
	}
	x.method = http.MethodGet
	no := p.screen(x)
	a := RouteAnswer{Path: string(x.destination())}
	a.host(x)
	a.tenant(x, no)
	if no != nil {
		a.Status, a.Detail = no.status, no.detail
		return a
	}
	a.pool(x)
	return a
}

// host tells what the host matched.
func (a *RouteAnswer) host(x *exchange) {
	normal, ok := NormalizeHost(x.host)
	if !ok {
		return
	}
	a.Host = normal
	at, name, wildcard := x.table.routes.match(normal)
	switch {
	case at == nil:
		return
	case wildcard:
		a.Pattern, a.Match = "*."+name, "wildcard"
	case name == normal:
		a.Pattern, a.Match = name, "exact"
	default:
		a.Pattern, a.Match = name, "labels dropped: "+strings.TrimSuffix(normal, "."+name)
	}
}

func (a *RouteAnswer) tenant(x *exchange, no *refusal) {
	if !x.from.splits() {
		return
	}
	t := &RouteTenant{Domain: string(x.tenant), State: "none", From: x.owner.From}
	if len(x.tenant) > 0 {
		t.State = x.owner.state()
	}
	if no != nil && no.status == http.StatusBadRequest {
		t.State = "ambiguous"
	}
	if x.owner.Known {
		id := x.owner.ID
		t.ID = &id
	}
	if x.owner.Err != nil {
		t.Error = x.owner.Err.Error()
	}
	a.Tenant = t
}

// pool tells of the pool that was found, its members, and what its balancer would do.
func (a *RouteAnswer) pool(x *exchange) {
	p := x.pool
	a.Service, a.Domain, a.SubDomain = p.Service, p.Domain, p.SubDomain
	for i, other := range x.table.pools {
		if other == p {
			a.TenantRange = x.table.routes.pools[i].Tenants.String()
		}
	}
	a.Balancer = string(cmp.Or(p.spec.Policy, PolicyRoundRobin))
	x.choice.now = time.Now().UnixNano()
	x.choice.key, x.choice.keyed = p.requestKey(x)
	x.readSticky()
	a.affinity(x)
	next, choice := x.foresee()
	a.Choice = choice
	for _, g := range p.groups {
		for _, t := range g.members {
			a.Members = append(a.Members, routeMember(t, p, slices.Contains(next, t), x.choice.now))
		}
	}
	if len(a.Members) == 0 {
		a.Status, a.Detail = http.StatusServiceUnavailable, noMember(p)
	}
}

func routeMember(t *Target, p *Pool, next bool, now int64) RouteMember {
	var standing MemberStatus
	t.health.describe(&standing, now)
	m := RouteMember{
		ID: t.Member.ID, Name: t.Member.Name, Rank: rankName(rank(&t.Member, p.spec.Zone)), Standing: standing.Standing, Reason: standing.Reason,
		Weight: t.weightNow(now), Next: next,
	}
	_, m.Address = t.Member.endpoint(schemeHTTP, 0)
	return m
}

// affinity tells what the cookies of the request say.
func (a *RouteAnswer) affinity(x *exchange) {
	s := &x.sticky
	named := s.session
	if named == nil {
		named = s.ours
	}
	switch {
	case s.by == nil:
		return
	case named != nil:
		a.Affinity = "a cookie names " + named.Member.Name
	case s.named:
		a.Affinity = "a cookie names a member that is gone"
	case s.forged:
		a.Affinity = "the token of a cookie is not one of this pool, or was changed: it counts as none"
	default:
		a.Affinity = "no cookie names a member"
	}
}

// foresee tells among whom the next choice would be, and how, without it being made. It goes by what pick goes by.
func (x *exchange) foresee() (next []*Target, how string) {
	if x.sticky.by != nil {
		for _, t := range [...]*Target{x.sticky.session, x.sticky.ours} {
			x.choice.full = false
			if x.canFollow(t) {
				return []*Target{t}, "the member of the session"
			}
			if x.choice.full && x.pool.limits.QueueLength > 0 {
				return []*Target{t}, "the member of the session, as soon as it has room"
			}
		}
	}
	p, s := x.pool, &x.choice
	s.full = false
	for s.resort = resortNone; s.resort <= resortAnybody; s.resort++ {
		for i, g := range p.groups {
			for _, t := range g.members {
				if s.Usable(t) {
					next = append(next, t)
				}
			}
			if len(next) > 0 {
				return p.foreseeIn(g, s, next)
			}
			if s.full && !p.spills(i) {
				return nil, "none now: those that could be chosen are at their limits"
			}
		}
	}
	return nil, ""
}

// foreseeIn is foresee for the group that the choice is made in; next are those of it that can be used.
func (p *Pool) foreseeIn(g *group, s *Selection, next []*Target) ([]*Target, string) {
	how := "one of " + strconv.Itoa(len(next)) + ", by " + p.balancerWord(s)
	if b, ok := p.balancer.(*hashing); ok && s.keyed {
		if best := b.best(g, s); best != nil {
			next, how = []*Target{best}, "the member that the key "+p.spec.Key.String()+" leads to"
		}
	} else if len(next) == 1 {
		how = "the only one of its rank that can be used"
	}
	switch s.resort {
	case resortUnproven:
		how += "; no member has passed a check yet"
	case resortAlive:
		how += "; all members are ejected or say that they are not ready"
	case resortAnybody:
		how += "; no member answers its checks"
	case resortNone:
	}
	return next, how
}

// balancerWord says by what a member is chosen.
func (p *Pool) balancerWord(s *Selection) string {
	switch p.spec.Policy {
	case PolicyLeastInFlight:
		return "the fewest requests in flight"
	case PolicyTwoChoices:
		return "latency and requests in flight of two drawn at random"
	case PolicyHash:
		if !s.keyed {
			return "turns: the request has no " + p.spec.Key.String()
		}
		return "the key " + p.spec.Key.String()
	case PolicyRoundRobin:
	}
	return "turns"
}

func rankName(rank int) string {
	return [rankCount]string{"here", "elsewhere", "backup", "backup elsewhere", "weight 0", "suspect", "draining"}[rank]
}

// malformed is the answer to a request that could not be read.
func malformed(err error) *refusal {
	no := &refusal{status: http.StatusBadRequest, detail: "The request is malformed."}
	if e, ok := errors.AsType[*h1.Error](err); ok {
		no.status, no.detail = e.Status, sentence(e.Text)
	}
	return no
}
