package lb

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// publicLocation changes a Location that names a member into one that a client can follow. Members behind
// us may not know that they are, or know only the ports of our listeners (their proxy ports). Anything
// relative, foreign, or unreadable stays as it is.
func (x *Exchange) publicLocation(location string) string {
	if !strings.HasPrefix(location, "http://") && !strings.HasPrefix(location, "https://") {
		return location
	}
	u, err := url.Parse(location)
	if err != nil || u.User != nil {
		return location
	}
	port := portOf(u)
	host, ok := NormalizeHost(u.Host)
	if !ok {
		return location
	}
	asked, _ := NormalizeHost(x.Request.Host)
	switch m := x.memberAt(host, asked, port, u.Scheme); {
	case m:
	case host != asked && x.isMemberHost(host) && port == x.public.of(u.Scheme) && port != 0:
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
func (x *Exchange) memberAt(host, asked string, port int, scheme string) bool {
	for _, targets := range [][]*Target{x.pool.active, x.pool.draining} {
		for _, t := range targets {
			own := t.Member.HTTPPort
			if scheme == schemeHTTPS {
				own = t.Member.HTTPSPort
			}
			if own == 0 || own != port {
				continue
			}
			if strings.EqualFold(host, t.Member.Host) || host == asked && port != x.public.of(scheme) {
				return true
			}
		}
	}
	return false
}

func (x *Exchange) isMemberHost(host string) bool {
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
func (x *Exchange) publicAuthority(asked, scheme string) string {
	if scheme == x.Scheme {
		return x.Request.Host
	}
	port := x.public.of(scheme)
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
