package lb

import (
	"bytes"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

func TestReadTenantPath(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	for _, c := range []struct{ in, target, tenant string }{
		// Usual paths are forwarded as they came.
		{"/", "", ""},
		{"/t/a.com/carbon/", "", "a.com"},
		{"/t/a.com", "", "a.com"},
		{"/t/A.com/?x=/t/b.com/", "", "A.com"},
		{"/services/t/a.com/Echo?wsdl", "", "a.com"},
		{"/t/a.com/t/b.com/", "", "a.com"},
		{"/t/", "", ""},
		{"/t", "", ""},
		{"/T/a.com/", "", ""},
		{"/xt/a.com/", "", ""},
		{"/t/@a/t/b.com", "", ""}, // the first segment t counts
		{"/t/.a.com", "/t/.a.com", ""},
		{"*", "", ""},
		{"/registry/resource/a?path=%2Ft%2Fb.com", "", ""},

		// The normal form is what is routed and forwarded.
		{"/t/a.com/../b.com/x", "/t/b.com/x", "b.com"},
		{"/t/a.com/%2e%2e/b.com/x?q=..", "/t/b.com/x?q=..", "b.com"},
		{"/t/a.com/%2E./b.com/./x", "/t/b.com/x", "b.com"},
		{"/../../t/a.com/..", "/t/", ""},
		{"/%74/%61.com/%7ex", "/t/a.com/~x", "a.com"},
		{"/t/a.com/caf%c3%a9", "/t/a.com/caf%C3%A9", "a.com"},
		{"/.", "/", ""},
		{"/..?x", "/?x", ""},
		{"/a/./b/../c", "/a/c", ""},
		{"/.well-known/t/a.com", "/.well-known/t/a.com", "a.com"},

		// What makes no difference to the tenant passes: resources may be called so.
		{"/registry/resource/a%2Fb;version:1", "/registry/resource/a%2Fb;version:1", ""},
		{"/t/a.com/registry/x%2Fy;version:1//z", "/t/a.com/registry/x%2Fy;version:1//z", "a.com"},
		{"/registry/t/My%20File/x", "/registry/t/My%20File/x", ""},
		{"//a//t/a.com", "//a//t/a.com", "a.com"},

		// What does is refused.
		{"/t%2Fa.com/x", refused, ""},
		{"/x%2ft/a.com/x", refused, ""},
		{"/t/a.com%2F..%2Fb.com/x", refused, ""},
		{"/t/a.com/..%2Fb.com/x", refused, ""},
		{"/t/a.com/..;/b.com/x", refused, ""},
		{"/t/a.com/%252e%252e/b.com/x", refused, ""},
		{"/t/a.com/..%5Cb.com", refused, ""},
		{`/t/a.com\x`, refused, ""},
		{"/t;x=1/a.com/", refused, ""},
		{"/t;=/a.com/", refused, ""},
		{"/t/a.com;x=1/", refused, ""},
		{"/t/a.com%3Bx/", refused, ""},
		{"/t/a.com%00/", refused, ""},
		{"/t/a.com%23/", refused, ""},
		{"/t/a.com%3F/", refused, ""},
		{"/t//a.com/", refused, ""},
		{"//t/a.com/", refused, ""},
		{"/%2574/a.com/", refused, ""},
		{"/%2574/b.com/t/a.com/", refused, ""},
		{"/%2574/t/a.com/", refused, ""},
		{"/%2574/a.com/t/@x/", refused, ""}, // no tenant where t is plain
		{"/t/%2561.com/", refused, ""},
		{"/t/%252e%252e/t/a.com/", refused, ""},
		{"/%25252574/a.com/", refused, ""},

		// Single sign-on names the tenant in the query.
		{"/acs?tenantDomain=a.com", "", "a.com"},
		{"/acs?x=1&tenantDomain=a.com&tenantDomain=A.COM&y", "", "a.com"},
		{"/acs?tenantDomain=a.com&tenantDomain=b.com", refused, ""},
		{"/acs?tenantDomain=&xtenantDomain=b.com", "", ""},
		{"/t/a.com/acs?tenantDomain=b.com", "", "a.com"},
		{"/./acs?tenantDomain=a.com", "/acs?tenantDomain=a.com", "a.com"},
	} {
		p, _, ok := readTenantPath([]byte(c.in), nil)
		switch {
		case c.target == refused:
			if ok {
				t.Errorf("%s: accepted as %+q", c.in, p)
			}
		case !ok:
			t.Errorf("%s: refused", c.in)
		case string(p.target) != c.target || string(p.domain) != c.tenant:
			t.Errorf("%s: forwarded as %q (\"\" = as it came), tenant %q; want %q, %q", c.in, p.target, p.domain, c.target, c.tenant)
		}
	}
}

func TestReadTenantPath_KeepsItsRoom(t *testing.T) {
	room := make([]byte, 0, 256)
	for _, target := range []string{"/t/a.com/x?y", "/t/a.com/%2e%2e/b.com/x;y"} {
		in := []byte(target)
		if n := testing.AllocsPerRun(100, func() { _, room, _ = readTenantPath(in, room) }); n != 0 {
			t.Errorf("%s: %v allocations", target, n)
		}
		if string(in) != target {
			t.Errorf("%s became %s", target, in)
		}
	}
}

func TestIsTenantDomain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"a": true, "a.com": true, "carbon.super": true, "A-b_c.9": true, strings.Repeat("a", 253): true,
		"": false, ".": false, "..": false, "-a": false, "a b": false, "a/b": false, "a%41": false, "ä": false, "a;b": false, strings.Repeat("a", 254): false,
	} {
		if got := IsTenantDomain(in); got != want {
			t.Errorf("IsTenantDomain(%q) = %v", in, got)
		}
	}
}

// reader is a way in which some server finds the tenant in a path.
type reader struct {
	decode      int  // how often escapes are undone
	backslashes bool // are slashes
	parameters  int  // 0: parts of names; 1: dropped before escapes are undone; 2: dropped after
	cut         bool // at NUL, '?' and '#'
	clean       int  // 0: not at all; 1: dot segments; 2: empty ones, too
}

func readers() []reader {
	var all []reader
	for decode := range 4 {
		for parameters := range 3 {
			for clean := range 3 {
				for _, backslashes := range []bool{false, true} {
					for _, cut := range []bool{false, true} {
						all = append(all, reader{decode, backslashes, parameters, cut, clean})
					}
				}
			}
		}
	}
	return all
}

// tenant is written without a thought of how the load balancer does it: strings, net/url and path.
func (r reader) tenant(p string) string {
	if r.parameters == 1 {
		p = dropParameters(p)
	}
	for range r.decode {
		if decoded, err := url.PathUnescape(p); err == nil {
			p = decoded
		}
	}
	if i := strings.IndexAny(p, "\x00?#"); r.cut && i >= 0 {
		p = p[:i]
	}
	if r.backslashes {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	if r.parameters == 2 {
		p = dropParameters(p)
	}
	switch r.clean {
	case 1:
		p = dropDots(p)
	case 2:
		p = path.Clean("/" + p)
	}
	segments := strings.Split(p, "/")
	if i := slices.Index(segments, "t"); i >= 0 && i+1 < len(segments) && IsTenantDomain(segments[i+1]) {
		return segments[i+1]
	}
	return ""
}

func dropParameters(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// dropDots is the algorithm of RFC 3986 section 5.2.4 to the letter.
func dropDots(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "../"):
			in = in[3:]
		case strings.HasPrefix(in, "./"):
			in = in[2:]
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			if in = in[3:]; in == "" {
				in = "/"
			}
			out = out[:max(0, strings.LastIndex(out, "/"))]
		case in == ".", in == "..":
			in = ""
		default:
			end := strings.Index(in[1:], "/") + 1
			if end == 0 {
				end = len(in)
			}
			out, in = out+in[:end], in[end:]
		}
	}
	return out
}

// What is routed is what is forwarded: no server finds another tenant in the path that it gets than the load balancer found.
func FuzzTenantPath(f *testing.F) {
	for _, seed := range []string{
		"/t/a.com/x?y", "/t/a.com/%2e%2e/b.com/x;y", "/%2574/t/b.com", "/t;=/a.com", `/t\a/..\`, "//t/a/..;/", "/t%2Fa", "/a/b/../t/c", "/t/%2561/", "/t//a/t/b",
		"/x%00/t/a", "/.%2e/t/a%2f..%2f..%2ft/b", "/;/t/a/%2525252e%25252e/t/b",
	} {
		f.Add(seed)
	}
	all := readers()
	f.Fuzz(func(t *testing.T, target string) {
		var req h1.Request
		if n, err := req.Parse([]byte("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")); n == 0 || err != nil {
			return
		}
		in := req.Path()
		before := bytes.Clone(in)
		p, _, ok := readTenantPath(in, nil)
		if !bytes.Equal(in, before) {
			t.Fatalf("%q became %q", before, in)
		}
		if !ok {
			return
		}
		out := in
		if p.target != nil {
			out = p.target
		}
		again, _, ok := readTenantPath(out, nil)
		if !ok || !bytes.Equal(again.domain, p.domain) || again.target != nil && !bytes.Equal(again.target, out) {
			t.Fatalf("%q is forwarded as %q, which is no normal form: %q, %v", in, out, again, ok)
		}
		asked, _, _ := strings.Cut(string(in), "?")
		route, query, _ := strings.Cut(string(out), "?")
		if _, came, _ := strings.Cut(string(in), "?"); came != query {
			t.Fatalf("the query %q became %q", came, query)
		}
		if !sameByRFC(asked, route) {
			t.Fatalf("%q is not the same as %q", route, asked)
		}
		tenant := string(p.domain)
		if strings.Contains(query, "tenantDomain=") && !strings.Contains(route, "/t/") {
			tenant = "" // by the query
		}
		for _, r := range all {
			if got := r.tenant(route); got != tenant {
				t.Fatalf("%q, forwarded as %q: tenant %q here, %q for %+v", in, out, tenant, got, r)
			}
		}
	})
}

// sameByRFC reports whether two paths are the same to whoever undoes escapes after splitting at slashes.
func sameByRFC(a, b string) bool {
	read := func(p string) []string {
		segments := strings.Split(dropDots(strings.NewReplacer("%2e", ".", "%2E", ".").Replace(p)), "/")
		for i, s := range segments {
			if decoded, err := url.PathUnescape(s); err == nil {
				segments[i] = decoded
			}
		}
		return segments
	}
	return slices.Equal(read(a), read(b))
}
