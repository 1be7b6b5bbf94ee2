package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// sse is one block of a stream.
type sse struct{ id, event, data, comment string }

// stream opens a watch on a real connection; the test's end closes it.
func stream(t *testing.T, s *httptest.Server, url string, headers ...string) (next func() sse, close func()) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("admin", password)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Del(name)
		if value = strings.TrimPrefix(value, " "); value != "" {
			r.Header.Set(name, value)
		}
	}
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %d %v", url, res.StatusCode, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	return func() sse {
		var b sse
		for lines.Scan() && lines.Text() != "" {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				b.id = value
			case "event":
				b.event = value
			case "data":
				b.data = value
			case "":
				b.comment = value
			}
		}
		return b
	}, func() { res.Body.Close() }
}

// tell reads the next event of a stream in short, and its id.
func tell(t *testing.T, next func() sse) (string, string) {
	t.Helper()
	for {
		b := next()
		switch {
		case b == sse{}:
			t.Fatal("the stream ended")
		case b.event != "":
			return b.event + " " + b.data, b.id
		case b.data != "":
			var e struct{ ID, Action, Path, Client string }
			if err := json.Unmarshal([]byte(b.data), &e); err != nil || e.ID != b.id {
				t.Fatalf("%+v: %v", b, err)
			}
			return strings.TrimSpace(e.Action + " " + e.Path + e.Client), b.id
		}
	}
}

func TestWatch_StreamsAndResumes(t *testing.T) {
	d := newDoor(t)
	s := serve(t, d)
	next, end := stream(t, s, "/api/v1/watch/_system/config/w")
	first := next()
	if first.id == "" {
		t.Errorf("a stream begins with %+v; want a position", first)
	}
	rec := d.put(t, "/_system/config/w/a", "1")
	var ids []string
	for _, wanted := range []string{"create /_system/config/w", "create /_system/config/w/a"} {
		got, id := tell(t, next)
		if got != wanted {
			t.Fatalf("told %q, want %q", got, wanted)
		}
		ids = append(ids, id)
	}
	for b := next(); b.comment == "" || b.id == ""; b = next() { // a heartbeat with the position
		if b.data != "" {
			t.Errorf("told %+v, which nobody did", b)
		}
	}
	end()
	d.put(t, "/_system/config/other", "x")
	d.put(t, "/_system/config/w/a", "2")
	for what, resume := range map[string][]string{
		"by the last id":          {"/api/v1/watch/_system/config/w", "Last-Event-ID: " + ids[1]},
		"id before the parameter": {"/api/v1/watch/_system/config/w?from=0", "Last-Event-ID: " + ids[1]},
		"by parameter":            {"/api/v1/watch/_system/config/w?from=" + ids[1]},
		"by Registry-Seq":         {"/api/v1/watch/_system/config/w?from=" + rec.Header().Get("Registry-Seq")},
	} {
		next, end := stream(t, s, resume[0], resume[1:]...)
		if got, _ := tell(t, next); got != "update /_system/config/w/a" {
			t.Errorf("%s: told %q", what, got)
		}
		end()
	}
	next, end = stream(t, s, "/api/v1/watch/_system/config/w?from="+ids[0])
	defer end()
	if got, id := tell(t, next); got != "create /_system/config/w/a" || id != ids[1] {
		t.Errorf("in the middle of an operation: told %q with id %s", got, id)
	}
	d.service.EndWatches()
	for {
		got, _ := tell(t, next)
		if strings.HasPrefix(got, "end ") {
			if !strings.Contains(got, `"unavailable"`) {
				t.Errorf("ended with %s", got)
			}
			break
		}
	}
}

func TestWatch_EndsWithTheSession(t *testing.T) {
	d := newDoor(t)
	token, _, err := d.auth.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	next, end := stream(t, serve(t, d), "/api/v1/watch/_system/config", "Authorization: ", "Cookie: regent_session="+token)
	defer end()
	_ = next()
	if err := d.auth.SignOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if got, _ := tell(t, next); !strings.Contains(got, `"unauthenticated"`) {
		t.Errorf("told %q after signing out", got)
	}
}

func TestWatch_Polls(t *testing.T) {
	d := newDoor(t)
	poll := func(url string) ([]string, string) {
		rec := d.do(t, "GET", "/api/v1/watch"+url, "")
		want(t, rec, 200, `"events":[`)
		var page struct{ Next string }
		if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		return events(t, rec.Body.String()), page.Next
	}
	got, at := poll("/_system/config?wait=0s")
	if got != nil {
		t.Errorf("told %q, which was before", got)
	}
	done := make(chan []string)
	started := time.Now()
	go func() {
		list, _ := poll("/_system/config?wait=30s&from=" + at)
		done <- list
	}()
	d.put(t, "/_system/config/p", "1")
	if got := <-done; !slices.Equal(got, []string{"create /_system/config/p"}) || time.Since(started) > 20*time.Second {
		t.Errorf("told %q after %v", got, time.Since(started))
	}
	if got, _ := poll("/_system/config?wait=0s&from=" + at); len(got) != 1 {
		t.Errorf("told %q", got)
	}
	for url, wanted := range map[string]string{
		"?wait=51s": "from 0s to 50s", "?wait=soon": "from 0s to 50s", "?wait=-1s": "from 0s", "?from=": "is empty", "?from=x": "is not one that the log gave", "?only=1": "true or false",
	} {
		want(t, d.do(t, "GET", "/api/v1/watch/_system/config"+url, ""), 400, wanted)
	}
	want(t, d.do(t, "GET", "/api/v1/watch/_system/config?from=other:1", ""), 409, "lies in the store shared")
	want(t, d.do(t, "GET", "/api/v1/watch/_system/config?from=99999", ""), 410, "ahead of the log")
	want(t, d.do(t, "GET", "/api/v1/watch/_system/config?from="+strings.Replace(at, at[strings.LastIndexByte(at, '.'):], ".00000001", 1), ""), 410, "restored")
	want(t, d.do(t, "GET", "/api/v1/watch/_system/config", "", "Authorization:"), 401, "")
	want(t, d.do(t, "HEAD", "/api/v1/watch/_system/config", ""), 200, "")
	want(t, d.do(t, "GET", "/api/v1/watch/elsewhere", ""), 409, "no store is mounted")
	if _, next := poll("/_system/config?wait=0s"); next == "" || next == fmt.Sprint(at) {
		t.Errorf("goes on at %q after %q", next, at)
	}
}

// Who has too many watches is asked to come again later, and is not taken for somebody who guesses passwords.
func TestWatch_LimitsWhatOneUserHas(t *testing.T) {
	d := newDoor(t)
	for range registry.DefaultUserWatches {
		w, err := d.service.Watch(t.Context(), registry.Actor{User: "admin", Roles: []registry.ID{registry.RoleAdmin}}, registry.WatchInput{Path: "/_system/config"})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
	}
	for _, url := range []string{"/api/v1/watch/_system/config", "/api/v1/watch/_system/config?wait=0s"} {
		rec := d.do(t, "GET", url, "")
		want(t, rec, 429, `"code":"throttled"`)
		if got := rec.Header().Get("Retry-After"); got != "10" {
			t.Errorf("%s: Retry-After is %q", url, got)
		}
	}
	want(t, d.do(t, "GET", "/api/v1/watch/_system/config", "", "Authorization: Basic YWRtaW46d3Jvbmc="), 401, "")
	d.service.StoreAccesses()
	page, err := d.service.Accesses(t.Context(), registry.Actor{User: "admin", Roles: []registry.ID{registry.RoleAdmin}}, "", 10)
	if err != nil || len(page.Accesses) != 1 || page.Accesses[0].Kind != registry.AccessFailed || page.Accesses[0].Times != 1 {
		t.Errorf("the accesses are %+v: %v", page.Accesses, err)
	}
}
