package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
)

// sickbed is a load balancer over three static members, which say nothing by gossip, and a load on it: four GETs to one POST.
type sickbed struct {
	elb     *loneELB
	members []*e2e.Proc
	addrs   []string // of the members
	load    *drill.Loop
}

func newSickbed(t *testing.T) *sickbed {
	t.Helper()
	return newSickbedOf(t, "access_log: false\nhealth: {path: /healthz}\n")
}

// newSickbedOf starts the members, and a load balancer with these lines in its file, and waits until it uses all members.
func newSickbedOf(t *testing.T, keys string) *sickbed {
	t.Helper()
	ports, err := freeport.PickN(3)
	if err != nil {
		t.Fatal(err)
	}
	s := &sickbed{}
	for i, port := range ports {
		m := healthMember()
		m.Name, m.Addr = fmt.Sprintf("member%d", i+1), loopback(port)
		s.addrs = append(s.addrs, m.Addr)
		s.members = append(s.members, newDrillProc(t, m))
		s.members[i].Start()
	}
	s.elb = startLoneELB(t, keys, []loneService{{fieldHost, s.addrs}})
	s.awaitUpAt(t, s.elb, 3)
	return s
}

// awaitUpAt waits until a load balancer holds so many members to be well.
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
func (s *sickbed) client(t *testing.T) *drill.Client {
	t.Helper()
	client := &drill.Client{Addr: s.elb.httpAddr, Host: fieldHost, Limit: fieldLimit}
	t.Cleanup(client.CloseIdle)
	return client
}

// start begins the load.
func (s *sickbed) start(t *testing.T) {
	t.Helper()
	s.load = healthLoad(t, s.elb.httpAddr)
}

// gets sums up the GETs: how many succeeded and failed, the slowest, and all of it in words.
func (s *sickbed) gets() (done, failed int, slowest time.Duration, told string) {
	sum := drill.Summarise(s.load.Samples(), isGET)
	return sum.OK, sum.Failures(), sum.Max, sum.String()
}

// healthLoad is the load of the drills of health, on a load balancer.
func healthLoad(t *testing.T, addr string) *drill.Loop {
	t.Helper()
	post, get := workKind(t, addr, "POST", []byte(strings.Repeat("x", 2000))), workKind(t, addr, "GET", nil)
	l := drill.Start(t.Context(), healthRate, post, get, get, get, get)
	t.Cleanup(func() { l.Stop() })
	return l
}
