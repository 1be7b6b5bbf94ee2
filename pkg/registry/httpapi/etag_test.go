package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestParseTags(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  []string
		bad   bool
	}{
		{nil, nil, false},
		{[]string{`"a"`}, []string{`"a"`}, false},
		{[]string{`"a", "b"`}, []string{`"a"`, `"b"`}, false},
		{[]string{`"a"`, `W/"b"`}, []string{`"a"`, `W/"b"`}, false},
		{[]string{` ,"a",, "b" ,`}, []string{`"a"`, `"b"`}, false},
		{[]string{`"a,b"`}, []string{`"a,b"`}, false},
		{[]string{`""`}, []string{`""`}, false},
		{[]string{`*`}, []string{`*`}, false},
		{[]string{` * `}, []string{`*`}, false},
		{[]string{``}, nil, true},
		{[]string{`,`}, nil, true},
		{[]string{`abc`}, nil, true},
		{[]string{`"abc`}, nil, true},
		{[]string{`"a" "b"`}, nil, true},
		{[]string{`"a"b`}, nil, true},
		{[]string{`*, "a"`}, nil, true},
		{[]string{`"a", *`}, nil, true},
		{[]string{`w/"a"`}, nil, true},
		{[]string{`W/a`}, nil, true},
		{[]string{`"a b"`}, nil, true},
		{[]string{"\"a\x00\""}, nil, true},
		{[]string{`'a'`}, nil, true},
	} {
		got, err := parseTags(http.Header{"If-Match": c.lines}, "If-Match")
		if (err != nil) != c.bad || !slices.Equal(got, c.want) {
			t.Errorf("parseTags(%q) = %q, %v", c.lines, got, err)
		}
		if err != nil && registry.CodeOf(err) != registry.CodeInvalid {
			t.Errorf("parseTags(%q): code %s, want invalid", c.lines, registry.CodeOf(err))
		}
	}
}

func TestPrecondition_WeakTags(t *testing.T) {
	r := registry.Resource{Version: 1}
	weak := "W/" + r.ETag()
	match, err := precondition(http.Header{"If-Match": {weak}})
	if err != nil {
		t.Fatal(err)
	}
	if registry.CodeOf(match.Check(&r)) != registry.CodePrecondition {
		t.Error("a weak tag satisfies If-Match; it must not: the comparison is strong")
	}
	noneMatch, err := precondition(http.Header{"If-None-Match": {weak}})
	if err != nil {
		t.Fatal(err)
	}
	if registry.CodeOf(noneMatch.Check(&r)) != registry.CodePrecondition {
		t.Error("a weak tag does not satisfy If-None-Match; it must: the comparison is weak")
	}
}

func FuzzParseTags(f *testing.F) {
	for _, s := range []string{`"a", W/"b"`, `*`, `,,"x"`, `"`, `W/`, "\"\xff\"", `"a""b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := parseTags(http.Header{"If-Match": {s}}, "If-Match")
		if err != nil {
			return
		}
		if len(tags) == 0 {
			t.Fatalf("%q parses to no condition at all", s)
		}
		again, err := parseTags(http.Header{"If-Match": {strings.Join(tags, ", ")}}, "If-Match")
		if err != nil || !slices.Equal(again, tags) {
			t.Errorf("%q parses to %q, which parses to %q, %v", s, tags, again, err)
		}
	})
}
