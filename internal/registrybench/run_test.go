package registrybench_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/internal/registrybench"
	"github.com/regent-registry/regent/pkg/registry/client"
)

// run runs and looks whether the collection is gone afterwards.
func run(t *testing.T, ctx context.Context, f *fake, c registrybench.Config) registrybench.Report { //nolint:revive // t first, as everywhere
	t.Helper()
	r, err := registrybench.Run(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if f.exists || fmt.Sprint(f.gone) != "["+folder+" id=77]" {
		t.Errorf("left behind %t, purged %v", f.exists, f.gone)
	}
	return r
}

// TestRun_CountsEveryRequest: 4 clients of a server that takes 10 ms do 4000 operations in 10 s, by the weights, and all are right.
func TestRun_CountsEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{took: 10 * time.Millisecond}
		began := time.Now()
		r := run(t, t.Context(), f, f.config(t, "put=1,get=2,list=1"))
		if r.Requests != 4000 || r.Errors != 0 || r.Seconds != 10 || r.PerSecond != 400 || len(r.Failures) != 0 || r.Unsent != 0 {
			t.Errorf("report %+v", r)
		}
		var all int64
		for i, o := range r.Operations {
			all += o.Requests
			if want := []int64{1000, 2000, 1000}[i]; o.Requests < want-150 || o.Requests > want+150 || o.P50 < 10 || o.P999 > 10.2 || o.Max != 10 || o.Mean != 10 {
				t.Errorf("%+v; want about %d requests of 10 ms", o, want)
			}
		}
		if all != r.Requests || f.asked["PUT content"] != 250+int(r.Operations[0].Requests) || f.asked["GET content"] != int(r.Operations[1].Requests) {
			t.Errorf("report %+v, and the server counted %v", r.Operations, f.asked)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestRun_TellsFailuresByKind: each wrong answer is counted as what it is, with the first example, and no right one is.
func TestRun_TellsFailuresByKind(t *testing.T) {
	problem := func(status int) *http.Response {
		res := text(status, `{"detail":"the reason","code":"unavailable"}`)
		res.Header.Set("Content-Type", "application/problem+json")
		return res
	}
	for name, tt := range map[string]struct {
		mix   string
		wrong func(n int, operation string, right *answer) *http.Response
		kind  string
		first string
	}{
		"refused":      {"put=1", func(int, string, *answer) *http.Response { return problem(503) }, "503 unavailable", "the reason"},
		"stored wrong": {"put=1", func(_ int, _ string, a *answer) *http.Response { a.body = sum("other"); return nil }, "wrong content", "digest"},
		"of another":   {"get=1", func(_ int, _ string, a *answer) *http.Response { a.body = "ffffffff" + a.body[8:]; return nil }, "wrong content", "no write of this run"},
		"a byte off": {"get=1", func(_ int, _ string, a *answer) *http.Response {
			a.body = a.body[:200] + "!" + a.body[201:]
			return nil
		}, "wrong content", "is not that of its write"},
		"too short": {"get=1", func(_ int, _ string, a *answer) *http.Response { a.body = a.body[:200]; return nil }, "wrong content", "has 200 bytes; 300 were stored"},
		"empty":     {"get=1", func(_ int, _ string, a *answer) *http.Response { a.body = ""; return nil }, "wrong content", "begins with"},
		"of the future": {"get=1", func(_ int, _ string, a *answer) *http.Response {
			a.body = a.body[:9] + "ffff" + a.body[13:]
			return nil
		}, "wrong content", "no write of this run"},
		"stale":        {"get=1", func(_ int, _ string, a *answer) *http.Response { a.version--; return nil }, "stale", "at version 0, after version 1"},
		"a short list": {"list=1", func(_ int, _ string, a *answer) *http.Response { a.body = `{"entries":[{}]}`; return nil }, "wrong content", "has 1 resources in the list"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{took: 10 * time.Millisecond}
			f.wrong = func(n int, operation string, right *answer) *http.Response {
				if n%10 == 0 {
					return tt.wrong(n, operation, right)
				}
				return nil
			}
			c := f.config(t, tt.mix)
			c.Clients = 1
			r := run(t, t.Context(), f, c)
			// Each failure costs 100 ms of pause: in 200 ms, nine right answers, a wrong one and the pause.
			if r.Requests != 450 || r.Errors != 50 || r.Operations[0].Errors != 50 || len(r.Failures) != 1 {
				t.Fatalf("%s: report %+v", name, r)
			}
			if got := r.Failures[0]; got.Kind != tt.kind || got.Count != 50 || !strings.Contains(got.First, tt.first) {
				t.Errorf("%s: %+v; want %s with %q", name, got, tt.kind, tt.first)
			}
		})
	}
}

// TestRun_LatencyCountsFromWhenARequestWasDue: a server that stands still for a second makes all that was due meanwhile late.
func TestRun_LatencyCountsFromWhenARequestWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.wrong = func(n int, _ string, _ *answer) *http.Response {
			if n == 501 {
				time.Sleep(time.Second)
			}
			return nil
		}
		c := f.config(t, "get=1")
		c.Clients, c.Rate, c.Timeout = 1, 100, 5*time.Second
		r := run(t, t.Context(), f, c)
		// 1000 are due in 10 s. The 501st takes 1 s, the next 99 wait for it: 990 ms, 980 ms, …; half of a second of waiting in the mean of 100 of them.
		o := r.Operations[0]
		if r.Requests != 1000 || r.Errors != 0 || r.Unsent != 0 || o.Max != 1000 || o.P50 > 0.1 || o.P99 < 890 || o.P99 > 920 || o.Mean < 50 || o.Mean > 51 {
			t.Errorf("report %+v", r)
		}
	})
	synctest.Test(t, func(t *testing.T) { // more than the clients can send
		f := &fake{took: 100 * time.Millisecond}
		c := f.config(t, "get=1")
		c.Rate = 100
		r := run(t, t.Context(), f, c)
		if r.Requests != 400 || r.Unsent != 600 || r.Operations[0].Max < 5900 {
			t.Errorf("report %+v", r)
		}
	})
}

// TestRun_EndsWell: after an interrupt the report is of what was done and the collection is gone; with Keep it stays; one that was there is left alone.
func TestRun_EndsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{took: 290 * time.Millisecond}
		c := f.config(t, "get=1")
		ctx, cancel := context.WithCancel(t.Context())
		c.Progress = func(p registrybench.Progress) {
			if p.Phase == "load" && p.Elapsed >= 3*time.Second {
				cancel()
			}
		}
		if r := run(t, ctx, f, c); r.Requests != 44 || r.Errors != 0 || r.Seconds != 3.19 { // with those that were on their way
			t.Errorf("interrupted: %+v", r)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{took: 10 * time.Millisecond}
		c := f.config(t, "get=1")
		c.Keep = true
		if _, err := registrybench.Run(t.Context(), c); err != nil || !f.exists {
			t.Errorf("kept: %t, %v", f.exists, err)
		}
		c.Keep = false
		r, err := registrybench.Run(t.Context(), c)
		if !errors.Is(err, client.ErrPrecondition) || !f.exists || r.Operations != nil {
			t.Errorf("a collection that was there: left alone %t, %v", f.exists, err)
		}
	})
}

// TestRun_LeavesTheTrashOfOthers: what was deleted at the same path before the run stays in the trash; all of it does when that cannot be told apart.
func TestRun_LeavesTheTrashOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{took: 10 * time.Millisecond, deleted: []string{"12", "5"}}
		run(t, t.Context(), f, f.config(t, "get=1"))
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fake{took: 10 * time.Millisecond, deleted: []string{"12"}, trashless: 1}
		r, err := registrybench.Run(t.Context(), f.config(t, "get=1"))
		if !errors.Is(err, client.ErrDenied) || f.exists || len(f.gone) > 0 || r.Requests == 0 {
			t.Errorf("left behind %t, purged %v, %d requests, %v", f.exists, f.gone, r.Requests, err)
		}
	})
}

func TestConfig_Bounds(t *testing.T) {
	for name, change := range map[string]func(*registrybench.Config){
		"clients":   func(c *registrybench.Config) { c.Clients = registrybench.MaxClients + 1 },
		"duration":  func(c *registrybench.Config) { c.Duration = 25 * time.Hour },
		"rate":      func(c *registrybench.Config) { c.Rate = -1 },
		"size":      func(c *registrybench.Config) { c.Size = 31 },
		"resources": func(c *registrybench.Config) { c.Resources = 0 },
		"timeout":   func(c *registrybench.Config) { c.Timeout = 0 },
	} {
		f := &fake{}
		c := f.config(t, "get=1")
		change(&c)
		if _, err := registrybench.Run(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), name) || f.contents != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{"get=80, put=20": "put=20,get=80", "list=1": "list=1", "get": "", "get=-1": "", "fly=1": "", "get=0": "", "": ""} {
		if m, err := registrybench.ParseMix(text); (err == nil) != (want != "") || err == nil && m.String() != want {
			t.Errorf("mix %q: %v, %v", text, m, err)
		}
	}
}
