package console_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// failingAuth is an authenticator whose accounts cannot be read.
type failingAuth struct {
	console.Auth
	err error
}

func (f failingAuth) SignInFrom(context.Context, string, string, auth.Client) (string, time.Time, error) {
	return "", time.Time{}, f.err
}
func (f failingAuth) SignOut(context.Context, string) error { return f.err }
func (f failingAuth) Authenticate(*http.Request) (registry.Actor, error) {
	return registry.Actor{}, f.err
}

func TestFaults_AreLoggedAndNotShown(t *testing.T) {
	mounts, err := registry.NewMounts()
	must(t, err)
	service := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}})
	for _, c := range []struct {
		err    error
		status int
		shown  string
		level  string
	}{
		{errors.New("disk on fire"), http.StatusInternalServerError, "The server's log has it under this request id", "ERROR"},
		{&registry.Error{Code: registry.CodeUnavailable, Message: "the store shared does not answer", Err: errors.New("disk on fire")}, http.StatusServiceUnavailable, "The store shared does not answer.", "WARN"},
	} {
		var log bytes.Buffer
		h, err := console.New(console.Config{Service: service, Auth: failingAuth{err: c.err}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/console/browse/", nil)
		r.Header.Set("X-Request-Id", testRequestID)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := reply{t, w.Result(), w.Body.String()}
		got.Request = r
		got.wantStatus(c.status).wantText(testRequestID).wantNoText("disk on fire")
		if !strings.Contains(got.text(), c.shown) && !strings.Contains(strings.ToLower(got.text()), strings.ToLower(c.shown)) {
			t.Errorf("the page does not say %q:\n%s", c.shown, got.text())
		}
		if out := log.String(); strings.Count(out, "\n") != 1 || !strings.Contains(out, "level="+c.level) || !strings.Contains(out, "disk on fire") || !strings.Contains(out, testRequestID) {
			t.Errorf("the log has: %s", out)
		}
	}
}

func TestFaults_GoneBrowserGetsAndLogsNothing(t *testing.T) {
	mounts, err := registry.NewMounts()
	must(t, err)
	var log bytes.Buffer
	h, err := console.New(console.Config{
		Service: registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}}),
		Auth:    failingAuth{err: registry.Errorf(registry.CodeCanceled, "the caller went away")}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	must(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/console/browse/", nil))
	if w.Body.Len() > 0 || log.Len() > 0 {
		t.Errorf("answered %q, logged %q", w.Body, &log)
	}
}

func TestNew_NeedsServiceAndAuth(t *testing.T) {
	if _, err := console.New(console.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}
