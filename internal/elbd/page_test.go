package elbd

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// member is one as the pages show it, in that condition for so long.
func member(name string, condition lb.Condition, ago time.Duration, why string) lb.MemberStatus {
	return lb.MemberStatus{
		ID: "01-" + name, Name: name, Domain: "wso2.governance.domain", SubDomain: "mgt", Host: "127.0.0.1", MemberPort: 4250, HTTPPort: 9764, HTTPSPort: 9444,
		State: "active", Since: noon.Add(-3 * time.Hour), Version: "1.0.0", Weight: 1, InFlight: 3, Standing: "up", StandingSince: noon.Add(-ago),
		LastCheck: &lb.CheckStatus{At: noon.Add(-time.Second), Seconds: .0012, Result: "passed"},
		Condition: condition, ConditionSince: noon.Add(-ago), Why: why,
		Traffic: lb.TrafficStatus{PerSecond: 123.4, ErrorShare: .0004, P50: .0021, P99: .0432, WindowSeconds: 10},
	}
}

// states are what the page must be able to show.
func states() map[string]status {
	base := status{
		Node: "elb-1", Version: "1.0.0", Now: noon, StartedAt: noon.Add(-3*time.Hour - 12*time.Minute), UptimeSeconds: 11520, ConfigFile: "elb.yaml", State: "ready",
		Config: configStatus{File: "elb.yaml", Epoch: "0a1b2c3d", SharedEpoch: "01020304", LoadedAt: noon.Add(-time.Hour)},
		Balancers: []peer{
			{ID: "01-elb-1", Name: "elb-1", Host: "127.0.0.1", State: "active", Version: "1.0.0", Since: noon.Add(-3 * time.Hour), StartedAt: noon.Add(-3 * time.Hour), Self: true, Epoch: "01020304", Config: "same"},
			{ID: "01-elb-2", Name: "elb-2", Host: "127.0.0.2", State: "active", Version: "1.0.0", Since: noon.Add(-time.Hour), StartedAt: noon.Add(-2 * time.Hour), Epoch: "01020304", Config: "same"},
		},
		Groups: []groupStatus{{Domain: "wso2.governance.domain", Address: "127.0.0.1:4321", Others: 3, Since: noon.Add(-3 * time.Hour)}},
		Strays: []lb.MemberStatus{}, Events: []event{
			{At: noon.Add(-3 * time.Hour), Times: 1, Level: "info", Message: "Member joined", Member: "node1", Domain: "wso2.governance.domain", Detail: "address=127.0.0.1:4250"},
		},
	}
	pool := lb.PoolStatus{
		Service: "governance", Domain: "wso2.governance.domain", SubDomain: "mgt", Hosts: []string{"governance.localhost", "localhost"}, Balancer: "round_robin", Usable: 3,
		Traffic: lb.TrafficStatus{PerSecond: 370, P50: .0021, P99: .0432, WindowSeconds: 10}, Lost: []lb.MemberStatus{},
		Members: []lb.MemberStatus{member("node1", lb.ConditionUp, time.Hour, ""), member("node2", lb.ConditionUp, time.Hour, ""), member("node3", lb.ConditionUp, time.Hour, "")},
	}
	with := func(change func(s *status, p *lb.PoolStatus)) status {
		s, p := base, pool
		p.Members = slices.Clone(pool.Members)
		change(&s, &p)
		s.Pools = []lb.PoolStatus{p}
		return s
	}
	return map[string]status{
		"healthy": with(func(*status, *lb.PoolStatus) {}),
		"ejected": with(func(s *status, p *lb.PoolStatus) {
			p.Usable = 1
			p.Members[1] = member("node2", lb.ConditionEjected, 42*time.Second, "reset: connection reset by peer")
			p.Members[1].Ejections = 4
			p.Members[0].Verdicts = []lb.Verdict{{ELB: "elb-2", ELBID: "01-elb-2", Condition: lb.ConditionDown, Since: noon.Add(-90 * time.Second)}}
			p.Members[1].Verdicts = []lb.Verdict{{ELB: "elb-2", ELBID: "01-elb-2", Condition: lb.ConditionUp, Since: noon.Add(-time.Hour)}, {ELB: "elb-3", ELBID: "01-elb-3", Condition: lb.ConditionEjected, Since: noon.Add(-time.Second)}}
			p.Members[2] = member("node3", lb.ConditionDown, 3*time.Minute, "connection refused")
			p.Members[2].LastCheck = &lb.CheckStatus{At: noon.Add(-time.Second), Seconds: .0003, Result: "refused", Error: "connection refused"}
			p.Lost = []lb.MemberStatus{member("node4", lb.ConditionLost, 10*time.Minute, "it went without a word; before that: connection refused")}
			s.Events = append(s.Events, event{At: noon.Add(-42 * time.Second), Times: 4, Level: "warn", Message: "member ejected", Member: "node2", Domain: p.Domain, Detail: "reason=reset"})
		}),
		"limits": with(func(_ *status, p *lb.PoolStatus) {
			p.Waiting, p.Queue = 7, 100
			p.Members[0].InFlight, p.Members[0].MaxInFlight = 50, 50
			p.Members[1].MaxInFlight = 50
		}),
		"draining": with(func(_ *status, p *lb.PoolStatus) {
			p.Usable = 1
			p.Members[0] = member("node1", lb.ConditionDraining, 5*time.Second, "it says that it is about to stop")
			p.Members[1] = member("node2", lb.ConditionDrained, time.Minute, "an operator drained it at this ELB")
		}),
		"isolated": with(func(s *status, p *lb.PoolStatus) {
			s.Isolated, s.Groups = true, slices.Clone(s.Groups)
			s.Groups[0] = groupStatus{Domain: p.Domain, Address: "127.0.0.1:4321", Isolated: true, Since: noon.Add(-time.Minute)}
			for i := range p.Members {
				p.Members[i] = member(p.Members[i].Name, lb.ConditionSuspect, time.Minute, "gossip lost it, but it answers its checks: used as a last resort")
			}
		}),
		"empty": with(func(s *status, p *lb.PoolStatus) {
			s.State, s.Events, s.Balancers, p.Members, p.Usable = "starting", []event{}, []peer{}, nil, 0
		}),
		"unloaded": with(func(s *status, _ *lb.PoolStatus) {
			s.Config.TriedAt = &noon
			s.Config.Faults = []string{"elb.yaml:7: state_dir: cannot change while the ELB runs; it needs a restart", "elb.yaml:9: http_prt: unknown key; did you mean http_port?"}
		}),
		"apart": with(func(s *status, _ *lb.PoolStatus) {
			s.Balancers = slices.Clone(s.Balancers)
			s.Balancers[1].Epoch, s.Balancers[1].Config = "0f0e0d0c", "other"
			s.Balancers = append(s.Balancers, peer{ID: "01-elb-3", Name: "elb-3", Host: "127.0.0.3", State: "draining", Since: noon, StartedAt: noon.Add(-time.Minute), Config: "unknown"})
		}),
		"hostile": with(func(s *status, p *lb.PoolStatus) {
			evil := member(hostile, lb.ConditionDown, time.Minute, hostile)
			evil.ID, evil.Host, evil.Version, evil.Zone, evil.SubDomain = hostile+"id", hostile, hostile, hostile, hostile
			evil.LastCheck.Error = hostile
			p.Members[0] = evil
			stray := evil
			stray.Condition = lb.ConditionStray
			s.Strays = []lb.MemberStatus{stray}
			s.Balancers = slices.Clone(s.Balancers)
			s.Balancers[1].Name, s.Balancers[1].State, s.Balancers[1].Config, s.Balancers[1].Epoch = hostile, hostile, "other", hostile
			p.Members[1].Verdicts = []lb.Verdict{{ELB: hostile, ELBID: hostile, Condition: hostile, Since: noon}}
			s.Config.Faults = []string{hostile}
			s.Events = append(s.Events, event{At: noon, Times: 1, Level: "warn", Message: "member ejected", Member: hostile, Detail: hostile, Domain: hostile})
		}),
	}
}

const hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J{{.}}"

func TestPage_Golden(t *testing.T) {
	t.Parallel()
	for name, s := range states() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := newStatusPage(func() status { return s }, slog.New(slog.DiscardHandler))
			full, live := httptest.NewRecorder(), httptest.NewRecorder()
			page.serve(full, nil)
			page.serveLive(live, nil)
			if full.Code != 200 || live.Code != 200 {
				t.Fatalf("%d, %d", full.Code, live.Code)
			}
			if !bytes.Contains(full.Body.Bytes(), live.Body.Bytes()) {
				t.Error("the part that is fetched anew is not what the page has")
			}
			policy := full.Header().Get("Content-Security-Policy")
			if policy != pagePolicy || strings.Contains(policy, "unsafe") || full.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", full.Header())
			}
			for _, bad := range []string{"<script>alert", "<img", " onerror=\"", "style=", "<no value>"} {
				if strings.Contains(full.Body.String(), bad) {
					t.Errorf("the page has %s", bad)
				}
			}
			golden(t, filepath.Join("testdata", "page", name+".html"), full.Body.String())
		})
	}
}

func TestRoutePage_Golden(t *testing.T) {
	t.Parallel()
	seven := 7
	for name, data := range map[string]routeData{
		"route-form": {Node: "elb-1", Version: "1.0.0", Question: lb.RouteQuestion{Path: "/"}},
		"route": {Node: "elb-1", Version: "1.0.0", Question: lb.RouteQuestion{Host: "As.Example", Path: "/t/example.com/"}, Answer: &lb.RouteAnswer{
			Host: "as.example", Pattern: "as.example", Match: "exact", Path: "/t/example.com/", Service: "appserver", Domain: "as1.domain", SubDomain: "mgt",
			Tenant: &lb.RouteTenant{Domain: "example.com", ID: &seven, State: "known", From: "file tenants"}, TenantRange: "1-100", Balancer: "round_robin", Choice: "the only one",
			Members: []lb.RouteMember{{ID: "01", Name: "node1", Address: "127.0.0.1:9763", Rank: "here", Standing: "up", Weight: 1, Next: true}, {ID: "02", Name: "node2", Address: "127.0.0.1:9764", Rank: "backup", Standing: "down", Reason: "connection refused"}},
		}},
		"route-hostile": {Node: "elb-1", Version: "1.0.0", Question: lb.RouteQuestion{Host: hostile, Path: hostile, Cookie: hostile}, Answer: &lb.RouteAnswer{
			Status: 400, Detail: hostile, Host: hostile, Members: []lb.RouteMember{{Name: hostile, Address: hostile, Standing: hostile, Reason: hostile}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			newStatusPage(nil, slog.New(slog.DiscardHandler)).serveRoute(w, data)
			if w.Code != 200 || strings.Contains(w.Body.String(), "<script>") || w.Header().Get("Content-Security-Policy") != pagePolicy {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			golden(t, filepath.Join("testdata", "page", name+".html"), w.Body.String())
		})
	}
}

func TestTerminal_Golden(t *testing.T) {
	t.Parallel()
	for name, s := range states() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.Events = nil
			elb := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/status" {
					daemon.WriteJSON(w, s)
				}
			}))
			defer elb.Close()
			var out bytes.Buffer
			in := daemon.Invocation{Stdout: &out}
			command := terminal{admin: strings.TrimPrefix(elb.URL, "http://")}
			if err := command.status(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			out.WriteString("\n")
			if err := command.members(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "\x1b") {
				t.Error("control characters of a name reach the terminal")
			}
			golden(t, filepath.Join("testdata", "terminal", name+".txt"), out.String())
		})
	}
}

// TestStatus_NamesStay: what /status and /members are made of is read by programs of others. A name that goes, or changes its kind, breaks them.
func TestStatus_NamesStay(t *testing.T) {
	t.Parallel()
	var list []string
	shape(reflect.TypeFor[status](), "", &list)
	golden(t, filepath.Join("testdata", "status-names.txt"), strings.Join(list, "\n")+"\n")
}

// shape lists the JSON names in a type with the kinds of their values.
func shape(of reflect.Type, at string, list *[]string) {
	switch {
	case of == reflect.TypeFor[time.Time]():
		*list = append(*list, at+" time")
	case of.Kind() == reflect.Pointer:
		shape(of.Elem(), at, list)
	case of.Kind() == reflect.Slice:
		shape(of.Elem(), at+"[]", list)
	case of.Kind() == reflect.Struct:
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			shape(field.Type, at+"."+name, list)
		}
	default:
		*list = append(*list, at+" "+of.Kind().String())
	}
}

// TestStatus_ListsAreNeverNull: programs may go through each list without asking whether it is there.
func TestStatus_ListsAreNeverNull(t *testing.T) {
	e := newELB(t, "http://127.0.0.1:1")
	e.start()
	defer e.stop()
	_, _, body := e.get(e.admin, "/status", e.admin, "")
	var answer map[string]any
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(body, ": null") {
		t.Errorf("%s", body)
	}
	if pools, ok := answer["pools"].([]any); !ok || len(pools) != 2 {
		t.Errorf("pools: %v", answer["pools"])
	}
}
