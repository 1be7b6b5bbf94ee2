package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
	"github.com/regent-registry/regent/internal/freeport"
	"github.com/regent-registry/regent/pkg/lb"
)

// tenantELB is a load balancer in front of three members for three ranges of tenants, which share the host as.test; only.test has no domain for
// everybody else. Members answer with their name and the path that they got.
type tenantELB struct {
	*e2e.Proc
	t     testing.TB
	front string
	admin *e2e.Client
}

func startTenantELB(t *testing.T, tenants string) *tenantELB {
	t.Helper()
	ports, err := freeport.PickN(3)
	if err != nil {
		t.Fatal(err)
	}
	var members []any
	for _, name := range []string{"one", "two", "rest", "only"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" "+r.RequestURI) }))
		t.Cleanup(s.Close)
		members = append(members, s.URL)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("http_port: %d\nhttps_port: -1\nlisten_host: 127.0.0.1\nlocal_member_port: %d\nadmin: 127.0.0.1:%d\nstate_dir: %s\ndrain_delay: 50ms\n", ports[0], ports[1], ports[2], filepath.Join(dir, "elb"))
	text += tenants + fmt.Sprintf(`services:
  as:
    hosts: [as.test]
    domains:
      one.domain: {tenant_range: 1-100, members: [%q]}
      two.domain: {tenant_range: "101-*", members: [%q]}
      rest.domain: {members: [%q]}
  only:
    hosts: [only.test]
    domains:
      only.domain: {tenant_range: 1-100, members: [%q]}
`, members...)
	file := filepath.Join(dir, "elb.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &tenantELB{Proc: e2e.NewProc(t, "elb", nil, "elb", "-config", file), t: t, front: loopback(ports[0]), admin: e2e.NewClient(ports[2])}
	b.Start()
	e2e.Await(t, time.Minute, "elb ready", func() error {
		a, err := b.admin.Do(t.Context(), "GET", "/readyz", nil)
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("status %d", a.Status)
		}
		return err
	})
	return b
}

// get sends the path as it is written, which a URL would not let through.
func (b *tenantELB) get(host, path string) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://"+b.front, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Host = host
	path, query, _ := strings.Cut(path, "?")
	r.URL.Opaque, r.URL.RawQuery = path, query
	res, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// explain asks for the way of a request.
func (b *tenantELB) explain(host, path string) lb.RouteAnswer {
	b.t.Helper()
	var answer lb.RouteAnswer
	a, err := b.admin.Do(b.t.Context(), "GET", "/route?"+url.Values{"host": {host}, "path": {path}}.Encode(), nil)
	if err == nil {
		err = json.Unmarshal(a.Body, &answer)
	}
	if err != nil {
		b.t.Fatalf("%v: %s", err, a.Body)
	}
	return answer
}

// expect checks where a request goes, and that the explanation says so. want is the member and the path it gets, or a part of the refusal.
func (b *tenantELB) expect(host, path string, status int, want string) {
	b.t.Helper()
	got, body := b.get(host, path)
	if got != status || status == http.StatusOK && body != want || !strings.Contains(body, want) {
		b.t.Errorf("%s%s: %d %q, want %d %q", host, path, got, body, status, want)
	}
	a := b.explain(host, path)
	if status != http.StatusOK && (a.Status != status || !strings.Contains(a.Detail, want)) || status == http.StatusOK && strings.TrimSuffix(a.Domain, ".domain")+" "+a.Path != want {
		b.t.Errorf("%s%s is explained as %+v", host, path, a)
	}
}

func TestTenants_FromAList(t *testing.T) {
	slow(t)
	list := filepath.Join(t.TempDir(), "tenants")
	if err := os.WriteFile(list, []byte("a.com 7\nb.com 200\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := startTenantELB(t, "tenants: {file: "+list+"}\n")
	for _, c := range []struct {
		host, path string
		status     int
		want       string
	}{
		{"as.test", "/t/a.com/x?y", 200, "one /t/a.com/x?y"},
		{"as.test:80", "/t/B.com/x", 200, "two /t/B.com/x"},
		{"as.test", "/t/c.com/x", 200, "rest /t/c.com/x"},
		{"as.test", "/x", 200, "rest /x"},
		{"as.test", "/acs?tenantDomain=a.com", 200, "one /acs?tenantDomain=a.com"},
		{"as.test", "/t/a.com/%2e%2e/b.com/x", 200, "two /t/b.com/x"},
		{"as.test", "/t/a.com/..%2Fb.com/x", 400, "different tenants"},
		{"as.test", "/t/a.com;/x", 400, "different tenants"},
		{"only.test", "/t/a.com/x", 200, "only /t/a.com/x"},
		{"only.test", "/t/b.com/x", 404, "serves the tenant b.com"},
		{"only.test", "/x", 404, "serves tenants only"},
		{"nowhere.test", "/t/a.com/x", 404, "No service"},
	} {
		b.expect(c.host, c.path, c.status, c.want)
	}
	// A changed list is taken up by itself; one with faults is not.
	if err := os.WriteFile(list, []byte("a.com 7\nb.com 200\nc.com 100\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e2e.Await(t, time.Minute, "the new list", func() error {
		if _, body := b.get("as.test", "/t/c.com/x"); body != "one /t/c.com/x" {
			return fmt.Errorf("%s", body)
		}
		return nil
	})
	if err := os.WriteFile(list, []byte("a.com seven\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e2e.Await(t, time.Minute, "the complaint", func() error {
		if !strings.Contains(b.Log(), "the list of tenants could not be read") {
			return fmt.Errorf("%s", b.Log())
		}
		return nil
	})
	b.expect("as.test", "/t/a.com/x", 200, "one /t/a.com/x")
	b.Stop()
}

// A server of ids that hangs holds a request up once, for its timeout; tenants that were known do not notice.
func TestTenants_FromAServerThatHangs(t *testing.T) {
	slow(t)
	var hang atomic.Bool
	release := make(chan struct{})
	ids := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hang.Load() {
			<-release
		}
		if r.URL.Path != "/tenants/a.com/id" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"id": 7}`)
	}))
	defer ids.Close()
	defer close(release)
	b := startTenantELB(t, "tenants: {url: \""+ids.URL+"/tenants/{tenant}/id\", timeout: 200ms, ttl: 1ms}\n")
	b.expect("as.test", "/t/a.com/x", 200, "one /t/a.com/x")
	b.expect("as.test", "/t/b.com/x", 200, "rest /t/b.com/x")
	hang.Store(true)
	began := time.Now()
	for i := range 100 {
		b.expect("as.test", "/t/a.com/x", 200, "one /t/a.com/x")
		tenant := fmt.Sprintf("x%d.com", i)
		b.expect("as.test", "/t/"+tenant+"/x", 200, "rest /t/"+tenant+"/x")
		b.expect("only.test", "/t/"+tenant+"/x", 503, "cannot be found out now")
	}
	if took := time.Since(began); took > 20*time.Second { // 400 questions that wait would be 80 s
		t.Errorf("it took %v", took)
	}
	b.Stop()
}
