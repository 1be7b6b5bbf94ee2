package registrytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const day = 24 * time.Hour

// apply runs retention as if it were so long after now.
func (n *node) apply(t testing.TB, later time.Duration) registry.RetentionReport {
	t.Helper()
	report, err := n.ApplyRetention(context.Background(), registry.Op{Actor: actor, At: time.Now().Add(later)})
	if err != nil {
		t.Fatalf("apply retention: %v", err)
	}
	return report
}

func (n *node) keep(t testing.TB, p registry.Path, last, days int64) registry.Retention {
	t.Helper()
	rule, err := n.svc.SetRetention(context.Background(), actor, registry.RetentionInput{Path: p, Rule: registry.Retention{KeepLast: last, KeepDays: days}})
	if err != nil {
		t.Fatalf("set retention of %s: %v", p, err)
	}
	return rule
}

// numbers are the versions of what is at p, newest first.
func (n *node) numbers(t testing.TB, p registry.Path) string {
	t.Helper()
	page, err := n.svc.Versions(context.Background(), actor, p, 0, registry.MaxPageSize, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, v := range page.Versions {
		list = append(list, fmt.Sprint(v.Number))
	}
	return strings.Join(list, " ")
}

func (n *node) wantNumbers(t testing.TB, want map[registry.Path]string) {
	t.Helper()
	for p, numbers := range want {
		if got := n.numbers(t, p); got != numbers {
			t.Errorf("%s has the versions %s, want %s", p, got, numbers)
		}
	}
}

// testRetention: the nearest rule decides, for the collection and all below it, and tells nothing to what lies elsewhere.
func testRetention(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	for i := range 5 {
		for _, p := range []registry.Path{"/r/x", "/r/deep/er/y", "/r/own/z", "/r/days/w", "/out"} {
			a.put(t, p, fmt.Sprint(p, i))
		}
		for _, p := range []registry.Path{"/r", "/r/deep"} {
			if _, err := a.svc.UpdateMeta(t.Context(), actor, registry.MetaInput{Path: p, Description: new(fmt.Sprint(i))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, n := range nodes {
		for v := int64(1); v <= 5; v++ {
			n.text(t, "/r/x", v) // into memory, on both
		}
	}
	before := b.get(t, "/r")
	told, err := b.svc.PreviewRetention(t.Context(), actor, "/r", registry.Retention{KeepLast: 2})
	if want := (registry.RetentionPreview{Looked: 6, Versions: 4*3 + 2*4, Whole: true}); err != nil || told != want {
		t.Errorf("a rule at /r alone would do %+v, want %+v: %v", told, want, err)
	}
	rule := a.keep(t, "/r", 2, 0)
	a.keep(t, "/r/own", 4, 0)
	a.keep(t, "/r/days", 0, 10)
	told, err = b.svc.PreviewRetention(t.Context(), actor, "/r", registry.Retention{KeepLast: 2})
	if want := (registry.RetentionPreview{Looked: 4, Versions: 3 + 3 + (6 - 2) + (6 - 2), Whole: true}); err != nil || told != want {
		t.Errorf("with other rules below it would do %+v, want %+v: %v", told, want, err)
	}
	if after := b.get(t, "/r"); after.ETag() != before.ETag() {
		t.Errorf("a rule changed the collection from %s to %s", before.ETag(), after.ETag())
	}
	if report := a.apply(t, 5*day); report.Busy || report.Versions != 3+3+1+(6-2)+(6-2) {
		t.Errorf("the run removed %+v", report)
	}
	b.wantNumbers(t, map[registry.Path]string{
		"/r": "6 5", "/r/x": "5 4", "/r/deep": "6 5", "/r/deep/er/y": "5 4", "/r/own/z": "5 4 3 2", "/r/days/w": "5 4 3 2 1", "/out": "5 4 3 2 1",
	})
	if report := b.apply(t, 5*day); report.Versions != 0 {
		t.Errorf("the next run removed %+v", report)
	}
	if report := b.apply(t, 11*day); report.Versions != 4 || b.numbers(t, "/r/days/w") != "5" {
		t.Errorf("after eleven days the run removed %+v and left %s", report, b.numbers(t, "/r/days/w"))
	}
	r := b.get(t, "/r/x")
	for _, n := range nodes {
		_, err := n.Version(t.Context(), r.ID, 3)
		wantCode(t, err, registry.CodeNotFound)
		_, err = n.svc.Restore(t.Context(), actor, "/r/x", 3, registry.Precondition{})
		wantCode(t, err, registry.CodeNotFound)
		_, err = n.svc.SetLabel(t.Context(), actor, registry.LabelInput{Path: "/r/x", Name: "l", Version: 3})
		wantCode(t, err, registry.CodeNotFound)
	}
	// The next version goes on counting.
	if put := b.put(t, "/r/x", "more"); put.Resource.Version != 6 {
		t.Errorf("the next version is %d", put.Resource.Version)
	}

	for p, want := range map[registry.Path]string{"/r": "2/0 /r", "/r/deep/er/y": "2/0 /r", "/r/own/z": "4/0 /r/own", "/out": "0/0 "} {
		e, err := b.svc.Retention(t.Context(), actor, p, registry.Freshness{})
		if got := fmt.Sprintf("%d/%d %s", e.Rule.KeepLast, e.Rule.KeepDays, e.From); got != want || err != nil {
			t.Errorf("at %s the rule is %s, want %s: %v", p, got, want, err)
		}
	}
	set := func(p registry.Path, last, days int64, c registry.Precondition) error {
		_, err := b.svc.SetRetention(t.Context(), actor, registry.RetentionInput{Path: p, Rule: registry.Retention{KeepLast: last, KeepDays: days}, If: c})
		return err
	}
	wantCode(t, set("/r", 0, 0, registry.Precondition{}), registry.CodeInvalid)
	wantCode(t, set("/r", -1, 0, registry.Precondition{}), registry.CodeInvalid)
	wantCode(t, set("/r", 1, registry.MaxKeepDays+1, registry.Precondition{}), registry.CodeInvalid)
	wantCode(t, set("/r/x", 1, 0, registry.Precondition{}), registry.CodeConflict)
	wantCode(t, set("/r", 3, 0, registry.Precondition{NoneMatch: []string{"*"}}), registry.CodePrecondition)
	wantCode(t, set("/r", 3, 0, registry.Precondition{Match: []string{rule.ETag()}}), "")
	wantCode(t, set("/r", 4, 0, registry.Precondition{Match: []string{rule.ETag()}}), registry.CodePrecondition)
	_, err = a.svc.RemoveRetention(t.Context(), actor, "/r", registry.Precondition{})
	wantCode(t, err, "")
	_, err = a.svc.RemoveRetention(t.Context(), actor, "/r", registry.Precondition{})
	wantCode(t, err, registry.CodeNotFound)
	a.put(t, "/r/x", "and more")
	a.apply(t, 0)
	b.wantNumbers(t, map[registry.Path]string{"/r/x": "7 6 5 4"})
}

func testRetentionKeeps(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	const many = 450 // more than one transaction removes
	for i := range many {
		n.put(t, "/k/x", fmt.Sprint(i+1))
	}
	label := func(version int64) {
		t.Helper()
		if _, err := n.svc.SetLabel(t.Context(), actor, registry.LabelInput{Path: "/k/x", Name: "prod", Version: version}); err != nil {
			t.Fatal(err)
		}
	}
	label(7)
	n.keep(t, "/k", 1, 0)
	if report := n.apply(t, 0); report.Versions != many-2 {
		t.Errorf("the run removed %+v", report)
	}
	nodes[1].wantNumbers(t, map[registry.Path]string{"/k/x": fmt.Sprint(many, " 7")})
	if got := nodes[1].text(t, "/k/x", 7); got != "7" {
		t.Errorf("the labelled version holds %q", got)
	}
	label(many)
	if report := n.apply(t, 0); report.Versions != 1 {
		t.Errorf("after the label moved the run removed %+v", report)
	}
	nodes[1].wantNumbers(t, map[registry.Path]string{"/k/x": fmt.Sprint(many)})
	// What lies in the trash is left alone, with the rule that it has.
	n.put(t, "/k/x", "new")
	if _, err := n.svc.Delete(t.Context(), actor, "/k", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if report := n.apply(t, 0); report.Versions != 0 {
		t.Errorf("in the trash the run removed %+v", report)
	}
}

// testSweep: what lost its last version is gone; what something names stays.
func testSweep(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	n := nodes[0]
	bodies := map[string]string{"small": "small", "large": strings.Repeat("large", 1<<20)}
	hashes := map[string]registry.Hash{}
	for name, body := range bodies {
		p := registry.Path("/s/" + name)
		hashes[name] = n.put(t, p, body).Resource.Hash
		n.put(t, p, "next")
	}
	shared := n.put(t, "/s/shared", "shared").Resource.Hash
	n.put(t, "/elsewhere", "shared")
	n.put(t, "/s/shared", "next")
	n.keep(t, "/s", 1, 0)
	if report := n.apply(t, 0); report.Versions != 3 || report.Contents != 2 {
		t.Errorf("the run removed %+v", report)
	}
	third := open(t, func(testing.TB) Database { return nodes[0].db }, 1)[0] // whose memory is empty
	for _, h := range hashes {
		_, err := third.Open(t.Context(), h)
		wantCode(t, err, registry.CodeNotFound)
	}
	if _, err := third.Open(t.Context(), shared); err != nil {
		t.Errorf("what another resource names is gone: %v", err)
	}
	// All of them come back when they are put again.
	for name, body := range bodies {
		p := registry.Path("/again/" + name)
		n.put(t, p, body)
		if got := third.text(t, p, 0); got != body {
			t.Errorf("put again, %s has %d bytes", name, len(got))
		}
	}
	if report := n.apply(t, 48*time.Hour); report != (registry.RetentionReport{Store: n.Name()}) {
		t.Errorf("there was more to remove: %+v", report)
	}
}

// testSweepRaces: contents are put again while they are swept away. Whoever is first, each put can be read afterwards.
func testSweepRaces(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	nodes[0].keep(t, "/", 1, 0)
	for round := range 8 {
		bodies := []string{fmt.Sprint("small", round), strings.Repeat(fmt.Sprint("large", round), 1000)}
		for i, body := range bodies {
			p := registry.Path(fmt.Sprintf("/old/%d", i))
			if _, err := nodes[0].svc.Put(t.Context(), actor, registry.PutInput{
				Path: p, Body: strings.NewReader(body), Properties: registry.Properties{"round": {fmt.Sprint(round)}},
			}); err != nil {
				t.Fatal(err)
			}
			nodes[0].put(t, p, "next")
			if _, err := nodes[0].svc.UpdateMeta(t.Context(), actor, registry.MetaInput{Path: p, ReplaceProperties: true}); err != nil {
				t.Fatal(err)
			}
		}
		if report := nodes[0].apply(t, 0); report.Versions < 2 {
			t.Fatalf("the run removed %+v", report)
		}
		var wg sync.WaitGroup
		wg.Go(func() { nodes[round%2].apply(t, 2*day) })
		for i := range 6 {
			wg.Go(func() {
				_, err := nodes[i%2].svc.Put(context.Background(), actor, registry.PutInput{
					Path: registry.Path(fmt.Sprintf("/new/%d-%d", round, i)), Body: strings.NewReader(bodies[i%2]),
					Properties: registry.Properties{"round": {fmt.Sprint(round)}},
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		third := open(t, func(testing.TB) Database { return nodes[0].db }, 1)[0]
		for i := range 6 {
			p := registry.Path(fmt.Sprintf("/new/%d-%d", round, i))
			if got := third.text(t, p, 0); got != bodies[i%2] {
				t.Errorf("%s has %d bytes", p, len(got))
			}
			if r := third.get(t, p); !slices.Equal(r.Meta.Properties["round"], []string{fmt.Sprint(round)}) {
				t.Errorf("%s has the properties %v", p, r.Meta.Properties)
			}
		}
	}
}

// testRetentionPreview: it says what is refused as setting the rule does, stops after some hundred resources, and counts what labels and checkpoints keep as kept.
func testRetentionPreview(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	for i := range 3 {
		for _, p := range []registry.Path{"/r/x", "/r/file"} {
			n.put(t, p, fmt.Sprint(p, i))
		}
	}
	preview := func(p registry.Path, last, days int64) (registry.RetentionPreview, error) {
		return n.svc.PreviewRetention(t.Context(), actor, p, registry.Retention{KeepLast: last, KeepDays: days})
	}
	for p, code := range map[registry.Path]registry.Code{"/none": registry.CodeNotFound, "/r/file": registry.CodeConflict} {
		_, err := preview(p, 1, 0)
		wantCode(t, err, code)
	}
	_, err := preview("/r", 0, 0)
	wantCode(t, err, registry.CodeInvalid)
	_, err = preview("/r", registry.MaxKeepLast+1, 0)
	wantCode(t, err, registry.CodeInvalid)
	want := func(p registry.Path, last, days int64, want registry.RetentionPreview) {
		t.Helper()
		if got, err := preview(p, last, days); err != nil || got != want {
			t.Errorf("%s, %d, %d: would do %+v, want %+v: %v", p, last, days, got, want, err)
		}
	}
	want("/r", 1, 0, registry.RetentionPreview{Looked: 2, Versions: 4, Whole: true})
	want("/r", 0, 1, registry.RetentionPreview{Looked: 2, Whole: true})
	if _, err := n.svc.SetLabel(t.Context(), actor, registry.LabelInput{Path: "/r/x", Name: "l", Version: 1}); err != nil {
		t.Fatal(err)
	}
	want("/r", 1, 0, registry.RetentionPreview{Looked: 2, Versions: 3, Whole: true})
	for i := range 210 { // more than a preview looks at
		p := registry.Path(fmt.Sprintf("/many/%03d", i))
		n.put(t, p, "1")
		n.put(t, p, "2")
	}
	want("/many", 1, 0, registry.RetentionPreview{Looked: 200, Versions: 200})
	n.wantNumbers(t, map[registry.Path]string{"/r/x": "3 2 1", "/many/000": "2 1"})
}
