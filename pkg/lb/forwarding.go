package lb

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/lb/h1"
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

// values gives all values of a field of the request. It allocates; only requests of trusted proxies need it.
func (x *exchange) values(id h1.ID) []string {
	var list []string
	for i := range x.req.Len() {
		if x.req.ID(i) == id {
			list = append(list, string(x.req.Value(i)))
		}
	}
	return list
}

// appendForwarding appends the fields that say who the request is from and how it came. What a client says
// about that itself is dropped before, unless it is a trusted proxy.
func (x *exchange) appendForwarding(dst []byte) []byte {
	if x.from.trusted {
		return x.appendTrustedForwarding(dst)
	}
	return append(dst, x.from.block...)
}

// prepareForwarding writes those fields for all requests of a stranger's connection, as long as they ask for the same host.
func (x *exchange) prepareForwarding() {
	c := x.from
	if c.trusted || len(c.block) > 0 {
		return
	}
	peer := c.peerText()
	f := forwarding{chain: peer, host: x.host, proto: c.scheme, element: forwardedElement(peer, x.host, c.scheme)}
	if c.port != 0 {
		f.port = strconv.Itoa(c.port)
	}
	c.block = f.append(c.block)
}

// appendTrustedForwarding keeps what a trusted proxy said, and adds that proxy to the chain.
func (x *exchange) appendTrustedForwarding(dst []byte) []byte {
	peer := x.from.peerText()
	f := forwarding{proto: x.from.scheme, host: x.host}
	if x.from.port != 0 {
		f.port = strconv.Itoa(x.from.port)
	}
	element := forwardedElement(peer, f.host, f.proto)
	if said := string(x.req.First(h1.XForwardedProto)); said == schemeHTTP || said == schemeHTTPS {
		f.proto = said
	}
	if said := string(x.req.First(h1.XForwardedHost)); said != "" {
		if _, ok := NormalizeHost(said); ok {
			f.host = said
		}
	}
	if n, err := strconv.ParseUint(string(x.req.First(h1.XForwardedPort)), 10, 16); err == nil && n > 0 {
		f.port = strconv.FormatUint(n, 10)
	}
	f.chain = strings.Join(append(x.values(h1.XForwardedFor), peer), ", ")
	f.element = strings.Join(append(x.values(h1.Forwarded), element), ", ")
	return f.append(dst)
}

// forwarding is what the ELB says about a request.
type forwarding struct{ chain, host, proto, port, element string }

func (f forwarding) append(dst []byte) []byte {
	dst = appendField(dst, "X-Forwarded-For", f.chain)
	dst = appendField(dst, "X-Forwarded-Host", f.host)
	dst = appendField(dst, "X-Forwarded-Proto", f.proto)
	if f.port != "" {
		dst = appendField(dst, "X-Forwarded-Port", f.port)
	}
	return appendField(dst, "Forwarded", f.element)
}

func (c *client) peerText() string {
	if !c.peer.IsValid() {
		return "unknown"
	}
	return c.peer.String()
}

// forwardedElement is one hop in the words of RFC 7239. An IPv6 address stands in brackets and quotes. The
// host was found to be one, so it holds nothing that would need escaping.
func forwardedElement(peer, host, proto string) string {
	if strings.Contains(peer, ":") {
		peer = `"[` + peer + `]"`
	}
	return "for=" + peer + `;host="` + host + `";proto=` + proto
}

// idLength is the length of a request id of ours: 130 bits in base 32.
const idLength = 26

// nameRequest keeps a well-formed id that came with the request, so that it can be followed through several
// systems, or makes a new one. An id need not be secret, only unlike any other.
func (x *exchange) nameRequest() {
	if x.req.Count(h1.RequestID) == 1 {
		if came := x.req.First(h1.RequestID); isRequestID(came) {
			x.id = came
			return
		}
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	high, low := rand.Uint64(), rand.Uint64()
	for i := range idLength {
		x.idText[i] = digits[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	x.id = x.idText[:]
}

func isRequestID(s []byte) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, c := range s {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
