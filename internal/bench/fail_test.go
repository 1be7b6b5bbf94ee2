package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/drill"
)

// failedResults are those of a run in which elb does everything wrong once.
func failedResults() failureResults {
	base := time.Now()
	sample := func(kind int, took time.Duration, err error) drill.Sample {
		return drill.Sample{Kind: kind, Due: base, Took: took, Err: err}
	}
	bad := &drill.Error{Word: "502", Err: errors.New("as told")}
	r := failureResults{
		Rounds: 1, Kills: 1, Freezes: 1, Versions: []version{{"elb", "elb devel"}, {"nginx", "nginx 1"}},
		Events: []event{
			{Failure: kill, Proxy: "elb", Held: 1, AfterDead: 1, Lag: 400 * time.Millisecond, Lagged: true},
			{Failure: freeze, Proxy: "elb"},
			{Failure: freeze, Proxy: "nginx"},
		},
		samples: map[rowKey][]drill.Sample{
			{kill, "elb", true}:      {sample(0, 1, bad), sample(0, 1, bad)},
			{kill, "elb", false}:     {sample(1, 1, nil), sample(1, 1, bad)},
			{freeze, "elb", true}:    {sample(0, 1, bad)},
			{freeze, "elb", false}:   {sample(1, 2*time.Second, nil)},
			{freeze, "nginx", false}: {sample(1, 2*time.Second, bad)},
		},
	}
	r.sumUp()
	return r
}

func TestFailures_TellsWhatElbMissed(t *testing.T) {
	r := failedResults()
	missed := strings.Join(r.missed(), "; ")
	for _, want := range []string{"kill -9: 1 GETs failed", "kill -9: 1 requests failed that were sent when the member was dead", "SIGSTOP: 1 POSTs failed", "SIGSTOP: a GET took 2s", "the other elb followed after 400ms"} {
		if !strings.Contains(missed, want) {
			t.Errorf("%q is not told: %s", want, missed)
		}
	}
	if n := len(r.missed()); n != 5 {
		t.Errorf("%d bars are missed: %s", n, missed)
	}
	text, err := failureSection(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| elb | 2 | **1** (502: 1) |", "| nginx | 1 | **1** (502: 1) |", "(median of 1; 400 ms at worst)", "nginx 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the section has no %q:\n%s", want, text)
		}
	}
}

// Each of the measurements leaves what the others wrote.
func TestSections_KeepTheirPlaceInTheDocument(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "performance.md")
	if err := failuresSection.replace(doc, "new"); err == nil {
		t.Error("a document that is not there was changed")
	}
	if section, err := failuresSection.kept(doc); err != nil || section != "" {
		t.Errorf("%q, %v", section, err)
	}
	text, err := document(results{}, "measured earlier\n", "the registry\n", "a million\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(doc, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if section, err := failuresSection.kept(doc); err != nil || section != "measured earlier\n" {
		t.Errorf("%q, %v", section, err)
	}
	if err := failuresSection.replace(doc, "measured now\n"); err != nil {
		t.Fatal(err)
	}
	section, err := failuresSection.kept(doc)
	after, err2 := os.ReadFile(doc)
	want := strings.Replace(string(text), "measured earlier", "measured now", 1)
	if err := errors.Join(err, err2); err != nil || section != "measured now\n" || string(after) != want {
		t.Errorf("%v: %q in\n%s", err, section, after)
	}
	if section, err := registrySection.kept(doc); err != nil || section != "the registry\n" {
		t.Errorf("%q, %v", section, err)
	}
	if section, err := scaleSection.kept(doc); err != nil || section != "a million\n" {
		t.Errorf("%q, %v", section, err)
	}
}
