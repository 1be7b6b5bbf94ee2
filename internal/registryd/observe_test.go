package registryd

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// The record of a request, and that of a handler that panicked, name the request and its trace; what is no trace is left empty.
func TestObserver_LogsTheTrace(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for name, c := range map[string]struct {
		parents []string
		want    string
	}{
		"valid":   {[]string{parent}, "trace_id=4bf92f3577b34da6a3ce929d0e0e4736"},
		"none":    {nil, `trace_id=""`},
		"invalid": {[]string{parent + "\n"}, `trace_id=""`},
		"two":     {[]string{parent, parent}, `trace_id=""`},
	} {
		var log bytes.Buffer
		o := newObserver(prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&log, nil)), true)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("X-Request-Id", "ID1")
		r.Header["Traceparent"] = c.parents
		o.door("api", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("bad") })).ServeHTTP(httptest.NewRecorder(), r)
		if n := strings.Count(log.String(), "request_id=ID1 "+c.want); n != 2 {
			t.Errorf("%s: in %d of two records:\n%s", name, n, &log)
		}
	}
}
