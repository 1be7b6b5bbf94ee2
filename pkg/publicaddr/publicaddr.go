// Package publicaddr tells addresses of the public Internet from all others: what a server may connect to for somebody who must not get into the network that
// the server itself stands in. The special ranges are those of the IANA's registries (RFC 6890 and what came after), and those whose addresses have another
// one inside, to which a translator or a tunnel would lead.
package publicaddr

import (
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
	netip.MustParsePrefix("::/96"),           // IPv4 inside, as it was once written
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4 inside, for translators, RFC 2765
	netip.MustParsePrefix("64:ff9b::/96"),    // IPv4 behind a translator
	netip.MustParsePrefix("64:ff9b:1::/48"),  // the same, local
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, tunnels with IPv4 inside
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: IPv4 inside
	netip.MustParsePrefix("3fff::/20"),       // documentation
	netip.MustParsePrefix("5f00::/16"),       // segment routing, RFC 9602
	netip.MustParsePrefix("fec0::/10"),       // site-local, as it was
}

// Is tells whether a is an address of the public Internet, as far as numbers tell. An IPv4 address in the form ::ffff:192.0.2.1 counts as that IPv4 address.
func Is(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return a.IsGlobalUnicast() && !a.IsPrivate() && !isTunnelled(a) && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// isTunnelled tells of ISATAP's addresses: under any prefix, their last 32 bits are an IPv4 address, RFC 5214.
func isTunnelled(a netip.Addr) bool {
	b := a.As16()
	return a.Is6() && b[8]&^0x03 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}
