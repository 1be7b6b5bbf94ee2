package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/console"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
	"github.com/regent-registry/regent/pkg/registry/sqlstore/sqlstoretest"
)

const (
	adminName     = "admin"
	adminPassword = "correct horse"
	testRequestID = "01TESTREQUEST"
	sessionLength = time.Hour
	heartbeat     = 20 * time.Millisecond // of the streams, each of which asks at every one who its reader is: a test of many has a longer one
	contentLimit  = 4 << 20
	publicHTTPS   = "https://governance.localhost:8243"
	publicHTTP    = "http://governance.localhost:8280"
	selfHost      = "127.0.0.1:9444"
	selfHTTPS     = "https://" + selfHost
	metricsURL    = "http://127.0.0.1:9781/metrics"
)

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// site is a console on a real store, served over HTTP.
type site struct {
	t       *testing.T
	clock   *clock
	service *registry.Service
	auth    *auth.Authenticator
	handler http.Handler
	url     string
	members []console.Member
	orders  []console.MemberOrder // given to members
	refuse  error                 // of the next orders
	ran     []string              // jobs
	journal *journal
	samples []console.Sample
	admin   registry.Actor
	sent    func() int64 // statements that the stores were sent so far
	comment string       // the id of admin's comment after discuss
}

func newSite(t *testing.T, options ...func(*console.Config)) *site {
	t.Helper()
	return newSiteOn(t, sqlstore.Config{}, options...)
}

// newSiteOn is newSite with stores of that configuration.
func newSiteOn(t *testing.T, cfg sqlstore.Config, options ...func(*console.Config)) *site {
	t.Helper()
	ctx := t.Context()
	s := &site{t: t, clock: &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}}
	open := func(name string) *sqlstore.Store {
		cfg.Name, cfg.DSN, cfg.Now = name, sqlstoretest.SQLite(t), s.clock.Now
		store, err := sqlstore.Open(ctx, cfg)
		must(t, err)
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	}
	shared, local := open("shared"), open("local")
	s.sent = func() int64 { return shared.Statements() + local.Statements() }
	serve := func(readOnlyArchive bool) {
		mounts, err := registry.NewMounts(
			registry.Mount{Path: "/_system/local", Store: local, Target: "/_system/local"},
			registry.Mount{Path: "/_system/config", Store: shared, Target: "/_system/config"},
			registry.Mount{Path: "/_system/governance", Store: shared, Target: "/_system/governance"},
			registry.Mount{Path: "/_system/archive", Store: shared, Target: "/_system/archive", ReadOnly: readOnlyArchive},
		)
		must(t, err)
		s.service = registry.NewService(registry.Config{
			Mounts: mounts, Authorizer: registry.NewAccess(mounts, shared), Directory: shared, Limits: registry.Limits{Content: contentLimit}, Now: s.clock.Now,
			Accesses: shared, Saved: shared, Doctor: sick{s}, Webhooks: registry.Webhooks{Store: shared, Sender: receiver{}, Shared: []string{"shared"}},
			Orders: shared, Backups: []registry.Backuper{shared},
		})
		must(t, s.service.EnsureMounts(ctx))
	}
	serve(false) // somebody filled the archive once
	serve(true)
	t.Cleanup(s.service.StoreAccesses)
	s.auth = auth.New(auth.Config{Accounts: shared, Now: s.clock.Now, SessionLifetime: sessionLength})
	_, err := s.auth.EnsureAdmin(ctx, adminName, adminPassword)
	must(t, err)
	s.admin = registry.Actor{User: adminName, Roles: []registry.ID{registry.RoleAdmin}}

	s.journal = newJournal(s.clock.Now())
	config := console.Config{
		Service: s.service, Auth: s.auth, Node: "node-1", Now: s.clock.Now, PublicHTTP: publicHTTP, PublicHTTPS: publicHTTPS + "/",
		SelfHTTPS: selfHTTPS, Private: []registry.Path{"/_system/local"},
		Members: func() []console.Member { return s.members }, RunJob: s.runJob, Journal: s.journal, Heartbeat: heartbeat,
		Order: func(_ context.Context, o console.MemberOrder) error {
			s.orders = append(s.orders, o)
			return s.refuse
		},
		Samples: func() []console.Sample { return s.samples }, MetricsURL: metricsURL,
		Server: func(ctx context.Context) console.ServerInfo {
			return console.ServerInfo{
				Version: "1.2.3", GoVersion: "go1.26.8", Platform: "linux/amd64", Node: "node-1", Host: "machine", PID: 4711,
				Started: s.clock.Now().Add(-26 * time.Hour), Addresses: []string{"http 127.0.0.1:9764", "https 127.0.0.1:9444"},
				Heap: 64 << 20, Resident: 200 << 20, Goroutines: 120, ConfigFile: "registry.yaml", Config: "node_name: node-1\nadmin_password: '***'\n",
				Stores: []console.StoreInfo{
					{Name: "local", Dialect: "sqlite", Location: "run/node1/local.db", Schema: 1, Latency: 40 * time.Microsecond},
					{Name: "shared", Dialect: "mysql", Database: "11.8.3-MariaDB", Location: "127.0.0.1:3306/wso2governance", Error: "no answer within 3s"},
				},
			}
		},
	}
	for _, set := range options {
		set(&config)
	}
	s.handler, err = console.New(config)
	must(t, err)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme = "http"
		if r.Header.Get("X-Test-Scheme") != "" {
			r.URL.Scheme = r.Header.Get("X-Test-Scheme")
		}
		if r.Header.Get("X-Test-Host") != "" {
			r.Host = r.Header.Get("X-Test-Host")
		}
		r.Header.Set("X-Request-Id", testRequestID)
		s.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *site) runJob(name string) error {
	s.ran = append(s.ran, name)
	return nil
}

// sick is a doctor who always finds the same.
type sick struct{ site *site }

func (d sick) Examine(context.Context) registry.Examination {
	return registry.Examination{Node: "node-1", At: d.site.clock.Now(), Findings: []registry.Finding{
		{Check: "durability", Store: "shared", Severity: registry.SeverityError, What: "mark-flush is 0 <b>", Why: "a crash loses changes", Do: "set it to 1"},
		{Check: "clock", Store: "shared", Severity: registry.SeverityWarning, What: "3s behind", Why: "answers differ", Do: "use NTP"},
		{Check: "limits", Severity: registry.SeverityOK, What: "all fits"},
	}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put stores a content through the service, a minute after the one before.
func (s *site) put(p registry.Path, mediaType, content string) {
	s.t.Helper()
	s.clock.advance(time.Minute)
	_, err := s.service.Put(s.t.Context(), s.admin, registry.PutInput{Path: p, Body: strings.NewReader(content), MediaType: mediaType})
	must(s.t, err)
}

// content reads what is stored at p.
func (s *site) content(p registry.Path) string {
	s.t.Helper()
	_, _, c, err := s.service.Open(s.t.Context(), s.admin, p, 0, registry.Freshness{})
	must(s.t, err)
	b, err := io.ReadAll(c)
	must(s.t, err)
	must(s.t, c.Close())
	return string(b)
}

func (s *site) get(p registry.Path) registry.Resource {
	s.t.Helper()
	res, err := s.service.Get(s.t.Context(), s.admin, p, registry.Freshness{})
	must(s.t, err)
	return res
}

// browser is a visitor: it keeps cookies, and says where its forms come from, as browsers do. It follows no redirect.
type browser struct {
	s      *site
	client *http.Client
	header http.Header
}

func (s *site) visitor() *browser {
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{s: s, client: &http.Client{Jar: jar, CheckRedirect: stay}, header: http.Header{}}
}

// signedIn is a visitor with a session of the administrator.
func (s *site) signedIn() *browser {
	s.t.Helper()
	return s.signedInAs(adminName)
}

// signedInAs is a visitor with a session; all users of these tests have the same password.
func (s *site) signedInAs(user string) *browser {
	s.t.Helper()
	b := s.visitor()
	r := b.post("/console/sign-in", "user", user, "password", adminPassword)
	r.wantRedirect("/console/")
	return b
}

// reply is an answer, read whole.
type reply struct {
	t *testing.T
	*http.Response
	body string
}

func (b *browser) do(method, address, contentType string, body io.Reader) reply {
	b.s.t.Helper()
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, b.s.url+address, body)
	must(b.s.t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if method == http.MethodPost {
		req.Header.Set("Origin", b.s.url)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name := range b.header {
		req.Header.Set(name, b.header.Get(name))
	}
	resp, err := b.client.Do(req)
	must(b.s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(b.s.t, err)
	return reply{b.s.t, resp, string(text)}
}

func (b *browser) get(address string) reply {
	b.s.t.Helper()
	return b.do(http.MethodGet, address, "", nil)
}

func (b *browser) post(address string, pairs ...string) reply {
	b.s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, address, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

func (b *browser) upload(address, fileName, content string, pairs ...string) reply {
	b.s.t.Helper()
	body, contentType := multipartForm(b.s.t, fileName, content, pairs...)
	return b.do(http.MethodPost, address, contentType, body)
}

func multipartForm(t *testing.T, fileName, content string, pairs ...string) (*bytes.Buffer, string) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(pairs); i += 2 {
		must(t, form.WriteField(pairs[i], pairs[i+1]))
	}
	file, err := form.CreateFormFile("file", fileName)
	must(t, err)
	_, err = io.WriteString(file, content)
	must(t, err)
	must(t, form.Close())
	return &body, form.FormDataContentType()
}

func (r reply) wantStatus(status int) reply {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%s %s: status %d, want %d\n%s", r.Request.Method, r.Request.URL, r.StatusCode, status, r.text())
	}
	return r
}

func (r reply) wantRedirect(to string) reply {
	r.t.Helper()
	r.wantStatus(http.StatusSeeOther)
	if got := r.Header.Get("Location"); got != to {
		r.t.Fatalf("%s %s leads to %q, want %q", r.Request.Method, r.Request.URL, got, to)
	}
	return r
}

// wantText checks for words as a reader of the page sees them.
func (r reply) wantText(texts ...string) reply {
	r.t.Helper()
	seen := r.text()
	for _, text := range texts {
		if !strings.Contains(seen, text) {
			r.t.Errorf("%s %s does not show %q:\n%s", r.Request.Method, r.Request.URL, text, seen)
		}
	}
	return r
}

func (r reply) wantNoText(text string) reply {
	r.t.Helper()
	if strings.Contains(r.text(), text) {
		r.t.Errorf("%s %s shows %q", r.Request.Method, r.Request.URL, text)
	}
	return r
}

// doc parses the page.
func (r reply) doc() *html.Node {
	r.t.Helper()
	doc, err := html.Parse(strings.NewReader(r.body))
	must(r.t, err)
	return doc
}

// text is what the page says, its white space made single.
func (r reply) text() string {
	var b strings.Builder
	for n := range r.doc().Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// field is the value of the first form field of that name.
func (r reply) field(name string) string {
	r.t.Helper()
	for n := range r.doc().Descendants() {
		if n.Type != html.ElementNode || attr(n, "name") != name {
			continue
		}
		if n.Data == "textarea" {
			if n.FirstChild == nil {
				return ""
			}
			return n.FirstChild.Data
		}
		return attr(n, "value")
	}
	r.t.Fatalf("%s has no field %q:\n%s", r.Request.URL, name, r.text())
	return ""
}

// hasLink tells whether the page links to an address.
func (r reply) hasLink(address string) bool {
	for n := range r.doc().Descendants() {
		if n.Type == html.ElementNode && attr(n, "href") == address {
			return true
		}
	}
	return false
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}
