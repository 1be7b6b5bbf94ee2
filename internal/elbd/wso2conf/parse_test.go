package wso2conf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// show writes a tree in the form "name@line{key@line=value; …}".
func show(b *Block) string {
	var s strings.Builder
	for _, p := range b.Properties {
		fmt.Fprintf(&s, "%s@%d=%s;", p.Key, p.Line, p.Value)
	}
	for _, c := range b.Blocks {
		fmt.Fprintf(&s, "%s@%d{%s}", c.Name, c.Line, show(c))
	}
	return s.String()
}

func showProblems(problems []Problem) []string {
	var list []string
	for _, p := range problems {
		kind := "fault"
		if p.Warning {
			kind = "warning"
		}
		list = append(list, fmt.Sprintf("%d %s %q %s", p.Line, kind, p.Key, p.Text))
	}
	return list
}

func TestParse_ReadsTheGrammar(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                   {"", ""},
		"comments":                  {"# a { ;\n  #}\n", ""},
		"blocks and properties":     {"a {\n  k  v w ;\n  b {\n    k2 v;\n  }\n}\n", "a@1{k@2=v w;b@3{k2@4=v;}}"},
		"no blank":                  {"domains{\n}\n", "domains@1{}"},
		"tabs and CRLF":             {"a\t{\r\n\tk\t \tv;\r\n}\r\n", "a@1{k@2=v;}"},
		"byte order mark":           {"\ufeffk v;", "k@1=v;"},
		"blank that does not break": {"tenant_range\u00a0*;", "tenant_range@1=*;"},
		"comment after a value":     {"k v; # it is\n", "k@1=v;"},
		"comment after a brace":     {"a { # b {\nk v;\n} # done\n", "a@1{k@2=v;}"},
		"brace in a comment":        {"a {\n# }\nk v;\n}\n", "a@1{k@3=v;}"},
		"two on a line":             {"k1 v1; k2 v2;\n", "k1@1=v1;k2@1=v2;"},
		"block on a line":           {"mgt { hosts a; }\nk v;\n", "k@2=v;mgt@1{hosts@1=a;}"},
		"blocks on a line":          {"a { b { k v; } c { } }", "a@1{b@1{k@1=v;}c@1{}}"},
		"brace after a value":       {"a {\nk 60000;}\n", "a@1{k@2=60000;}"},
		"brace on its own line":     {"services\n\n# here\n{\nk v;\n}\n", "services@1{k@5=v;}"},
		"no value":                  {"a {\nhosts      ;\nurl_suffix;\n}", "a@1{hosts@2=;url_suffix@3=;}"},
		"empty statements":          {";; k v;;\n", "k@1=v;"},
		"variable":                  {"payload ${dir}/x.zip;\na { k ${X}; }", "payload@1=${dir}/x.zip;a@2{k@2=${X};}"},
		"dollars":                   {"k $5 $;", "k@1=$5 $;"},
		"two blocks of a name":      {"a {\n}\na {\n}\n", "a@1{}a@3{}"},
	} {
		t.Run(name, func(t *testing.T) {
			b, problems := Parse(c.text)
			if got := show(b); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if len(problems) > 0 {
				t.Errorf("problems %q", showProblems(problems))
			}
		})
	}
}

func TestParse_TellsWhatItForgivesAndWhatNot(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		problems   []string
	}{
		"missing braces at the end": {
			"a {\nb {\nk v;\n}\nc {\n", "a@1{b@2{k@3=v;}c@5{}}",
			[]string{`5 warning "a.c" the file ends without the } of c (line 5), a (line 1)`},
		},
		"missing brace without a last line end": {"a {", "a@1{}", []string{`1 warning "a" the file ends without the } of a (line 1)`}},
		"braces too many":                       {"a {\n}\n}\nk v;\n}", "k@4=v;a@1{}", []string{`3 warning "" } closes nothing and is ignored`, `5 warning "" } closes nothing and is ignored`}},
		"key given twice": {
			"a {\nk 1;\nx 2;\nk 3;\n}", "a@1{k@4=3;x@3=2;}",
			[]string{`4 warning "a.k" is given twice; this one counts, and that of line 2 is ignored`},
		},
		"words after the last semicolon": {"delay 600; milliseconds\nk v;", "delay@1=600;k@2=v;", []string{`1 warning "milliseconds" "milliseconds" stands after the ; of the line and is ignored`}},
		"no semicolon": {
			"a {\nhosts x\nk v # y\n}\nlast 1", "last@5=1;a@1{hosts@2=x;k@3=v;}",
			[]string{`2 fault "a.hosts" has no ; at its end`, `3 fault "a.k" has no ; at its end`, `5 fault "last" has no ; at its end`},
		},
		"no semicolon before a brace":   {"mgt { hosts a }", "mgt@1{hosts@1=a;}", []string{`1 fault "mgt.hosts" has no ; before the }`}},
		"words after a brace":           {"a {\n} end\n", "end@2=;a@1{}", []string{`2 fault "end" has no ; at its end`}},
		"block without a name":          {"a {\n{\nk v;\n}\nx y;\n}", "a@1{x@5=y;}", []string{`2 fault "a" a block begins without a name`}},
		"variable before a brace":       {"a ${X} {\nk v;\n}\nx y;", "x@4=y;", []string{`1 fault "a ${X}" a line with ${ does not open a block`}},
		"variable without end":          {"k ${X;\nx y;", "k@1=${X;x@2=y;", []string{`1 warning "k" ${ has no } on its line, and is taken as it stands`}},
		"variable without end, a brace": {"a ${ {\n}", "", []string{`1 warning "a" ${ has no } on its line, and is taken as it stands`, `1 fault "a ${" a line with ${ does not open a block`}},
		"control characters":            {"k a\x00b;", "k@1=a?b;", []string{`1 fault "k" "k a\x00b" holds a character that cannot be printed`}},
		"line separator":                {"k a\u2028b;", "k@1=a?b;", []string{`1 fault "k" "k a\u2028b" holds a character that cannot be printed`}},
		"no UTF-8":                      {"k \xff;  # \xff is fine here", "k@1=?;", []string{`1 fault "k" "k \xff" holds a character that cannot be printed`}},
		"cut inside a block": {
			"governance {\nhosts ;\ndomains {\nd {\ntenant_range *;\nmgt {\n", "governance@1{hosts@2=;domains@3{d@4{tenant_range@5=*;mgt@6{}}}}",
			[]string{`6 warning "governance.domains.d.mgt" the file ends without the } of mgt (line 6), d (line 4), domains (line 3), governance (line 1)`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, problems := Parse(c.text)
			if got := show(b); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if diff := cmp.Diff(c.problems, showProblems(problems)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParse_IsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"deep":    strings.Repeat("a {\n", 100_000),
		"closing": strings.Repeat("}\n", 100_000),
		"lines":   strings.Repeat("a\n", 100_000),
	} {
		_, problems := Parse(text)
		if n := len(problems); n != maxProblems+1 {
			t.Errorf("%s: %d problems", name, n)
		}
		if last := problems[len(problems)-1]; !strings.Contains(last.Text, "too many") || last.Warning {
			t.Errorf("%s: the last problem is %+v", name, last)
		}
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, "k%d v;", i)
	}
	if b, problems := Parse(many.String()); len(problems) > 0 || len(b.Properties) != 100_000 {
		t.Errorf("%d properties, %d problems", len(b.Properties), len(problems))
	}
}

// text writes a tree as a well-formed file.
func text(b *Block) string {
	var s strings.Builder
	for _, p := range b.Properties {
		fmt.Fprintf(&s, "%s %s;\n", p.Key, p.Value)
	}
	for _, c := range b.Blocks {
		fmt.Fprintf(&s, "%s {\n%s}\n", c.Name, text(c))
	}
	return s.String()
}

// What was read without a fault, written again, must be read as the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"services {\n  governance {\n    hosts a,b;\n    domains {\n      d {\n        tenant_range *;\n        mgt { hosts c; }\n      }\n    }\n  }\n}\n",
		"a { k 1; k 2; } # x {\n} }", "k ${X", "a\n#\n{ ${X} {", "{{{}}}", "k v; w", "\ufeff;;\x00", "a{b c}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		b, problems := Parse(src)
		if b == nil || len(problems) > maxProblems+1 {
			t.Fatalf("block %v, %d problems", b, len(problems))
		}
		lines, faults := 1+strings.Count(src, "\n"), 0
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Text == "" || strings.ContainsFunc(p.Key, unprintable) {
				t.Fatalf("%+v in %d lines", p, lines)
			}
			if !p.Warning || strings.Contains(p.Text, "as it stands") {
				faults++
			}
		}
		if faults > 0 {
			return
		}
		again, problems := Parse(text(b))
		if len(problems) > 0 || text(again) != text(b) {
			t.Fatalf("%q became %q: %q", text(b), text(again), showProblems(problems))
		}
	})
}
