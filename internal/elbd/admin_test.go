package elbd

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// do sends a request to the admin listener.
func (e *running) do(method, path string, header http.Header) (int, http.Header, string) {
	e.t.Helper()
	return e.send(method, e.admin, path, header)
}

// TestAdmin_Verbs drains static members of a running ELB, and tries to without being allowed.
func TestAdmin_Verbs(t *testing.T) {
	const token = "a-token-that-nobody-guesses"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	member := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer member.Close()
	e := newELB(t, member.URL)
	e.env = []string{"ELB_ADMIN_TOKEN_FILE=" + file}
	e.start()
	defer e.stop()
	e.await("the member", func() bool { return e.condition() == "up" })

	path := "/members/" + url.PathEscape(member.URL)
	with := http.Header{"Authorization": {"Bearer " + token}}
	for name, c := range map[string]struct {
		method, path string
		header       http.Header
		want         int
	}{
		"no token":              {"POST", path + "/drain?force=true", nil, 401},
		"wrong token":           {"POST", path + "/drain?force=true", http.Header{"Authorization": {"Bearer x"}}, 401},
		"another site":          {"POST", path + "/drain?force=true", http.Header{"Authorization": with["Authorization"], "Sec-Fetch-Site": {"cross-site"}}, 403},
		"another origin":        {"POST", path + "/drain?force=true", http.Header{"Authorization": with["Authorization"], "Origin": {"http://evil.example"}}, 403},
		"a name made for us":    {"POST", path + "/drain?force=true", http.Header{"Authorization": with["Authorization"], "Host": {"rebound.example"}}, 403},
		"by GET":                {"GET", path + "/drain?force=true", with, 405},
		"the last member":       {"POST", path + "/drain", with, 409},
		"nobody":                {"POST", "/members/nobody/drain", with, 404},
		"undrain of one in use": {"POST", path + "/undrain", with, 404},
	} {
		if status, _, body := e.do(c.method, c.path, c.header); status != c.want || strings.Contains(body, token) {
			t.Errorf("%s: %d, want %d: %s", name, status, c.want, body)
		}
		if got := e.condition(); got != "up" {
			t.Fatalf("%s: the member is %s", name, got)
		}
	}
	if status, _, body := e.do("POST", path+"/drain?force=true", with); status != 204 || e.condition() != "drained" {
		t.Errorf("drain: %d %s, and it is %s", status, body, e.condition())
	}
	if status, _, body := e.do("POST", path+"/undrain", with); status != 204 || e.condition() != "up" {
		t.Errorf("undrain: %d %s, and it is %s", status, body, e.condition())
	}
	for _, where := range []string{"/", "/live", "/status", "/members", "/metrics"} {
		if _, _, body := e.do("GET", where, nil); strings.Contains(body, token) {
			t.Errorf("%s shows the token", where)
		}
	}
	if strings.Contains(e.log.String(), token) {
		t.Error("the log shows the token")
	}
}

func (e *running) condition() string {
	for _, m := range e.members() {
		if m.Static {
			return string(m.Condition)
		}
	}
	return ""
}

func TestAdmin_Assets(t *testing.T) {
	e := newELB(t, "http://127.0.0.1:1")
	e.start()
	defer e.stop()
	for path, want := range map[string]string{
		"/assets/elb.css": "text/css; charset=utf-8", "/assets/elb.js": "text/javascript; charset=utf-8", "/assets/icon.svg": "image/svg+xml",
		"/assets/page.html": "", "/assets/..%2fpage.go": "", "/assets/": "", "/nothing": "",
	} {
		status, header, _ := e.do("GET", path, nil)
		if want == "" && status != 404 || want != "" && (status != 200 || header.Get("Content-Type") != want || header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %d %s", path, status, header.Get("Content-Type"))
		}
	}
	for path, want := range map[string]string{"/": "text/html", "/live": "text/html", "/members": "text/html", "/status": "application/json", "/route": "application/json"} {
		if status, header, _ := e.do("GET", path, nil); status != 200 || !strings.HasPrefix(header.Get("Content-Type"), want) {
			t.Errorf("%s: %d %s", path, status, header.Get("Content-Type"))
		}
	}
}

func TestConfig_AdminTokenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{short: "the token has 5 bytes; 16 is the least", filepath.Join(dir, "none"): "no such file"} {
		e := newELB(t, "http://127.0.0.1:1")
		_, _, err := LoadConfig(e.file, []string{"ELB_ADMIN_TOKEN_FILE=" + file})
		if err == nil || !strings.Contains(err.Error(), "admin_token_file: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
