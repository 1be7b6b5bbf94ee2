package webhook

import (
	"fmt"
	"net/netip"
	"slices"
)

// special are ranges that lead inside, or to no single machine outside, beside those that [netip.Addr] knows by name.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4
	netip.MustParsePrefix("198.18.0.0/15"),   // measurements
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("64:ff9b::/96"),    // IPv4 behind a translator
	netip.MustParsePrefix("64:ff9b:1::/48"),  // the same, local
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, tunnels with IPv4 inside
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: IPv4 inside
	netip.MustParsePrefix("fec0::/10"),       // site-local, as it was
}

// permit decides about the address that a name led to, after it was resolved: what a name says now it need not say next time.
func (s *Sender) permit(a netip.Addr, encrypted bool) error {
	a = a.Unmap().WithZone("")
	switch {
	case slices.ContainsFunc(s.allow, func(p netip.Prefix) bool { return p.Contains(a) }):
		return nil
	case !encrypted:
		return fmt.Errorf("http is only for addresses that webhooks.allow names, and %s is none; use https", a)
	case inside(a):
		return fmt.Errorf("%s is a loopback, private, link-local or special address, and webhooks.allow does not name it", a)
	}
	return nil
}

func inside(a netip.Addr) bool {
	return !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() ||
		slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}
