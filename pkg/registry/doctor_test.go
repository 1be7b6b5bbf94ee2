package registry

import (
	"context"
	"testing"
	"time"
)

func TestRunChecks_PutsTheWorstFirst(t *testing.T) {
	found := func(list ...Severity) func(context.Context) []Finding {
		return func(context.Context) []Finding {
			var all []Finding
			for _, s := range list {
				all = append(all, Finding{Severity: s, What: "x"})
			}
			return all
		}
	}
	got := RunChecks(t.Context(), []Check{
		{"one", "shared", found(SeverityOK, SeverityWarning)}, {"none", "", found()}, {"two", "", found(SeverityNote, SeverityError, SeverityWarning)},
	})
	want := []Finding{
		{Check: "two", Severity: SeverityError, What: "x"},
		{Check: "one", Store: "shared", Severity: SeverityWarning, What: "x"},
		{Check: "two", Severity: SeverityWarning, What: "x"},
		{Check: "two", Severity: SeverityNote, What: "x"},
		{Check: "one", Store: "shared", Severity: SeverityOK, What: "x"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("finding %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	e := Examination{Findings: got}
	if e.Worst() != SeverityError || e.Count(SeverityWarning) != 2 || (Examination{}).Worst() != SeverityOK {
		t.Errorf("worst %s, %d warnings", e.Worst(), e.Count(SeverityWarning))
	}
}

type fixedDoctor struct{ Examination }

func (d fixedDoctor) Examine(context.Context) Examination { return d.Examination }

func TestService_ExaminesForThoseWhoMaySeeTheServer(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	s := NewService(Config{Doctor: fixedDoctor{Examination{Node: "n1"}}, Now: func() time.Time { return now }})
	for _, c := range []struct {
		actor Actor
		code  Code
	}{
		{Actor{}, CodeDenied},
		{Actor{User: "joe", Roles: []ID{RoleEveryone}, Grants: GrantUsers}, CodeDenied},
		{Actor{User: "joe", Grants: GrantServer, Scope: &Scope{Rights: AllRights}}, CodeDenied},
		{Actor{User: "joe", Grants: GrantServer}, ""},
		{Actor{User: "admin", Roles: []ID{RoleAdmin}}, ""},
	} {
		e, err := s.Examine(t.Context(), c.actor)
		if CodeOf(err) != c.code || err == nil && e.Node != "n1" {
			t.Errorf("%+v: %+v, %v", c.actor, e, err)
		}
	}
	none, err := NewService(Config{Now: func() time.Time { return now }}).Examine(t.Context(), Actor{Grants: GrantServer})
	if err != nil || !none.At.Equal(now) || none.Findings != nil {
		t.Errorf("without a doctor: %+v, %v", none, err)
	}
}
