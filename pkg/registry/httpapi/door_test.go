package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/httpapi"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
	"github.com/regent-registry/regent/pkg/registry/sqlstore/sqlstoretest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	password     = "correct horse"
	contentLimit = 1 << 20
)

// door is the handler under test on real use cases and a real store in a file of its own.
type door struct {
	http.Handler
	service *registry.Service
	auth    *auth.Authenticator
	doc     *openapi3.T
}

func newStore(t *testing.T, name string, log *slog.Logger) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Name: name, DSN: sqlstoretest.SQLite(t), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func newDoor(t *testing.T) *door {
	t.Helper()
	return newDoorWith(t, auth.Config{Guesses: 1000})
}

// newDoorWith makes a door whose authenticator has some other settings.
func newDoorWith(t *testing.T, config auth.Config) *door {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	store := newStore(t, "shared", log)
	return newDoorOn(t, config, store, log,
		registry.Mount{Path: "/_system/config", Store: store, Target: "/_system/config"},
		registry.Mount{Path: "/_system/governance", Store: store, Target: "/_system/governance"},
		registry.Mount{Path: "/frozen", Store: store, Target: "/frozen", ReadOnly: true},
	)
}

// newDoorOn is a door on these mounts; users are in store.
func newDoorOn(t *testing.T, config auth.Config, store *sqlstore.Store, log *slog.Logger, mounted ...registry.Mount) *door {
	t.Helper()
	ctx := t.Context()
	mounts, err := registry.NewMounts(mounted...)
	if err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	service := registry.NewService(registry.Config{
		Mounts: mounts, Authorizer: registry.NewAccess(mounts, store), Directory: store, Limits: registry.Limits{Content: contentLimit},
		Now: func() time.Time { return clock }, Accesses: store, Saved: store, Doctor: sick{}, Webhooks: registry.Webhooks{Store: store, Sender: receiver{}, Shared: []string{store.Name()}},
	})
	if err := service.EnsureMounts(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.StoreAccesses)
	d := &door{service: service}
	config.Accounts = store
	d.auth = auth.New(config)
	if _, err := d.auth.EnsureAdmin(ctx, "admin", password); err != nil {
		t.Fatal(err)
	}
	inner := httpapi.New(httpapi.Config{Service: service, Auth: d.auth, Logger: log, Version: "1.2.3", Heartbeat: 50 * time.Millisecond})
	// What registryd does in front of every door.
	d.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme = "http"
		r.Header.Set("X-Request-Id", "test-request")
		inner.ServeHTTP(w, r)
	})
	rec := d.do(t, "GET", "/api/v1/openapi.json", "")
	if d.doc, err = openapi3.NewLoader().LoadFromData(rec.Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	return d
}

// do sends one request as admin, with the given headers ("Name: value"; "Authorization:" sends none), and holds the answer against the
// API's description.
func (d *door) do(t *testing.T, method, url, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.SetBasicAuth("admin", password)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Del(name)
		if value = strings.TrimPrefix(value, " "); value != "" {
			r.Header.Add(name, value)
		}
	}
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, r)
	if d.doc != nil {
		d.check(t, r, rec)
		if route := d.route(r); route != nil && rec.Code < 300 {
			contract.keep(route.Operation, body, rec.Body.String(), rec.Code)
		}
	}
	return rec
}

// check holds an answer against the API's description.
func (d *door) check(t *testing.T, r *http.Request, rec *httptest.ResponseRecorder) {
	t.Helper()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff"} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL, name, got, want)
		}
	}
	what := r.Method + " " + r.URL.String()
	route := d.route(r)
	if route == nil {
		checkUndescribed(t, what, r.URL.Path, rec)
		return
	}
	contract.note(d.doc, r.Method+" "+route.Path, rec.Code)
	checkHeaders(t, what, route.Operation, rec)
	if rec.Code < 300 {
		contract.keep(route.Operation, "", rec.Body.String(), rec.Code)
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 rec.Code,
		Header:                 rec.Header(),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(rec.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), in); err != nil {
		t.Errorf("%s %s: the answer is not the one that openapi.yaml describes: %v", r.Method, r.URL, err)
	}
}

// route finds the description of a request's operation; nil when there is none, as for a wrong URL or method.
func (d *door) route(r *http.Request) *routers.Route {
	for url, item := range d.doc.Paths.Map() {
		prefix, _, below := strings.Cut(url, "{")
		if r.URL.Path != url && !(below && strings.HasPrefix(r.URL.Path, prefix)) {
			continue
		}
		if op := item.Operations()[r.Method]; op != nil {
			return &routers.Route{Spec: d.doc, Path: url, PathItem: item, Method: r.Method, Operation: op}
		}
	}
	return nil
}

// put stores a content and fails the test when that fails.
func (d *door) put(t *testing.T, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	rec := d.do(t, "PUT", "/api/v1/content"+path, body, headers...)
	if rec.Code != http.StatusCreated && rec.Code != http.StatusOK {
		t.Fatalf("PUT %s: %d %s", path, rec.Code, rec.Body)
	}
	return rec
}

// want fails the test unless the answer has that status and its body that text in it.
func want(t *testing.T, rec *httptest.ResponseRecorder, status int, text string) {
	t.Helper()
	if rec.Code != status || !strings.Contains(rec.Body.String(), text) {
		t.Errorf("%d %s\nwant %d with %q", rec.Code, strings.TrimSpace(rec.Body.String()), status, text)
	}
}

// wantHeaders fails the test unless the answer has these headers, "" meaning none.
func wantHeaders(t *testing.T, rec *httptest.ResponseRecorder, headers map[string]string) {
	t.Helper()
	for name, value := range headers {
		if got := rec.Header().Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

// golden compares a JSON body with testdata/<name>.json, IDs and positions of the change log put aside.
func golden(t *testing.T, name string, rec *httptest.ResponseRecorder) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, rec.Body.Bytes(), "", "  "); err != nil {
		t.Fatalf("%s: %v: %s", name, err, rec.Body)
	}
	got := regexp.MustCompile(`\b[0-9a-f]{32}\b`).ReplaceAllString(b.String(), "<id>")
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wanted, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wanted), got); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, diff)
	}
}

// serve runs the door behind a real listener, for what only a connection shows.
func serve(t *testing.T, d *door) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	return s
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
