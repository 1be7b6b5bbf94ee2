package console_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry/console"
)

func TestJobs_TellAndRun(t *testing.T) {
	s := withMembers(t)
	now := s.clock.Now()
	s.members[0].Facts.Jobs = []console.JobState{
		{Name: "retention", Began: now.Add(-time.Minute), Ended: now.Add(-58 * time.Second), Result: "shared: removed 3 versions, 0 contents", Next: now.Add(time.Hour)},
		{Name: "index", Store: "shared", Began: now, Running: true},
	}
	s.members[1].Facts = nil
	b := s.signedIn()
	b.get("/console/jobs").wantText("Nothing is known of node-2", "node-1 – waits 58 seconds ago in 2s shared: removed 3 versions, 0 contents 2026-11-22 13:00", "node-1 shared at it since just now", "It has not run since the nodes started")
	b.post("/console/run-job", "job", "retention").wantRedirect("/console/jobs?note=job-runs")
	b.post("/console/run-job", "job", "index").wantStatus(http.StatusBadRequest).wantText("can be run by hand")
	if !slices.Equal(s.ran, []string{"retention"}) || !slices.Equal(s.noted(), []string{"admin node-1: run retention"}) {
		t.Errorf("ran %q, noted %q", s.ran, s.noted())
	}
	b.post("/console/roles", "name", "lookers", "grant", "view_server", "do", "create").wantRedirect("/console/roles?note=role-created")
	s.newUser("joe", "lookers")
	joe := s.signedInAs("joe")
	if page := joe.get("/console/jobs").wantStatus(http.StatusOK); strings.Contains(page.body, "/console/run-job") {
		t.Error("who may only look is offered a run")
	}
	joe.post("/console/run-job", "job", "retention").wantStatus(http.StatusForbidden)
}
