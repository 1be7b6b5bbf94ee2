package lb

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Exchange is one client request on its way, and what was decided about it. An engine reads it and must
// not change it.
type Exchange struct {
	// Request is the client's request as it came. Engines send its method, URL, Host, and Body; the header
	// goes through SetRequestHeader.
	Request *http.Request
	// ID names the request in logs, in the header X-Request-Id to the member, and in the answer.
	ID   string
	Body *Body
	// Scheme ("http" or "https") and Port are those of the listener that the request came to.
	Scheme string
	Port   int

	peer    netip.Addr // who is connected; invalid if unknown
	client  netip.Addr // whom the request is from: the peer, unless that one is trusted and says otherwise
	trusted bool       // the peer's own forwarding headers count
	started time.Time
	table   *Table
	pool    *Pool
	public  publicPorts

	// What the log says in the end.
	target   *Target
	attempts int
	result   Result // of the last attempt
	sent     bool   // by a failed attempt, not necessarily the last
	stopped  string // why there was no further attempt
}

// publicPorts are the ELB's ports as clients know them; 0 = unknown.
type publicPorts struct{ http, https int }

func (p publicPorts) of(scheme string) int {
	if scheme == schemeHTTPS {
		return p.https
	}
	return p.http
}

func (p *Proxy) newExchange(r *http.Request) *Exchange {
	x := &Exchange{Request: r, Scheme: schemeHTTP, started: time.Now(), table: p.table.Load(), public: p.public}
	if r.TLS != nil {
		x.Scheme = schemeHTTPS
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		x.Port = addr.Port
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.peer = peer.Addr().Unmap().WithZone("")
	}
	x.trusted = p.trusted.has(x.peer)
	x.client = x.peer
	if x.trusted {
		x.client = p.trusted.origin(r.Header["X-Forwarded-For"], x.peer)
	}
	x.ID = requestID(r.Header["X-Request-Id"])
	return x
}

// upgrade reports whether the request asks for a websocket, the only protocol that is switched to.
func (x *Exchange) upgrade() bool { return isWebsocket(x.Request) }

// record is the request as the access log tells it. The query is left out: it may hold secrets.
func (x *Exchange) record(status int, bytes int64, took time.Duration) []slog.Attr {
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("request_id", x.ID),
		slog.String("client", x.client.String()),
		slog.String("method", x.Request.Method),
		slog.String("host", x.Request.Host),
		slog.String("path", x.Request.URL.EscapedPath()),
		slog.String("proto", x.Request.Proto),
		slog.Int("status", status),
		slog.Int64("bytes", bytes),
		slog.Duration("duration", took),
	)
	if x.pool != nil {
		attrs = append(attrs, slog.String("domain", x.pool.Domain), slog.String("sub_domain", x.pool.SubDomain), slog.Int("attempts", x.attempts))
	}
	if x.target != nil {
		attrs = append(attrs, slog.String("member", x.target.Member.Name))
	}
	if x.result.Failure != FailureNone {
		attrs = append(attrs, slog.String("failure", x.result.Failure.String()), slog.String("no_retry", x.stopped), slog.Any("error", x.result.Err))
	}
	return attrs
}
