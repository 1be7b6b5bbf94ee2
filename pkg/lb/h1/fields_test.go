package h1

// Names, values and lines of fields, and which of them go on.

import (
	"net/netip"
	"strings"
	"testing"
)

func TestFields(t *testing.T) {
	const lines = host + "Plain: a b\r\nTight:x\r\nWide: \t y\t \r\nNothing: \r\nEmpty:\r\nplain: second \r\nBytes: \xe9\xff\r\n"
	r := request(t, "GET / HTTP/1.1\r\n"+lines+"\r\n")
	tests := []struct {
		name, value, line string
		plain             bool
	}{
		{"Host", "a.example", "Host: a.example\r\n", true},
		{"Plain", "a b", "Plain: a b\r\n", true},
		{"Tight", "x", "Tight: x\r\n", false},
		{"Wide", "y", "Wide: y\r\n", false},
		{"Nothing", "", "Nothing: \r\n", true},
		{"Empty", "", "Empty: \r\n", false},
		{"plain", "second", "plain: second\r\n", false},
		{"Bytes", "\xe9\xff", "Bytes: \xe9\xff\r\n", true},
	}
	if r.Len() != len(tests) {
		t.Fatalf("Len is %d, want %d", r.Len(), len(tests))
	}
	for i, tt := range tests {
		if string(r.Name(i)) != tt.name || string(r.Value(i)) != tt.value {
			t.Errorf("field %d is %q: %q, want %q: %q", i, r.Name(i), r.Value(i), tt.name, tt.value)
		}
		if got := string(r.AppendLine([]byte("before "), i)); got != "before "+tt.line {
			t.Errorf("AppendLine gives %q, want %q", got, tt.line)
		}
		if line := r.Line(i); (line != nil) != tt.plain || tt.plain && string(line) != tt.line {
			t.Errorf("Line of %q gives %q", tt.line, line)
		}
	}
	if got := string(r.Find("PLAIN")); got != "a b" {
		t.Errorf("Find gives %q, want the first of two", got)
	}
	if r.Find("Absent") != nil || r.First(Cookie) != nil || r.Count(Cookie) != 0 {
		t.Error("a field was found that is not there")
	}
	if got := r.Find("Empty"); got == nil || len(got) != 0 {
		t.Errorf("the empty value is %#v, want empty and not nil", got)
	}
}

func TestFirstAndCount(t *testing.T) {
	r := request(t, "GET / HTTP/1.1\r\n"+host+"Cookie: a=1\r\nX: y\r\ncookie: b=2\r\n\r\n")
	if got := string(r.First(Cookie)); got != "a=1" || r.Count(Cookie) != 2 || r.Count(Other) != 1 {
		t.Errorf("First %q, Count %d, others %d", got, r.Count(Cookie), r.Count(Other))
	}
}

// TestResetForgets parses a rich head and then a poor one with the same Request.
func TestResetForgets(t *testing.T) {
	const rich = "\r\nOPTIONS http://a/ HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, upgrade, x\r\nX: y\r\nUpgrade: websocket\r\n" +
		"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nCookie: a\r\n\r\n"
	const poor = "GET /x HTTP/1.0\r\n\r\n"
	var fresh, reused Request
	want := feed(&fresh, []byte(poor))
	feed(&reused, []byte(rich))
	reused.Reset()
	if got := feed(&reused, []byte(poor)); got != want {
		t.Errorf("after Reset:\n%s\nfresh:\n%s", got, want)
	}
}

func TestIdentify(t *testing.T) {
	tests := []struct {
		name string
		id   ID
		ok   bool
	}{
		{"HOST", Host, true},
		{"X-Real-Ip", Forwarding, true},
		{"X_Real_IP", Forwarding, true},
		{"X-Forwarded", Forwarding, true},
		{"x-forwarded-prefix", Forwarding, true},
		{"X-ForwardedFor", Forwarding, true},
		{"x-forwarded-FOR", XForwardedFor, true},
		{"X_Forwarded-For", Forwarding, true},
		{"X.Forwarded.For", Forwarding, true},
		{"X_Forwarded_Whatever", Forwarding, true},
		{"x_request_id", Forwarding, true},
		{"X-Forward", Other, true},
		{"Forwarded", Forwarded, true},
		{"Forwarded-", Other, true},
		{"Content_Length", Twin, true},
		{"content.length", Twin, true},
		{"Transfer_Encoding", Twin, true},
		{"Keep_Alive", Twin, true},
		{"HTTP2_Settings", Twin, true},
		{"If_None_Match", Twin, true},
		{"Set_Cookie", Twin, true},
		{"My_Own", Other, true},
		{"X-Tenant", Other, true},
		{"T-E", Other, true},
		{"Chost", Other, true},
		{"Content\xc2\xadLength", Other, false},
		{"Content Length", Other, false},
		{"X-Forwarded-For ", Other, false},
		{"\u212aeep-Alive", Other, false}, // the Kelvin sign folds to k in Unicode
		{"", Other, false},
	}
	for _, tt := range tests {
		if id, ok := identify([]byte(tt.name)); id != tt.id && ok || ok != tt.ok {
			t.Errorf("identify(%q) = %d, %t; want %d, %t", tt.name, id, ok, tt.id, tt.ok)
		}
	}
}

// TestEveryNameIsFound goes through the table of names, in three spellings each.
func TestEveryNameIsFound(t *testing.T) {
	found := map[ID]bool{Other: true, Twin: true}
	for _, k := range known {
		if k.name == "" {
			continue
		}
		found[k.id] = true
		for _, name := range []string{k.name, strings.ToUpper(k.name), strings.ToLower(k.name)} {
			if id, ok := identify([]byte(name)); id != k.id || !ok {
				t.Errorf("identify(%q) = %d, %t; want %d", name, id, ok, k.id)
			}
		}
	}
	for id := range ids {
		if !found[id] {
			t.Errorf("no name leads to ID %d", id)
		}
	}
	if ids > 64 {
		t.Errorf("%d IDs do not fit in an idSet", ids)
	}
}

func TestHop(t *testing.T) {
	const text = "GET / HTTP/1.1\r\n" + host +
		"Connection: close, X-Private, Cookie,,x-ABSENT\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nProxy-Authenticate: a\r\n" +
		"Proxy-Authorization: a\r\nTE: trailers\r\nTrailer: a\r\nUpgrade: a\r\nHTTP2-Settings: a\r\n" +
		"x-private: a\r\nX-Private: b\r\nCookie: c\r\nContent_Length: 5\r\nX-Privat: d\r\nX-Forwarded-For: e\r\nX-Private-2: f\r\n" +
		"Connection: X-Later\r\nx-later: g\r\nContent-Length: 0\r\n\r\n"
	r := request(t, text)
	stays := map[string]bool{"Host": true, "X-Privat": true, "X-Forwarded-For": true, "X-Private-2": true, "Content-Length": true}
	for i := range r.Len() {
		if name := string(r.Name(i)); r.Hop(i) == stays[name] {
			t.Errorf("Hop of %s is %t", name, r.Hop(i))
		}
	}
	answer := response(t, "HTTP/1.1 200 OK\r\nConnection: X-Private\r\nX-Private: a\r\nSet-Cookie: b\r\n\r\n")
	if !answer.Hop(0) || !answer.Hop(1) || answer.Hop(2) {
		t.Errorf("Hop in a response: %t %t %t", answer.Hop(0), answer.Hop(1), answer.Hop(2))
	}
}

// TestIPv6 compares with net/netip, which reads the same grammar and zones.
func TestIPv6(t *testing.T) {
	for _, s := range []string{
		"::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:192.0.2.1",
		"::ffff:192.0.2.1", "::192.0.2.1", "1::2:192.0.2.1", "ABCD::ef01", "1:2:3:4:5::192.0.2.1", "1::192.0.2.1",
		"", ":", ":1", "1:", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
		"12345::", "g::", "1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::1.2.3.256", "::01.2.3.4", "::1.2.3.", "::.1.2.3", "1:2:3:4:5:6:7:1.2.3.4",
		"1:2:3:4:5:1.2.3.4", "::1.2.3.4:5", "::a.2.3.4", "1::2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6::192.0.2.1", "1::2:3:4:5:192.0.2.1",
	} {
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6()
		if got := isIPv6([]byte(s)); got != want {
			t.Errorf("isIPv6(%q) = %t, want %t", s, got, want)
		}
	}
}

func FuzzIPv6(f *testing.F) {
	f.Add("1:2:3::192.0.2.1")
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6() && !strings.Contains(s, "%")
		if got := isIPv6([]byte(s)); got != want {
			t.Errorf("isIPv6(%q) = %t, want %t", s, got, want)
		}
	})
}
