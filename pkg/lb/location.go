package lb

import (
	"bytes"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// publicLocation changes a Location that names a member into one that a client can follow. Members behind
// us may not know that they are, or know only the ports of our listeners (their proxy ports). Anything
// relative, foreign, or unreadable stays as it is.
func (x *exchange) publicLocation(raw []byte) (location string, changed bool) {
	if !bytes.HasPrefix(raw, []byte("http://")) && !bytes.HasPrefix(raw, []byte("https://")) || x.pool == nil {
		return "", false
	}
	location = string(raw)
	public := x.rewrite(location)
	return public, public != location
}

func (x *exchange) rewrite(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.User != nil {
		return location
	}
	port := portOf(u)
	host, ok := NormalizeHost(u.Host)
	if !ok {
		return location
	}
	asked, _ := NormalizeHost(x.host)
	switch m := x.memberAt(host, asked, port, u.Scheme); {
	case m:
	case host != asked && x.isMemberHost(host) && port == x.from.public.of(u.Scheme) && port != 0:
		// The member's own name with our port: its proxy pair without its proxy name.
	default:
		return location
	}
	authority := x.publicAuthority(asked, u.Scheme)
	if authority == "" {
		return location
	}
	// Cut and paste, so that the rest keeps the member's very spelling.
	_, rest, _ := strings.Cut(location, "://")
	if !strings.HasPrefix(rest, u.Host) {
		return location
	}
	return u.Scheme + "://" + authority + rest[len(u.Host):]
}

// memberAt reports whether scheme, host and port are where a member of the pool listens, by its own
// address or by the name that the client used.
func (x *exchange) memberAt(host, asked string, port int, scheme string) bool {
	for _, targets := range [][]*Target{x.pool.active, x.pool.draining} {
		for _, t := range targets {
			own := t.Member.HTTPPort
			if scheme == schemeHTTPS {
				own = t.Member.HTTPSPort
			}
			if own == 0 || own != port {
				continue
			}
			if strings.EqualFold(host, t.Member.Host) || host == asked && port != x.from.public.of(scheme) {
				return true
			}
		}
	}
	return false
}

func (x *exchange) isMemberHost(host string) bool {
	for _, targets := range [][]*Target{x.pool.active, x.pool.draining} {
		for _, t := range targets {
			if strings.EqualFold(host, t.Member.Host) {
				return true
			}
		}
	}
	return false
}

// publicAuthority is our "host:port" for scheme, as this client knows it; "" if it cannot be told.
func (x *exchange) publicAuthority(asked, scheme string) string {
	if scheme == x.from.scheme {
		return x.host
	}
	port := x.from.public.of(scheme)
	switch {
	case port == 0:
		return ""
	case scheme == schemeHTTP && port == 80, scheme == schemeHTTPS && port == 443:
		if strings.Contains(asked, ":") {
			return "[" + asked + "]"
		}
		return asked
	}
	return net.JoinHostPort(asked, strconv.Itoa(port))
}

func portOf(u *url.URL) int {
	if p := u.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil {
			return 0
		}
		return n
	}
	if u.Scheme == schemeHTTPS {
		return 443
	}
	return 80
}
