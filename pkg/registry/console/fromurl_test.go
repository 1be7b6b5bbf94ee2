package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// elsewhere is a server of somebody else, and its host with the port.
func elsewhere(t *testing.T) (*httptest.Server, string) {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(path, mediaType, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write([]byte(body))
		})
	}
	answer("/a/openapi.yaml", "text/plain", "openapi: 3.1.0")
	answer("/plain", "text/csv; charset=utf-8", "a,b")
	answer("/large", "text/plain", strings.Repeat("x", contentLimit+1))
	lead := func(path, to string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	}
	lead("/moved", "/a/openapi.yaml")
	lead("/away", "http://metadata.example/secret")
	lead("/file", "file:///etc/passwd")
	lead("/circle", "/circle")
	mux.HandleFunc("/packed", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "br") })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
	})
	mux.HandleFunc("/never", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("begun"))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(t, err)
	return s, u.Host
}

func TestFromURL_FetchesWhatIsAllowed(t *testing.T) {
	server, host := elsewhere(t)
	s := newSite(t, func(c *console.Config) {
		c.FetchHosts = []string{host, "metadata.example:99", "*.example.net"}
	})
	s.collection(shelf)
	s.newUser("joe")
	b := s.signedIn()
	const in = "/console/new-from-url" + string(shelf)
	if !b.get("/console/browse" + string(shelf)).hasLink(in) {
		t.Error("the collection does not offer it")
	}
	form := b.get(in).wantStatus(http.StatusOK)
	checkAccess(t, form.doc())
	checkNothingInline(t, form.doc())
	checkGolden(t, "new-from-url.html", strings.ReplaceAll(golden("new-from-url", form.body), host, "HOST"))

	b.post(in, "address", server.URL+"/a/openapi.yaml?token=secret").wantRedirect("/console/resource" + string(shelf) + "/openapi.yaml?note=created")
	got := s.get(shelf + "/openapi.yaml")
	if s.content(shelf+"/openapi.yaml") != "openapi: 3.1.0" || got.Meta.MediaType != "application/yaml" || got.Comment != "Fetched from "+server.URL+"/a/openapi.yaml" {
		t.Errorf("stored %+v", got)
	}
	b.post(in, "address", server.URL+"/moved", "name", "mine/api.yaml", "description", "theirs").wantStatus(http.StatusSeeOther)
	b.post(in, "address", server.URL+"/plain").wantStatus(http.StatusSeeOther)
	if s.content(shelf+"/mine/api.yaml") != "openapi: 3.1.0" || s.get(shelf+"/plain").Meta.MediaType != "text/csv" {
		t.Error("not what is there was stored")
	}
	for address, refusal := range map[string]struct {
		status int
		says   string
	}{
		server.URL + "/a/openapi.yaml":      {http.StatusPreconditionFailed, "exists already"},
		server.URL + "/none":                {http.StatusBadRequest, "answered 404"},
		server.URL + "/large":               {http.StatusRequestEntityTooLarge, "4194304"},
		server.URL + "/away":                {http.StatusForbidden, "not allowed to fetch from metadata.example"},
		server.URL + "/file":                {http.StatusBadRequest, "does not begin with http"},
		server.URL + "/circle":              {http.StatusBadRequest, "leads on more than 5 times"},
		server.URL + "/packed":              {http.StatusBadRequest, "in the encoding"},
		server.URL + "/cut":                 {http.StatusBadRequest, "broke off"},
		server.URL + "/":                    {http.StatusBadRequest, "answered 404"},
		"http://127.0.0.1/x":                {http.StatusForbidden, "not allowed to fetch from 127.0.0.1"},
		"http://metadata.example/x":         {http.StatusForbidden, "not allowed to fetch from metadata.example"},
		"http://example.net/x":              {http.StatusForbidden, "not allowed to fetch from example.net"},
		"http://evilexample.net/x":          {http.StatusForbidden, "not allowed"},
		"http://u:p@" + host + "/plain":     {http.StatusBadRequest, "user name"},
		"ftp://" + host + "/plain":          {http.StatusBadRequest, "does not begin with http"},
		"http:///plain":                     {http.StatusBadRequest, "names no host"},
		"http://[::1%25lo]/plain":           {http.StatusForbidden, "not allowed"},
		"://":                               {http.StatusBadRequest, "cannot be understood"},
		"javascript:alert(1)":               {http.StatusBadRequest, "does not begin with http"},
		"http://" + host + "@evil.example/": {http.StatusBadRequest, "user name"},
	} {
		page := b.post(in, "address", address)
		if page.StatusCode != refusal.status || !strings.Contains(strings.ToLower(page.text()), strings.ToLower(refusal.says)) {
			t.Errorf("%s: %d %s", address, page.StatusCode, page.text())
		}
	}
	for _, name := range []registry.Path{"/large", "/cut"} {
		if !s.gone(shelf + name) {
			t.Errorf("%s was stored in part", name)
		}
	}
	joe := s.signedInAs("joe")
	joe.post(in, "address", server.URL+"/plain").wantStatus(http.StatusForbidden)
	if joe.get("/console/browse" + string(shelf)).hasLink(in) {
		t.Error("it is offered to a reader")
	}
}

func TestFromURL_WaitsForNobodyTooLong(t *testing.T) {
	server, host := elsewhere(t)
	s := newSite(t, func(c *console.Config) { c.FetchHosts, c.FetchTimeout = []string{host}, 200*time.Millisecond })
	s.collection(shelf)
	s.signedIn().post("/console/new-from-url"+string(shelf), "address", server.URL+"/never").wantStatus(http.StatusBadRequest).wantText("took longer than 200ms")
	if !s.gone(shelf + "/never") {
		t.Error("half of it was stored")
	}
}

// A name that leads into one's own network is no way there, unless the address is allowed, too.
func TestFromURL_PrivateAddressesMustBeNamed(t *testing.T) {
	server, host := elsewhere(t)
	_, port, _ := strings.Cut(host, ":")
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/plain"
	for _, test := range []struct {
		hosts  []string
		status int
	}{
		{[]string{"localhost:" + port}, http.StatusForbidden},
		{[]string{"localhost:" + port, "10.0.0.0/8"}, http.StatusForbidden},
		{[]string{"localhost:" + port, "127.0.0.0/8", "::1"}, http.StatusSeeOther},
		{[]string{"localhost"}, http.StatusForbidden},
		{[]string{"localhost:" + port, "127.0.0.1:1", "[::1]:1"}, http.StatusForbidden},
		{nil, http.StatusForbidden},
	} {
		s := newSite(t, func(c *console.Config) { c.FetchHosts = test.hosts })
		s.collection(shelf)
		page := s.signedIn().post("/console/new-from-url"+string(shelf), "address", byName)
		if page.StatusCode != test.status || test.status == http.StatusForbidden && !strings.Contains(page.text(), "fetch_hosts") {
			t.Errorf("%v: %d %s", test.hosts, page.StatusCode, page.text())
		}
	}
}

func TestNew_RefusesWhatIsNoHost(t *testing.T) {
	s := newSite(t)
	for _, host := range []string{"", "http://example.org", "example.org/x", "*", "a b", "user@example.org", "*.*.org", "1:2:3:zz"} {
		if _, err := console.New(console.Config{Service: s.service, Auth: s.auth, FetchHosts: []string{host}}); err == nil || !strings.Contains(err.Error(), "no host") {
			t.Errorf("%q: %v", host, err)
		}
	}
}
