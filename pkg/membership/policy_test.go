package membership

import (
	"net/netip"
	"strings"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func TestJudge_Member(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		from     []netip.Prefix
		hosts    []string
		loopback bool
		addr     string // announced by gossip; "" for none
		remote   string
		reason   string // "" when it is taken in
		why      string
	}{
		{name: "any", addr: "10.0.0.2"},
		{name: "any, v6", addr: "2001:db8::2"},
		{name: "no address", reason: rejectPolicy, why: "no address"},
		{name: "inside", from: prefixes("192.0.2.0/24", "10.0.0.0/8"), addr: "10.0.0.2"},
		{name: "outside", from: prefixes("10.0.0.0/8"), addr: "192.0.2.1", reason: rejectCIDR, why: "192.0.2.1 is in no range of accept_from"},
		{name: "v4 is not in all of v6", from: prefixes("::/0"), addr: "10.0.0.2", reason: rejectCIDR},
		{name: "loopback", addr: "127.0.0.1", reason: rejectPolicy, why: "loopback"},
		{name: "loopback v6", addr: "::1", reason: rejectPolicy, why: "loopback"},
		{name: "far loopback", addr: "127.255.0.9", reason: rejectPolicy, why: "loopback"},
		{name: "loopback in a range around it", from: prefixes("0.0.0.0/0", "::/0"), addr: "127.0.0.1", reason: rejectPolicy},
		{name: "loopback by name", from: prefixes("127.0.0.0/8"), addr: "127.0.0.1"},
		{name: "loopback on loopback", loopback: true, addr: "127.0.0.1"},
		{name: "loopback v6 on loopback", loopback: true, addr: "::1"},
		{name: "loopback on loopback, outside", from: prefixes("127.0.0.1/32"), loopback: true, addr: "127.0.0.2", reason: rejectCIDR},
		{name: "link-local", addr: "169.254.1.1", reason: rejectPolicy, why: "link-local"},
		{name: "link-local v6", addr: "fe80::1", reason: rejectPolicy, why: "link-local"},
		{name: "link-local on loopback", loopback: true, addr: "169.254.1.1", reason: rejectPolicy},
		{name: "link-local by name", from: prefixes("169.254.1.0/24"), addr: "169.254.1.1"},
		{name: "metadata service, link-local by name", from: prefixes("169.254.0.0/16"), addr: "169.254.169.254", reason: rejectPolicy, why: "metadata"},
		{name: "metadata service by name", from: prefixes("169.254.169.254/32"), addr: "169.254.169.254", reason: rejectPolicy},
		{name: "metadata service v6", addr: "fd00:ec2::254", reason: rejectPolicy, why: "metadata"},
		{name: "unspecified", addr: "0.0.0.0", reason: rejectPolicy, why: "this network"},
		{name: "unspecified v6", loopback: true, addr: "::", reason: rejectPolicy, why: "unspecified"},
		{name: "multicast", addr: "239.1.2.3", reason: rejectPolicy, why: "multicast"},
		{name: "multicast v6 by name", from: prefixes("ff00::/8"), addr: "ff02::1", reason: rejectPolicy, why: "multicast"},
		{name: "broadcast", addr: "255.255.255.255", reason: rejectPolicy, why: "broadcast"},

		{name: "remote address", addr: "10.0.0.2", remote: "203.0.113.7"},
		{name: "remote loopback", addr: "10.0.0.2", remote: "127.0.0.1", reason: rejectPolicy, why: "announces another host: 127.0.0.1 is a loopback"},
		{name: "remote loopback, mapped", addr: "10.0.0.2", remote: "::ffff:127.0.0.1", reason: rejectPolicy},
		{name: "remote link-local with a zone", addr: "10.0.0.2", remote: "fe80::1%eth0", reason: rejectPolicy},
		{name: "remote metadata service", addr: "10.0.0.2", remote: "169.254.169.254", reason: rejectPolicy, why: "metadata"},
		{name: "remote outside", from: prefixes("10.0.0.0/8"), addr: "10.0.0.2", remote: "203.0.113.7", reason: rejectCIDR},
		{name: "remote loopback in brackets", addr: "10.0.0.2", remote: "[::1]", reason: rejectPolicy, why: "accept_hosts"},
		{name: "remote loopback as one number", addr: "10.0.0.2", remote: "2130706433", reason: rejectPolicy, why: "accept_hosts"},
		{name: "remote name", addr: "10.0.0.2", remote: "node2.example", reason: rejectPolicy, why: `"node2.example", which accept_hosts does not name`},
		{name: "remote name, exact", hosts: []string{"node2.example"}, addr: "10.0.0.2", remote: "Node2.EXAMPLE"},
		{name: "remote name, below", hosts: []string{"*.nodes.example"}, addr: "10.0.0.2", remote: "a.b.nodes.example"},
		{name: "remote name, not below itself", hosts: []string{"*.nodes.example"}, addr: "10.0.0.2", remote: "nodes.example", reason: rejectPolicy},
		{name: "remote name, not a label", hosts: []string{"*.nodes.example"}, addr: "10.0.0.2", remote: "evilnodes.example", reason: rejectPolicy},
		{name: "remote name, at a refused address", hosts: []string{"node2.example"}, addr: "127.0.0.1", remote: "node2.example", reason: rejectPolicy, why: "loopback"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			j, err := newJudge(Policy{From: tc.from, Hosts: tc.hosts}, tc.loopback)
			if err != nil {
				t.Fatal(err)
			}
			var addr netip.Addr
			if tc.addr != "" {
				addr = netip.MustParseAddr(tc.addr)
			}
			reason, err := j.member(addr, tc.remote)
			if reason != tc.reason || (err == nil) != (reason == "") {
				t.Errorf("reason %q, error %v; want reason %q", reason, err, tc.reason)
			}
			if err != nil && !strings.Contains(err.Error(), tc.why) {
				t.Errorf("error %q, want it to hold %q", err, tc.why)
			}
		})
	}
}

func TestCheckHostPattern(t *testing.T) {
	t.Parallel()
	for pattern, ok := range map[string]bool{
		"node1.example.com": true, "*.example.com": true, "localhost": true,
		"": false, "*": false, "*.": false, "*.*.example": false, "a*.example": false, ".example": false, "example.": false, "a b": false,
		"10.0.0.1": false, "::1": false, "host:80": false, "10.0.0.0/8": false,
	} {
		if err := CheckHostPattern(pattern); (err == nil) != ok {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// FuzzJudge_Member: what an address of this machine or of the metadata service looks like when Go reads it is never taken in.
func FuzzJudge_Member(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:ffff:7f00:1", "169.254.169.254", "fe80::1%eth0", "[::1]", "localhost", "a.example"} {
		f.Add(s)
	}
	j, err := newJudge(Policy{Hosts: []string{"*.example"}}, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		reason, err := j.member(netip.MustParseAddr("10.0.0.2"), remote)
		if (reason == "") != (err == nil) {
			t.Fatalf("reason %q with error %v", reason, err)
		}
		if err != nil || remote == "" {
			return
		}
		if ip, err := netip.ParseAddr(remote); err == nil {
			if ip = ip.Unmap(); ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() {
				t.Fatalf("%q is taken in", remote)
			}
		} else if !strings.HasSuffix(strings.ToLower(remote), ".example") {
			t.Fatalf("%q is taken in", remote)
		}
	})
}
