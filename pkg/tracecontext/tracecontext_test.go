package tracecontext

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

const (
	trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	span  = "00f067aa0ba902b7"
)

func TestTraceID(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parent string
		ok     bool
	}{
		"sampled":                      {"00-" + trace + "-" + span + "-01", true},
		"not sampled":                  {"00-" + trace + "-" + span + "-00", true},
		"flags nobody knows":           {"00-" + trace + "-" + span + "-ff", true},
		"nothing":                      {"", false},
		"short":                        {"00-" + trace + "-" + span + "-0", false},
		"version 00 with more":         {"00-" + trace + "-" + span + "-01-", false},
		"version 00 with a space":      {"00-" + trace + "-" + span + "-01 ", false},
		"version to come":              {"cc-" + trace + "-" + span + "-01", true},
		"version to come, longer":      {"cc-" + trace + "-" + span + "-01-what the future will be like", true},
		"version to come, no dash":     {"cc-" + trace + "-" + span + "-01.what", false},
		"version ff":                   {"ff-" + trace + "-" + span + "-01", false},
		"version in upper case":        {"CC-" + trace + "-" + span + "-01", false},
		"trace in upper case":          {"00-" + strings.ToUpper(trace) + "-" + span + "-01", false},
		"span in upper case":           {"00-" + trace + "-" + strings.ToUpper(span) + "-01", false},
		"flags in upper case":          {"00-" + trace + "-" + span + "-0F", false},
		"trace of zeros":               {"00-" + strings.Repeat("0", 32) + "-" + span + "-01", false},
		"span of zeros":                {"00-" + trace + "-" + strings.Repeat("0", 16) + "-01", false},
		"trace with a letter too many": {"00-" + trace[:31] + "g-" + span + "-01", false},
		"underscores":                  {"00_" + trace + "_" + span + "_01", false},
		"dash in the trace":            {"00-" + trace[:16] + "-" + trace[17:] + "-" + span + "-01", false},
		"version of no hex":            {".0-" + trace + "-" + span + "-01", false},
		"two of them":                  {"00-" + trace + "-" + span + "-01, 00-" + trace + "-" + span + "-01", false},
	} {
		id, ok := TraceID(c.parent)
		if ok != c.ok || ok && id != trace || !ok && id != "" {
			t.Errorf("%s: %q, %v", name, id, ok)
		}
		if b, okb := TraceID([]byte(c.parent)); okb != ok || string(b) != id {
			t.Errorf("%s, as bytes: %q, %v", name, b, okb)
		}
	}
}

func TestAppend(t *testing.T) {
	got := string(Append([]byte("x"), 0x4bf92f3577b34da6, 0xa3ce929d0e0e4736, 0x00f067aa0ba902b7, true))
	if want := "x00-" + trace + "-" + span + "-01"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, zero := range [][3]uint64{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}} {
		got := Append(nil, zero[0], zero[1], zero[2], false)
		if _, ok := TraceID(got); !ok || !bytes.HasSuffix(got, []byte("-00")) || len(got) != Length {
			t.Errorf("%v: %s", zero, got)
		}
	}
	dst := make([]byte, 0, Length)
	if n := testing.AllocsPerRun(100, func() {
		dst = Append(dst[:0], 1, 2, 3, true)
		_, _ = TraceID(dst)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is taken for valid is so by the letter of the specification, and nothing makes it panic.
func FuzzTraceID(f *testing.F) {
	f.Add("00-" + trace + "-" + span + "-01")
	f.Add("cc-" + trace + "-" + span + "-01-x")
	valid := regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.*))?)$`)
	f.Fuzz(func(t *testing.T, parent string) {
		id, ok := TraceID(parent)
		want := valid.MatchString(parent) && !strings.HasPrefix(parent, "ff") && !(strings.HasPrefix(parent, "00") && len(parent) > Length) &&
			parent[3:35] != strings.Repeat("0", 32) && parent[36:52] != strings.Repeat("0", 16)
		if ok != want || ok && id != parent[3:35] {
			t.Errorf("%q: %q, %v; want %v", parent, id, ok, want)
		}
	})
}
