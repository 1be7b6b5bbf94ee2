package httpapi_test

import (
	"encoding/json"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/auth"
)

// TestContract_AccessAnswers gives the answers about users, roles, permissions, tokens and sessions that no other test needs.
func TestContract_AccessAnswers(t *testing.T) {
	d := newDoor(t)
	const other, asJSON = `If-Match: "x"`, "Content-Type: application/json"
	want(t, d.do(t, "GET", "/api/v1/roles/admin", ""), 200, `"name":"admin"`)
	d.addUser(t, "joe", "readers")
	want(t, d.do(t, "PATCH", "/api/v1/roles/readers", `{"description": "x"}`, other, asJSON), 412, "")
	want(t, d.do(t, "DELETE", "/api/v1/roles/readers", "", other), 412, "")
	want(t, d.do(t, "DELETE", "/api/v1/users/joe", "", other), 412, "")
	for range 2 {
		if _, _, err := d.auth.SignInFrom(t.Context(), "joe", password, auth.Client{}); err != nil {
			t.Fatal(err)
		}
	}
	var list struct {
		Sessions []struct{ ID string }
	}
	rec := d.do(t, "GET", "/api/v1/sessions?user=joe", "")
	if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || len(list.Sessions) != 2 {
		t.Fatalf("sessions: %s, %v", rec.Body, err)
	}
	want(t, d.do(t, "DELETE", "/api/v1/sessions/"+list.Sessions[0].ID+"?user=joe", ""), 204, "")
	want(t, d.do(t, "DELETE", "/api/v1/sessions?user=joe", ""), 204, "")
	want(t, d.do(t, "GET", "/api/v1/sessions?user=joe", ""), 200, `{"sessions":[]}`)
}
