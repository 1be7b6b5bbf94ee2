package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const testSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func message(url string) registry.WebhookMessage {
	return registry.WebhookMessage{URL: url, Secret: testSecret, ID: "7.0.00000001", At: time.Now(), Body: []byte(`{"specversion":"1.0"}`)}
}

func TestSend_SignsWhatArrives(t *testing.T) {
	s := New(Config{Allow: loopback, Agent: "Regent/1"})
	defer s.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := Verify(testSecret, r.Header, body, time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/cloudevents+json" || r.UserAgent() != "Regent/1" || r.Header.Get("webhook-id") != "7.0.00000001" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, strings.Repeat("x", 5000))
	}))
	defer srv.Close()
	a := s.Send(t.Context(), message(srv.URL+"/hook?a=b"))
	if a.Err != nil || a.Status != 202 || len(a.Body) != registry.WebhookAnswerMax || a.Duration <= 0 {
		t.Errorf("%+v", a)
	}
}

func TestSend_FollowsNoRedirect(t *testing.T) {
	s := New(Config{Allow: loopback})
	defer s.Close()
	var reached atomic.Int32
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer target.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(target.URL, code))
		if a := s.Send(t.Context(), message(srv.URL)); a.Status != code || a.Err != nil {
			t.Errorf("%d: %+v", code, a)
		}
		srv.Close()
	}
	if reached.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestSend_EndsInTime(t *testing.T) {
	s := New(Config{Allow: loopback, Timeout: 50 * time.Millisecond})
	defer s.Close()
	release := make(chan struct{})
	stall := func(before func(http.ResponseWriter)) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before(w)
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}))
	}
	silent := stall(func(http.ResponseWriter) {})
	slow := stall(func(w http.ResponseWriter) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
	})
	if a := s.Send(t.Context(), message(silent.URL)); a.Err == nil || !strings.Contains(a.Err.Error(), "no answer within 50ms") {
		t.Errorf("silent: %+v", a)
	}
	// The head came: it was taken, however long the body lasts.
	if a := s.Send(t.Context(), message(slow.URL)); a.Err != nil || a.Status != 200 || string(a.Body) != "half" {
		t.Errorf("slow: %+v", a)
	}
	close(release)
	silent.Close()
	slow.Close()
	if a := s.Send(t.Context(), message(silent.URL)); a.Err == nil || a.Err.Error() != "the connection was refused" {
		t.Errorf("closed: %+v", a)
	}
}

func TestSend_HearsRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for h, want := range map[string]time.Duration{
		"": 0, "x": 0, "-5": 0, "120": 2 * time.Minute, "99999999": 24 * time.Hour, "Mon, 23 Nov 2026 12:01:00 GMT": time.Minute, "Mon, 23 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(h, now); got != want {
			t.Errorf("%q: %s, want %s", h, got, want)
		}
	}
}

// The address is judged when it is dialled, whatever the name says.
func TestSend_StaysOutside(t *testing.T) {
	var reached atomic.Int32
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	conf := &tls.Config{RootCAs: roots, ServerName: "example.com"}
	port := secure.URL[strings.LastIndexByte(secure.URL, ':'):]
	for _, c := range []struct {
		name, url string
		allow     []netip.Prefix
		want      string
	}{
		{"https to loopback", secure.URL, nil, "loopback"},
		{"https to a name of loopback", "https://localhost" + port, nil, "loopback"},
		{"http to loopback", plain.URL, nil, "http is only for"},
		{"another range", secure.URL, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "loopback"},
		{"https allowed", secure.URL, loopback, ""},
		{"http allowed", plain.URL, loopback, ""},
	} {
		reached.Store(0)
		s := New(Config{Allow: c.allow, TLS: conf})
		a := s.Send(t.Context(), message(c.url))
		s.Close()
		switch {
		case c.want == "" && (a.Err != nil || a.Status != 200):
			t.Errorf("%s: %+v", c.name, a)
		case a.Err != nil && strings.Contains(a.Err.Error(), "127.0.0.1"):
			t.Errorf("%s tells whose address it is: %v", c.name, a.Err)
		case c.want != "" && (a.Err == nil || !strings.Contains(a.Err.Error(), c.want) || reached.Load() != 0):
			t.Errorf("%s: %v, reached %d times", c.name, a.Err, reached.Load())
		}
	}
}

func TestCheckURL(t *testing.T) {
	s, open := New(Config{}), New(Config{Allow: loopback})
	for _, bad := range []string{
		"", "example.org", "/x", "ftp://example.org", "http://example.org", "https://", "https://:443", "https://u:p@example.org", "https://example.org/#x", "https://example.org:0",
		"https://example.org:99999", "https://127.0.0.1/", "https://[::1]/", "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest", "javascript:alert(1)", "https://exa mple.org",
	} {
		if err := s.CheckURL(bad); registry.CodeOf(err) != registry.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"https://example.org", "https://example.org:8443/a?b=c", "https://8.8.8.8/"} {
		if err := s.CheckURL(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, good := range []string{"http://127.0.0.1:9/", "https://localhost/", "http://hooks.internal/"} {
		if err := open.CheckURL(good); err != nil {
			t.Errorf("allowed: %q: %v", good, err)
		}
	}
	if err := open.CheckURL("http://10.0.0.1/"); err == nil {
		t.Error("http to what is not allowed")
	}
}
