package membership_test

import (
	"bytes"
	"io"
	"log"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
)

// stranger opens host 2 with another config and checks that it and host 1 stay apart, and that host 1 counted the refusals.
func stranger(t *testing.T, reason string, first, second func(*membership.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("node1", host(1), func(c *membership.Config) {
			c.Registerer = r
			if first != nil {
				first(c)
			}
		})
		b := w.open("node2", host(2), second)
		for range 60 {
			pass(time.Second)
			if len(a.Members()) != 1 || len(b.Members()) != 1 {
				t.Fatalf("they mixed: %s; %s", names(a), names(b))
			}
		}
		if n := metric(t, r, "membership_rejected_total", "reason="+reason); n == 0 {
			t.Errorf("no refusal counted for reason %q", reason)
		}
		if !b.Isolated() {
			t.Error("the stranger sees somebody")
		}
	})
}

func keys(k ...string) func(*membership.Config) {
	return func(c *membership.Config) {
		for _, key := range k {
			c.Keys = append(c.Keys, []byte(key))
		}
	}
}

func TestApart_OtherDomain(t *testing.T) {
	stranger(t, "label", nil, func(c *membership.Config) { c.Local.Domain = "other.domain" })
}

func TestApart_OtherKey(t *testing.T) {
	stranger(t, "key", keys("0123456789abcdef"), keys("fedcba9876543210"))
}

func TestApart_NoKey(t *testing.T) {
	stranger(t, "key", keys("0123456789abcdef"), nil)
}

func TestApart_NoKeyHere(t *testing.T) {
	stranger(t, "key", nil, keys("0123456789abcdef"))
}

func TestApart_SecondaryKeyIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("node1", host(1), keys("0123456789abcdef", "fedcba9876543210"))
		b := w.open("node2", host(2), keys("fedcba9876543210", "0123456789abcdef"))
		w.sees(5*time.Second, 2, a, b)
	})
}

// rogue is a bare memberlist node in our domain that announces what it likes.
type rogue struct {
	meta []byte
}

func (r *rogue) NodeMeta(int) []byte           { return r.meta }
func (*rogue) NotifyMsg([]byte)                {}
func (*rogue) GetBroadcasts(int, int) [][]byte { return nil }
func (*rogue) LocalState(bool) []byte          { return nil }
func (*rogue) MergeRemoteState([]byte, bool)   {}
func (r *rogue) join(t *testing.T, w *world, name, addr string) *memberlist.Memberlist {
	t.Helper()
	c := memberlist.DefaultLANConfig()
	c.Name = name
	return r.joinAs(t, w, c, addr)
}

// joinAs is join with more of a configuration; hosts 1 and 2 are asked, and one of them has to answer.
func (r *rogue) joinAs(t *testing.T, w *world, c *memberlist.Config, addr string) *memberlist.Memberlist {
	t.Helper()
	c.Label, c.Delegate, c.Transport = domain, r, w.net.Node(addr)
	c.Logger = log.New(io.Discard, "", 0)
	list, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	if n, err := list.Join([]string{host(1), host(2)}); n == 0 {
		t.Fatal(err)
	}
	return list
}

func TestApart_UnreadableMetadataIsHiddenCountedAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		var logged recorder
		a := w.open("node1", host(1), func(c *membership.Config) { c.Registerer, c.Logger = r, logged.logger() })
		bad := &rogue{meta: []byte("garbage")}
		list := bad.join(t, w, "rogue", host(2))
		w.within(5*time.Second, "the rogue is counted", func() bool {
			return metric(t, r, "membership_rejected_total", "reason=metadata") == 1
		})
		bad.meta = bytes.Repeat([]byte{0xff}, 512)
		if err := list.UpdateNode(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if len(a.Members()) != 1 {
			t.Errorf("the rogue is shown: %s", names(a))
		}
		if n := strings.Count(logged.String(), "member not shown"); n != 1 {
			t.Errorf("logged %d times, want once; log:\n%s", n, &logged)
		}
	})
}

// A member may not take the place of another by announcing its identity.
func TestApart_StolenIdentityIsHidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("node1", host(1), func(c *membership.Config) { c.Registerer = r })
		b := w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		thief := &rogue{meta: membership.EncodeMeta(t, b.Local())}
		thief.join(t, w, "rogue", host(3))
		w.within(5*time.Second, "the thief is counted", func() bool {
			return metric(t, r, "membership_rejected_total", "reason=identity") == 1
		})
		if m, _ := find(a.Members(), b.Local().ID); m.Host != "10.0.0.2" || len(a.Members()) != 2 {
			t.Errorf("node2 is shown at %s among %s", m.Host, names(a))
		}
	})
}

func TestSubscribe_SlowReaderGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.open("node1", host(1), nil), w.open("node2", host(2), nil)
		updates, cancel := a.Subscribe()
		_, never := a.Subscribe() // nobody reads this one
		defer never()
		w.sees(5*time.Second, 2, a, b)
		for _, s := range []membership.State{membership.StateMaintenance, membership.StateJoining, membership.StateMaintenance, membership.StateActive} {
			if err := b.SetState(s); err != nil {
				t.Fatal(err)
			}
		}
		w.within(5*time.Second, "node1 sees node2 active again", func() bool {
			m, _ := find(a.Members(), b.Local().ID)
			return m.State == membership.StateActive
		})
		if m, ok := find(<-updates, b.Local().ID); !ok || m.State != membership.StateActive {
			t.Errorf("the one pending snapshot has node2 %v (present %v), want the newest: active", m.State, ok)
		}
		select {
		case s := <-updates:
			t.Errorf("a second snapshot was pending: %v", s)
		default:
		}
		cancel()
		cancel()
		if _, open := <-updates; open {
			t.Error("the channel is open after cancel")
		}
		if err := b.SetState(membership.StateMaintenance); err != nil { // publishing goes on for the others
			t.Fatal(err)
		}
	})
}

func TestGroup_ConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, _, _ := w.three()
		var wg sync.WaitGroup
		for n := range 4 {
			wg.Go(func() {
				for i := range 20 {
					_ = a.SetState(membership.State((n + i) % 4)) // a wait that others cut short is no fault here
					updates, cancel := a.Subscribe()
					if got := <-updates; len(got) == 0 {
						t.Error("an empty snapshot")
					}
					cancel()
					a.Members()
					a.Isolated()
				}
			})
		}
		wg.Wait()
	})
}
