package lb

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func BenchmarkLookup(b *testing.B) {
	table := NewTable(testRoutes(b, map[string][]string{"d": {"as.example", "localhost"}}), nil)
	b.ReportAllocs()
	for b.Loop() {
		if p, _ := table.Lookup("a.b.as.example:8243"); p == nil {
			b.Fatal("no route")
		}
	}
}

func BenchmarkPick(b *testing.B) {
	p := poolOf(3)
	s := &Selection{now: time.Now().UnixNano()}
	b.ReportAllocs()
	for b.Loop() {
		if p.pick(s) == nil {
			b.Fatal("nobody")
		}
	}
}

// cannedEngine answers by itself, so that what is measured is the path around the engine.
type cannedEngine struct{}

func (cannedEngine) Forwarder(Member) Forwarder { return cannedEngine{} }
func (cannedEngine) CloseIdle()                 {}
func (cannedEngine) Forward(w http.ResponseWriter, x *Exchange) Result {
	h := http.Header{}
	x.SetRequestHeader(h)
	x.SetResponseHeader(w.Header())
	w.WriteHeader(http.StatusOK)
	return Result{Status: http.StatusOK, Answered: true}
}

func BenchmarkProxyWithoutEngine(b *testing.B) {
	routes := testRoutes(b, map[string][]string{"d": {"app.example"}})
	p, err := New(Config{Routes: routes, Engine: cannedEngine{}, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), AccessLog: true})
	if err != nil {
		b.Fatal(err)
	}
	p.Use(NewTable(routes, []Member{{ID: "a", Domain: "d", Host: "127.0.0.1", HTTPPort: 1}, {ID: "b", Domain: "d", Host: "127.0.0.1", HTTPPort: 2}}))
	r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
	r.URL.Scheme, r.URL.Host = "", ""
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		if p.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
