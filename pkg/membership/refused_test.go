package membership_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
)

// rogueMember makes the metadata of a member of our domain and its name in gossip.
func rogueMember(t *testing.T, change func(*membership.Member)) (meta []byte, node string) {
	t.Helper()
	m := membership.Member{
		ID: ulid.Make().String(), Name: "rogue", Domain: domain, SubDomain: "mgt", HTTPPort: 9764, State: membership.StateActive,
	}
	if change != nil {
		change(&m)
	}
	return membership.EncodeMeta(t, m), m.Name + "-" + m.ID
}

func from(ranges ...string) func(*membership.Config) {
	return func(c *membership.Config) {
		for _, r := range ranges {
			c.Policy.From = append(c.Policy.From, netip.MustParsePrefix(r))
		}
	}
}

// TestPolicy_KeyHolderOutsideIsNoMember: whoever has the key and is not within the policy of host 1 is no member there, whatever the others think, is
// counted, logged once and shown as refused.
func TestPolicy_KeyHolderOutsideIsNoMember(t *testing.T) {
	for name, tc := range map[string]struct {
		addr   string // of the rogue
		change func(*membership.Member)
		policy func(*membership.Config)
		reason string
	}{
		"outside the ranges":   {addr: "192.0.2.66:4250", policy: from("10.0.0.0/24"), reason: "cidr"},
		"loopback":             {addr: "127.0.0.1:4250", reason: "policy"},
		"link-local":           {addr: "169.254.7.7:4250", reason: "policy"},
		"metadata service":     {addr: "169.254.169.254:80", reason: "policy"},
		"link-local v6":        {addr: "[fe80::1]:4250", reason: "policy"},
		"remote host loopback": {addr: host(9), change: func(m *membership.Member) { m.RemoteHost = "127.0.0.1" }, reason: "policy"},
		"remote host metadata": {addr: host(9), change: func(m *membership.Member) { m.RemoteHost = "169.254.169.254" }, reason: "policy"},
		"remote host name":     {addr: host(9), change: func(m *membership.Member) { m.RemoteHost = "metadata.internal" }, reason: "policy"},
		"remote host outside": {
			addr: host(9), change: func(m *membership.Member) { m.RemoteHost = "203.0.113.7" },
			policy: from("10.0.0.0/24"), reason: "cidr",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				r := prometheus.NewRegistry()
				var logged recorder
				key := keys("0123456789abcdef")
				a := w.open("elb", host(1), func(c *membership.Config) {
					key(c)
					c.Registerer, c.Logger, c.MetricPrefix = r, logged.logger(), "elb_gossip"
					if tc.policy != nil {
						tc.policy(c)
					}
				})
				b := w.open("node2", host(2), key)
				w.sees(5*time.Second, 2, a, b)
				meta, node := rogueMember(t, tc.change)
				bad := &rogue{meta: meta}
				mc := memberlist.DefaultLANConfig()
				mc.Name, mc.SecretKey = node, []byte("0123456789abcdef")
				bad.joinAs(t, w, mc, tc.addr)
				for range 120 {
					pass(500 * time.Millisecond)
					if len(a.Members()) != 2 {
						t.Fatalf("the table changed: %s", names(a))
					}
				}
				if n := metric(t, r, "elb_gossip_rejected_total", "reason="+tc.reason); n == 0 {
					t.Errorf("nothing counted for %s", tc.reason)
				}
				refused := a.Refused()
				if len(refused) != 1 || refused[0].Node != node || refused[0].Reason != tc.reason || refused[0].Address != tc.addr || refused[0].Name != "rogue" {
					t.Errorf("refused: %+v", refused)
				}
				if n := strings.Count(logged.String(), `msg="member refused"`); n != 1 {
					t.Errorf("logged %d times, want once:\n%s", n, &logged)
				}
				if n := strings.Count(logged.String(), "ignoring alive message"); n != 0 {
					t.Errorf("memberlist's own line is logged %d times", n)
				}
				if !has(a, b.Local().ID) || a.Isolated() {
					t.Error("the member is gone")
				}
			})
		})
	}
}

// TestPolicy_InsideIsTakenIn: the same policy lets its members in.
func TestPolicy_InsideIsTakenIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		both := func(c *membership.Config) {
			from("10.0.0.0/24", "169.254.7.0/24")(c)
			c.Policy.Hosts = []string{"*.example"}
		}
		a := w.open("elb", host(1), both)
		b := w.open("node2", host(2), func(c *membership.Config) { both(c); c.Local.RemoteHost = "node2.example" })
		c := w.open("node3", "169.254.7.7:4250", both)
		w.sees(5*time.Second, 3, a, b, c)
		if refused := a.Refused(); len(refused) != 0 {
			t.Errorf("refused: %+v", refused)
		}
	})
}

// TestPolicy_NobodyElsesNameChangesAMember: an announcement in the name of a member, made by somebody else with the key, that the policy refuses
// changes nothing of the member.
func TestPolicy_NobodyElsesNameChangesAMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.open("elb", host(1), nil), w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		stolen := b.Local()
		stolen.RemoteHost = "169.254.169.254"
		bad := &rogue{meta: membership.EncodeMeta(t, stolen)}
		mc := memberlist.DefaultLANConfig()
		mc.Name = stolen.Name + "-" + stolen.ID
		bad.joinAs(t, w, mc, host(2+100))
		for range 60 {
			pass(500 * time.Millisecond)
			if m, ok := find(a.Members(), stolen.ID); !ok || m.Host != "10.0.0.2" || m.RemoteHost != "" || len(a.Members()) != 2 {
				t.Fatalf("node2 is shown as %+v (present %v) among %s", m, ok, names(a))
			}
		}
	})
}

// TestView_AnIDIsOfOneMember: whoever has the key can announce the id of another member, or of the reader, under a name of its own. The first one keeps it:
// the other would get what is sent to the id.
func TestView_AnIDIsOfOneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("elb1", host(1), func(c *membership.Config) { c.Registerer = r })
		b := w.open("elb2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		for n, victim := range []*membership.Group{a, b} {
			m := victim.Local()
			m.Name = "rogue"
			mc := memberlist.DefaultLANConfig()
			mc.Name = m.Name + "-" + m.ID
			(&rogue{meta: membership.EncodeMeta(t, m)}).joinAs(t, w, mc, host(100+n))
		}
		w.within(5*time.Second, "both rogues are refused", func() bool { return metric(t, r, "membership_rejected_total", "reason=identity") == 2 })
		pass(30 * time.Second)
		if got := names(a); len(a.Members()) != 2 || strings.Contains(got, "rogue") {
			t.Errorf("elb1 sees %s", got)
		}
		if refused := a.Refused(); len(refused) != 2 || refused[0].Name != "rogue" || refused[0].Reason != "identity" {
			t.Errorf("refused: %+v", refused)
		}
	})
}

// TestRefused_IsBoundedAndForgets: whoever has the key can make up any number of members.
func TestRefused_IsBoundedAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("elb", host(1), nil)
		var lists []*memberlist.Memberlist
		for n := range 140 {
			meta, node := rogueMember(t, func(m *membership.Member) { m.RemoteHost = "127.0.0.1" })
			mc := memberlist.DefaultLANConfig()
			mc.Name = node
			lists = append(lists, (&rogue{meta: meta}).joinAs(t, w, mc, fmt.Sprintf("10.0.%d.%d:4250", 1+n/100, 1+n%100)))
		}
		w.within(10*time.Second, "the list is full", func() bool { return len(a.Refused()) == 128 })
		if len(a.Members()) != 1 {
			t.Errorf("members: %s", names(a))
		}
		for _, l := range lists {
			_ = l.Shutdown()
		}
		pass(15 * time.Minute)
		if n := len(a.Refused()); n != 0 {
			t.Errorf("%d are remembered a quarter of an hour later", n)
		}
	})
}

// TestRefused_ShowsHiddenMembers: members whose metadata cannot be used are in the list while they are there.
func TestRefused_ShowsHiddenMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("elb", host(1), nil)
		list := (&rogue{meta: []byte("garbage")}).join(t, w, "rogue", host(2))
		w.within(5*time.Second, "it is refused", func() bool { return len(a.Refused()) == 1 })
		if r := a.Refused()[0]; r.Node != "rogue" || r.Reason != "metadata" || r.Address != host(2) || r.Detail == "" || r.Since.IsZero() {
			t.Errorf("refused: %+v", r)
		}
		if err := list.Leave(time.Second); err != nil {
			t.Fatal(err)
		}
		w.within(5*time.Second, "it is forgotten", func() bool { return len(a.Refused()) == 0 })
	})
}

func TestSetKeys_RotationLosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		const old, next = "0123456789abcdef", "fedcba9876543210fedcba9876543210"
		in := func(c *membership.Config) { keys(old)(c) }
		a := w.open("elb", host(1), func(c *membership.Config) { in(c); c.Registerer = r })
		b, c := w.open("node2", host(2), in), w.open("node3", host(3), in)
		groups := []*membership.Group{a, b, c}
		w.sees(5*time.Second, 3, groups...)
		for _, step := range [][]string{{old, next}, {next, old}, {next}} {
			for _, g := range groups { // one after the other, with time for gossip between
				var list [][]byte
				for _, k := range step {
					list = append(list, []byte(k))
				}
				if err := g.SetKeys(list); err != nil {
					t.Fatal(err)
				}
				if ids := g.KeyIDs(); len(ids) != len(step) || ids[0] != membership.KeyID([]byte(step[0])) {
					t.Errorf("ids %v after %v", ids, step)
				}
				for range 40 {
					pass(time.Second)
					w.sees(0, 3, groups...)
				}
			}
		}
		for _, event := range []string{"lost", "left"} {
			if n := metric(t, r, "membership_events_total", "event="+event); n != 0 {
				t.Errorf("%v members %s", n, event)
			}
		}
		if n := metric(t, r, "membership_rejected_total", "reason=key"); n != 0 {
			t.Errorf("%v packets refused during the rotation", n)
		}
		old1 := w.open("old", host(4), in) // who has the old key alone is out now
		late := w.open("node5", host(5), keys(next))
		w.sees(5*time.Second, 4, a, b, c, late)
		pass(time.Minute)
		w.sees(0, 4, a, b, c, late)
		w.sees(0, 1, old1)
	})
}

func TestSetKeys_Refuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("keyed", host(1), keys("0123456789abcdef"))
		b := w.open("plain", host(2), nil)
		before := a.KeyIDs()
		for name, tc := range map[string]struct {
			group *membership.Group
			keys  [][]byte
			want  string
		}{
			"none":    {a, nil, "restart to go without"},
			"short":   {a, [][]byte{[]byte("fedcba9876543210"), []byte("short")}, "gossip key 2 has 5 bytes"},
			"unkeyed": {b, [][]byte{[]byte("fedcba9876543210")}, "restart to use some"},
		} {
			err := tc.group.SetKeys(tc.keys)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
			if err != nil && (strings.Contains(err.Error(), "short") || strings.Contains(err.Error(), "fedcba")) {
				t.Errorf("%s: the error shows a key: %v", name, err)
			}
		}
		if after := a.KeyIDs(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("keys changed from %v to %v", before, after)
		}
		if len(b.KeyIDs()) != 0 {
			t.Error("ids without keys")
		}
	})
}
