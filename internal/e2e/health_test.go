package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// healthMemberVariable tells the test binary to be a member, and on which address.
const healthMemberVariable = "REGENT_E2E_HEALTH_MEMBER"

// TestHealthMember is a member as a process of its own, which can be killed and frozen. It ends in order with SIGTERM.
func TestHealthMember(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		<-time.After(5 * time.Millisecond) // so that some requests are under way at any moment
		_, _ = fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(body))
	})
	beMember(t, os.Getenv(healthMemberVariable), mux, func(server *http.Server) {
		_ = server.Close() // the load is over
	})
}

// beMember makes this process a member at an address, until SIGTERM, and then ends it as stop does. Without an address the test is skipped: it is for
// children of other tests alone.
func beMember(t *testing.T, address string, handler http.Handler, stop func(*http.Server)) {
	t.Helper()
	if address == "" {
		t.Skip("only a child of other tests")
	}
	ctx, release := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer release()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		t.Fatal(err)
	case <-ctx.Done():
	}
	stop(server)
	<-done
}

// sickbed is a load balancer over three such members, and a load on it: four GETs to one POST.
type sickbed struct {
	elb     *loneELB
	members []*e2e.Proc
	addrs   []string // of the members
	load    *e2e.OpenLoop
}

const (
	sickbedRate = 200 // a second
	sickbedPost = 4   // the kind of the POSTs; the others are GETs
)

func newSickbed(t *testing.T) *sickbed {
	t.Helper()
	return newSickbedOf(t, "access_log: false\nhealth: {path: /healthz}\n")
}

// newSickbedOf is newSickbed with other lines of the load balancer's file.
func newSickbedOf(t *testing.T, keys string) *sickbed {
	t.Helper()
	ports, err := freeport.PickN(3)
	if err != nil {
		t.Fatal(err)
	}
	s := &sickbed{}
	for i, port := range ports {
		addr := loopback(port)
		s.addrs = append(s.addrs, addr)
		s.members = append(s.members, e2e.NewProc(t, fmt.Sprintf("member%d", i+1), []string{healthMemberVariable + "=" + addr}, "", "-test.run=^TestHealthMember$", "-test.timeout=0"))
		s.members[i].Start()
	}
	s.elb = startLoneELB(t, keys, []loneService{{"app.test", s.addrs}})
	s.awaitUp(t, 3)
	return s
}

// awaitUp waits until the load balancer holds so many members to be well.
func (s *sickbed) awaitUp(t *testing.T, want int) {
	t.Helper()
	s.awaitUpAt(t, s.elb, want)
}

func (s *sickbed) awaitUpAt(t *testing.T, b *loneELB, want int) {
	t.Helper()
	e2e.Await(t, 30*time.Second, fmt.Sprintf("%d members up at %s", want, b.Name), func() error {
		text, err := b.look("/metrics")
		if err != nil {
			return err
		}
		if n := e2e.SumMetric(t, text, "elb_member_up"); int(n) != want {
			return fmt.Errorf("%v are up", n)
		}
		return nil
	})
}

// client asks the load balancer for the application of the members.
func (s *sickbed) client(t *testing.T) *e2e.Client {
	t.Helper()
	_, port, err := net.SplitHostPort(s.elb.httpAddr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return e2e.NewClient(number).Host("app.test")
}

func (s *sickbed) start(t *testing.T) {
	t.Helper()
	client := s.client(t)
	ask := func(method string, body []byte) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			a, err := client.Do(ctx, method, "/work", body)
			if want := fmt.Sprintf("%s /work %d", method, len(body)); err == nil && (a.Status != 200 || string(a.Body) != want) {
				err = fmt.Errorf("%d %q", a.Status, a.Body)
			}
			return err
		}
	}
	get, post := ask("GET", nil), ask("POST", []byte(strings.Repeat("x", 2000)))
	s.load = e2e.StartOpenLoop(t, sickbedRate, 5*time.Minute, get, get, get, get, post)
}

// gets sums up the GETs: how many succeeded and failed, and the slowest.
func (s *sickbed) gets() (done, failed int, slowest time.Duration, told string) {
	for _, tally := range s.load.Tallies[:sickbedPost] {
		done += tally.Count("request")
		failed += tally.Failed()
		slowest = max(slowest, tally.Slowest())
		if tally.Failed() > 0 {
			told += tally.String()
		}
	}
	return done, failed, slowest, told
}

// kill -9 of one of three members under an open-loop load: no GET fails, and no POST but those that it was at work on.
func TestELB_KilledMemberCostsNoGET(t *testing.T) {
	slow(t)
	s := newSickbed(t)
	s.start(t)
	pause(time.Second)
	running := 0
	rounds := e2e.Scale(20, 3)
	for i := range rounds {
		victim := s.members[i%len(s.members)]
		running += s.load.Running(sickbedPost) + 1
		victim.Kill()
		s.awaitUp(t, 2)
		pause(500 * time.Millisecond)
		victim.Start()
		s.awaitUp(t, 3)
		pause(500 * time.Millisecond)
	}
	s.load.Stop()
	done, failed, slowest, told := s.gets()
	posts := s.load.Tallies[sickbedPost]
	t.Logf("%d kills: %d GETs, %d failed, slowest %v; %d POSTs, %d failed, slowest %v; at most %d POSTs were running at the kills",
		rounds, done, failed, slowest, posts.Count("request"), posts.Failed(), posts.Slowest(), running)
	if failed > 0 {
		t.Errorf("GETs failed:\n%s", told)
	}
	if posts.Failed() > running {
		t.Errorf("more POSTs failed than were running:\n%s", posts)
	}
}

// A member that is stopped where it is (SIGSTOP) refuses nothing and answers nothing. Its GETs are sent to another one as soon as checks find
// it out; POSTs wait for it.
func TestELB_FrozenMemberCostsNoGET(t *testing.T) {
	slow(t)
	const frozen = 5 * time.Second
	s := newSickbed(t)
	s.start(t)
	pause(time.Second)
	rounds := e2e.Scale(5, 2)
	for i := range rounds {
		victim := s.members[i%len(s.members)]
		began := time.Now()
		victim.Freeze()
		s.awaitUp(t, 2)
		t.Logf("found out after %v", time.Since(began).Round(time.Millisecond))
		pause(frozen - time.Since(began))
		victim.Thaw()
		s.awaitUp(t, 3)
		pause(500 * time.Millisecond)
	}
	s.load.Stop()
	done, failed, slowest, told := s.gets()
	posts := s.load.Tallies[sickbedPost]
	t.Logf("%d stops of %v: %d GETs, %d failed, slowest %v; %d POSTs, %d failed, slowest %v",
		rounds, frozen, done, failed, slowest, posts.Count("request"), posts.Failed(), posts.Slowest())
	if failed > 0 || slowest >= frozen {
		t.Errorf("GETs failed, or waited until the member went on (%v):\n%s", slowest, told)
	}
	if posts.Failed() > 0 {
		t.Errorf("POSTs failed, though nothing was lost:\n%s", posts)
	}
	if log := s.elb.Log(); strings.Count(log, "member is down: it does not answer") < rounds {
		t.Error("the log does not tell of it")
	}
}

// pause lets the load go on for a while.
func pause(d time.Duration) { <-time.After(d) }
