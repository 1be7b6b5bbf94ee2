package httpapi_test

import (
	"context"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// sick is a doctor with one finding of each kind.
type sick struct{}

func (sick) Examine(context.Context) registry.Examination {
	return registry.Examination{Node: "node-1", At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Findings: []registry.Finding{
		{Check: "clock", Store: "shared", Severity: registry.SeverityWarning, What: "mark-what", Why: "mark-why", Do: "mark-do"},
		{Check: "limits", Severity: registry.SeverityOK, What: "mark-fine"},
	}}
}

func TestDoctor_TellsWhoMaySeeTheServer(t *testing.T) {
	d := newDoor(t)
	golden(t, "doctor", d.do(t, "GET", "/api/v1/doctor", ""))
	want(t, d.do(t, "GET", "/api/v1/doctor", "", "Authorization:"), 401, "sign in first")
	want(t, d.do(t, "GET", "/api/v1/doctor?deep=true", ""), 400, "this operation has none")
	want(t, d.do(t, "POST", "/api/v1/doctor", "{}", asJSON), 405, "GET, HEAD")
	want(t, d.do(t, "HEAD", "/api/v1/doctor", ""), 200, "")
	d.addUser(t, "joe")
	want(t, d.do(t, "GET", "/api/v1/doctor", "", as("joe")), 403, "you may not examine the server")
	want(t, d.do(t, "POST", "/api/v1/roles", `{"name":"keepers","grants":["view_server"]}`, asJSON), 201, "")
	d.addUser(t, "ann", "keepers")
	want(t, d.do(t, "GET", "/api/v1/doctor", "", as("ann")), 200, `"worst":"warning"`)
}
