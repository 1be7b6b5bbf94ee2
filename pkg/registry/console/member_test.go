package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// withMembers gives the site a cluster of two nodes that spoke in this order, and a load balancer.
func withMembers(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	now := s.clock.Now()
	s.members = []console.Member{
		{ID: "01A", Name: "node-1", Domain: "d", SubDomain: "mgt", State: "active", Self: true, Facts: &console.MemberFacts{At: now.Add(-3 * time.Second), Heads: map[string]int64{"shared": 90}}},
		{ID: "01B", Name: "node-2", Domain: "d", SubDomain: "mgt", State: "active", Facts: &console.MemberFacts{At: now.Add(-2 * time.Second), Heads: map[string]int64{"shared": 70}}},
		{ID: "01C", Name: "elb", Domain: "d", State: "active", Balancer: true},
	}
	return s
}

func (s *site) noted() []string {
	s.t.Helper()
	list, err := s.service.Activity(s.t.Context(), s.admin, registry.ActivityInput{Path: registry.Root, Store: "shared", Action: "order"})
	must(s.t, err)
	var all []string
	for _, e := range list.Events {
		all = append(all, e.User+" "+e.Subject)
	}
	slices.Reverse(all)
	return all
}

func TestCluster_DrainsAndPutsBack(t *testing.T) {
	s := withMembers(t)
	b := s.signedIn()
	b.post("/console/drain", "member", "01B", "do", "drain").wantRedirect("/console/cluster?note=drained")
	s.members[1].State, s.members[1].Facts.DrainedBy = "draining", "admin"
	b.get("/console/cluster?note=drained").wantText("Drained: load balancers send it nothing new", "1 active", "Put back node-2")
	b.post("/console/drain", "member", "01B", "do", "undrain").wantRedirect("/console/cluster?note=undrained")
	if want := []console.MemberOrder{{Member: "01B", Drain: true, By: "admin"}, {Member: "01B", By: "admin"}}; !slices.Equal(s.orders, want) {
		t.Errorf("ordered %+v", s.orders)
	}
	if want := []string{"admin node-2: drain", "admin node-2: undrain"}; !slices.Equal(s.noted(), want) {
		t.Errorf("noted %q", s.noted())
	}
}

func TestCluster_RefusesWhatCannotBe(t *testing.T) {
	s := withMembers(t)
	b := s.signedIn()
	for _, form := range [][]string{{"member", "01C", "do", "drain"}, {"member", "01X", "do", "drain"}, {"do", "drain"}} { // a load balancer, nobody
		b.post("/console/drain", form...).wantStatus(http.StatusConflict).wantText("No node of that id is in sight")
	}
	b.post("/console/drain", "member", "01B", "do", "stop").wantStatus(http.StatusBadRequest)
	if len(s.orders)+len(s.noted()) > 0 {
		t.Errorf("ordered %+v, noted %q", s.orders, s.noted())
	}
	s.refuse = registry.Errorf(registry.CodeUnavailable, "node-2 has not answered")
	b.post("/console/drain", "member", "01B", "do", "drain").wantStatus(http.StatusServiceUnavailable).wantText("Node-2 has not answered", "2 active")

	// Who may look, and no more, is offered nothing.
	b.post("/console/roles", "name", "lookers", "grant", "view_server", "do", "create").wantRedirect("/console/roles?note=role-created")
	s.newUser("joe", "lookers")
	joe := s.signedInAs("joe")
	if page := joe.get("/console/cluster").wantStatus(http.StatusOK); strings.Contains(page.body, "/console/drain") {
		t.Error("who may only look is offered a drain")
	}
	joe.post("/console/drain", "member", "01B", "do", "drain").wantStatus(http.StatusForbidden)
}

func TestCluster_AsksBeforeItDrainsTheLast(t *testing.T) {
	s := withMembers(t)
	s.members[1].State = "draining"
	b := s.signedIn()
	page := b.post("/console/drain", "member", "01A", "do", "drain").wantStatus(http.StatusConflict).wantText("Drain node-1, the last active one?")
	if got := page.field("word"); got != "" {
		t.Errorf("the word is typed already: %q", got)
	}
	b.post("/console/drain", "member", "01A", "do", "drain", "word", "node-2").wantStatus(http.StatusConflict).wantText("That is not its name")
	if len(s.orders) > 0 {
		t.Fatalf("ordered %+v", s.orders)
	}
	b.post("/console/drain", "member", "01A", "do", "drain", "word", " node-1 ").wantRedirect("/console/cluster?note=drained")
	if want := (console.MemberOrder{Member: "01A", Drain: true, Force: true, By: "admin"}); len(s.orders) != 1 || s.orders[0] != want {
		t.Errorf("ordered %+v", s.orders)
	}
	if want := []string{"admin node-1: drain, though it is the last active one"}; !slices.Equal(s.noted(), want) {
		t.Errorf("noted %q", s.noted())
	}

	// The member itself may know better than this node.
	s.members[1].State = "active"
	s.refuse = registry.Errorf(registry.CodeConflict, "no other node of its pool is active")
	b.post("/console/drain", "member", "01A", "do", "drain").wantStatus(http.StatusConflict).wantText("Drain node-1, the last active one?")
}

// A member is behind only where it spoke after another one had seen more: what others see later it could not know.
func TestCluster_TellsWhoIsBehind(t *testing.T) {
	s := withMembers(t)
	b := s.signedIn()
	b.get("/console/cluster").wantText("at 90, up to date", "at 70, 20 changes behind")
	s.members[0].Facts.At = s.clock.Now()
	b.get("/console/cluster").wantText("at 90, up to date", "at 70, up to date")
	s.members[1].Facts.Heads, s.members[1].Facts.Down = nil, []string{"shared"}
	b.get("/console/cluster").wantText("does not answer")
	s.members[1].Facts = nil // of an older version
	page := b.get("/console/cluster").wantText("it has not told")
	if strings.Contains(page.body, "Drain<span class=\"hidden\"> node-2") {
		t.Error("a member that takes no orders is offered a drain")
	}
}
