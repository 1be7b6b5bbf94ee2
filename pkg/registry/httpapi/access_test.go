package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/auth"
)

// Without credentials every door answers 401 before anything else, whether the URL, method, path or body is right or not.
func TestAccess_ComesFirst(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "x")
	for _, c := range []struct{ method, url string }{
		{"GET", "/api/v1/content" + payPath},
		{"HEAD", "/api/v1/content" + payPath},
		{"GET", "/api/v1/content/none"},
		{"GET", "/api/v1/openapi.json"},
		{"GET", "/api/v1/no-such-operation"},
		{"GET", "/api/v1/"},
		{"POST", "/api/v1/content" + payPath},
		{"GET", "/api/v1/content/a/../b"},
		{"GET", "/api/v1/children/?limit=x"},
		{"PUT", "/api/v1/resource/a"},
		{"GET", "/resource/1.0.0/artifact/x"},
		{"GET", "/resource/1.0.0/no-such-call"},
		{"GET", "/registry/resource" + payPath},
		{"GET", "/registry/resource/a%2fb"},
	} {
		for name, header := range map[string]string{
			"nobody": "Authorization:", "wrong password": "Authorization: Basic YWRtaW46d3Jvbmc=", "unknown user": "Authorization: Basic bm9ib2R5OndoYXRldmVy",
			"other scheme": "Authorization: Bearer abc",
		} {
			rec := d.do(t, c.method, c.url, "", header)
			if rec.Code != 401 || rec.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s by %s: %d %s", c.method, c.url, name, rec.Code, rec.Body)
			}
		}
	}
	// Both kinds of wrong credentials give the same words.
	a, b := d.do(t, "GET", "/api/v1/whoami", "", "Authorization: Basic YWRtaW46d3Jvbmc="), d.do(t, "GET", "/api/v1/whoami", "", "Authorization: Basic bm9ib2R5OndoYXRldmVy")
	if a.Body.String() != b.Body.String() || strings.Contains(a.Body.String(), "admin") {
		t.Errorf("%s\n%s", a.Body, b.Body)
	}
}

func TestAccess_BySession(t *testing.T) {
	d := newDoor(t)
	token, _, err := d.auth.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	cookie := "Cookie: regent_session=" + token
	want(t, d.do(t, "GET", "/api/v1/whoami", "", "Authorization:", cookie), 200, `"user":"admin"`)
	want(t, d.do(t, "GET", "/api/v1/whoami", "", "Authorization: Basic YWRtaW46d3Jvbmc=", cookie), 401, "") // the header wins
	if err := d.auth.SignOut(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	want(t, d.do(t, "GET", "/api/v1/whoami", "", "Authorization:", cookie), 401, "the session has ended")
}

// A page of another origin cannot make a signed-in browser change anything.
func TestAccess_ForeignOrigin(t *testing.T) {
	d := newDoor(t)
	token, _, err := d.auth.SignInFrom(t.Context(), "admin", password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	cookie := "Cookie: regent_session=" + token
	for _, foreign := range []string{"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"} {
		for _, c := range []struct{ method, url string }{
			{"PUT", "/api/v1/content/_system/config/f"},
			{"DELETE", "/api/v1/resource/_system/config"},
			{"PATCH", "/api/v1/resource/_system/config"},
			{"POST", "/api/v1/restore/_system/config"},
			{"PUT", "/resource/1.0.0/artifact/_system/config/f"},
			{"DELETE", "/resource/1.0.0/artifact/_system/config"},
		} {
			want(t, d.do(t, c.method, c.url, "x", "Authorization:", cookie, foreign), 403, "another origin")
		}
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/f", ""), 404, "")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/f", "x", "Authorization:", cookie, "Sec-Fetch-Site: same-origin"), 201, "")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/f", "y", "Authorization:", cookie, "Origin: http://example.com"), 200, "") // httptest's Host
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/f", "", "Authorization:", cookie, "Sec-Fetch-Site: cross-site"), 200, "y") // a link
}

func TestAccess_ReadOnlyMount(t *testing.T) {
	d := newDoor(t)
	want(t, d.do(t, "PUT", "/api/v1/content/frozen/f", "x"), 403, "the mount /frozen is read-only")
	want(t, d.do(t, "PUT", "/resource/1.0.0/artifact/frozen/f", "x"), 403, "the mount /frozen is read-only")
	want(t, d.do(t, "PUT", "/api/v1/content/elsewhere/f", "x"), 409, "no store is mounted")
	want(t, d.do(t, "DELETE", "/api/v1/resource/_system", ""), 409, "no store is mounted")
	want(t, d.do(t, "DELETE", "/api/v1/resource/_system/config", ""), 409, "mount point")
}

// A path is one path however much it is dressed up, and nobody is sent elsewhere.
func TestAccess_NeverRedirects(t *testing.T) {
	d := newDoor(t)
	for _, url := range []string{
		"/api/v1/content/a/../b", "/api/v1/content//a", "/api/v1/content/a//b", "/api/v1/content/./a", "/api/v1//content/a", "//api/v1/content/a",
		"/api/v1/content", "/api/v1", "/registry/resource", "/resource/1.0.0/artifact/%2e%2e/%2e%2e/console",
	} {
		// A request target as it came, not as a client library would have it.
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.URL, err = r.URL.Parse("http://example.com" + url); err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("admin", password)
		rec := httptest.NewRecorder()
		d.ServeHTTP(rec, r)
		if rec.Code >= 300 && rec.Code < 400 || rec.Header().Get("Location") != "" {
			t.Errorf("GET %s: %d to %s", url, rec.Code, rec.Header().Get("Location"))
		}
	}
}
