package registryd

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"strings"
)

// forwarding makes a request look as the client sent it: URL.Scheme, Host and RemoteAddr come from the X-Forwarded-* headers when the peer is
// trusted, from the connection otherwise. Every request leaves it with an X-Request-Id, which the answer carries too.
type forwarding struct {
	trusted func(netip.Addr) bool
	next    http.Handler
}

func (f forwarding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.URL.Scheme = "http"
	if r.TLS != nil {
		r.URL.Scheme = "https"
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	trusted := err == nil && f.trusted(peer.Addr().Unmap())
	if trusted {
		f.adopt(r)
	}
	id := r.Header.Get("X-Request-Id")
	if !trusted || !wellFormedRequestID(id) {
		id = newRequestID()
		r.Header.Set("X-Request-Id", id)
	}
	w.Header().Set("X-Request-Id", id)
	f.next.ServeHTTP(w, r)
}

// adopt takes over what a trusted proxy says of the client.
func (f forwarding) adopt(r *http.Request) {
	if proto := r.Header.Get("X-Forwarded-Proto"); proto == "http" || proto == "https" {
		r.URL.Scheme = proto
	}
	if host := r.Header.Get("X-Forwarded-Host"); host != "" && !strings.ContainsAny(host, ", /\\@") {
		r.Host = host
	}
	// The right-most address that is not itself a trusted proxy is the client's; what stands left of it anybody could have written.
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(list[i]))
		if err != nil {
			return
		}
		r.RemoteAddr = netip.AddrPortFrom(addr.Unmap(), 0).String()
		if !f.trusted(addr.Unmap()) {
			return
		}
	}
}

func wellFormedRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand does not fail
	return hex.EncodeToString(b[:])
}
