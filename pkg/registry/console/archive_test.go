package console_test

import (
	"archive/zip"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// unzip reads an archive: the contents by their names, those of collections empty.
func (r reply) unzip() map[string]string {
	r.t.Helper()
	if got := r.Header.Get("Content-Type"); got != "application/zip" {
		r.t.Errorf("it is %s", got)
	}
	z, err := zip.NewReader(strings.NewReader(r.body), int64(len(r.body)))
	must(r.t, err)
	files := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		must(r.t, err)
		b, err := io.ReadAll(in)
		must(r.t, err)
		name := f.Name
		if f.Mode()&fs.ModeSymlink != 0 {
			name += " ->"
		}
		if _, ok := files[name]; ok {
			r.t.Errorf("two entries have the name %q", name)
		}
		if !fs.ValidPath(strings.TrimSuffix(f.Name, "/")) {
			r.t.Errorf("%q leads elsewhere", f.Name)
		}
		files[name] = string(b)
	}
	return files
}

func TestArchive_HoldsWhatOneMayRead(t *testing.T) {
	s := newSite(t)
	for name, content := range map[registry.Path]string{
		"a.txt": "a", "deep/er/b.yaml": "b", "deep/secret.txt": "s", "x:y?": "odd", "x_y?": "odd two", "A.TXT": "capital", "con.txt": "device", "dots.": "dots", "größe.txt": "ö",
	} {
		s.put(shelf+"/"+name, "", content)
	}
	for from, to := range map[registry.Path]registry.Path{shelf + "/deep/way": shelf + "/a.txt", shelf + "/out": "/_system/config", shelf + "/odd": shelf + "/x:y?"} {
		_, err := s.service.Link(t.Context(), s.admin, registry.LinkInput{Path: from, Target: to})
		must(t, err)
	}
	s.newUser("joe")
	b, joe := s.signedIn(), s.signedInAs("joe")
	b.post("/console/permissions"+string(shelf)+"/deep/secret.txt", "read:everyone", "deny").wantStatus(http.StatusSeeOther)

	answer := b.get("/console/archive" + string(shelf)).wantStatus(http.StatusOK)
	if got := answer.Header.Get("Content-Disposition"); got != "attachment; filename=shelf.zip" {
		t.Errorf("it is to be kept as %s", got)
	}
	all := answer.unzip()
	want := map[string]string{
		"A.TXT": "capital", "a (2).txt": "a", "_con.txt": "device", "dots_": "dots", "größe.txt": "ö", "x_y_": "odd", "x_y_ (2)": "odd two", "deep/": "", "deep/er/": "", "deep/er/b.yaml": "b",
		"deep/secret.txt": "s", "deep/way ->": "../a (2).txt", "out.link.txt": "This was a link to /_system/config\n", "odd ->": "x_y_",
	}
	for name, content := range want {
		if got, ok := all[name]; !ok || got != content {
			t.Errorf("%q holds %q (%t), want %q", name, got, ok, content)
		}
	}
	if len(all) != len(want) {
		t.Errorf("it has %d entries, want %d", len(all), len(want))
	}
	some := joe.get("/console/archive" + string(shelf)).wantStatus(http.StatusOK).unzip()
	if _, ok := some["deep/secret.txt"]; ok || len(some) != len(want)-1 {
		t.Errorf("joe gets %v", some)
	}
	b.post("/console/permissions"+string(shelf), "read:everyone", "deny").wantStatus(http.StatusSeeOther)
	joe.get("/console/archive" + string(shelf)).wantStatus(http.StatusForbidden)
	b.get("/console/archive" + string(shelf) + "/a.txt").wantStatus(http.StatusConflict)
	b.get("/console/archive/_system/config").wantStatus(http.StatusOK).unzip()
}

func TestArchive_OffersItselfWithinItsLimits(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(shelf+"/a", "", "x")
	if page := b.get("/console/browse" + string(shelf)); !page.hasLink("/console/archive" + string(shelf)) {
		t.Error("the collection does not offer an archive")
	}
	s.newUser("joe")
	if page := s.signedInAs("joe").get("/console/browse" + string(shelf)); !page.hasLink("/console/archive" + string(shelf)) {
		t.Error("a reader is offered none")
	}
	for start := range 101 { // 10,100 entries
		var steps []registry.Step
		for n := range 100 {
			steps = append(steps, registry.CollectionStep(registry.CollectionInput{Path: shelf + registry.Path("/c"+strings.Repeat("i", start)+"/"+string(rune('a'+n/26))+string(rune('a'+n%26)))}))
		}
		_, _, err := s.service.Batch(t.Context(), s.admin, steps)
		must(t, err)
	}
	b.get("/console/archive" + string(shelf)).wantStatus(http.StatusRequestEntityTooLarge).wantText("at most 10,000 entries and 1 GiB")
}
