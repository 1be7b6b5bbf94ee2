package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

const (
	soakHost    = "soak.test"
	soakMembers = 3
	soakClients = 20
	// soakLimit is how long one exchange may take, with frozen members and the race detector.
	soakLimit = time.Minute
)

// soakTime is how long the soak lasts.
func soakTime() time.Duration { return time.Duration(e2e.Scale(600, 20)) * time.Second }

// TestELB_Soak has clients of every kind at work while members are killed, stopped, frozen and started again. Every body is compared, byte by byte
// and by hash, in both directions. Requests that the rules of retry cover must all succeed; the others may fail while a member is away, and only
// so that the client notices. No POST may be acted on twice, and none that its client broke off at all.
func TestELB_Soak(t *testing.T) {
	slow(t)
	s := newSoak(t)
	load := s.start()
	s.trouble(soakTime())
	load.Wait()
	s.report()
	s.checkActs()
	for _, f := range s.fronts {
		f.client.CloseIdleConnections()
	}
	s.elb.checkBase(30 * time.Second)
}

// The fronts that differ in what they are given.
const (
	http2Front    = 2 // index of soak.fronts
	trailersFront = 3
)

// soak is the state of one.
type soak struct {
	t       *testing.T
	elb     *loneELB
	members []*e2e.Proc
	ports   []string
	fronts  []soakFront
	seed    uint64
	starved int64 // kernelStarved at the start
	tokens  atomic.Int64
	until   time.Time

	bytesUp, bytesDown atomic.Int64

	mu       sync.Mutex
	troubles []period
	counts   map[string]int
	failures []failure
	wrongs   []string
}

// soakFront is a way in: HTTP/1.1 plain and under TLS, HTTP/2. Uploads with trailers have an HTTP/2 connection of their own: trailers that meet a
// stream which was answered early make net/http's server end the whole connection (RFC 9113 section 5.1 would have it ignore them).
type soakFront struct {
	name   string
	url    string
	client *http.Client
}

// period is a time in which a member is away, and what happened to it.
type period struct {
	from, to time.Time
	what     string
}

// failure is an exchange that did not succeed.
type failure struct {
	kind     string
	job      string
	mayFail  bool
	from, to time.Time
	err      error
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	s := &soak{t: t, counts: map[string]int{}, seed: rand.Uint64(), starved: kernelStarved(t)}
	ports, err := freeport.PickN(soakMembers)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range ports {
		address := loopback(p)
		s.ports = append(s.ports, address)
		// The test binary, as an ordinary test run of one test.
		m := e2e.NewProc(t, fmt.Sprintf("member%d", i+1), []string{soakMemberVariable + "=" + address}, "", "-test.run=^TestSoakMember$", "-test.timeout=0")
		s.members = append(s.members, m)
		m.Start()
	}
	for i := range s.members {
		s.awaitMember(i)
	}
	const timeouts = "timeouts: {idle: 10s, member_idle: 5s, connect: 5s}\n"
	s.elb = startLoneELB(t, timeouts, []loneService{{soakHost, s.ports}})
	plain := &http.Transport{MaxIdleConnsPerHost: soakClients, DisableCompression: true}
	secure := &http.Transport{MaxIdleConnsPerHost: soakClients, DisableCompression: true, TLSClientConfig: s.elb.tlsConfig("http/1.1")}
	second := &http.Transport{DisableCompression: true, TLSClientConfig: s.elb.tlsConfig(), ForceAttemptHTTP2: true}
	chunked := &http.Transport{DisableCompression: true, TLSClientConfig: s.elb.tlsConfig(), ForceAttemptHTTP2: true}
	s.fronts = []soakFront{
		{"HTTP/1.1", "http://" + s.elb.httpAddr, &http.Client{Transport: plain, Timeout: soakLimit}},
		{"TLS", "https://" + s.elb.httpsAddr, &http.Client{Transport: secure, Timeout: soakLimit}},
		{"HTTP/2", "https://" + s.elb.httpsAddr, &http.Client{Transport: second, Timeout: soakLimit}},
		{"HTTP/2 trailers", "https://" + s.elb.httpsAddr, &http.Client{Transport: chunked, Timeout: soakLimit}},
	}
	t.Logf("seed %d, race detector %t", s.seed, raceDetector())
	return s
}

// raceDetector tells whether this binary, and so elb, is built with it.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(b debug.BuildSetting) bool { return b.Key == "-race" && b.Value == "true" })
}

func (s *soak) token(kind string) string { return fmt.Sprintf("%s%d", kind, s.tokens.Add(1)) }

// start puts the clients to work.
func (s *soak) start() *sync.WaitGroup {
	s.until = time.Now().Add(soakTime())
	var all sync.WaitGroup
	for client := range soakClients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(s.seed, uint64(client)))
			for time.Now().Before(s.until) && s.t.Context().Err() == nil {
				s.step(rng)
			}
		})
	}
	return &all
}

// step is one exchange of one client.
func (s *soak) step(rng *rand.Rand) {
	began := time.Now()
	switch rng.IntN(20) {
	case 0:
		s.note(failure{kind: "websocket", mayFail: true, from: began, err: s.websocket(rng)})
	case 1:
		s.note(failure{kind: "reset", mayFail: true, from: began, err: s.resetMidway(rng)})
	default:
		j := s.newJob(rng)
		// What was begun is finished, so that every answer counts; the client has a limit of its own.
		err := s.run(context.WithoutCancel(s.t.Context()), j)
		s.note(failure{kind: j.kind(s.fronts[j.front].name), job: j.String(), mayFail: j.mayFail(), from: began, err: err})
	}
}

// note counts an exchange that is over.
func (s *soak) note(f failure) {
	f.to = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f.err == nil:
		s.counts[f.kind]++
	case errors.Is(f.err, errWrong):
		s.wrongs = append(s.wrongs, fmt.Sprintf("%s %s: %s: %v", f.to.Format("15:04:05.000"), f.kind, f.job, f.err))
	default:
		s.failures = append(s.failures, f)
	}
}

// trouble lets things happen to the members, one at a time, until the time is over. All are there in the end.
func (s *soak) trouble(d time.Duration) {
	end := time.After(d)
	rng := rand.New(rand.NewPCG(s.seed, 1<<32))
	for n := 0; ; n++ {
		select {
		case <-end:
			return
		case <-time.After(time.Duration(400+rng.IntN(800)) * time.Millisecond):
		}
		i := rng.IntN(len(s.members))
		m := s.members[i]
		began := time.Now()
		switch n % 3 {
		case 0:
			m.Kill()
			<-time.After(time.Duration(rng.IntN(500)) * time.Millisecond) // it is away for a while
			m.Start()
			s.awaitMember(i)
			s.away(began, "kill -9")
		case 1:
			m.Stop()
			m.Start()
			s.awaitMember(i)
			s.away(began, "restart")
		default:
			// Nothing may fail because a member is slow.
			m.Freeze()
			<-time.After(time.Duration(rng.IntN(1500)) * time.Millisecond)
			m.Thaw()
			s.mu.Lock()
			s.counts["(freeze)"]++
			s.mu.Unlock()
		}
	}
}

// away notes a time without a member. What the member broke may be noticed a moment after it is back.
func (s *soak) away(from time.Time, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles = append(s.troubles, period{from, time.Now().Add(500 * time.Millisecond), what})
	s.counts["("+what+")"]++
}

func (s *soak) awaitMember(i int) {
	s.t.Helper()
	e2e.Await(s.t, 60*time.Second, s.members[i].Name+" listens", func() error {
		conn, err := net.DialTimeout("tcp", s.ports[i], time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// excuse is what happened to a member during an exchange; "" if nothing did.
func (s *soak) excuse(f failure) string {
	for _, p := range s.troubles {
		if f.from.Before(p.to) && p.from.Before(f.to) {
			return p.what
		}
	}
	return ""
}

// report tells what was done, and fails the test for what must not be.
func (s *soak) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	done := 0
	for _, kind := range slices.Sorted(maps.Keys(s.counts)) {
		lines = append(lines, fmt.Sprintf("%s %d", kind, s.counts[kind]))
		done += s.counts[kind]
	}
	s.t.Logf("%d exchanges, %d MiB up, %d MiB down: %s", done, s.bytesUp.Load()>>20, s.bytesDown.Load()>>20, strings.Join(lines, ", "))
	if done == 0 {
		s.t.Error("nothing was done")
	}
	for _, w := range s.wrongs[:min(len(s.wrongs), 20)] {
		s.t.Error(w)
	}
	excused := map[string]int{}
	unexcused := 0
	for _, f := range s.failures {
		why := s.excuse(f)
		if f.mayFail && why != "" {
			excused[why+": "+f.kind]++
			s.t.Logf("allowed (%s): %s after %v: %s: %v", why, f.kind, f.to.Sub(f.from).Round(time.Millisecond), f.job, f.err)
			continue
		}
		if unexcused++; unexcused <= 20 {
			s.t.Errorf("%s %s after %v, member away: %q, covered by retry: %t: %s: %v",
				f.from.Format("15:04:05.000"), f.kind, f.to.Sub(f.from).Round(time.Millisecond), why, !f.mayFail, f.job, f.err)
		}
	}
	s.t.Logf("failed while a member was away: %v; failed otherwise: %d; wrong: %d", excused, unexcused, len(s.wrongs))
	if n := kernelStarved(s.t) - s.starved; n > 0 {
		s.t.Logf("meanwhile the kernel reset %d connections of this machine because its memory for TCP was full (net.ipv4.tcp_mem)", n)
	}
}

// kernelStarved is how many connections the kernel has reset for want of memory: TCPAbortOnMemory of /proc/net/netstat.
func kernelStarved(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	names, rest, _ := strings.Cut(string(text), "\n") // a line of names, and one of values
	values, _, _ := strings.Cut(rest, "\n")
	i := slices.Index(strings.Fields(names), "TCPAbortOnMemory")
	if i < 0 {
		t.Fatalf("/proc/net/netstat has no TCPAbortOnMemory: %s", names)
	}
	n, err := strconv.ParseInt(strings.Fields(values)[i], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkActs looks at what the members say they did: no POST twice, and none that its client broke off.
func (s *soak) checkActs() {
	s.t.Helper()
	times := map[string]int{}
	for _, m := range s.members {
		for line := range strings.Lines(m.Log()) {
			if token, ok := strings.CutPrefix(strings.TrimSpace(line), acted); ok {
				times[token]++
			}
		}
	}
	if len(times) == 0 {
		s.t.Error("no member acted on any POST")
	}
	for token, n := range times {
		if n > 1 {
			s.t.Errorf("POST %s was acted on %d times", token, n)
		}
		if strings.HasPrefix(token, "r") {
			s.t.Errorf("POST %s was acted on, though its client broke it off", token)
		}
	}
	s.t.Logf("%d POSTs were acted on", len(times))
}
