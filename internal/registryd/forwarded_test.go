package registryd

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestForwarding_BelievesTrustedPeersOnly(t *testing.T) {
	trusted := func(a netip.Addr) bool { return a.IsLoopback() || a == netip.MustParseAddr("10.0.0.2") }
	headers := map[string]string{
		"X-Forwarded-For": "6.6.6.6, 203.0.113.7, 10.0.0.2", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "governance.example:8243", "X-Request-Id": "abc-1",
	}
	tests := []struct {
		name, peer, scheme, host, client string
		keepsID                          bool
	}{
		{"trusted", "127.0.0.1:5000", "https", "governance.example:8243", "203.0.113.7:0", true},
		{"stranger", "198.51.100.1:5000", "http", "direct.example", "198.51.100.1:5000", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://direct.example/x", http.NoBody)
			r.RemoteAddr = tt.peer
			for k, v := range headers {
				r.Header.Set(k, v)
			}
			var seen *http.Request
			w := httptest.NewRecorder()
			forwarding{trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })}.ServeHTTP(w, r)
			if seen.URL.Scheme != tt.scheme || seen.Host != tt.host || seen.RemoteAddr != tt.client {
				t.Errorf("saw %s, %s, %s", seen.URL.Scheme, seen.Host, seen.RemoteAddr)
			}
			id := seen.Header.Get("X-Request-Id")
			if (id == "abc-1") != tt.keepsID || !wellFormedRequestID(id) || w.Header().Get("X-Request-Id") != id {
				t.Errorf("request id %q", id)
			}
		})
	}
}

func TestWellFormedRequestID_RefusesWhatCouldForgeALogLine(t *testing.T) {
	for _, bad := range []string{"", "a b", "a\nb", "a\"b", string(make([]byte, 65))} {
		if wellFormedRequestID(bad) {
			t.Errorf("%q is accepted", bad)
		}
	}
}
