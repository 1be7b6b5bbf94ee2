package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
)

// change has the load balancer take up its file with further keys of the domain, instead of those of the last change. text is the file without any.
func (s *sickbed) change(t *testing.T, text []byte, keys string) {
	t.Helper()
	const before = "domains: {d0.domain: {"
	changed := strings.Replace(string(text), before, before+keys+", ", 1)
	if changed == string(text) {
		t.Fatalf("no %s in\n%s", before, text)
	}
	reloads := s.metric(t, "elb_config_reloads_total")
	if err := os.WriteFile(s.elb.file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	s.elb.Hangup()
	e2e.Await(t, 30*time.Second, "reload", func() error {
		if s.metric(t, "elb_config_reloads_total") == reloads {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if s.metric(t, "elb_config_last_reload_success") != 1 {
		t.Fatal("the configuration was refused")
	}
}

// file is the file of the load balancer.
func (s *sickbed) file(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(s.elb.file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// metric is the sum of the series of a metric of the load balancer.
func (s *sickbed) metric(t *testing.T, name string) float64 {
	t.Helper()
	text, err := s.elb.look("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return e2e.SumMetric(t, text, name)
}

// burst sends so many GETs at once, and counts the answers by status.
func (s *sickbed) burst(t *testing.T, n int) map[int]int {
	t.Helper()
	client := s.client(t)
	var mu sync.Mutex
	answers := map[int]int{}
	e2e.InParallel(n, func(int) {
		a, err := client.Do(context.Background(), "GET", "/work", nil)
		if err != nil {
			t.Error(err)
		}
		if a.Status == 503 && a.Header.Get("Retry-After") != "1" {
			t.Errorf("503 without Retry-After: %v", a.Header)
		}
		mu.Lock()
		defer mu.Unlock()
		answers[a.Status]++
	})
	return answers
}

// More requests than members may have at once wait for room, and are refused when there is none for waiting either.
func TestELB_Limits(t *testing.T) {
	slow(t)
	s := newSickbed(t)
	file := s.file(t)
	s.change(t, file, "limits: {max_in_flight: 2, queue: {length: 1000, time: 20s}}")
	const burst = 300
	if got := s.burst(t, burst); got[200] != burst {
		t.Errorf("with a long queue: %v", got)
	}
	if hits, shed := s.metric(t, "elb_limit_hits_total"), s.metric(t, "elb_shed_total"); hits == 0 || shed != 0 {
		t.Errorf("%v requests met a limit, %v were refused", hits, shed)
	}
	s.change(t, file, "limits: {max_in_flight: 2, queue: {length: 5, time: 20s}}")
	got := s.burst(t, burst)
	shed := s.metric(t, "elb_shed_total")
	t.Logf("of %d requests at once: %v", burst, got)
	if got[503] == 0 || got[200] < 6+5 || got[200]+got[503] != burst || int(shed) != got[503] {
		t.Errorf("with a short queue: %v, and %v were refused", got, shed)
	}
	if n := s.metric(t, "elb_queue_length"); n != 0 {
		t.Errorf("%v wait for ever", n)
	}
}

// GETs leave a member that stands still after the time of an attempt, before checks find it out.
func TestELB_TryTimeout(t *testing.T) {
	slow(t)
	s := newSickbed(t)
	const try = 200 * time.Millisecond
	s.change(t, s.file(t), "retry: {try_timeout: "+try.String()+"}, health: {interval: 30s, timeout: 10s}") // so late that they play no part
	s.start(t)
	pause(time.Second)
	s.members[1].Freeze()
	pause(3 * time.Second)
	left := s.metric(t, "elb_retries_total")
	s.members[1].Thaw()
	s.load.Stop()
	done, failed, slowest, told := s.gets()
	posts := drill.Summarise(s.load.Samples(), isPOST)
	t.Logf("%d GETs, %d failed, slowest %v; POST: %v; %v attempts were left", done, failed, slowest, posts, left)
	if failed > 0 || slowest >= 2*time.Second {
		t.Errorf("GETs failed, or waited for the member:\n%s", told)
	}
	if posts.Failures() > 0 {
		t.Errorf("POSTs failed, though nothing was lost: %v", posts)
	}
	if left == 0 || !strings.Contains(s.elb.Log(), "did not begin its answer in the time of an attempt") {
		t.Error("no attempt was left")
	}
}
