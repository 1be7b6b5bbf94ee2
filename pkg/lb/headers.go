package lb

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// trustedProxies are the networks whose forwarding headers count.
type trustedProxies []netip.Prefix

func (t trustedProxies) has(addr netip.Addr) bool {
	for _, prefix := range t {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// origin gives the right-most address of a X-Forwarded-For list that is no trusted proxy: the one that the
// last trusted proxy saw. What stands left of it is only said by strangers.
func (t trustedProxies) origin(lists []string, peer netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(lists, ","), ",")
	origin := peer
	for i := len(hops) - 1; i >= 0; i-- {
		addr, ok := parseHop(hops[i])
		if !ok {
			return origin
		}
		origin = addr
		if !t.has(addr) {
			return origin
		}
	}
	return origin
}

// parseHop reads one entry of X-Forwarded-For, which some proxies write with a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if addr, err := netip.ParseAddrPort(s); err == nil {
		return addr.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil
}

const (
	headerFor       = "X-Forwarded-For"
	headerHost      = "X-Forwarded-Host"
	headerProto     = "X-Forwarded-Proto"
	headerPort      = "X-Forwarded-Port"
	headerForwarded = "Forwarded"
	headerRealIP    = "X-Real-Ip"
	headerRequestID = "X-Request-Id"
)

// SetRequestHeader makes out, a copy of the client's header without hop-by-hop fields, the header for the
// member. Engines call it after they dropped what the client's Connection header names, so that a client
// cannot drop what is set here.
func (x *Exchange) SetRequestHeader(out http.Header) {
	dropForwarding(out)
	in := x.Request.Header
	x.setForwarding(out, in)
	out.Set(headerRequestID, x.ID)
	if !x.upgrade() {
		// Any other upgrade (h2c) would be a tunnel past every rule here.
		out.Del("Upgrade")
		out.Del("Connection")
	}
	out.Del("Http2-Settings")
	if !x.Body.Streamed() {
		out.Del("Expect") // the body is here already
	}
}

// SetResponseHeader changes a member's answer header to what the client gets.
func (x *Exchange) SetResponseHeader(out http.Header) {
	out.Set(headerRequestID, x.ID)
	if location := out.Get("Location"); location != "" {
		out.Set("Location", x.publicLocation(location))
	}
}

// dropForwarding removes every header that speaks for a proxy, in every spelling. Many servers cannot
// tell X_Forwarded_For from X-Forwarded-For, so the twins with underscores go as well.
func dropForwarding(h http.Header) {
	for name := range h {
		if isForwarding(name) {
			delete(h, name)
		}
	}
}

func isForwarding(name string) bool {
	if name == "" || (name[0] != 'X' && name[0] != 'x' && name[0] != 'F' && name[0] != 'f') {
		return false
	}
	if strings.IndexByte(name, '_') >= 0 {
		name = strings.ReplaceAll(name, "_", "-")
	}
	const prefix = "X-Forwarded"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) ||
		strings.EqualFold(name, headerForwarded) || strings.EqualFold(name, headerRealIP) || strings.EqualFold(name, headerRequestID)
}

// setForwarding says who the request is from and how it came. Only what a trusted proxy said is kept.
func (x *Exchange) setForwarding(out, in http.Header) {
	proto, host, port := x.Scheme, x.Request.Host, ""
	if x.Port != 0 {
		port = strconv.Itoa(x.Port)
	}
	peer := "unknown"
	if x.peer.IsValid() {
		peer = x.peer.String()
	}
	chain, element := peer, forwardedElement(peer, host, proto)
	if x.trusted {
		if said := in.Get(headerProto); said == schemeHTTP || said == schemeHTTPS {
			proto = said
		}
		if _, ok := NormalizeHost(in.Get(headerHost)); ok {
			host = in.Get(headerHost)
		}
		if n, err := strconv.ParseUint(in.Get(headerPort), 10, 16); err == nil && n > 0 {
			port = in.Get(headerPort)
		}
		chain = appendHop(in[headerFor], chain)
		element = appendHop(in[headerForwarded], element)
	}
	out.Set(headerFor, chain)
	out.Set(headerHost, host)
	out.Set(headerProto, proto)
	if port != "" {
		out.Set(headerPort, port)
	}
	out.Set(headerForwarded, element)
}

func appendHop(before []string, hop string) string {
	if len(before) == 0 {
		return hop
	}
	return strings.Join(before, ", ") + ", " + hop
}

// forwardedElement is one hop in the words of RFC 7239. An IPv6 address stands in brackets and quotes. The
// host was found to be one, so it holds nothing that would need escaping.
func forwardedElement(peer, host, proto string) string {
	if strings.Contains(peer, ":") {
		peer = `"[` + peer + `]"`
	}
	return "for=" + peer + `;host="` + host + `";proto=` + proto
}

// requestID keeps a well-formed id that came with the request, so that it can be followed through several
// systems, or makes a new one.
func requestID(came []string) string {
	if len(came) == 1 && isRequestID(came[0]) {
		return came[0]
	}
	return rand.Text()
}

func isRequestID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// isWebsocket reports whether r asks, in a form that RFC 6455 allows, to switch to the websocket protocol.
func isWebsocket(r *http.Request) bool {
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 || r.Method != http.MethodGet || len(r.Header["Upgrade"]) != 1 {
		return false
	}
	return strings.EqualFold(r.Header["Upgrade"][0], "websocket")
}
