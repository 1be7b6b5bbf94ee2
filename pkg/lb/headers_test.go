package lb

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// echoMember answers with the header that it got, as JSON, with Host in it.
func echoMember(t *testing.T) string {
	t.Helper()
	return member(t, func(w http.ResponseWriter, r *http.Request) {
		h := r.Header.Clone()
		h.Set("Host", r.Host)
		h.Set("Request-Uri", r.RequestURI)
		_ = json.NewEncoder(w).Encode(h)
	})
}

// seen sends a request through b and gives the header that the member saw.
func (b *bench) seen(header ...string) http.Header {
	b.t.Helper()
	_, body := b.get("/a%2Fb//c;d?x=1;y=%zz&q", header...)
	var h http.Header
	if err := json.Unmarshal([]byte(body), &h); err != nil {
		b.t.Fatalf("%v in %q", err, body)
	}
	return h
}

func trust(prefix string) func(*Config) {
	return func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(prefix)} }
}

func TestHeaders_OfAStranger(t *testing.T) {
	b := newBench(t, nil)
	b.members(echoMember(t))
	h := b.seen(
		"X-Forwarded-For", "6.6.6.6", "X-Forwarded-For", "7.7.7.7", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https",
		"X-Forwarded-Port", "666", "Forwarded", "for=6.6.6.6", "X-Real-IP", "6.6.6.6", "X-Forwarded-Prefix", "/evil", "X-Forwarded-Server", "evil",
		"X_Forwarded_For", "6.6.6.6", "X_forwarded-proto", "https", "x_real_ip", "6.6.6.6", "X_Request_Id", "evil",
		"X-Other", "stays", "Te", "gzip", "Proxy-Authorization", "secret", "Keep-Alive", "timeout=5",
	)
	port := b.front.URL[strings.LastIndex(b.front.URL, ":")+1:]
	want := map[string]string{
		"X-Forwarded-For":   "127.0.0.1",
		"X-Forwarded-Host":  "app.example",
		"X-Forwarded-Proto": "http",
		"X-Forwarded-Port":  port,
		"Forwarded":         `for=127.0.0.1;host="app.example";proto=http`,
		"X-Other":           "stays",
		"Host":              "app.example",
		"Request-Uri":       "/a%2Fb//c;d?x=1;y=%zz&q",
	}
	for name, value := range want {
		if got := strings.Join(h[name], "|"); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	for name, values := range h {
		if strings.Contains(strings.Join(values, ""), "6.6.6.6") || strings.Contains(strings.Join(values, ""), "evil") || strings.Contains(name, "_") {
			t.Errorf("%s: %q got through", name, values)
		}
	}
	for _, gone := range []string{"X-Real-Ip", "Te", "Proxy-Authorization", "Keep-Alive", "X-Forwarded-Prefix"} {
		if h[gone] != nil {
			t.Errorf("%s got through", gone)
		}
	}
}

func TestHeaders_OfATrustedProxy(t *testing.T) {
	b := newBench(t, trust("127.0.0.0/8"))
	b.members(echoMember(t))
	h := b.seen("X-Forwarded-For", "6.6.6.6, 10.0.0.9", "X-Forwarded-Host", "public.example:8443", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "8443",
		"Forwarded", "for=6.6.6.6", "X_Forwarded_For", "9.9.9.9")
	for name, value := range map[string]string{
		"X-Forwarded-For":   "6.6.6.6, 10.0.0.9, 127.0.0.1",
		"X-Forwarded-Host":  "public.example:8443",
		"X-Forwarded-Proto": "https",
		"X-Forwarded-Port":  "8443",
		"Forwarded":         `for=6.6.6.6, for=127.0.0.1;host="app.example";proto=http`,
		"X_forwarded_for":   "",
	} {
		if got := strings.Join(h[name], "|"); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	h = b.seen("X-Forwarded-Host", "bad host", "X-Forwarded-Proto", "gopher", "X-Forwarded-Port", "http")
	if h.Get("X-Forwarded-Host") != "app.example" || h.Get("X-Forwarded-Proto") != "http" || h.Get("X-Forwarded-Port") == "http" {
		t.Errorf("nonsense of a trusted proxy was kept: %v", h)
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), "client=10.0.0.9") }) // the right-most stranger
}

// Whatever we say about a request, naming it in Connection must not remove it.
func TestHeaders_ConnectionCannotDropOurs(t *testing.T) {
	b := newBench(t, nil)
	b.members(echoMember(t))
	for _, ours := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "Forwarded", "X-Request-Id"} {
		for _, spelled := range [][]string{{ours}, {strings.ToLower(ours)}, {"close, " + ours}, {"keep-alive", ours}, {ours + ",X-Other"}} {
			var header []string
			for _, s := range spelled {
				header = append(header, "Connection", s)
			}
			if h := b.seen(header...); h.Get(ours) == "" {
				t.Errorf("Connection: %q removed %s", spelled, ours)
			}
		}
	}
	if h := b.seen("Connection", "X-Private", "X-Private", "secret"); h.Get("X-Private") != "" {
		t.Error("a header that Connection names is for us alone and was passed on")
	}
}

func TestHeaders_RequestID(t *testing.T) {
	b := newBench(t, nil)
	b.members(echoMember(t))
	for id, kept := range map[string]bool{
		"abc-DEF_1.2":           true,
		strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false,
		"a b":                   false,
		"ä":                     false,
		"a,b":                   false,
		"<script>":              false,
	} {
		res, body := b.get("/", "X-Request-Id", id)
		var h http.Header
		if err := json.Unmarshal([]byte(body), &h); err != nil {
			t.Fatal(err)
		}
		got := h.Get("X-Request-Id")
		if (got == id) != kept || !isRequestID([]byte(got)) {
			t.Errorf("%q became %q at the member", id, got)
		}
		if res.Header.Get("X-Request-Id") != got {
			t.Errorf("the answer says %q, the member got %q", res.Header.Get("X-Request-Id"), got)
		}
	}
	res, _ := b.get("/", "Host", "unknown.example", "X-Request-Id", "mine")
	if res.Header.Get("X-Request-Id") != "mine" {
		t.Error("our own answers lack the request id")
	}
}

func TestTrustedProxies_Origin(t *testing.T) {
	trusted := trustedProxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	peer := netip.MustParseAddr("10.0.0.1")
	for list, want := range map[string]string{
		"":                                "10.0.0.1",
		"1.1.1.1":                         "1.1.1.1",
		"1.1.1.1, 2.2.2.2":                "2.2.2.2",
		"1.1.1.1, 10.0.0.2":               "1.1.1.1",
		"1.1.1.1,10.0.0.2 , fd00::1":      "1.1.1.1",
		"10.0.0.3, 10.0.0.2":              "10.0.0.3",
		"1.1.1.1, nonsense, 10.0.0.2":     "10.0.0.2",
		"nonsense":                        "10.0.0.1",
		"2001:db8::1":                     "2001:db8::1",
		"[2001:db8::1]:80":                "2001:db8::1",
		"[2001:db8::1]":                   "2001:db8::1",
		"1.1.1.1:4711, 10.0.0.2":          "1.1.1.1",
		"::ffff:1.1.1.1":                  "1.1.1.1",
		strings.Repeat("10.0.0.2,", 1000): "10.0.0.1",
	} {
		if got := trusted.origin([]string{list}, peer); got.String() != want {
			t.Errorf("origin(%q) = %s, want %s", list, got, want)
		}
	}
}

func FuzzForwarding(f *testing.F) {
	f.Add("X_Forwarded_For", "1.1.1.1", "[::1]:80, x")
	f.Add("Forwarded", "for=\"[::1]\"", ",,,")
	trusted := trustedProxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, name, value, list string) {
		if got := trusted.origin([]string{list}, netip.MustParseAddr("10.0.0.1")); !got.IsValid() {
			t.Fatalf("origin of %q is not valid", list)
		}
		_, _ = name, value
	})
}

func TestLocation(t *testing.T) {
	target := func(id, host string, http, https int) *Target {
		return &Target{Member: Member{ID: id, Host: host, HTTPPort: http, HTTPSPort: https}}
	}
	pool := &Pool{active: []*Target{target("a", "10.0.0.1", 9764, 9444), target("b", "node.internal", 9765, 9445)}}
	x := &exchange{host: "governance.localhost:8280", pool: pool, from: &client{scheme: "http", public: publicPorts{http: 8280, https: 8243}}}
	public := func(location string) string {
		if changed, ok := x.publicLocation([]byte(location)); ok {
			return changed
		}
		return location
	}
	for in, want := range map[string]string{
		"/relative?x":                         "/relative?x",
		"//other/x":                           "//other/x",
		"http://10.0.0.1:9764/a?b=c#d":        "http://governance.localhost:8280/a?b=c#d",
		"https://10.0.0.1:9444/a":             "https://governance.localhost:8243/a",
		"https://NODE.internal:9445/a":        "https://governance.localhost:8243/a",
		"http://node.internal:9765":           "http://governance.localhost:8280",
		"http://10.0.0.1:9444/":               "http://10.0.0.1:9444/",
		"http://10.0.0.1:8280/proxy":          "http://governance.localhost:8280/proxy",
		"https://node.internal:8243/p":        "https://governance.localhost:8243/p",
		"http://governance.localhost/":        "http://governance.localhost/",
		"https://governance.localhost:9444/x": "https://governance.localhost:8243/x",
		"http://governance.localhost:8280/x":  "http://governance.localhost:8280/x",
		"https://governance.localhost:8243/x": "https://governance.localhost:8243/x",
		"https://foreign.example:9444/":       "https://foreign.example:9444/",
		"http://10.0.0.9:9764/":               "http://10.0.0.9:9764/",
		"http://user@10.0.0.1:9764/":          "http://user@10.0.0.1:9764/",
		"http://10.0.0.1:x/":                  "http://10.0.0.1:x/",
		"http://%6eode.internal:9765/":        "http://%6eode.internal:9765/",
		"ftp://10.0.0.1:9764/":                "ftp://10.0.0.1:9764/",
	} {
		if got := public(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
	x.from.public.https = 443
	if got := public("https://10.0.0.1:9444/a"); got != "https://governance.localhost/a" {
		t.Errorf("default port: %s", got)
	}
	x.from.public.https = 0
	if got := public("https://10.0.0.1:9444/a"); got != "https://10.0.0.1:9444/a" {
		t.Errorf("unknown port: %s", got)
	}
}
