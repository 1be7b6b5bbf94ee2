package lb

import (
	"bytes"
	"strings"
	"testing"
)

// Cookie fields are the client's. Whatever they hold: what the member gets is made of the very cookies that came, in their order, and
// has none of ours, unless there were too many.
func FuzzSticky_Request(f *testing.F) {
	p := stickyPool(f, AffinitySpec{Mode: AffinityApplication}, [][]byte{secretA}, "d", "m1")
	token := p.active[0].token
	for _, s := range []string{
		"a=1; b=2", "elb_route=T", "a=1; elb_route=T", "elb_route=T; a=1", "a=1;elb_route=T;b=2", "JSESSIONID=abc.T; x=y", `JSESSIONID="abc.T"`,
		"elb_route=T; elb_route=T", ";;elb_route=T;;", "elb_route =T", "=;JSESSIONID=.T;elb_route", "elb_route=\x80", `a="; elb_route=T; "`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 8<<10 || strings.IndexFunc(in, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
			return // no field value
		}
		in = strings.Trim(strings.ReplaceAll(in, "T", token), " \t")
		x := stickyRequest(t, p, in)
		got := strings.Join(x.passed(), "")
		var want []string
		looked := 0
		for pair := range strings.SplitSeq(in, ";") {
			name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			switch {
			case ok && name == "elb_route" && looked < tokensMost:
				looked++
				continue
			case ok && name == "JSESSIONID" && looked < tokensMost:
				bare, isQuoted := strings.CutSuffix(value, `"`)
				if dot := len(bare) - tokenText - 1; dot >= 0 && bare[dot] == '.' {
					looked++
				}
				pair = name + "=" + strings.TrimSuffix(bare, "."+token)
				if isQuoted {
					pair += `"`
				}
			}
			want = append(want, strings.Trim(pair, " \t"))
		}
		if a, b := squeezed(got), squeezed(strings.Join(want, ";")); a != b {
			t.Errorf("%q became %q, want %q", in, a, b)
		}
		if len(x.sticky.cuts) == 0 && got != in {
			t.Errorf("%q became %q though nothing is ours", in, got)
		}
	})
}

// squeezed takes out what parts cookies, and does not count: empty ones, and white space around them.
func squeezed(s string) string {
	var list []string
	for pair := range strings.SplitSeq(s, ";") {
		if pair = strings.Trim(pair, " \t"); pair != "" {
			list = append(list, pair)
		}
	}
	return strings.Join(list, ";")
}

// Set-Cookie fields are the member's. What a browser makes of the one that we send, and sends back, is what the member gave.
func FuzzSticky_Answer(f *testing.F) {
	p := stickyPool(f, AffinitySpec{Mode: AffinityApplication}, [][]byte{secretA}, "d", "m1")
	for _, s := range []string{"JSESSIONID=abc; Path=/", `JSESSIONID="abc"`, "JSESSIONID=", " JSESSIONID = a ; b", `JSESSIONID="`, "JSESSIONID=a\"b\"", "other=1", "JSESSIONID=a.b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 2<<10 || bytes.IndexFunc(in, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
			return
		}
		x := stickyRequest(t, p)
		x.target = p.active[0]
		out, changed := x.routed(in)
		pair, attributes, _ := bytes.Cut(in, []byte(";"))
		newPair, newAttributes, _ := bytes.Cut(out, []byte(";"))
		if !bytes.Equal(attributes, newAttributes) || !changed && !bytes.Equal(in, out) {
			t.Fatalf("%q became %q", in, out)
		}
		if !changed {
			return
		}
		// Browsers take the white space off around name and value (RFC 6265 section 5.2).
		sent := func(pair []byte) string {
			name, value, _ := bytes.Cut(pair, []byte("="))
			return string(bytes.Trim(name, " \t")) + "=" + string(bytes.Trim(value, " \t"))
		}
		back := stickyRequest(t, p, sent(newPair))
		if back.sticky.session != x.target {
			t.Errorf("%q became %q, which names nobody", in, out)
		}
		if got := strings.Join(back.passed(), ""); got != sent(pair) {
			t.Errorf("%q became %q, and comes back as %q", in, out, got)
		}
	})
}
