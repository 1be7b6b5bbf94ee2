package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/auth"
)

// as is the header of a user whose password is the test's.
func as(user string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

const asJSON = "Content-Type: application/json"

// addUser makes a user with some roles, which it makes too where they are missing.
func (d *door) addUser(t *testing.T, name string, roles ...string) {
	t.Helper()
	for _, role := range roles {
		if rec := d.do(t, "POST", "/api/v1/roles", fmt.Sprintf(`{"name":%q}`, role), asJSON); rec.Code != 201 && rec.Code != 409 {
			t.Fatalf("role %s: %d %s", role, rec.Code, rec.Body)
		}
	}
	list, err := json.Marshal(append([]string{}, roles...))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"name":%q,"password":%q,"roles":%s}`, name, password, list)
	want(t, d.do(t, "POST", "/api/v1/users", body, asJSON), 201, `"name":`)
}

// grant replaces the entries at a path.
func (d *door) grant(t *testing.T, path, entries string) *httptest.ResponseRecorder {
	t.Helper()
	rec := d.do(t, "PUT", "/api/v1/permissions"+path, `{"entries":[`+entries+`]}`, asJSON)
	want(t, rec, 200, `"entries":`)
	return rec
}

// Whoever may not gets 403 at every operation, whatever is there, and lists leave it out.
func TestPermissions_RefuseAtEveryOperation(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/open/doc", "x")
	d.put(t, "/_system/config/secret/doc", "x")
	d.put(t, "/_system/config/secret/doc", "y")
	d.addUser(t, "joe")
	d.grant(t, "/_system/config/secret", `{"role":"everyone","allow":[],"deny":["read"]}`)
	joe := as("joe")
	for _, c := range []struct{ method, url, body string }{
		{"GET", "/api/v1/content/_system/config/secret/doc", ""},
		{"GET", "/api/v1/content/_system/config/secret/none", ""},
		{"HEAD", "/api/v1/content/_system/config/secret/doc", ""},
		{"GET", "/api/v1/content/_system/config/secret/doc?version=1", ""},
		{"GET", "/api/v1/resource/_system/config/secret", ""},
		{"GET", "/api/v1/properties/_system/config/secret/doc", ""},
		{"GET", "/api/v1/children/_system/config/secret", ""},
		{"GET", "/api/v1/versions/_system/config/secret/doc", ""},
		{"GET", "/api/v1/permissions/_system/config/secret/doc", ""},
		{"GET", "/resource/1.0.0/artifact/_system/config/secret/doc", ""},
		{"GET", "/registry/resource/_system/config/secret/doc", ""},
		{"PUT", "/api/v1/content/_system/config/open/doc", "z"},
		{"PUT", "/api/v1/content/_system/config/new", "z"},
		{"PUT", "/resource/1.0.0/artifact/_system/config/new", "z"},
		{"DELETE", "/api/v1/content/_system/config/open/doc", ""},
		{"DELETE", "/api/v1/resource/_system/config/open", ""},
		{"DELETE", "/resource/1.0.0/artifact/_system/config/open/doc", ""},
		{"PUT", "/api/v1/resource/_system/config/collection", `{"kind":"collection"}`},
		{"PATCH", "/api/v1/resource/_system/config/open/doc", `{"description":"mine"}`},
		{"PUT", "/api/v1/properties/_system/config/open/doc", `{}`},
		{"POST", "/api/v1/restore/_system/config/open/doc", `{"version":1}`},
		{"PUT", "/api/v1/permissions/_system/config/open", `{"entries":[]}`},
		{"GET", "/api/v1/explain/_system/config/open?right=read&user=admin", ""},
		{"GET", "/api/v1/users", ""},
		{"POST", "/api/v1/users", `{"name":"eve","password":"correct horse"}`},
		{"GET", "/api/v1/users/admin", ""},
		{"PATCH", "/api/v1/users/joe", `{"roles":["admin"]}`},
		{"DELETE", "/api/v1/users/admin", ""},
		{"PUT", "/api/v1/passwords/admin", `{"password":"correct horse 2"}`},
		{"POST", "/api/v1/roles", `{"name":"mine"}`},
		{"PATCH", "/api/v1/roles/everyone", `{"grants":["manage_users"]}`},
		{"DELETE", "/api/v1/roles/everyone", ""},
		{"GET", "/api/v1/tokens?user=admin", ""},
		{"GET", "/api/v1/sessions?user=admin", ""},
		{"DELETE", "/api/v1/sessions?user=admin", ""},
		{"GET", "/api/v1/mounts", ""},
	} {
		headers := []string{joe}
		if strings.HasPrefix(c.body, "{") {
			headers = append(headers, asJSON)
		}
		if rec := d.do(t, c.method, c.url, c.body, headers...); rec.Code != 403 {
			t.Errorf("%s %s: %d %s", c.method, c.url, rec.Code, rec.Body)
		}
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/open/doc", "", joe), 200, "x")
	rec := d.do(t, "GET", "/api/v1/children/_system/config", "", joe)
	want(t, rec, 200, `"open"`)
	if strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("the list shows what joe may not read: %s", rec.Body)
	}
	want(t, d.do(t, "GET", "/api/v1/explain/_system/config/secret/doc?right=read", "", joe), 200, `"reason":"no role of the user is allowed to read here"`)
	want(t, d.do(t, "GET", "/api/v1/explain/_system/config/secret/doc?right=read&user=joe", ""), 200, `"reason":"the role everyone is denied to read at /_system/config/secret`)
	want(t, d.do(t, "GET", "/api/v1/explain/_system/config/secret/doc?right=fly", "", joe), 400, "right is")
}

func TestPermissions_GuardTheirOwnChange(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/a/doc", "x")
	d.addUser(t, "ann", "dev")
	first := d.grant(t, "/_system/config/a", `{"role":"dev","allow":["read","write","authorize"],"deny":[]}`)
	tag := first.Header().Get("ETag")
	ann := as("ann")
	rec := d.do(t, "GET", "/api/v1/permissions/_system/config/a/doc", "", ann)
	want(t, rec, 200, `"inherited":[{"path":"/_system/config/a","entries":[{"role":"dev","allow":["read","write","authorize"],"deny":[]}]},{"path":"/","entries":[{"role":"everyone","allow":["read"],"deny":[]}]}]`)
	same := d.do(t, "GET", "/api/v1/permissions/_system/config/a", "", ann)
	wantHeaders(t, same, map[string]string{"ETag": tag})
	put := `{"entries":[{"role":"dev","allow":["authorize"],"deny":["write"]}]}`
	want(t, d.do(t, "PUT", "/api/v1/permissions/_system/config/a", put, ann, asJSON, "If-Match: "+tag), 200, `"deny":["write"]`)
	want(t, d.do(t, "PUT", "/api/v1/permissions/_system/config/a", put, ann, asJSON, "If-Match: "+tag), 412, "If-Match")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/a/doc", "y", ann), 403, "you may not write")
	for body, text := range map[string]string{
		`{}`: `lacks the field \"entries\"`,
		`{"entries":[{"role":"nobody","allow":["read"],"deny":[]}]}`:    `there is no role`,
		`{"entries":[{"role":"dev","allow":["fly"],"deny":[]}]}`:        `right is`,
		`{"entries":[{"role":"dev","allow":["read"],"deny":["read"]}]}`: `both allowed and denied`,
		`{"entries":[{"role":"admin","allow":[],"deny":["read"]}]}`:     `takes no entry`,
	} {
		want(t, d.do(t, "PUT", "/api/v1/permissions/_system/config/a", body, asJSON), 400, text)
	}
	want(t, d.do(t, "PUT", "/api/v1/permissions/_system/config/none", put, asJSON), 404, "nothing is at")
	want(t, d.do(t, "PUT", "/api/v1/permissions/frozen", put, asJSON), 403, "read-only")
}

func TestUsers_Life(t *testing.T) {
	d := newDoor(t)
	d.addUser(t, "lead", "keepers")
	want(t, d.do(t, "PATCH", "/api/v1/roles/keepers", `{"grants":["manage_users"]}`, asJSON), 200, `"grants":["manage_users"]`)
	lead := as("lead")
	want(t, d.do(t, "POST", "/api/v1/users", `{"name":"a/b ü","password":"correct horse","email":"ab@example.org","roles":[]}`, asJSON, lead), 201, `"email":"ab@example.org"`)
	rec := d.do(t, "GET", "/api/v1/users/a%2Fb%20%C3%BC", "", lead)
	want(t, rec, 200, `"name":"a/b ü"`)
	tag := rec.Header().Get("ETag")
	want(t, d.do(t, "PATCH", "/api/v1/users/a%2Fb%20%C3%BC", `{"full_name":"A. B."}`, asJSON, lead, "If-Match: "+tag), 200, `"full_name":"A. B."`)
	want(t, d.do(t, "PATCH", "/api/v1/users/a%2Fb%20%C3%BC", `{"full_name":"C."}`, asJSON, lead, "If-Match: "+tag), 412, "")
	want(t, d.do(t, "PATCH", "/api/v1/users/a%2Fb%20%C3%BC", `{"email":"me@example.org"}`, asJSON, as("a/b ü")), 200, `"email":"me@example.org"`)
	for body, text := range map[string]string{
		`{"name":"x","password":"short"}`:                                        "password is too short; it must have 8",
		`{"name":"x:y","password":"correct horse"}`:                              "user name has the character",
		`{"name":"","password":"correct horse"}`:                                 "user name has 0 characters",
		`{"name":"x","password":"correct horse","email":"x"}`:                    "is not an address",
		`{"name":"x","password":"correct horse","roles":["none"]}`:               "there is no role",
		`{"name":"x","password":"correct horse","roles":["everyone"]}`:           "everybody has it",
		`{"name":"correct horse","password":"Correct Horse"}`:                    "must not be the user name",
		`{"name":"` + strings.Repeat("n", 256) + `","password":"correct horse"}`: "user name has 256 characters; it must have 1 to 255",
	} {
		want(t, d.do(t, "POST", "/api/v1/users", body, asJSON, lead), 400, text)
	}
	// Who manages users gets no further than that.
	for _, c := range []struct{ method, url, body string }{
		{"PATCH", "/api/v1/users/lead", `{"roles":["keepers","admin"]}`},
		{"POST", "/api/v1/users", `{"name":"x","password":"correct horse","roles":["admin"]}`},
		{"PATCH", "/api/v1/users/admin", `{"disabled":true}`},
		{"DELETE", "/api/v1/users/admin", ``},
		{"PUT", "/api/v1/passwords/admin", `{"password":"another horse"}`},
		{"POST", "/api/v1/roles", `{"name":"x","grants":["view_server"]}`},
		{"DELETE", "/api/v1/sessions?user=admin", ``},
	} {
		want(t, d.do(t, c.method, c.url, c.body, asJSON, lead), 403, "more rights than you have")
	}
	// The last administrator stays.
	for _, c := range []struct{ method, body string }{{"PATCH", `{"disabled":true}`}, {"PATCH", `{"roles":[]}`}, {"DELETE", ``}} {
		want(t, d.do(t, c.method, "/api/v1/users/admin", c.body, asJSON), 409, "the last administrator")
	}
	for _, c := range []struct{ method, url, body string }{
		{"DELETE", "/api/v1/roles/admin", ""}, {"PATCH", "/api/v1/roles/everyone", `{"name":"all"}`}, {"POST", "/api/v1/roles", `{"name":"admin"}`}, {"POST", "/api/v1/users", `{"name":"lead","password":"correct horse"}`},
	} {
		want(t, d.do(t, c.method, c.url, c.body, asJSON), 409, "")
	}
	want(t, d.do(t, "PATCH", "/api/v1/users/lead", `{"disabled":true}`, asJSON), 200, `"disabled":true`)
	want(t, d.do(t, "GET", "/api/v1/whoami", "", lead), 401, "")
	want(t, d.do(t, "GET", "/api/v1/users?limit=1", ""), 200, `"next":"a/b ü"`)
	want(t, d.do(t, "GET", "/api/v1/users?limit=1&after=lead", ""), 200, `"users":[]`)
	want(t, d.do(t, "GET", "/api/v1/users?role=admin&limit=1", ""), 200, `"name":"admin"`)
	want(t, d.do(t, "GET", "/api/v1/users?role=admin&after=admin", ""), 200, `"users":[]`)
	want(t, d.do(t, "GET", "/api/v1/users?role=nobody", ""), 400, "there is no role")
	want(t, d.do(t, "GET", "/api/v1/users?role=", ""), 400, "there is no role")
	want(t, d.do(t, "GET", "/api/v1/users?role=everyone", ""), 400, "given to nobody")
	want(t, d.do(t, "DELETE", "/api/v1/users/lead", ""), 204, "")
	want(t, d.do(t, "DELETE", "/api/v1/roles/keepers", ""), 204, "")
	want(t, d.do(t, "GET", "/api/v1/roles/keepers", ""), 404, "there is no role")
	want(t, d.do(t, "GET", "/api/v1/users/lead", ""), 404, "there is no user")
	want(t, d.do(t, "GET", "/api/v1/users/", ""), 400, "no name")
}

func TestPasswords_EndOtherSessions(t *testing.T) {
	d := newDoor(t)
	d.addUser(t, "ann")
	sessions := make([]string, 2)
	for i := range sessions {
		token, _, err := d.auth.SignInFrom(t.Context(), "ann", password, auth.Client{Address: "192.0.2.9:1234", Agent: "browser"})
		if err != nil {
			t.Fatal(err)
		}
		sessions[i] = "Cookie: regent_session=" + token
	}
	mine := []string{"Authorization:", sessions[0], asJSON}
	want(t, d.do(t, "GET", "/api/v1/sessions", "", mine...), 200, `"address":"192.0.2.9","agent":"browser"`)
	want(t, d.do(t, "POST", "/api/v1/password", `{"old":"wrong one","new":"another horse"}`, mine...), 403, "the old password is wrong")
	want(t, d.do(t, "POST", "/api/v1/password", `{"old":"correct horse","new":"short"}`, mine...), 400, "password is too short")
	want(t, d.do(t, "POST", "/api/v1/password", `{"old":"correct horse","new":"correct horse"}`, mine...), 400, "the new password is the old one")
	want(t, d.do(t, "POST", "/api/v1/password", `{"old":"wrong one","new":"wrong one"}`, mine...), 403, "the old password is wrong")
	want(t, d.do(t, "POST", "/api/v1/password", `{"old":"correct horse","new":"another horse"}`, mine...), 204, "")
	want(t, d.do(t, "GET", "/api/v1/whoami", "", "Authorization:", sessions[0]), 200, "ann")
	want(t, d.do(t, "GET", "/api/v1/whoami", "", "Authorization:", sessions[1]), 401, "")
	want(t, d.do(t, "GET", "/api/v1/whoami", "", as("ann")), 401, "")
	want(t, d.do(t, "PUT", "/api/v1/passwords/ann", `{"password":"correct horse"}`, asJSON), 204, "")
	want(t, d.do(t, "GET", "/api/v1/whoami", "", "Authorization:", sessions[0]), 401, "")
	want(t, d.do(t, "GET", "/api/v1/whoami", "", as("ann")), 200, "ann")
}

func TestTokens_AreGoodForTheirScopeOnly(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/ci/doc", "x")
	d.put(t, "/_system/config/other", "x")
	d.addUser(t, "ann", "dev")
	d.grant(t, "/_system/config", `{"role":"dev","allow":["read","write","delete","authorize"],"deny":[]}`)
	make := func(owner, body string) (id, bearer string) {
		t.Helper()
		rec := d.do(t, "POST", "/api/v1/tokens", body, asJSON, as(owner))
		want(t, rec, 201, `"token":"rgt_`)
		var v struct{ ID, Token string }
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		return v.ID, "Authorization: Bearer " + v.Token
	}
	id, bearer := make("ann", `{"name":"ci","rights":["read","write"],"paths":["/_system/config/ci"],"expires_in":3600}`)
	list := d.do(t, "GET", "/api/v1/tokens", "", as("ann"))
	want(t, list, 200, `"hint":"rgt_`)
	if strings.Contains(list.Body.String(), strings.TrimPrefix(bearer, "Authorization: Bearer ")) {
		t.Error("the list shows the secret")
	}
	want(t, d.do(t, "GET", "/api/v1/whoami", "", bearer), 200, `"user":"ann"`)
	d.put(t, "/_system/config/ci/doc", "y", bearer)
	for _, c := range []struct{ method, url, body string }{
		{"GET", "/api/v1/content/_system/config/other", ""},
		{"GET", "/api/v1/children/_system/config", ""},
		{"PUT", "/api/v1/content/_system/config/other", "z"},
		{"DELETE", "/api/v1/content/_system/config/ci/doc", ""},
		{"PUT", "/api/v1/permissions/_system/config/ci", `{"entries":[]}`},
		{"POST", "/api/v1/tokens", `{"name":"more","rights":["read"],"expires_in":3600}`},
		{"GET", "/api/v1/tokens", ""},
		{"DELETE", "/api/v1/sessions", ""},
		{"POST", "/api/v1/password", `{"old":"correct horse","new":"another horse"}`},
		{"PATCH", "/api/v1/users/ann", `{"email":"x@example.org"}`},
	} {
		if rec := d.do(t, c.method, c.url, c.body, bearer, asJSON); rec.Code != 403 {
			t.Errorf("%s %s with the token: %d %s", c.method, c.url, rec.Code, rec.Body)
		}
	}
	// A token of an administrator has the administrative rights only when it says so.
	_, plain := make("admin", `{"name":"plain","rights":["read","write","delete","authorize"],"expires_in":3600}`)
	_, managing := make("admin", `{"name":"managing","manage":true,"expires_in":3600}`)
	want(t, d.do(t, "GET", "/api/v1/users", "", plain), 403, "manage")
	want(t, d.do(t, "GET", "/api/v1/users", "", managing), 200, "ann")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/other", "", managing), 403, "this token")
	// It never has more than its owner.
	d.grant(t, "/_system/config", "")
	want(t, d.do(t, "PUT", "/api/v1/content/_system/config/ci/doc", "z", bearer), 403, "you may not write")
	want(t, d.do(t, "DELETE", "/api/v1/tokens/"+id, "", as("admin")), 404, "no such token")
	want(t, d.do(t, "DELETE", "/api/v1/tokens/"+id, "", as("ann")), 204, "")
	want(t, d.do(t, "GET", "/api/v1/whoami", "", bearer), 401, "the token is not good")
	want(t, d.do(t, "DELETE", "/api/v1/tokens/xyz", "", as("ann")), 400, "32 hexadecimal digits")
	for body, text := range map[string]string{
		`{"name":"x","expires_in":3600}`:                                                                     "at least one right",
		`{"name":"","rights":["read"],"expires_in":3600}`:                                                    "token name has 0 characters",
		`{"name":"x","rights":["read"]}`:                                                                     "the token would last 0s",
		`{"name":"x","rights":["read"],"expires_in":-5}`:                                                     "the token would last",
		`{"name":"x","rights":["read"],"expires_in":9000000000000000000}`:                                    "at most 8784h",
		`{"name":"x","rights":["read"],"paths":["/a//b"],"expires_in":3600}`:                                 "empty name",
		`{"name":"x","rights":["read"],"paths":[` + strings.Repeat(`"/a",`, 50) + `"/a"],"expires_in":3600}`: "the token has 51 paths; the limit is 50",
	} {
		want(t, d.do(t, "POST", "/api/v1/tokens", body, asJSON), 400, text)
	}
}

// Guessing slows the guesser, not the owner elsewhere.
func TestAccess_SlowsGuessers(t *testing.T) {
	d := newDoorWith(t, auth.Config{Guesses: 3})
	from := func(address, pw string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/api/v1/whoami", nil)
		r.RemoteAddr = address
		r.SetBasicAuth("admin", pw)
		rec := httptest.NewRecorder()
		d.ServeHTTP(rec, r)
		return rec
	}
	for range 3 {
		want(t, from("203.0.113.7:1000", "wrong"), 401, "")
	}
	for _, pw := range []string{"wrong", password} { // and it does not say when one is right
		rec := from("203.0.113.7:2000", pw)
		want(t, rec, 429, `"code":"throttled"`)
		if rec.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	want(t, from("203.0.113.8:1000", password), 200, "admin")
}

// Without credentials nothing is readable until both the configuration and an entry say so; then only what the entry names, and all else is 401.
func TestAccess_Anonymous(t *testing.T) {
	const granted = `{"role":"anonymous","allow":["read","write"],"deny":[]}`
	closed := newDoor(t)
	closed.put(t, "/_system/config/pub/doc", "x")
	closed.grant(t, "/_system/config/pub", granted)
	want(t, closed.do(t, "GET", "/api/v1/content/_system/config/pub/doc", "", "Authorization:"), 401, "")

	d := newDoorWith(t, auth.Config{Anonymous: true})
	d.put(t, "/_system/config/pub/doc", "x")
	d.put(t, "/_system/config/private", "x")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/pub/doc", "", "Authorization:"), 401, "")
	d.grant(t, "/_system/config/pub", granted)
	for _, url := range []string{"/api/v1/content/_system/config/pub/doc", "/registry/resource/_system/config/pub/doc", "/api/v1/children/_system/config/pub", "/resource/1.0.0/artifact/_system/config/pub"} {
		want(t, d.do(t, "GET", url, "", "Authorization:"), 200, "")
	}
	for _, c := range []struct{ method, url string }{
		{"GET", "/api/v1/content/_system/config/private"},
		{"GET", "/api/v1/content/_system/config/pub/none"},
		{"GET", "/api/v1/content/_system/config/a//b"},
		{"GET", "/api/v1/permissions/_system/config/pub"},
		{"GET", "/api/v1/explain/_system/config/pub?right=read"},
		{"GET", "/api/v1/whoami"},
		{"GET", "/api/v1/users"},
		{"GET", "/api/v1/roles"},
		{"GET", "/api/v1/openapi.json"},
		{"GET", "/api/v1/no-such-operation"},
		{"POST", "/api/v1/content/_system/config/pub/doc"},
		{"PUT", "/api/v1/content/_system/config/pub/doc"},
		{"DELETE", "/api/v1/content/_system/config/pub/doc"},
	} {
		want(t, d.do(t, c.method, c.url, "", "Authorization:"), 401, "sign in first")
	}
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/pub/doc", "", "Authorization: Bearer rgt_wrong"), 401, "the token is not good")
	want(t, d.do(t, "GET", "/api/v1/content/_system/config/pub/doc", "", "Authorization: Basic YWRtaW46d3Jvbmc="), 401, "wrong")
}
