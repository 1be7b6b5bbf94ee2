package lb

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	Choice   string        `json:"choice,omitempty"` // what the balancer would do now
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
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Address string  `json:"address"`
	Rank    string  `json:"rank"`  // here, elsewhere, backup, backup elsewhere, weight 0, draining
	State   string  `json:"state"` // usable or ejected
	Weight  float64 `json:"weight"`
	Next    bool    `json:"next,omitempty"` // the balancer would choose it, or among those that are marked
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
	a.Balancer = string(p.spec.Policy)
	if a.Balancer == "" {
		a.Balancer = string(PolicyRoundRobin)
	}
	s := Selection{now: time.Now().UnixNano()}
	s.key, s.keyed = p.requestKey(x)
	next, choice := p.foresee(&s)
	a.Choice = choice
	for _, g := range p.groups {
		for _, t := range g.members {
			m := RouteMember{
				ID: t.Member.ID, Name: t.Member.Name, Rank: rankName(rank(&t.Member, p.spec.Zone)), State: "usable",
				Weight: t.weightNow(s.now), Next: slices.Contains(next, t),
			}
			_, m.Address = t.Member.endpoint(schemeHTTP, 0)
			if !t.health.usable(s.now) {
				m.State = t.health.standing(s.now)
			}
			a.Members = append(a.Members, m)
		}
	}
	if len(a.Members) == 0 {
		a.Status, a.Detail = http.StatusServiceUnavailable, noMember(p)
	}
}

// foresee tells among whom the balancer would choose now, and how, without a choice being made.
func (p *Pool) foresee(s *Selection) (next []*Target, how string) {
	for s.resort = resortNone; s.resort <= resortAnybody; s.resort++ {
		for _, g := range p.groups {
			for _, t := range g.members {
				if s.Usable(t) {
					next = append(next, t)
				}
			}
			if len(next) == 0 {
				continue
			}
			if b, ok := p.balancer.(*hashing); ok && s.keyed {
				if best := b.best(g, s); best != nil {
					return []*Target{best}, fmt.Sprintf("the member that the key %s leads to", p.spec.Key)
				}
			}
			switch {
			case s.resort == resortUnproven:
				return next, "no member has passed a check yet: one of them is tried"
			case s.resort > resortUnproven:
				return next, "no member is well: one of them is tried"
			case len(next) == 1:
				return next, "the only one of its rank that can be used"
			}
			return next, fmt.Sprintf("one of %d, by %s", len(next), p.balancerWord(s))
		}
	}
	return nil, ""
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
