package daemon_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/regent-registry/regent/internal/daemon"
)

func TestBearer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	good, short := file("good", "0123456789abcdef0123\nnot this line\n"), file("short", "0123456789abcde\n")
	for name, c := range map[string]struct {
		file   string
		header http.Header
		want   int
	}{
		"the token":               {good, http.Header{"Authorization": {"Bearer 0123456789abcdef0123"}}, 204},
		"scheme in small letters": {good, http.Header{"Authorization": {"bearer 0123456789abcdef0123"}}, 204},
		"none":                    {good, nil, 401},
		"another":                 {good, http.Header{"Authorization": {"Bearer 0123456789abcdef0124"}}, 401},
		"a part":                  {good, http.Header{"Authorization": {"Bearer 0123456789abcdef"}}, 401},
		"empty":                   {good, http.Header{"Authorization": {"Bearer "}}, 401},
		"another scheme":          {good, http.Header{"Authorization": {"Basic 0123456789abcdef0123"}}, 401},
		"from another site":       {good, http.Header{"Authorization": {"Bearer 0123456789abcdef0123"}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		"of another origin":       {good, http.Header{"Authorization": {"Bearer 0123456789abcdef0123"}, "Origin": {"http://evil.example"}}, 403},
		"switched off":            {"", http.Header{"Authorization": {"Bearer "}}, 403},
		"file gone":               {filepath.Join(dir, "gone"), http.Header{"Authorization": {"Bearer "}}, 403},
		"file with too little":    {short, http.Header{"Authorization": {"Bearer 0123456789abcde"}}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := false
			h := daemon.Bearer(c.file, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				done = true
				w.WriteHeader(http.StatusNoContent)
			}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/members/x/drain", nil)
			maps.Copy(r.Header, c.header)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || done != (c.want == 204) {
				t.Errorf("answered %d, done %t", w.Code, done)
			}
		})
	}
}

func TestBearer_ANewTokenCountsAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	h := daemon.Bearer(file, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, token := range []string{"the first token of all", "the second token of all"} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusNoContent {
			t.Errorf("%q: %d", token, w.Code)
		}
	}
}
