package registryd

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/tracecontext"
)

// observer counts and times the requests of each door, logs them when asked, and turns a panic of a handler into a 500.
type observer struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	panics    prometheus.Counter
	log       *slog.Logger
	accessLog bool
}

func newObserver(r prometheus.Registerer, log *slog.Logger, accessLog bool) *observer {
	o := &observer{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "registry_http_requests_total", Help: "Requests answered, by door, method and status code.",
		}, []string{"door", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "registry_http_request_duration_seconds", Help: "Time from the request's head to the end of the answer, by door.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"door"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "registry_http_requests_in_flight", Help: "Requests being served."}),
		panics:   prometheus.NewCounter(prometheus.CounterOpts{Name: "registry_http_panics_total", Help: "Handlers that panicked; each is in the log with its stack."}),
		log:      log, accessLog: accessLog,
	}
	r.MustRegister(o.requests, o.durations, o.inFlight, o.panics)
	return o
}

// door wraps the handler of one door.
func (o *observer) door(name string, next http.Handler) http.Handler {
	duration := o.durations.WithLabelValues(name)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		path := r.URL.Path // doors may rewrite the request
		o.inFlight.Inc()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			o.inFlight.Dec()
			if p := recover(); p != nil {
				o.recovered(rec, r, p)
			}
			elapsed := time.Since(started)
			if rec.Header().Get("Content-Type") != "text/event-stream" { // that lasts as long as its reader likes
				duration.Observe(elapsed.Seconds())
			}
			o.requests.WithLabelValues(name, methodLabel(r.Method), strconv.Itoa(rec.code())).Inc()
			if o.accessLog {
				o.log.InfoContext(r.Context(), "request", "door", name, "method", r.Method, "path", path, "status", rec.code(), "bytes", rec.bytes,
					"duration", elapsed, "client", r.RemoteAddr, "request_id", r.Header.Get("X-Request-Id"), "trace_id", traceID(r))
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

func (o *observer) recovered(rec *recorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		panic(p)
	}
	o.panics.Inc()
	o.log.ErrorContext(r.Context(), "handler panicked", "panic", p, "request_id", r.Header.Get("X-Request-Id"), "trace_id", traceID(r), "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: break the connection rather than end it as if it were whole
	}
	http.Error(rec, "internal error", http.StatusInternalServerError)
}

// traceID names the distributed trace that a request belongs to; "" if it belongs to none, or says so in a way that is invalid.
func traceID(r *http.Request) string {
	parents := r.Header["Traceparent"]
	if len(parents) != 1 {
		return ""
	}
	id, _ := tracecontext.TraceID(parents[0])
	return id
}

// methodLabel keeps what clients invent out of the metrics.
func methodLabel(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "OTHER"
}

// recorder remembers the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
