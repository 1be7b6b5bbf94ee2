package console_test

import (
	"net/http"
	"testing"
)

// TestVersionInPath: pages that show one state understand "path;version:N", and pages that change the current one refuse it.
func TestVersionInPath(t *testing.T) {
	s := newSite(t)
	for _, text := range []string{"first text", "second text", "third text"} {
		s.put(pay, "", text)
	}
	b := s.signedIn()
	at := string(pay) + ";version:2"
	b.get("/console/resource"+at).wantText("This is version 2; the current one is version 3.", "second text").wantNoText("third text")
	b.get("/console/details" + at).wantText("This is version 2")
	b.get("/console/diff"+at).wantText("first text", "second text").wantNoText("third text")
	b.get("/console/versions" + at).wantText("That is the oldest.").wantNoText("current")
	b.get("/console/restore" + at).wantText("Restore version 2 of openapi.yaml?")
	b.get("/console/go?to=" + string(pay) + "%3Bversion%3A2").wantRedirect("/console/resource" + string(pay) + "?version=2")
	for _, page := range []string{"resource", "details", "properties", "diff", "restore"} {
		b.get("/console/" + page + string(pay) + ";version:9").wantStatus(http.StatusNotFound)
	}
	for _, page := range []string{"resource", "details", "diff", "versions", "restore"} {
		b.get("/console/" + page + string(pay) + ";version:abc").wantStatus(http.StatusBadRequest)
	}
	for _, page := range []string{"edit", "move", "delete", "browse"} {
		b.get("/console/" + page + at).wantStatus(http.StatusBadRequest)
	}
	ask := b.get("/console/restore" + at)
	b.post("/console/restore"+at, "etag", ask.field("etag")).wantRedirect("/console/versions" + string(pay) + "?note=restored")
	if got := s.content(pay); got != "second text" {
		t.Errorf("content is %q", got)
	}
}
