package e2e_test

// The load balancer as the second hop: nginx or HAProxy in front of it. What the first hop refuses or mends is its own affair; what it passes on as
// one request must come out as that request. The first hop stamps all that it passes on, so a request without a stamp was smuggled.

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/internal/e2e"
)

// behindClients is how many payloads are under way at once: most end when the first hop has waited for more.
const behindClients = 48

func TestSmuggling_BehindOtherProxies(t *testing.T) {
	slow(t)
	t.Parallel()
	payloads := loadPayloads(t)
	for _, hop := range []secondHop{nginx, haproxy} {
		t.Run("Behind"+hop.name, func(t *testing.T) {
			t.Parallel()
			r := startRecorder(t)
			elb := startFront(t, r.port)
			port, process := hop.start(t, portOf(t, elb.httpAddr), 1)
			b := behind{t: t, front: loopback(port), recorder: r, payloads: make(chan payload, len(payloads)), answered: map[int]int{}}
			for _, p := range payloads {
				b.payloads <- p
			}
			close(b.payloads)
			e2e.InParallel(behindClients, func(int) { b.play() })
			b.goodAfter()
			process.Kill()
			elb.Stop()
			b.check()
		})
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// behind is one run of all payloads through a foreign first hop.
type behind struct {
	t        *testing.T
	front    string
	recorder *recorder
	payloads chan payload

	mu       sync.Mutex
	answered map[int]int // request at the recorder -> port of the client that got the answer
}

// play sends payloads, each on a connection of its own, and reads answers until the first hop has enough.
func (b *behind) play() {
	for p := range b.payloads {
		client, err := dialSender(b.front)
		if err != nil {
			b.t.Error(err)
			return
		}
		b.exchange(client, p)
		client.close()
	}
}

func (b *behind) exchange(client *sender, p payload) {
	for i, step := range p.send {
		if i > 0 {
			// An answer, or the end: what matters is that the first hop has done something with the bytes before.
			if _, err := client.in.Peek(1); err != nil {
				return
			}
		}
		client.write(step.bytes)
	}
	for i := 0; ; i++ {
		method := "GET"
		if i < len(p.want) && p.want[i].request.method != "" {
			method = p.want[i].request.method
		}
		a, err := client.answer(method)
		if err != nil {
			return
		}
		b.note(a.seen, client.port())
		if a.status == 101 {
			if err := client.echoes(); err != nil {
				b.t.Errorf("%s: %v", p.name, err)
			}
			return
		}
	}
}

func (b *behind) note(seen, port int) {
	if seen < 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if other, twice := b.answered[seen]; twice {
		b.t.Errorf("the answer to request %d of the member went to ports %d and %d", seen, other, port)
	}
	b.answered[seen] = port
}

// goodAfter sends good requests, more than there are connections between the hops.
func (b *behind) goodAfter() {
	b.t.Helper()
	for i := range 2 * behindClients {
		client, err := dialSender(b.front)
		if err != nil {
			b.t.Fatal(err)
		}
		client.write(good("/good/" + strconv.Itoa(i)))
		a, err := client.answer("GET")
		if err != nil || a.status != 200 || a.seen < 0 {
			b.t.Errorf("good request %d: status %d, %v: %.200s", i, a.status, err, a.body)
		} else {
			b.note(a.seen, client.port())
		}
		client.close()
	}
}

// check wants a stamp on every request that the member saw, each one used once and about this request, and the answer in the right hands.
func (b *behind) check() {
	b.t.Helper()
	e2e.Await(b.t, recorderLimit, "the recorder has read everything", func() error {
		if n := b.recorder.connections(); n > 0 {
			return fmt.Errorf("%d connections are open", n)
		}
		return nil
	})
	seen, faults := b.recorder.since(mark{})
	for _, f := range faults {
		b.t.Errorf("bytes at the member that are no request: %s", f)
	}
	stamps := map[string]bool{}
	for i, m := range seen {
		ids, ports, requests := m.values("X-Front-Id"), m.values("X-Front-Port"), m.values("X-Front-Request")
		if len(ids) != 1 || len(ports) != 1 || len(requests) != 1 || stamps[ids[0]] {
			b.t.Errorf("a request at the member that the first hop did not send, or not like this: %v", m)
			continue
		}
		stamps[ids[0]] = true
		method, target, _ := strings.Cut(requests[0], " ")
		if m.method != method || !sameTarget(m.target, target) {
			b.t.Errorf("the member saw %s %.100s; the first hop sent %.100s", m.method, m.target, requests[0])
		}
		if port, ok := b.answered[i]; ok && strconv.Itoa(port) != ports[0] {
			b.t.Errorf("the answer to %s %.100s of port %s went to port %d", m.method, m.target, ports[0], port)
		}
	}
	if len(seen) < 2*behindClients {
		b.t.Errorf("the member saw %d requests in all", len(seen))
	}
	b.t.Logf("the member saw %d requests, of which %d were answered, and %d that broke off", len(seen), len(b.answered), len(b.recorder.cutOff()))
}

// sameTarget compares a target with what the first hop had of its client, which may be in absolute form.
func sameTarget(target, sent string) bool {
	if strings.EqualFold(sent[:min(len(sent), len("http://"))], "http://") {
		sent = sent[len("http://"):]
		start := strings.IndexAny(sent, "/?")
		if start < 0 {
			return target == "/" || target == "*"
		}
		sent = sent[start:]
	}
	return target == sent || target == "/"+sent
}
