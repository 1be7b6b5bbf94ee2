package console_test

import (
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
	b.get("/console/diff" + p).wantText("two")
	b.get("/console/diff" + p + "?from=2&version=1").wantText("one")
	b.get("/console/diff" + p + "?from=7").wantStatus(404)
}
