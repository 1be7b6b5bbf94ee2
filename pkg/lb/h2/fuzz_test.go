package h2

// The decoder against another one: x/net decompresses, and the rules are written down a second time, field by field.

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

var (
	goodName      = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+$")
	goodMethod    = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	goodTarget    = regexp.MustCompile(`^[!"$-~]+$`)
	goodAuthority = regexp.MustCompile(`^[0-9A-Za-z._~:\[\]-]+$`)
	badBytes      = regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`)
)

// verdict is what the rules make of fields: what is to be written, or that they are malformed.
type verdict struct {
	line      string
	fields    []field
	malformed bool
}

func judge(sent []field, trailers bool) verdict {
	var v verdict
	pseudo := map[string]string{}
	var hosts, cookies []string
	regular := false
	for _, f := range sent {
		if strings.HasPrefix(f.name, ":") {
			_, twice := pseudo[f.name]
			known := slices.Contains([]string{":method", ":scheme", ":path", ":authority"}, f.name)
			if twice || !known || regular || trailers || f.value == "" {
				v.malformed = true
			}
			pseudo[f.name] = f.value
			continue
		}
		regular = true
		// Go's regular expressions read UTF-8, so what is none is taken out first.
		text := strings.ToValidUTF8(f.value, "~")
		if !goodName.MatchString(f.name) || badBytes.MatchString(text) || strings.Trim(f.value, " \t") != f.value {
			v.malformed = true
		}
		switch {
		case slices.Contains([]string{"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}, f.name):
			v.malformed = true
		case f.name == "te" && strings.ToLower(f.value) != "trailers":
			v.malformed = true
		case f.name == "host" && !trailers:
			hosts = append(hosts, f.value)
		case f.name == "cookie" && !trailers:
			cookies = append(cookies, f.value)
		default:
			v.fields = append(v.fields, f)
		}
	}
	if trailers {
		return v
	}
	authority := pseudo[":authority"]
	for _, host := range hosts {
		v.malformed = v.malformed || len(hosts) > 1 || !goodAuthority.MatchString(host) || authority != "" && !strings.EqualFold(host, authority)
		if authority == "" {
			authority = host
		}
	}
	v.fields = append(v.fields, field{"host", authority})
	if cookies != nil {
		v.fields = append(v.fields, field{"cookie", strings.TrimRight(strings.Join(cookies, "; "), " ")}) // h1 takes the white space off
	}
	v.malformed = v.malformed || !goodMethod.MatchString(pseudo[":method"]) || !goodAuthority.MatchString(authority)
	target := pseudo[":path"]
	if pseudo[":method"] == "CONNECT" {
		v.malformed = v.malformed || target != "" || pseudo[":scheme"] != "" || pseudo[":authority"] == ""
		target = authority
	} else {
		star := pseudo[":method"] == "OPTIONS" && target == "*"
		v.malformed = v.malformed || !strings.HasPrefix(target, "/") && !star || !goodTarget.MatchString(target)
		v.malformed = v.malformed || pseudo[":scheme"] != "http" && pseudo[":scheme"] != "https"
	}
	v.line = pseudo[":method"] + " " + target
	return v
}

// compare says whether a head is what was sent, and whether h1 reads no more than that in it.
func compare(t *testing.T, got Head, sent []field, trailers bool) {
	t.Helper()
	want := judge(sent, trailers)
	size := 0
	for _, f := range sent {
		size += len(f.name) + len(f.value) + len(": \r\n")
	}
	switch {
	case got.TooLarge:
		if got.Text != nil || got.Malformed != "" || size+100 < MaxTrailers && len(sent) < MaxFields {
			t.Fatalf("%d bytes, %d fields: %s", size, len(sent), outcome(got, nil))
		}
		return
	case (got.Malformed != "") != want.malformed:
		t.Fatalf("%q: %s; malformed should be %t", sent, outcome(got, nil), want.malformed)
	case got.Malformed != "":
		if got.Text != nil || got.HasLength {
			t.Fatalf("%q: %s", sent, outcome(got, nil))
		}
		return
	}
	if trailers {
		compareTrailers(t, got.Text, want.fields)
		return
	}
	hasLength := slices.ContainsFunc(sent, func(f field) bool { return f.name == "content-length" })
	if got.HasLength != hasLength || len(got.Text)+2 > MaxHead {
		t.Fatalf("%q: %s", sent, outcome(got, nil))
	}
	if n := bytes.Count(got.Text, []byte("\n")); n != len(want.fields)+1 || bytes.Count(got.Text, []byte("\r\n")) != n || !bytes.HasPrefix(got.Text, []byte(want.line+" HTTP/1.1\r\n")) {
		t.Fatalf("%q became %q", sent, got.Text)
	}
	text := slices.Concat(got.Text, []byte("\r\n"))
	var r h1.Request
	n, err := r.Parse(text)
	if err != nil {
		return // refused
	}
	if n != len(text) || fmt.Sprintf("%s %s", r.Method(), r.Target()) != want.line {
		t.Fatalf("%q: h1 takes %d bytes of %d, and reads %q %q", text, n, len(text), r.Method(), r.Target())
	}
	compareFields(t, &r.Fields, want.fields)
}

func compareTrailers(t *testing.T, text []byte, want []field) {
	t.Helper()
	if n := bytes.Count(text, []byte("\n")); n != len(want) || bytes.Count(text, []byte("\r\n")) != n {
		t.Fatalf("%q became %q", want, text)
	}
	raw := slices.Concat([]byte("0\r\n"), text, []byte("\r\n"))
	var c h1.Chunks
	_, used, done, err := c.Decode(raw)
	if err != nil || !done || used != len(raw) {
		t.Fatalf("%q: h1 takes %d bytes of %d, %t, %v", raw, used, len(raw), done, err)
	}
	for i := range c.Trailers().Len() { // some of them are dropped there
		have := field{string(c.Trailers().Name(i)), string(c.Trailers().Value(i))}
		if !slices.Contains(want, have) {
			t.Fatalf("%q has trailer %q", want, have)
		}
	}
}

func compareFields(t *testing.T, read *h1.Fields, want []field) {
	t.Helper()
	var got []field
	for i := range read.Len() {
		got = append(got, field{strings.ToLower(string(read.Name(i))), string(read.Value(i))})
	}
	byName := func(a, b field) int { return strings.Compare(a.name, b.name) }
	slices.SortStableFunc(got, byName)
	slices.SortStableFunc(want, byName)
	if !slices.Equal(got, want) {
		t.Fatalf("h1 reads %q; sent was %q", got, want)
	}
}

// reference decompresses one block after the other.
type reference struct{ d *hpack.Decoder }

func newReference() reference {
	r := reference{hpack.NewDecoder(tableSize, nil)}
	r.d.SetMaxStringLength(maxBlock)
	return r
}

func (r reference) fields(block []byte) ([]field, error) {
	decoded, err := r.d.DecodeFull(block)
	var fields []field
	for _, f := range decoded {
		fields = append(fields, field{f.Name, f.Value})
	}
	return fields, err
}

// cuts makes up to three places to cut a block out of its own bytes.
func cuts(block []byte) []int {
	n := len(block)
	if n < 2 {
		return nil
	}
	a := (int(block[0])*31 + int(block[n-1])*7) % n
	return []int{a / 2, a, a + (n-a)/2}
}

// FuzzBlock decodes raw bytes as two field blocks of one connection, and then a third that names all of the table.
func FuzzBlock(f *testing.F) {
	for _, tt := range takenHeads {
		f.Add(block(f, tt.fields), block(f, tt.fields), false)
	}
	for _, tt := range malformedHeads {
		f.Add(block(f, tt.fields), block(f, get()), false)
	}
	e := newEncoder()
	f.Add(e.block(f, get(field{"x", "y"})), e.block(f, get(field{"x", "y"})), false)
	f.Add(e.block(f, []field{{"sum", "1"}}), e.block(f, get(field{"sum", "1"})), true)
	f.Add(append(kept("a", "b"), 0x80|62, 0x80|62), []byte{sizeUpdate, 0x3f, 0xe1, 0x1f, 0x82}, false)
	f.Fuzz(func(t *testing.T, first, second []byte, trailers bool) {
		if len(first)+len(second) > 4096 {
			return
		}
		whole, pieces, theirs := NewDecoder(), NewDecoder(), newReference()
		for i, block := range [][]byte{first, second} {
			sent, theirErr := theirs.fields(block)
			run := decode
			if trailers && i == 0 {
				run = decodeTrailers
			}
			got, err := run(whole, block)
			if cut, cutErr := run(pieces, block, cuts(block)...); outcome(cut, cutErr) != outcome(got, err) && whole.err == nil {
				t.Fatalf("% x cut at %d: %s\nin one piece: %s", block, cuts(block), outcome(cut, cutErr), outcome(got, err))
			}
			if err != nil {
				var broken *Error
				if theirErr == nil || !errors.As(err, &broken) || broken.Stream {
					t.Fatalf("% x: %v; x/net says %v", block, err, theirErr)
				}
				return
			}
			if theirErr != nil {
				if got.Malformed == "" && !got.TooLarge { // then what does not matter is not looked at
					t.Fatalf("% x: %s; x/net says %v", block, outcome(got, err), theirErr)
				}
				return
			}
			compare(t, got, sent, trailers && i == 0)
		}
		compareTables(t, whole, theirs)
	})
}

// compareTables says whether two decoders have the same dynamic table.
func compareTables(t *testing.T, ours *Decoder, theirs reference) {
	t.Helper()
	for index := 62; ; index++ {
		want, theirErr := theirs.fields(indexes(index, index+1))
		var got []field
		ours.begin(nil, MaxHead)
		ours.hpack.SetEmitFunc(func(f hpack.HeaderField) { got = append(got, field{f.Name, f.Value}) })
		err := ours.Write(indexes(index, index+1))
		if (err != nil) != (theirErr != nil) || !slices.Equal(got, want) {
			t.Fatalf("index %d: %q, %v; x/net says %q, %v", index, got, err, want, theirErr)
		}
		if err != nil {
			return
		}
		if _, err := ours.End(); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFields makes fields of strings, which gets further than raw bytes do.
func FuzzFields(f *testing.F) {
	add := func(fields []field) {
		strs := [8]string{}
		strs[0], strs[1], strs[2], strs[3] = "GET", "https", "/p", "a.test"
		at := 4
		for i, p := range fields {
			if i < 4 && strings.HasPrefix(p.name, ":") {
				strs[slices.Index([]string{":method", ":scheme", ":path", ":authority"}, p.name)&3] = p.value
			} else if at < 8 {
				strs[at], strs[at+1] = p.name, p.value
				at += 2
			}
		}
		f.Add(strs[0], strs[1], strs[2], strs[3], strs[4], strs[5], strs[6], strs[7], byte(0))
	}
	for _, tt := range takenHeads {
		add(tt.fields)
	}
	for _, tt := range malformedHeads {
		add(tt.fields)
	}
	f.Fuzz(func(t *testing.T, method, scheme, path, authority, name1, value1, name2, value2 string, drop byte) {
		fields := []field{{":method", method}, {":scheme", scheme}, {":path", path}, {":authority", authority}, {name1, value1}, {name2, value2}, {name1, value2}}
		var sent []field
		for i, p := range fields {
			if drop>>i&1 == 0 {
				sent = append(sent, p)
			}
		}
		trailers := drop>>7 != 0
		d, e := NewDecoder(), newEncoder()
		for range 2 { // the second comes out of the table
			b := e.block(t, sent)
			if len(b) > maxBlock/4 {
				return
			}
			run := decode
			if trailers {
				run = decodeTrailers
			}
			got, err := run(d, b, cuts(b)...)
			if err != nil {
				t.Fatalf("%q: %v", sent, err)
			}
			compare(t, got, sent, trailers)
		}
	})
}
