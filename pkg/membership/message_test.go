package membership_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
)

// inbox keeps what a member was told.
type inbox struct {
	mu   sync.Mutex
	list []membership.Message
}

func (i *inbox) take(m membership.Message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list = append(i.list, m)
}

func (i *inbox) messages() []membership.Message {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.list
}

func TestMessage_ReachesOneMemberAlone(t *testing.T) {
	for name, body := range map[string][]byte{
		"nothing": {}, "a packet": []byte("hello"), "the longest packet": bytes.Repeat([]byte("x"), 1100),
		"a stream": bytes.Repeat([]byte("y"), 1101), "the longest": bytes.Repeat([]byte("z"), membership.MaxMessage),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				r := prometheus.NewRegistry()
				var first, second, third inbox
				a := w.open("node1", host(1), func(c *membership.Config) { keys(groupKey)(c); c.Receive = first.take })
				b := w.open("node2", host(2), func(c *membership.Config) { keys(groupKey)(c); c.Receive = second.take; c.Registerer = r })
				c := w.open("node3", host(3), func(c *membership.Config) { keys(groupKey)(c); c.Receive = third.take })
				w.sees(5*time.Second, 3, a, b, c)
				if err := a.Send(b.Local().ID, body); err != nil {
					t.Fatal(err)
				}
				w.within(time.Second, "the message is there", func() bool { return len(second.messages()) == 1 })
				pass(time.Second)
				if got := second.messages(); len(got) != 1 || got[0].From.ID != a.Local().ID || got[0].From.Name != "node1" || !bytes.Equal(got[0].Body, body) {
					t.Errorf("%d messages", len(got))
				}
				if len(first.messages())+len(third.messages()) > 0 {
					t.Error("others got it, too")
				}
				if n := metric(t, r, "membership_messages_total", "result=received"); n != 1 {
					t.Errorf("%v counted", n)
				}
			})
		})
	}
}

func TestMessage_NotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("node1", host(1), func(c *membership.Config) { c.Registerer = r })
		b := w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		for what, err := range map[string]error{
			"nobody":   a.Send("01JD0000000000000000000000", nil),
			"itself":   a.Send(a.Local().ID, nil),
			"too long": a.Send(b.Local().ID, make([]byte, membership.MaxMessage+1)),
		} {
			if err == nil {
				t.Errorf("%s: no error", what)
			}
		}
		if n := metric(t, r, "membership_messages_total", "result=failed"); n != 3 {
			t.Errorf("%v counted", n)
		}
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.Send(b.Local().ID, nil); err == nil || !strings.Contains(err.Error(), "left") {
			t.Errorf("after it left: %v", err)
		}
	})
}

// A member that takes no messages, as an old one or a node, is not harmed by any.
func TestMessage_Unwanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		a := w.open("node1", host(1), func(c *membership.Config) { c.Registerer = r })
		b := w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		for range 100 {
			if err := b.Send(a.Local().ID, []byte("news")); err != nil {
				t.Fatal(err)
			}
		}
		w.within(time.Second, "all are counted", func() bool { return metric(t, r, "membership_messages_total", "result=unwanted") == 100 })
		w.sees(time.Second, 2, a, b)
	})
}

// A receiver that takes long loses what does not fit into its queue, and nothing else: gossip goes on.
func TestMessage_TooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := prometheus.NewRegistry()
		block := make(chan struct{})
		var got inbox
		a := w.open("node1", host(1), func(c *membership.Config) {
			c.Registerer = r
			c.Receive = func(m membership.Message) { <-block; got.take(m) }
		})
		b := w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		for i := range 200 {
			if err := b.Send(a.Local().ID, fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Millisecond)
		}
		if n := metric(t, r, "membership_messages_total", "result=overflow"); n != 200-64-1 {
			t.Errorf("%v were dropped", n)
		}
		pass(time.Minute)
		w.sees(time.Second, 2, a, b)
		close(block)
		w.within(time.Second, "those that waited are taken", func() bool { return len(got.messages()) == 65 })
		if last := string(got.messages()[64].Body); last != "64" {
			t.Errorf("the last one is %s", last)
		}
	})
}

// What is no message, or of nobody in sight, is counted and goes no further.
func TestMessage_Strange(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	var got inbox
	a := openLoopback(t, "elb", nil, func(c *membership.Config) { c.Registerer, c.Receive = r, got.take })
	b := openLoopback(t, "peer", []string{a.Addr()}, nil)
	await(t, a, "both", func(ms []membership.Member) bool { return len(ms) == 2 })
	const userMessage = 8 // memberlist's type of it
	stranger := append([]byte{userMessage, 1}, make([]byte, 16)...)
	for _, c := range []struct {
		send   []byte
		result string
	}{
		{[]byte{userMessage}, "malformed"},
		{[]byte{userMessage, 1, 2, 3}, "malformed"},
		{append([]byte{userMessage, 9}, make([]byte, 16)...), "malformed"},
		{stranger, "stranger"},
	} {
		before := metric(t, r, "membership_messages_total", "result="+c.result)
		attack{send: labelled(domain, c.send)}.strike(t, a.Addr(), "127.0.0.1")
		awaitMetric(t, r, "membership_messages_total", "result="+c.result, before+1)
	}
	if err := b.Send(a.Local().ID, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	awaitMetric(t, r, "membership_messages_total", "result=received", 1)
	if list := got.messages(); len(list) != 1 || string(list[0].Body) != "hello" || list[0].From.ID != b.Local().ID {
		t.Errorf("%+v", list)
	}
}

// awaitMetric waits until a counter has reached a value.
func awaitMetric(t *testing.T, r prometheus.Gatherer, name, pair string, want float64) {
	t.Helper()
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for metric(t, r, name, pair) < want {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s{%s} is %v", name, pair, metric(t, r, name, pair))
		}
	}
}

func TestGroup_EpochTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.open("node1", host(1), func(c *membership.Config) { c.Local.Epoch = 7 })
		b := w.open("node2", host(2), nil)
		w.sees(5*time.Second, 2, a, b)
		epoch := func() uint32 { m, _ := find(b.Members(), a.Local().ID); return m.Epoch }
		if epoch() != 7 {
			t.Errorf("it announces %d", epoch())
		}
		if err := a.SetEpoch(1 << 31); err != nil {
			t.Fatal(err)
		}
		w.within(2*time.Second, "the new epoch is told", func() bool { return epoch() == 1<<31 })
		if err := b.SetEpoch(1); err == nil {
			t.Error("a group that was opened without an epoch takes one")
		}
		if err := a.SetEpoch(0); err == nil {
			t.Error("an epoch can be taken away")
		}
	})
}
