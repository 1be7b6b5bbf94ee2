package registry

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestCleanTag(t *testing.T) {
	for in, want := range map[string]string{
		"pay": "pay", " pay\t": "pay", "Pay": "Pay", "e\u0301": "é", "two words": "two words", "a/b:c&d$[e](f)": "a/b:c&d$[e](f)",
		strings.Repeat("é", MaxTagLength): strings.Repeat("é", MaxTagLength),
		"":                                "", " ": "", "a,b": "", "a;b": "", "a<b": "", "a\nb": "", "a\x7fb": "", "\xff": "", strings.Repeat("é", MaxTagLength+1): "",
	} {
		got, err := cleanTag(in)
		if got != want || (err == nil) != (want != "") || err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("%.20q gives %.20q: %v", in, got, err)
		}
	}
}

func FuzzCleanTag(f *testing.F) {
	for _, s := range []string{"pay", " e\u0301 ", "a,b", "\xff", strings.Repeat("x", 501), "\u0344", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag, err := cleanTag(s)
		if err != nil {
			return
		}
		again, err := cleanTag(tag)
		if err != nil || again != tag {
			t.Errorf("%q becomes %q, and that %q: %v", s, tag, again, err)
		}
		if !utf8.ValidString(tag) || len(tag) > 4*MaxTagLength || !norm.NFC.IsNormalString(tag) || strings.ContainsAny(tag, forbiddenInName) || strings.ContainsFunc(tag, unicode.IsControl) {
			t.Errorf("%q becomes %q", s, tag)
		}
	})
}

func FuzzCleanComment(f *testing.F) {
	for _, s := range []string{"a", " a\r\nb\r", "\x00", "\xff", strings.Repeat("é", 501)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := cleanComment(s)
		if err != nil {
			return
		}
		if again, err := cleanComment(text); err != nil || again != text || text == "" || !utf8.ValidString(text) || len(text) > 4*MaxCommentLength || strings.Contains(text, "\r") {
			t.Errorf("%q becomes %q, and that %q: %v", s, text, again, err)
		}
	})
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b": "path /a/b", "/": "path /", "/e\u0301/": "path /é", "https://example.com/a?b=c#d%20e": "uri", "urn:isbn:1": "uri", "mailto:a@b.c": "uri",
		"soap.jms+x-1:a": "uri", "HTTP://[::1]:80/": "uri", "urn:" + strings.Repeat("x", MaxURILength-4): "uri",
		"": "", "a/b": "", "a": "", ":a": "", "https:": "", "1http:x": "", "ht tp:x": "", "javascript:x": "", "JavaScript:x": "", "data:,x": "", "vbscript:x": "",
		"java\tscript:x": "", "https://a/\n": "", "https://a/\x00": "", "https://é/": "", "https://a/%2": "", "https://a/%zz": "", "https://a/<b>": "", `x:"`: "",
		"/a//b": "", "/a/../b": "", "/a;version:1": "", "urn:" + strings.Repeat("x", MaxURILength-3): "",
	} {
		p, uri, err := parseTarget(in)
		got := ""
		switch {
		case err == nil && uri == "":
			got = "path " + string(p)
		case err == nil && uri == in:
			got = "uri"
		}
		if got != want || err != nil && CodeOf(err) != CodeInvalid {
			t.Errorf("%.40q gives %q, %q: %v", in, p, uri, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"/a", "https://example.com/%20", "javascript:x", "a:b", ":", "é:x", "x:%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, uri, err := parseTarget(s)
		switch {
		case err != nil:
		case uri != "" && (p != "" || uri != s || strings.HasPrefix(strings.ToLower(uri), "javascript:") || strings.ContainsAny(uri, " \t\r\n<>\"\\")):
			t.Errorf("%q gives %q", s, uri)
		case uri == "" && (p == "" || p[0] != '/'):
			t.Errorf("%q gives the path %q", s, p)
		}
	})
}

func FuzzCursors(f *testing.F) {
	f.Add(makeCommentCursor(Comment{Thread: 3, Number: 4}))
	f.Add(makeAssociationCursor("\x00key"))
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := parseCommentCursor(s); err == nil && s != "" {
			if again, err := parseCommentCursor(makeCommentCursor(Comment{Thread: k.Thread, Number: k.Number})); err != nil || again != k {
				t.Errorf("%q gives %v, and that %v: %v", s, k, again, err)
			}
		}
		if k, err := parseAssociationCursor(s); err == nil {
			if again, err := parseAssociationCursor(makeAssociationCursor(k)); err != nil || again != k {
				t.Errorf("%q gives %q, and that %q: %v", s, k, again, err)
			}
		}
		if _, _, err := parseStoreCursor(nil, s); err == nil {
			t.Errorf("%q is a cursor of no store", s)
		}
	})
}

// markedStore is told apart from others by its name.
type markedStore struct {
	Store
	name string
}

func (s markedStore) Name() string { return s.name }

func TestMounts_Shows(t *testing.T) {
	shared, local, other := markedStore{name: "shared"}, markedStore{name: "local"}, markedStore{name: "other"}
	mounts, err := NewMounts(
		Mount{Path: "/", Store: local, Target: "/"},
		Mount{Path: "/_system/config", Store: shared, Target: "/conf"},
		Mount{Path: "/_system/governance", Store: shared, Target: "/gov"},
		Mount{Path: "/mirror", Store: shared, Target: "/gov/apis"},
		Mount{Path: "/mirror/inner", Store: local, Target: "/inner"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		store Store
		sp    Path
		want  Path
	}{
		{shared, "/conf/a", "/_system/config/a"},
		{shared, "/conf", "/_system/config"},
		{shared, "/gov/b", "/_system/governance/b"},
		{shared, "/gov/apis/b", "/mirror/b"},                          // the longest target
		{shared, "/gov/apis/inner", "/_system/governance/apis/inner"}, // another mount hides it at the other place
		{shared, "/elsewhere", ""},
		{shared, "/", ""},
		{local, "/x", "/x"},
		{local, "/_system/config/x", ""}, // hidden by a mount
		{local, "/inner/x", "/mirror/inner/x"},
		{other, "/x", ""},
	} {
		got, ok := mounts.shows(c.store, c.sp)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s of %s shows at %q, want %q", c.sp, c.store.Name(), got, c.want)
		}
	}
	if got := mounts.stores(); len(got) != 2 || got[0] != Store(local) || got[1] != Store(shared) {
		t.Errorf("stores are %v", got)
	}
}
