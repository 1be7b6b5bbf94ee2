package registrycli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/registrycli"
)

// run runs a verb against a server that answers with h, and gives the exit status and what was printed.
func run(t *testing.T, h http.HandlerFunc, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	var out, complaint bytes.Buffer
	environ := []string{"HOME=" + t.TempDir(), "REGISTRY_URL=" + s.URL, "REGISTRY_USER=u", "REGISTRY_PASSWORD=s3cret"}
	status = registrycli.Main(args, environ, registrycli.Streams{In: strings.NewReader("input"), Out: &out, Err: &complaint})
	return status, out.String(), complaint.String()
}

// TestMain_StatusSaysWhatKindOfFailure: each answer of a server has one exit status, whatever the verb.
func TestMain_StatusSaysWhatKindOfFailure(t *testing.T) {
	for answer, want := range map[int]int{
		400: 1, 401: 4, 403: 4, 404: 3, 405: 1, 409: 5, 410: 3, 412: 5, 413: 1, 415: 1, 429: 6, 500: 1, 502: 6, 503: 6, 504: 6, 302: 1,
	} {
		h := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "3600") // nobody waits for so long
			w.WriteHeader(answer)
			_, _ = fmt.Fprintf(w, `{"status":%d,"detail":"the reason","request_id":"r-77"}`, answer)
		}
		for _, args := range [][]string{
			{"ls", "-l"},
			{"cat", "/x"},
			{"rm", "-r", "/x"},
			{"mv", "/x", "/y"},
			{"cp", "/x", "/y/"},
			{"put", "-", "/x"},
			{"prop", "/x", "a=b"},
			{"restore", "/x", "1"},
			{"tag", "/x", "a"},
			{"tag"},
			{"comment", "/x", "-d", "7"},
			{"rate", "/x", "3"},
			{"assoc", "/x", "uses", "/y"},
			{"assoc", "/x", "-tree"},
			{"label", "/x", "prod=1"},
			{"checkpoint", "/x", "v1"},
			{"retention", "/x"},
			{"trash", "/x"},
			{"undelete", "/x"},
			{"watch", "/x"},
			{"bench", "-q", "-duration", "1s"},
		} {
			got, stdout, stderr := run(t, h, args...)
			if got != want || strings.Contains(stderr, "s3cret") || !strings.HasPrefix(stderr, "registry: "+args[0]+": ") {
				t.Errorf("%v, answer %d: status %d, want %d, with %q", args, answer, got, want, stderr)
			}
			if answer == 500 && !strings.Contains(stderr, "under the request id r-77") {
				t.Errorf("%v: %q does not tell the request id", args, stderr)
			}
			if args[0] == "cat" && stdout != "" {
				t.Errorf("%v, answer %d: printed %q", args, answer, stdout)
			}
		}
	}
}

// TestGet_WrongBytesLeaveTheFileAsItWas: neither a wrong digest nor a download that breaks off touches the file.
func TestGet_WrongBytesLeaveTheFileAsItWas(t *testing.T) {
	servers := map[string]http.HandlerFunc{
		"wrong digest": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", "sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:") // of 0123456789
			_, _ = io.WriteString(w, "0123456780")
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "0123456789")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	}
	for name, h := range servers {
		folder := t.TempDir()
		file := filepath.Join(folder, "x")
		if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		status, _, stderr := run(t, h, "get", "/x", file)
		after, err := os.ReadFile(file)
		if status == 0 || err != nil || string(after) != "before" {
			t.Errorf("%s: status %d, the file is %q, %v: %s", name, status, after, err, stderr)
		}
		if left, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind: %v, %v", name, left, err)
		}
	}
}

// TestMain_TextsOfTheServerStayTexts: no name or message makes a line of its own, or a command for the terminal.
func TestMain_TextsOfTheServerStayTexts(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/resource/") {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"detail":"bad \u001b[2J\rname \u202e"}`)
			return
		}
		_, _ = io.WriteString(w, `{"entries":[{"path":"/a\nb","name":"a\nb\u001b]0;x\u0007","kind":"resource","updated_by":"\u001b[31mroot"}]}`)
	}
	for _, args := range [][]string{{"ls"}, {"ls", "-l"}, {"stat", "/x"}} {
		_, stdout, stderr := run(t, h, args...)
		if strings.ContainsAny(stdout+stderr, "\x1b\r\a\u202e") || strings.Count(stdout, "\n") > 2 {
			t.Errorf("%v printed %q, %q", args, stdout, stderr)
		}
	}
}

// TestStat_TellsOfLinks: where a path leads, and with -link where the link itself leads.
func TestStat_TellsOfLinks(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/resource/latest":
			_, _ = io.WriteString(w, `{"path":"/latest","kind":"resource","real_path":"/v2"}`)
		case "/api/v1/link/latest":
			_, _ = io.WriteString(w, `{"path":"/latest","kind":"link","target":"/v2"}`)
		default:
			_, _ = io.WriteString(w, `{"entries":[{"path":"/latest","name":"latest","kind":"link","target":"/v2"}]}`)
		}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"stat", "/latest"}, "real path:   /v2\n"},
		{[]string{"stat", "/latest", "-link"}, "target:      /v2\n"},
		{[]string{"stat", "/latest", "-link", "-json"}, `"target": "/v2"`},
		{[]string{"ls", "-l"}, "latest -> /v2\n"},
	} {
		if status, stdout, stderr := run(t, h, tt.args...); status != 0 || !strings.Contains(stdout, tt.want) {
			t.Errorf("%v: status %d, %q, %q", tt.args, status, stdout, stderr)
		}
	}
	if status, _, _ := run(t, h, "stat", "/latest", "-link", "-version", "2"); status != 2 {
		t.Errorf("-link with -version: status %d", status)
	}
}

// TestRemove_TellsWhatWouldGo: with -dry-run nothing but questions are asked.
func TestRemove_TellsWhatWouldGo(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		switch r.URL.Path {
		case "/api/v1/dependents/a":
			_, _ = io.WriteString(w, `{"path":"/a","collections":2,"resources":7,"links":1,"more":true,"guarded":3,"more_pointing":true,`+
				`"incoming":[{"type":"depends","source":{"path":"/b\nc"},"target":{"path":"/a/x"}}],"pointing":[{"path":"/l"}]}`)
		case "/api/v1/dependents/b":
			_, _ = io.WriteString(w, `{"path":"/b","resources":1,"incoming":[],"pointing":[]}`)
		default:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":"not_found","detail":"nothing is at it"}`)
		}
	}
	status, stdout, stderr := run(t, h, "rm", "-r", "-dry-run", "/a", "/b")
	lines := strings.Split(stdout, "\n")
	if status != 0 || len(lines) != 6 || lines[0] != "/a: 2 collections, 7 resources, 1 links or more; 3 with permissions of their own" || !strings.HasSuffix(lines[1], " depends /a/x") ||
		lines[2] != "  /l is a link that leads there" || lines[4] != "/b: 0 collections, 1 resources, 0 links" {
		t.Errorf("status %d, %q, %q", status, lines, stderr)
	}
	if status, stdout, _ := run(t, h, "rm", "-dry-run", "/b", "-json"); status != 0 || !strings.Contains(stdout, `"resources": 1`) {
		t.Errorf("status %d, %q", status, stdout)
	}
	for want, args := range map[int][]string{1: {"rm", "-dry-run", "/b", "/none"}, 2: {"rm", "-dry-run", "-if-match", "x", "/b"}} {
		if status, _, stderr := run(t, h, args...); (status == 2) != (want == 2) || status == 0 || stderr == "" {
			t.Errorf("%v: status %d, %q", args, status, stderr)
		}
	}
}

// TestList_EndsWithItsFirstError: a list that breaks off is no list.
func TestList_EndsWithItsFirstError(t *testing.T) {
	pages := 0
	h := func(w http.ResponseWriter, _ *http.Request) {
		if pages++; pages == 2 {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.WriteString(w, `{"entries":[{"path":"/a","name":"a","kind":"resource"}],"next":"more"}`)
	}
	status, stdout, _ := run(t, h, "ls", "-json")
	if status != 4 || !strings.HasPrefix(stdout, "[\n{") || strings.Contains(stdout, "]\n") {
		t.Errorf("status %d, printed %q", status, stdout)
	}
}

// TestRetention_KeepsThePartThatIsNotGiven: one number changes that part of the rule that was read, and of no other; a negative one is no number.
func TestRetention_KeepsThePartThatIsNotGiven(t *testing.T) {
	const own = `{"path":"/a","keep_last":5,"keep_days":90,"own":true,"from":"/a"}`
	for _, tt := range []struct {
		args   []string
		etag   string // of the path's own rule
		rule   string
		status int
		want   string // what is sent, with its conditions
	}{
		{args: []string{"-last", "10"}, etag: `"7"`, rule: own, want: `{"keep_days":90,"keep_last":10} "7"/`},
		{args: []string{"-days", "0"}, etag: `"7"`, rule: own, want: `{"keep_days":0,"keep_last":5} "7"/`},
		{args: []string{"-last", "0", "-days", "3"}, etag: `"7"`, rule: own, want: `{"keep_days":3,"keep_last":0} /`},
		{args: []string{"-last", "10"}, rule: `{"path":"/a","keep_last":5,"keep_days":90,"from":"/"}`, want: `{"keep_days":90,"keep_last":10} /*`},
		{args: []string{"-last", "10"}, rule: `{"path":"/a"}`, want: `{"keep_days":0,"keep_last":10} /*`},
		{args: []string{"-last", "10", "-if-match", `"7"`}, etag: `"7"`, rule: own, want: `{"keep_days":90,"keep_last":10} "7"/`},
		{args: []string{"-last", "10", "-if-match", `*`}, etag: `"7"`, rule: own, want: `{"keep_days":90,"keep_last":10} "7"/`},
		{args: []string{"-last", "10", "-if-match", `*`}, rule: `{"path":"/a"}`, want: `{"keep_days":0,"keep_last":10} */`},
		{args: []string{"-last", "10", "-if-match", `"6"`}, etag: `"7"`, rule: own, status: 5},
		{args: []string{"-last", "-1"}, etag: `"7"`, rule: own, status: 2},
		{args: []string{"-last", "5", "-days", "-90"}, etag: `"7"`, rule: own, status: 2},
		{args: []string{"-days", "x"}, etag: `"7"`, rule: own, status: 2},
	} {
		sent := ""
		h := func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				body, _ := io.ReadAll(r.Body)
				sent += string(body) + " " + r.Header.Get("If-Match") + "/" + r.Header.Get("If-None-Match")
				return
			}
			if tt.etag != "" {
				w.Header().Set("ETag", tt.etag)
			}
			_, _ = io.WriteString(w, tt.rule)
		}
		status, _, stderr := run(t, h, append([]string{"retention", "/a"}, tt.args...)...)
		if status != tt.status || sent != tt.want {
			t.Errorf("%v: status %d, sent %s, want %s: %s", tt.args, status, sent, tt.want, stderr)
		}
	}
}

// TestMove_SaysWhereAndRepeatsUnderOneKey: a slash at the end keeps the name, and what is sent again is the same request.
func TestMove_SaysWhereAndRepeatsUnderOneKey(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"mv", "/a/x", "/b/y"}, `/api/v1/move/a/x {"to":"/b/y"}`},
		{[]string{"mv", "-f", "/a/x", "/b/"}, `/api/v1/move/a/x {"to":"/b/x","overwrite":true}`},
		{[]string{"cp", "/a/x", "/b/y"}, `/api/v1/copy/a/x {"to":"/b/y"}`},
	} {
		var got, keys []string
		h := func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got, keys = append(got, r.URL.Path+" "+string(body)), append(keys, r.Header.Get("Idempotency-Key"))
			if len(got) == 1 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = io.WriteString(w, `{"path":"/b/y","kind":"resource","version":3}`)
		}
		status, _, stderr := run(t, h, tt.args...)
		if status != 0 || len(got) != 2 || got[0] != tt.want || got[1] != tt.want || keys[0] == "" || keys[0] != keys[1] || !strings.Contains(stderr, "/b/y is at version 3") {
			t.Errorf("%v: status %d, sent %q with %q, said %q", tt.args, status, got, keys, stderr)
		}
	}
}
