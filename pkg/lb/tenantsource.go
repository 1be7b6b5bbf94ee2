package lb

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// TenantSource tells the ids of tenants. Many requests ask at once.
type TenantSource interface {
	// Tenant tells the id of the tenant whose domain, in lower case, is given; the source does not keep the bytes. It answers soon,
	// whatever it depends on: the request waits.
	Tenant(domain []byte) TenantID
}

// TenantID is what is known of a tenant.
type TenantID struct {
	ID    int    // with Known
	Known bool   // there is such a tenant
	Err   error  // why it could not be told whether there is one; Known may hold all the same, from earlier
	From  string // where it is from, for people
}

// What is known of a tenant, in a word: metrics and pages use it.
const (
	tenantKnown   = "known"
	tenantUnknown = "unknown"
	tenantFailed  = "failed"
)

func (t TenantID) state() string {
	switch {
	case t.Known:
		return tenantKnown
	case t.Err != nil:
		return tenantFailed
	}
	return tenantUnknown
}

// screenTenant finds the pool of a request to a host whose tenants go to different ones, or the reason to refuse. A tenant that is not known
// belongs to everybody else.
func (p *Proxy) screenTenant(x *exchange) *refusal {
	at := x.from.at
	path, room, ok := readTenantPath(x.req.Path(), x.room)
	x.room = room
	if !ok {
		return &refusal{status: http.StatusBadRequest, detail: "The address can be read as that of different tenants. Write its path without escaped slashes, backslashes, semicolons and empty segments."}
	}
	x.forward = path.target
	x.tenant = appendLower(x.tenant[:0], path.domain)
	if len(x.tenant) > 0 {
		x.owner = x.table.routes.tenants.Tenant(x.tenant)
	}
	id := 0
	if x.owner.Known {
		id = x.owner.ID
	}
	if x.pool = x.table.pool(at, id); x.pool != nil {
		return nil
	}
	switch {
	case len(x.tenant) == 0:
		return &refusal{status: http.StatusNotFound, detail: "The host " + x.host + " serves tenants only: name one in the path, as in /t/example.com/."}
	case x.owner.Err != nil && !x.owner.Known:
		return &refusal{undone: true, status: http.StatusServiceUnavailable, retryAfter: 5, detail: "Which domain serves the tenant " + string(x.tenant) + " cannot be found out now. Try again in a few seconds."}
	}
	return &refusal{status: http.StatusNotFound, detail: "No domain of the host " + x.host + " serves the tenant " + string(x.tenant) + "."}
}

// appendLower appends b in lower case.
func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// tenantMetrics count the requests that named a tenant where it matters.
type tenantMetrics struct{ known, unknown, failed prometheus.Counter }

func newTenantMetrics(v *prometheus.CounterVec) tenantMetrics {
	return tenantMetrics{known: v.WithLabelValues(tenantKnown), unknown: v.WithLabelValues(tenantUnknown), failed: v.WithLabelValues(tenantFailed)}
}

func (m *tenantMetrics) count(t TenantID) {
	switch t.state() {
	case tenantKnown:
		m.known.Inc()
	case tenantFailed:
		m.failed.Inc()
	default:
		m.unknown.Inc()
	}
}
