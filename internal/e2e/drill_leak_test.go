package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/pkg/membership"
)

// passers is how many members come and go at the same time.
const passers = 25

// TestELB_StrangersAndPassersByLeaveNothing sends requests with random hosts, methods and paths, and has members join, serve and leave. In the end the load
// balancer has as many series of metrics, goroutines and descriptors as when only its first members were there.
func TestELB_StrangersAndPassersByLeaveNothing(t *testing.T) {
	slow(t)
	f := startDrillField(t, 3, healthMember(), func(int) string { return "timeouts: {member_idle: 2s}\n" }) // so that the test need not wait for long
	b := f.elbs[0]
	first := b.holdings(t)
	strange := newStrangers(b.addr)
	t.Cleanup(strange.client.CloseIdle)
	strange.oneOfEach(t)
	strange.client.CloseIdle()
	before := b.holdings(t)
	before.goroutines, before.descriptors = first.goroutines, first.descriptors // without those of the requests

	strange.send(t, e2e.Scale(10_000, 3_000))
	turns := e2e.Scale(1_000, passers) / passers
	served := 0
	for range turns {
		served += f.pass(t)
	}
	strange.client.CloseIdle()
	if served == 0 {
		t.Error("no member that came got a request, so this proves little")
	}
	var now holdings
	e2e.Await(t, 90*time.Second, "everything back to what it was", func() error {
		now = b.holdings(t)
		// Members that left have connections for a while, and gossip opens some of its own.
		if now.series != before.series || now.goroutines > before.goroutines+spareGoroutines || now.descriptors > before.descriptors+4 {
			return fmt.Errorf("it has %+v; at first it had %+v; more series: %v", now, before, now.more(before))
		}
		return nil
	})
	t.Logf("%d members came and went, and answered %d requests; before %+v, after %+v", turns*passers, served, before, now)
	if log := b.Log(); strings.Count(log, `"msg":"Member left"`) < turns*passers {
		t.Errorf("only %d members are said to have left", strings.Count(log, `"msg":"Member left"`))
	}
}

// holdings are what a load balancer holds.
type holdings struct {
	series                  int
	goroutines, descriptors float64
	names                   map[string]int // of series, by metric
}

// String leaves the names out.
func (h holdings) String() string {
	return fmt.Sprintf("%d series, %v goroutines, %v descriptors", h.series, h.goroutines, h.descriptors)
}

// more tells which metrics have more series than before.
func (h holdings) more(before holdings) (names []string) {
	for name, n := range h.names {
		if n != before.names[name] {
			names = append(names, fmt.Sprintf("%s %+d", name, n-before.names[name]))
		}
	}
	return names
}

func (b *fieldELB) holdings(t *testing.T) holdings {
	t.Helper()
	a, err := b.admin.Do(t.Context(), "GET", "/metrics", nil)
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("%v %d", err, a.Status)
	}
	h := holdings{names: map[string]int{}}
	for line := range strings.Lines(string(a.Body)) {
		// Reasons and results of a domain are few, and those of faults come with the first that chance brings.
		if strings.HasPrefix(line, "#") || strings.Contains(line, `reason="`) || strings.Contains(line, `result="`) {
			continue
		}
		h.series++
		name, _, _ := strings.Cut(strings.Fields(line)[0], "{")
		h.names[name]++
	}
	h.goroutines, h.descriptors = e2e.SumMetric(t, a.Body, "go_goroutines"), e2e.SumMetric(t, a.Body, "process_open_fds")
	return h
}

// strangers send requests that nobody meant.
type strangers struct {
	client *drill.Client
	mu     sync.Mutex
	rng    *rand.Rand
}

func newStrangers(addr string) *strangers {
	return &strangers{client: &drill.Client{Addr: addr, Host: fieldHost, Limit: fieldLimit}, rng: rand.New(rand.NewPCG(1, 2))}
}

// word is up to n letters. It needs the lock.
func (s *strangers) word(letters string, n int) string {
	text := make([]byte, 1+s.rng.IntN(n))
	for i := range text {
		text[i] = letters[s.rng.IntN(len(letters))]
	}
	return string(text)
}

const smallLetters = "abcdefghijklmnopqrstuvwxyz"

// methods are those that there are, and one of its own. It needs the lock.
func (s *strangers) methods() []string {
	return []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X" + s.word("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 12)}
}

// hosts are of each kind one. It needs the lock.
func (s *strangers) hosts() []string {
	return []string{
		fieldHost, s.word(smallLetters, 20) + "." + fieldHost, s.word(smallLetters, 30) + ".test",
		s.word(smallLetters, 10) + ":" + strconv.Itoa(s.rng.IntN(65536)),
	}
}

// oneOfEach sends each method to each kind of host, for paths that the members have, have not, and
// redirect: all labels that there will be.
func (s *strangers) oneOfEach(t *testing.T) {
	t.Helper()
	for _, method := range s.methods() {
		for _, host := range s.hosts() {
			for _, path := range []string{"/work", "/a", "/a//b/../c"} {
				if _, err := s.client.Do(t.Context(), method, path, nil, "Host", host); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// random makes up a request.
func (s *strangers) random() (method, host, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	methods, hosts := s.methods(), s.hosts()
	return methods[s.rng.IntN(len(methods))], hosts[s.rng.IntN(len(hosts))], "/" + url.PathEscape(s.word(smallLetters+"/%;.?#", 60))
}

// send sends so many and fails the test unless each gets an answer.
func (s *strangers) send(t *testing.T, n int) {
	t.Helper()
	const clients = 8
	tally := e2e.NewTally()
	e2e.InParallel(clients, func(int) {
		for range n / clients {
			method, host, path := s.random()
			tally.Timed(t.Context(), "request", func(ctx context.Context) error {
				a, err := s.client.Do(ctx, method, path, nil, "Host", host)
				if err == nil && a.Status >= http.StatusInternalServerError {
					err = fmt.Errorf("%s %s%s: %d", method, host, path, a.Status)
				}
				return err
			})
		}
	})
	if tally.Failed() > 0 {
		t.Errorf("%v", tally)
	}
}

// pass has members join, waits until the load balancers use all of them and sends them requests, and has them leave. It gives how many they answered.
func (f *drillField) pass(t *testing.T) int {
	t.Helper()
	var mu sync.Mutex
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		served++
	}))
	t.Cleanup(server.Close)
	_, text, _ := strings.Cut(server.Listener.Addr().String(), ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	groups := make([]*membership.Group, passers)
	faults := make([]error, passers)
	e2e.InParallel(passers, func(i int) {
		groups[i], faults[i] = membership.Open(t.Context(), membership.Config{
			Local: membership.Member{
				Name: fmt.Sprintf("passer%d", i), Domain: fieldDomain, Host: "127.0.0.1", HTTPPort: port, HealthPath: "/healthz", State: membership.StateActive,
			},
			Seeds: f.members[0].seeds,
		})
	})
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	f.awaitUp(len(f.members) + passers)
	client := &drill.Client{Addr: f.elbs[0].addr, Host: fieldHost, Limit: fieldLimit}
	for range 3 * passers {
		if _, err := client.Do(t.Context(), http.MethodGet, "/work", nil); err != nil {
			t.Error(err)
		}
	}
	client.CloseIdle()
	e2e.InParallel(passers, func(i int) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := groups[i].Leave(ctx); err != nil {
			t.Logf("passer%d: %v", i, err) // gossip has no room for so much news at once; some then are found to be gone
		}
	})
	server.Close() // or a load balancer that did not hear keeps one as a last resort, which answers its checks
	f.awaitUp(len(f.members))
	mu.Lock()
	defer mu.Unlock()
	return served
}
