package registry_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestParsePath_GivesTheCanonicalForm(t *testing.T) {
	tests := map[string]registry.Path{
		"":                  "/",
		"/":                 "/",
		"a":                 "/a",
		"/a/b/":             "/a/b",
		"/a b/ü/[x]:&$(1)/": "/a b/ü/[x]:&$(1)",
		"/cafe\u0301":       "/caf\u00e9", // NFD and NFC are one name
		"/a ":               "/a ",        // a trailing space is part of the name
	}
	for in, want := range tests {
		got, err := registry.ParsePath(in)
		if err != nil || got != want {
			t.Errorf("ParsePath(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestParsePath_RefusesAndNamesTheReason(t *testing.T) {
	tests := []struct{ in, want string }{
		{"/a//b", "empty name"},
		{"//", "empty name"},
		{"/a/../b", `".."`},
		{"/a/.", `"."`},
		{"/a/.meta", "reserved"},
		{"/a\x00b", "U+0000"},
		{"/a\nb", "U+000A"},
		{"/a\x7fb", "U+007F"},
		{"/a\xffb", "not valid UTF-8"},
		{"/a;b", `';'`},
		{"/a<b", `'<'`},
		{"/" + strings.Repeat("n", 256), "256 characters; the limit is 255"},
		{"/" + strings.Repeat("n/", 1024) + "x", "the limit is 2048"},
		{"/" + strings.Repeat("n/", 256) + "x", "257 names; the limit is 256"},
	}
	for _, c := range "~!@#;%^*+={}|\\<>\"'," {
		tests = append(tests, struct{ in, want string }{"/x" + string(c), "none of ~ ! @ #"})
	}
	for _, tt := range tests {
		_, err := registry.ParsePath(tt.in)
		if registry.CodeOf(err) != registry.CodeInvalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParsePath(%.40q): error %v, want it to say %q", tt.in, err, tt.want)
		}
	}
}

func TestParsePath_CountsCharactersNotBytes(t *testing.T) {
	if _, err := registry.ParsePath("/" + strings.Repeat("😀", 255)); err != nil {
		t.Error(err)
	}
}

func TestParseRef_ReadsTheVersion(t *testing.T) {
	p, n, err := registry.ParseRef("/a/b;version:12")
	if p != "/a/b" || n != 12 || err != nil {
		t.Errorf("got %s, %d, %v", p, n, err)
	}
	for _, bad := range []string{"/a;version:0", "/a;version:-1", "/a;version:x", "/a;versions", "/a;comments", "/a;", "/a;version:99999999999999999999", "/a;version:1;x"} {
		if _, _, err := registry.ParseRef(bad); registry.CodeOf(err) != registry.CodeInvalid {
			t.Errorf("ParseRef(%q): error %v", bad, err)
		}
	}
}

func TestPath_PartsFitTogether(t *testing.T) {
	p := registry.Path("/a/b/c")
	if p.Parent() != "/a/b" || p.Name() != "c" || p.Parent().Parent().Parent() != registry.Root || registry.Root.Parent() != registry.Root {
		t.Error("Parent or Name is wrong")
	}
	if !registry.Path("/a").Covers("/a/b") || registry.Path("/a").Covers("/ab") || !registry.Root.Covers("/x") || registry.Path("/a/b").Covers("/a") {
		t.Error("Covers is wrong")
	}
	if q, err := registry.Path("/a").Join("b/c"); err == nil && q != "/a/b/c" {
		t.Errorf("Join gave %q", q)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"", "/", "/a/b", "a//b", "/é/ü ", "/a;version:1", "/\x00", strings.Repeat("/x", 300), "/\u0344", "/a\u0301\u0327"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := registry.ParsePath(s)
		if err != nil {
			if registry.CodeOf(err) != registry.CodeInvalid {
				t.Fatalf("code %s", registry.CodeOf(err))
			}
			return
		}
		if again, err := registry.ParsePath(string(p)); err != nil || again != p {
			t.Fatalf("the canonical form %q of %q is not stable: %q, %v", p, s, again, err)
		}
		if p[0] != '/' || !norm.NFC.IsNormalString(string(p)) || utf8.RuneCountInString(string(p)) > registry.MaxPathLength+1 {
			t.Fatalf("%q breaks an invariant", p)
		}
		rebuilt := registry.Root
		for _, name := range p.Names() {
			if rebuilt, err = rebuilt.Join(name); err != nil {
				t.Fatal(err)
			}
		}
		if rebuilt != p {
			t.Fatalf("%q is not what its names make: %q", p, rebuilt)
		}
	})
}
