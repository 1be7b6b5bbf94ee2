package membership

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Policy says whom a group takes in, beyond who has the key. Addresses that mean something else at each reader (loopback, link-local, "this network",
// multicast, the metadata services of clouds) are refused without being named: a member that announced one would have requests sent to the reader's own
// machine or network. Loopback is fine while this process itself is bound to loopback, and a loopback or link-local range can be named in From.
type Policy struct {
	// From are the ranges that gossip may come from and that members may announce; all when empty. What comes from elsewhere is dropped unread.
	From []netip.Prefix

	// Hosts are the names that a member may announce as its RemoteHost, "node1.example.com" or "*.example.com"; none when empty. An announced
	// RemoteHost that is an address is judged like the address that its gossip carries.
	Hosts []string
}

// CheckHostPattern tells what is wrong with an entry of Policy.Hosts.
func CheckHostPattern(pattern string) error {
	name := strings.TrimPrefix(pattern, "*.")
	switch _, err := netip.ParseAddr(name); {
	case name == "" || strings.ContainsAny(name, "*:/ \t") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
		return fmt.Errorf("%q is not a host name, such as node1.example.com or *.example.com", pattern)
	case err == nil:
		return fmt.Errorf("%q is an address, not a host name", pattern)
	}
	return nil
}

// judge applies a Policy. It is immutable.
type judge struct {
	policy   Policy
	loopback bool // this process is bound to loopback, so only this machine can be heard
	special  []specialRange
}

// specialRange are addresses that do not mean one machine to all.
type specialRange struct {
	prefix netip.Prefix
	what   string
	never  bool // naming it in the policy does not help
}

func newJudge(p Policy, loopback bool) (*judge, error) {
	for _, pattern := range p.Hosts {
		if err := CheckHostPattern(pattern); err != nil {
			return nil, err
		}
	}
	return &judge{policy: p, loopback: loopback, special: []specialRange{
		{netip.MustParsePrefix("169.254.169.254/32"), "the metadata service of a cloud", true},
		{netip.MustParsePrefix("fd00:ec2::254/128"), "the metadata service of a cloud", true},
		{netip.MustParsePrefix("127.0.0.0/8"), "a loopback address", false},
		{netip.MustParsePrefix("::1/128"), "a loopback address", false},
		{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address", false},
		{netip.MustParsePrefix("fe80::/10"), "a link-local address", false},
		{netip.MustParsePrefix("0.0.0.0/8"), "an address of \"this network\"", true},
		{netip.MustParsePrefix("::/128"), "the unspecified address", true},
		{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address", true},
		{netip.MustParsePrefix("ff00::/8"), "a multicast address", true},
		{netip.MustParsePrefix("255.255.255.255/32"), "the broadcast address", true},
	}}, nil
}

// source tells whether gossip may come from addr.
func (j *judge) source(addr netip.Addr) bool {
	return len(j.policy.From) == 0 || j.inRange(addr)
}

func (j *judge) inRange(addr netip.Addr) bool {
	for _, p := range j.policy.From {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// member tells why what a node announces is refused: a reason, one of the reject… constants, and an error for the log; "" and nil when it is not.
func (j *judge) member(addr netip.Addr, remoteHost string) (reason string, err error) {
	if reason, err = j.address(addr); err != nil || remoteHost == "" {
		return reason, err
	}
	// Brackets and whatever else a dialer could read as an address make it no name that a policy has.
	if ip, parseErr := netip.ParseAddr(remoteHost); parseErr == nil {
		if reason, err = j.address(ip.WithZone("").Unmap()); err != nil {
			return reason, fmt.Errorf("it announces another host: %w", err)
		}
		return "", nil
	}
	if !j.hostAllowed(remoteHost) {
		return rejectPolicy, fmt.Errorf("it announces the remote host %q, which accept_hosts does not name", remoteHost)
	}
	return "", nil
}

// address judges one announced address.
func (j *judge) address(addr netip.Addr) (reason string, err error) {
	if !addr.IsValid() {
		return rejectPolicy, errors.New("it announces no address")
	}
	for _, s := range j.special {
		if s.prefix.Contains(addr) && !j.allowsSpecial(s, addr) {
			return rejectPolicy, fmt.Errorf("%s is %s", addr, s.what)
		}
	}
	if !j.source(addr) {
		return rejectCIDR, fmt.Errorf("%s is in no range of accept_from", addr)
	}
	return "", nil
}

// allowsSpecial tells whether an address of a special range is fine here: loopback on loopback, or a range that the policy names by itself. A
// range around it, such as 0.0.0.0/0, does not name it.
func (j *judge) allowsSpecial(s specialRange, addr netip.Addr) bool {
	if s.never {
		return false
	}
	if addr.IsLoopback() && j.loopback {
		return true
	}
	for _, p := range j.policy.From {
		if p.Contains(addr) && p.Bits() >= s.prefix.Bits() {
			return true
		}
	}
	return false
}

func (j *judge) hostAllowed(name string) bool {
	name = strings.ToLower(name)
	for _, pattern := range j.policy.Hosts {
		pattern = strings.ToLower(pattern)
		suffix, wild := strings.CutPrefix(pattern, "*")
		if wild && len(name) > len(suffix) && strings.HasSuffix(name, suffix) || !wild && name == pattern {
			return true
		}
	}
	return false
}

// addrOf is the IP address in a network address; not valid when there is none.
func addrOf(a net.Addr) netip.Addr {
	if ap, ok := a.(interface{ AddrPort() netip.AddrPort }); ok {
		return ap.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
