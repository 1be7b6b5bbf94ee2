package accesslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// fields reads the fields of a line of text; it wants exactly one whole line.
func fields(s string) (map[string]string, error) {
	s, ok := strings.CutSuffix(s, "\n")
	if !ok || strings.Contains(s, "\n") {
		return nil, errors.New("not one line")
	}
	head := strings.SplitN(s, " ", 5) // date, time, level, message
	if len(head) != 5 {
		return nil, errors.New("no fields")
	}
	rest, found := strings.TrimPrefix(head[4], "failed "), map[string]string{}
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		if _, twice := found[name]; !ok || twice || strings.ContainsAny(name, " \"") {
			return nil, fmt.Errorf("bad key at %q", rest)
		}
		v, tail, _ := strings.Cut(after, " ")
		if strings.HasPrefix(after, `"`) {
			quoted, err := strconv.QuotedPrefix(after)
			if err != nil {
				return nil, fmt.Errorf("bad quotes at %q", after)
			}
			if v, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
			tail = strings.TrimPrefix(after[len(quoted):], " ")
		}
		found[name], rest = v, tail
	}
	return found, nil
}

// nasty are values by which a client may try to forge a line, a field or what a terminal shows.
func nasty() []string {
	return []string{
		"/\n2026-03-04 05:06:07.123 INF request status=200", "/\r\nx", "/\rx", "/ status=200", `/" status=200 x="`, `/\" status=200`, `\`, `"`, `\"`, "=", " ",
		"/\x00", "/\x1b[2J\x1b[31mred", "/\x7f", "/\u0085next", "/\u2028sep", "/\u2029sep", "/\u202eesrever", "/\u200b", "/\ufeff", "/\u00a0status=200",
		"/\x9b31m", "/\xc0\x8a", "/\xed\xa0\x80", "/\xf4\x90\x80\x80", "/\xe2\x80", "/\xff", "/\ufffd", "/\U000e0001", "/日本", `","status":200,"x":"`, `"}` + "\n{",
		strings.Repeat("x", maxPath), strings.Repeat("x", maxPath+1), strings.Repeat("é", maxPath), strings.Repeat("\x80", maxPath+9), strings.Repeat("\n", maxPath+1),
	}
}

func TestEscape_NobodyForgesALine(t *testing.T) {
	for _, v := range nasty() {
		checkLines(t, v, v, v, v)
	}
	for b := range 256 {
		checkLines(t, "G"+string([]byte{byte(b)}), string([]byte{byte(b)}), string([]byte{'/', byte(b), 'x'}), string([]byte{byte(b), '\n'}))
	}
}

// FuzzLine looks at both forms of a record whose values are anything at all.
func FuzzLine(f *testing.F) {
	for i, v := range nasty() {
		f.Add(v, "a.example", nasty()[len(nasty())-1-i], v)
	}
	f.Fuzz(checkLines)
}

// checkLines checks that a record with these values is one visible line in either form, and that the line reads back as those values.
func checkLines(t *testing.T, method, host, path, failure string) {
	t.Helper()
	r := failed()
	r.Method, r.Host, r.Path, r.Error = []byte(method), []byte(host), []byte(path), errors.New(failure)
	want := map[string]string{"method": limited(method, maxMethod), "host": limited(host, maxName), "path": limited(path, maxPath), "error": limited(failure, maxReason)}

	text := format(Text, r)
	checkVisible(t, text)
	got, err := fields(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("text %s: %q, want %q", k, got[k], v)
		}
	}
	if got["status"] != "502" || got["failure"] != "reset" || got["request_id"] != "id" {
		t.Errorf("forged: %q", text)
	}

	js := format(JSON, r)
	checkVisible(t, js)
	var doc map[string]any
	if err := json.Unmarshal([]byte(js), &doc); err != nil {
		t.Fatalf("%q: %v", js, err)
	}
	for k, v := range want {
		v = string([]rune(v)) // each byte that is no UTF-8 becomes U+FFFD
		if s, _ := doc[k].(string); s != v {
			t.Errorf("JSON %s: %q, want %q", k, s, v)
		}
	}
	if doc["status"] != 502.0 || doc["failure"] != "reset" || doc["request_id"] != "id" {
		t.Errorf("forged: %q", js)
	}
}

// limited is v as a line shows it: cut at a character.
func limited(v string, limit int) string {
	if len(v) <= limit {
		return v
	}
	end := limit
	for range utf8.UTFMax - 1 {
		if utf8.RuneStart(v[end]) {
			break
		}
		end--
	}
	return v[:end] + cutMark
}

func checkVisible(t *testing.T, line string) {
	t.Helper()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || !utf8.ValidString(line) {
		t.Errorf("%q is not one line of UTF-8", line)
	}
	for _, r := range strings.TrimSuffix(line, "\n") {
		if !unicode.IsPrint(r) {
			t.Errorf("%q has %U in it", line, r)
		}
	}
}
