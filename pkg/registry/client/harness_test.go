package client_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/client"
	"github.com/regent-registry/regent/pkg/registry/httpapi"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
	"github.com/regent-registry/regent/pkg/registry/sqlstore/sqlstoretest"
)

const (
	password     = "correct horse"
	contentLimit = 4 << 20
	config       = "/_system/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is the real API on a real store, behind a listener. A test may put a fault before it.
type server struct {
	*httptest.Server
	api   http.Handler
	fault atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // true: it has dealt with the request
	asked atomic.Int64
}

func newServer(t *testing.T) *server {
	t.Helper()
	ctx := t.Context()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	store, err := sqlstore.Open(ctx, sqlstore.Config{Name: "shared", DSN: sqlstoretest.SQLite(t), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	mounts, err := registry.NewMounts(
		registry.Mount{Path: config, Store: store, Target: config},
		registry.Mount{Path: "/frozen", Store: store, Target: "/frozen", ReadOnly: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	service := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}, Saved: store, Limits: registry.Limits{Content: contentLimit}})
	if err := service.EnsureMounts(ctx); err != nil {
		t.Fatal(err)
	}
	accounts := auth.New(auth.Config{Accounts: store})
	if _, err := accounts.EnsureAdmin(ctx, "admin", password); err != nil {
		t.Fatal(err)
	}
	s := &server{api: httpapi.New(httpapi.Config{Service: service, Auth: accounts, Logger: log})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if f := s.fault.Load(); f != nil && (*f)(w, r) {
			return
		}
		r.URL.Scheme = "http"
		r.Header.Set("X-Request-Id", "test-request")
		s.api.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// once puts a fault before the next n requests; the others are served.
func (s *server) once(n int64, f func(http.ResponseWriter, *http.Request)) {
	var count atomic.Int64
	fault := func(w http.ResponseWriter, r *http.Request) bool {
		if count.Add(1) > n {
			return false
		}
		f(w, r)
		return true
	}
	s.fault.Store(&fault)
	s.asked.Store(0)
}

// hangUp ends the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// dial makes a client of the server.
func (s *server) dial(t *testing.T, change ...func(*client.Config)) *client.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := client.Config{URL: s.URL, Credentials: client.Basic("admin", password), HTTP: &http.Client{Transport: transport}}
	for _, f := range change {
		f(&c)
	}
	made, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func put(t *testing.T, c *client.Client, path, body string) client.PutResult {
	t.Helper()
	res, err := c.Put(t.Context(), path, stringReader(body), client.PutOptions{})
	if err != nil {
		t.Fatalf("put %s: %v", path, err)
	}
	return res
}

func get(t *testing.T, c *client.Client, path string) string {
	t.Helper()
	content, err := c.Get(t.Context(), path, client.GetOptions{})
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	defer content.Close()
	b, err := io.ReadAll(content)
	if err != nil {
		t.Fatalf("get %s: %v", path, err)
	}
	return string(b)
}

// wantErr fails the test unless err has that code, and the others do not hold.
func wantErr(t *testing.T, what string, err error, code client.CodeError) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%s: error %v, want one of code %s", what, err, code)
	}
}
