package console_test

import (
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestLabels(t *testing.T) {
	s := newSite(t)
	const p = "/_system/config/f.txt"
	s.put(p, "", "one\n")
	s.put(p, "", "two\n")
	b := s.signedIn()
	labels := func() []registry.Label {
		t.Helper()
		_, list, err := s.service.Labels(t.Context(), s.admin, p, registry.Freshness{})
		must(t, err)
		return list
	}
	b.post("/console/label"+p, "label", " prod ", "version", "1", "do", "make").wantRedirect("/console/versions" + p + "?note=labelled")
	made := labels()
	if len(made) != 1 || made[0].Name != "prod" || made[0].Version != 1 {
		t.Fatalf("the labels are %+v", made)
	}
	b.get("/console/resource" + p + "?label=prod").wantText("one")
	b.post("/console/label"+p, "label", "prod", "version", "2", "do", "make").wantStatus(412)
	b.post("/console/label"+p, "label", "prod", "version", "9", "etag", made[0].ETag(), "do", "move").wantStatus(404)
	b.post("/console/label"+p, "label", "prod", "version", "2", "etag", made[0].ETag(), "do", "move").wantRedirect("/console/versions" + p + "?note=labelled")
	b.post("/console/label"+p, "label", "prod", "version", "1", "etag", made[0].ETag(), "do", "move").wantStatus(412)
	b.post("/console/label"+p, "label", "prod", "version", "1", "etag", made[0].ETag(), "do", "remove").wantStatus(412)
	b.get("/console/resource" + p + "?label=prod").wantText("two")
	b.post("/console/label"+p, "label", "prod", "version", "2", "etag", labels()[0].ETag(), "do", "remove").wantRedirect("/console/versions" + p + "?note=unlabelled")
	if left := labels(); len(left) != 0 {
		t.Errorf("the labels are %+v", left)
	}
	b.get("/console/resource" + p + ";version:1").wantText("one")
	b.get("/console/resource" + p + ";version:1?version=2").wantStatus(400)
	b.get("/console/diff" + p).wantText("two")
	b.get("/console/diff" + p + "?from=2&version=1").wantText("one")
	b.get("/console/diff" + p + "?from=7").wantStatus(404)
}

func TestComments(t *testing.T) {
	s := newSite(t)
	const p = "/_system/config/f.txt"
	s.put(p, "", "one\n")
	b := s.signedIn()
	b.post("/console/edit"+p, "etag", s.get(p).ETag(), "newlines", "lf", "text", "two\n", "comment", " by <b>hand</b> ").wantStatus(303)
	b.post("/console/restore"+p, "etag", s.get(p).ETag(), "version", "1", "comment", "back").wantStatus(303)
	b.upload("/console/upload"+p, "f.txt", "three\n", "etag", s.get(p).ETag(), "comment", "by file").wantStatus(303)
	b.get("/console/versions"+p).wantText("by <b>hand</b>", "back", "by file")
	long := strings.Repeat("x", registry.MaxVersionComment+1)
	b.post("/console/edit"+p, "etag", s.get(p).ETag(), "newlines", "lf", "text", "four\n", "comment", long).wantStatus(400).wantText("the limit is 500")
	if r := s.get(p); r.Version != 4 || r.Comment != "by file" {
		t.Errorf("it is version %d with the comment %q", r.Version, r.Comment)
	}
}
