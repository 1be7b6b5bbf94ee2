package httpapi

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// A key that is taken is one that a header can hold, and with or without quotes it is the same.
func FuzzParseOnce(f *testing.F) {
	for _, s := range []string{"k", `"k"`, `"k`, `k"`, `""`, "", `"a\"b"`, "a b", "\x00", "ä", strings.Repeat("x", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := parseOnce([]string{s})
		if err != nil {
			if registry.CodeOf(err) != registry.CodeInvalid {
				t.Errorf("parseOnce(%q): %v", s, err)
			}
			return
		}
		quoted, err := parseOnce([]string{`"` + key + `"`})
		if err != nil || quoted != key || key == "" || len(key) > registry.MaxOnceKeyLength || strings.ContainsAny(key, " \t\r\n\"") {
			t.Errorf("parseOnce(%q) = %q; in quotes it is %q, %v", s, key, quoted, err)
		}
	})
}

// No body of a batch does more than be refused.
func FuzzStep(f *testing.F) {
	for _, s := range []string{
		`{"do":"put","path":"/a","content":"x","if_match":"*"}`, `{"do":"move","path":"/a","to":"b","overwrite":true}`, `{"do":"link","path":"a","target":"/b"}`,
		`{"do":"delete","path":"/a","if_none_match":"W/\"x\""}`, `{"do":"put","path":"/a","content_base64":"AP8="}`, `{}`, `{"path":"/.."}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var body stepBody
		if json.Unmarshal([]byte(s), &body) != nil {
			return
		}
		if _, err := body.step(&call{Request: httptest.NewRequestWithContext(t.Context(), "POST", "/api/v1/batch", nil)}); err != nil && registry.CodeOf(err) != registry.CodeInvalid {
			t.Errorf("%s: %v", s, err)
		}
	})
}
