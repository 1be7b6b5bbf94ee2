package registryd

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

func TestSamples_TakeWhatTheDoorsCount(t *testing.T) {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector())
	observe := newObserver(metrics, slog.New(slog.DiscardHandler), false)
	answer := func(door string, status int, contentType string) {
		h := observe.door(door, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
		}))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	}
	answer("api", 200, "text/plain")
	answer("console", 303, "text/plain")
	answer("api", 404, "text/plain")
	answer("console", 200, "text/event-stream") // as long as its reader stays
	answer("health", 503, "text/plain")
	s := &samples{from: metrics, watches: func() int { return 7 }, now: time.Now}
	if _, ok := s.last(); ok {
		t.Error("there is a sample before the first look")
	}
	s.once()
	got, ok := s.last()
	if want := [5]float64{0, 2, 1, 1, 0}; !ok || got.Requests != want {
		t.Errorf("requests by class: %v, want %v", got.Requests, want)
	}
	if got.Latency.Total != 3 || got.Latency.Counts[len(got.Latency.Counts)-1] != 3 || len(got.Latency.Bounds) != len(got.Latency.Counts) {
		t.Errorf("latency: %+v; a stream has none", got.Latency)
	}
	if got.Watches != 7 || got.Goroutines < 1 || got.Heap < 1 {
		t.Errorf("%+v", got)
	}
}

func TestSamples_KeepAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		s := &samples{from: prometheus.NewRegistry(), watches: func() int { return 0 }, now: time.Now}
		started := time.Now()
		go s.take(ctx)
		time.Sleep(90*time.Minute + time.Second)
		end()
		synctest.Wait()
		list := s.list()
		last, _ := s.last()
		if len(list) != samplesKept || list[len(list)-1].At != last.At || last.At.Sub(started) != 90*time.Minute {
			t.Fatalf("%d samples, the last after %s", len(list), last.At.Sub(started))
		}
		for i := 1; i < len(list); i++ {
			if d := list[i].At.Sub(list[i-1].At); d != sampleEvery {
				t.Fatalf("sample %d comes %s after the one before", i, d)
			}
		}
	})
}
