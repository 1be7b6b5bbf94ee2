package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestFail_StatusOfEveryCode(t *testing.T) {
	want := map[registry.Code]int{
		registry.CodeInvalid: 400, registry.CodeUnauthenticated: 401, registry.CodeDenied: 403, registry.CodeNotFound: 404,
		registry.CodeConflict: 409, registry.CodePrecondition: 412, registry.CodeTooLarge: 413, registry.CodeMediaType: 415,
		registry.CodeUnavailable: 503, registry.CodeInternal: 500, registry.CodeCanceled: 499,
	}
	for code, status := range want {
		rec := fail(t.Context(), "/api/v1/mounts", fmt.Errorf("wrapped: %w", registry.Errorf(code, "the words")))
		if rec.Code != status {
			t.Errorf("%s gives %d, want %d", code, rec.Code, status)
		}
		if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
			t.Errorf("%s: Content-Type %q", code, got)
		}
		if !strings.Contains(rec.Body.String(), `"code":"`+string(code)+`"`) {
			t.Errorf("%s: body %s", code, rec.Body)
		}
	}
	if got := fail(t.Context(), "/", registry.Errorf(registry.CodeUnavailable, "")).Header().Get("Retry-After"); got != "1" {
		t.Errorf("503 with Retry-After %q", got)
	}
	if got := fail(t.Context(), "/", registry.Errorf(registry.CodeUnauthenticated, "")).Header().Get("WWW-Authenticate"); got != `Basic realm="Regent", charset="UTF-8"` {
		t.Errorf("401 with WWW-Authenticate %q", got)
	}
}

func TestFail_KeepsInternalTextInTheLog(t *testing.T) {
	secret := errors.New("dial tcp 10.0.0.7: refused")
	for _, err := range []error{secret, &registry.Error{Code: registry.CodeInternal, Message: "secret words", Err: secret}} {
		rec := fail(t.Context(), "/api/v1/mounts", err)
		if rec.Code != 500 || strings.Contains(rec.Body.String(), "10.0.0.7") || strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

func TestFail_TellsAClientThatLeftFromAFault(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if rec := fail(gone, "/", fmt.Errorf("query: %w", context.Canceled)); rec.Code != statusClientClosed {
		t.Errorf("a client that left gives %d", rec.Code)
	}
	if rec := fail(t.Context(), "/", fmt.Errorf("query: %w", context.Canceled)); rec.Code != 500 {
		t.Errorf("a cancellation of our own gives %d", rec.Code)
	}
	if rec := fail(t.Context(), "/", fmt.Errorf("query: %w", context.DeadlineExceeded)); rec.Code != 503 {
		t.Errorf("a deadline gives %d", rec.Code)
	}
}

func TestFail_CutsAnAnswerThatHasBegun(t *testing.T) {
	h := &handler{log: slog.New(slog.DiscardHandler)}
	w := &response{ResponseWriter: httptest.NewRecorder()}
	io.WriteString(w, "half")
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the connection stays open: half an answer looks like a whole one")
		}
	}()
	h.fail(w, httptest.NewRequest("GET", "/api/v1/mounts", nil), errors.New("disk"))
}

func fail(ctx context.Context, url string, err error) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h := &handler{log: slog.New(slog.DiscardHandler)}
	h.fail(&response{ResponseWriter: rec}, httptest.NewRequestWithContext(ctx, "GET", url, nil), err)
	return rec
}
