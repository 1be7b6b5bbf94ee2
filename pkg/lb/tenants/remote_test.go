package tenants

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
)

// server is a server of tenants without a network: it answers what a test says.
type server struct {
	asked  atomic.Int64
	delay  atomic.Int64 // nanoseconds
	mu     sync.Mutex
	answer func(tenant string) (status int, body string, err error)
}

func (s *server) say(answer func(tenant string) (int, string, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	select {
	case <-time.After(time.Duration(s.delay.Load())):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body, err := s.answer(strings.TrimPrefix(r.URL.Path, "/id/"))
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
}

func is(status int, body string) func(string) (int, string, error) {
	return func(string) (int, string, error) { return status, body, nil }
}

func failing(string) (int, string, error) { return 0, "", errors.New("refused") }

// within runs a test in a bubble with a Remote before that server.
func within(t *testing.T, test func(t *testing.T, s *server, r *Remote, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, log := &server{}, &bytes.Buffer{}
		r, err := NewRemote(RemoteConfig{
			URL: "http://ids.example/id/{tenant}", Timeout: 300 * time.Millisecond, TTL: time.Minute, NegativeTTL: 10 * time.Second, Size: 100,
			Transport: s, Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, s, r, log)
		r.Close()
	})
}

// ask gives the answer and how long it took.
func ask(r *Remote, tenant string) (lb.TenantID, time.Duration) {
	began := time.Now()
	return r.Tenant([]byte(tenant)), time.Since(began)
}

func TestRemote_Answers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		id     int
		known  bool
		fails  bool
	}{
		{200, "7", 7, true, false},
		{200, " 7\r\n", 7, true, false},
		{200, "-1234", -1234, true, false},
		{200, `{"id": 7, "name": "a.com"}`, 7, true, false},
		{200, `{"tenantId":7}`, 7, true, false},
		{404, "not found", 0, false, false},
		{410, "", 0, false, false},
		{200, "", 0, false, true},
		{200, "seven", 0, false, true},
		{200, "7.5", 0, false, true},
		{200, "[7]", 0, false, true},
		{200, "null", 0, false, true},
		{200, `{"id": "7"}`, 0, false, true},
		{200, "<html>7</html>", 0, false, true},
		{200, "99999999999999999999", 0, false, true},
		{200, strings.Repeat(" ", 5000) + "7", 0, false, true},
		{204, "", 0, false, true},
		{302, "7", 0, false, true},
		{401, "7", 0, false, true},
		{500, "7", 0, false, true},
		{503, "", 0, false, true},
	} {
		within(t, func(t *testing.T, s *server, r *Remote, _ *bytes.Buffer) {
			s.say(is(c.status, c.body))
			got, _ := ask(r, "a.com")
			if got.ID != c.id || got.Known != c.known || (got.Err != nil) != c.fails {
				t.Errorf("%d %.20q: %+v", c.status, c.body, got)
			}
		})
	}
}

func TestRemote_Remembers(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, _ *bytes.Buffer) {
		s.say(func(tenant string) (int, string, error) {
			if tenant == "a.com" {
				return 200, "7", nil
			}
			return 404, "", nil
		})
		expect := func(tenant string, known bool, asked int64) {
			t.Helper()
			got, _ := ask(r, tenant)
			synctest.Wait()
			if got.Known != known || got.Err != nil || s.asked.Load() != asked {
				t.Errorf("%s: %+v after %d questions, want %v after %d", tenant, got, s.asked.Load(), known, asked)
			}
		}
		expect("a.com", true, 1)
		expect("a.com", true, 1)
		expect("b.com", false, 2)
		expect("b.com", false, 2)
		time.Sleep(11 * time.Second)
		expect("b.com", false, 3) // the negative answer was old
		expect("a.com", true, 3)
		time.Sleep(50 * time.Second)
		s.say(is(404, ""))
		expect("a.com", true, 4) // old, given at once, and asked again behind the scenes
		expect("a.com", false, 4)
	})
}

// Names that anybody can make up push no known tenant out, and memory is bounded.
func TestRemote_MadeUpNamesCostLittle(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, _ *bytes.Buffer) {
		s.say(func(tenant string) (int, string, error) {
			if tenant == "a.com" {
				return 200, "7", nil
			}
			return 404, "", nil
		})
		ask(r, "a.com")
		for i := range 1000 {
			ask(r, fmt.Sprintf("x%d.com", i))
		}
		if n := r.known.Len() + r.unknown.Len(); n != 101 {
			t.Errorf("%d answers are remembered, want 101", n)
		}
		before := s.asked.Load()
		if got, _ := ask(r, "a.com"); !got.Known || s.asked.Load() != before {
			t.Errorf("%+v after %d more questions", got, s.asked.Load()-before)
		}
	})
}

// A slow server holds requests up for the timeout, once, whoever asks; and none whose tenant was known.
func TestRemote_SlowServer(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, log *bytes.Buffer) {
		s.say(is(200, "7"))
		ask(r, "a.com")
		s.delay.Store(int64(time.Hour))
		time.Sleep(2 * time.Minute)
		if got, took := ask(r, "a.com"); !got.Known || got.ID != 7 || took != 0 {
			t.Errorf("a known tenant: %+v after %v", got, took)
		}
		time.Sleep(301 * time.Millisecond) // that question has failed
		for i := range 20 {
			if got, took := ask(r, fmt.Sprintf("x%d.com", i)); got.Known || got.Err == nil || took != 0 {
				t.Errorf("while the server is left alone: %+v after %v", got, took)
			}
		}
		time.Sleep(2 * time.Second)
		var wg sync.WaitGroup
		before := s.asked.Load()
		for range 50 {
			wg.Go(func() {
				if got, took := ask(r, "b.com"); got.Known || got.Err == nil || took > 300*time.Millisecond {
					t.Errorf("an unknown tenant: %+v after %v", got, took)
				}
			})
		}
		wg.Wait()
		if n := s.asked.Load() - before; n != 1 {
			t.Errorf("50 at once asked %d times", n)
		}
		// However long it lasts, it is asked now and then only, and a known tenant stays known.
		before = s.asked.Load()
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if got, took := ask(r, "a.com"); got.ID != 7 || took != 0 {
				t.Fatalf("a known tenant: %+v after %v", got, took)
			}
		}
		if n := s.asked.Load() - before; n < 5 || n > 10 {
			t.Errorf("in a minute it was asked %d times", n)
		}
		s.delay.Store(0)
		time.Sleep(quietMost)
		if got, _ := ask(r, "c.com"); !got.Known || got.Err != nil {
			t.Errorf("well again: %+v", got)
		}
		if text := log.String(); strings.Count(text, "could not be looked up") != 1 || strings.Count(text, "can be looked up again") != 1 {
			t.Errorf("the log:\n%s", text)
		}
	})
}

func TestRemote_DeadServer(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, _ *bytes.Buffer) {
		s.say(failing)
		if got, _ := ask(r, "a.com"); got.Known || got.Err == nil {
			t.Errorf("%+v", got)
		}
		if got, _ := ask(r, "b.com"); !errors.Is(got.Err, errQuiet) {
			t.Errorf("%+v", got)
		}
		s.say(is(200, "7"))
		time.Sleep(2 * quietFirst)
		if got, _ := ask(r, "b.com"); !got.Known {
			t.Errorf("well again: %+v", got)
		}
		if got, _ := ask(r, "a.com"); !got.Known {
			t.Errorf("a failure is remembered as an answer: %+v", got)
		}
	})
}

// A server that answers nonsense for one tenant is asked for others all the same, and about that one not all the time.
func TestRemote_NonsenseForOne(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, _ *bytes.Buffer) {
		s.say(func(tenant string) (int, string, error) {
			if tenant == "bad.com" {
				return 200, "what?", nil
			}
			return 200, "7", nil
		})
		for range 10 {
			if got, _ := ask(r, "bad.com"); got.Known || !errors.Is(got.Err, errAnswer) {
				t.Errorf("%+v", got)
			}
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if got, _ := ask(r, "a.com"); !got.Known {
			t.Errorf("%+v", got)
		}
	})
}

// Questions that are open at once are bounded; who finds no place is not held up.
func TestRemote_ManyTenantsAtOnce(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, _ *bytes.Buffer) {
		s.say(is(200, "7"))
		s.delay.Store(int64(200 * time.Millisecond))
		var wg sync.WaitGroup
		var known, busy atomic.Int64
		for i := range 100 {
			wg.Go(func() {
				got, took := ask(r, fmt.Sprintf("x%d.com", i))
				switch {
				case got.Known:
					known.Add(1)
				case errors.Is(got.Err, errBusy) && took == 0:
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		if known.Load() != askedAtOnce || busy.Load() != 100-askedAtOnce {
			t.Errorf("%d known, %d turned away", known.Load(), busy.Load())
		}
	})
}

func TestRemote_CloseEndsQuestions(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, s *server, r *Remote, log *bytes.Buffer) {
		s.say(is(200, "7"))
		ask(r, "a.com")
		time.Sleep(2 * time.Minute)
		s.delay.Store(int64(time.Hour))
		ask(r, "a.com") // asks behind the scenes
		began := time.Now()
		r.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		if got, took := ask(r, "b.com"); got.Known || got.Err == nil || took != 0 {
			t.Errorf("after the end: %+v after %v", got, took)
		}
		if log.Len() > 0 {
			t.Errorf("the log:\n%s", log)
		}
	})
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"http://127.0.0.1:9000/tenants/{tenant}", "https://ids.example/id?of={tenant}", "http://[::1]/{tenant}/id"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "127.0.0.1:9000/{tenant}", "ftp://x/{tenant}", "http:///{tenant}", "http://x/", "http://x/{tenant}/{tenant}", "http://{tenant}/", "http://user:pw@x/{tenant}", "http://x/{domain}", "http://x:port/{tenant}",
	} {
		if _, err := NewRemote(RemoteConfig{URL: bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// Over a real connection: the server gets the tenant, and nothing follows a redirect.
func TestRemote_OverHTTP(t *testing.T) {
	t.Parallel()
	var moved atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/id/a.com":
			_, _ = io.WriteString(w, `{"id": 42}`)
		case "/moved":
			moved.Store(true)
		default:
			http.Redirect(w, r, "/moved", http.StatusFound)
		}
	}))
	defer s.Close()
	r, err := NewRemote(RemoteConfig{URL: s.URL + "/id/{tenant}", Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.Tenant([]byte("a.com")); !got.Known || got.ID != 42 || got.From != s.URL+"/id/{tenant}" {
		t.Errorf("%+v", got)
	}
	if got := r.Tenant([]byte("b.com")); got.Known || got.Err == nil || moved.Load() {
		t.Errorf("%+v, moved: %v", got, moved.Load())
	}
}
