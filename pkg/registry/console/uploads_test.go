package console_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// files is a form with fields, given as name, value…, and then files, given as name, content….
func (b *browser) files(address string, fields []string, files ...string) reply {
	b.s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		must(b.s.t, form.WriteField(fields[i], fields[i+1]))
	}
	for i := 0; i < len(files); i += 2 {
		head := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="` + files[i] + `"`}, "Content-Type": {"application/octet-stream"}}
		part, err := form.CreatePart(head)
		must(b.s.t, err)
		_, err = io.WriteString(part, files[i+1])
		must(b.s.t, err)
	}
	must(b.s.t, form.Close())
	return b.do(http.MethodPost, address, form.FormDataContentType(), &body)
}

func TestUpload_SeveralFilesAndFolders(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put(shelf+"/old.txt", "", "old")
	const in = "/console/upload" + string(shelf)
	b.get(in).wantText("Or a folder")

	// One that cannot be stored says why, and leaves the others. A folder's files come with its name, and fields where nothing was chosen count for nothing.
	page := b.files(in, []string{"description", "from afar"}, "", "", "one.txt", "1", "old.txt", "new", "bad;name.txt", "x", "tree/deep/größe.yaml", "a: 1", "../../escaped.txt", "x", "", "")
	page.wantStatus(http.StatusOK).wantText("Uploaded 2 of 5 files", "It exists already.", "has the character", `has the name ".."`)
	if s.content(shelf+"/one.txt") != "1" || s.content(shelf+"/tree/deep/größe.yaml") != "a: 1" || s.content(shelf+"/old.txt") != "old" {
		t.Error("not what was sent is stored")
	}
	if got := s.get(shelf + "/tree/deep/größe.yaml").Meta; got.MediaType != "application/yaml" || got.Description != "from afar" {
		t.Errorf("it has %+v", got)
	}
	b.files(in, []string{"replace", "1"}, "old.txt", "new", "one.txt", "1").wantStatus(http.StatusOK).wantText("Uploaded 2 of 2 files", "was there already, the same")
	b.files(in, []string{"replace", "skip"}, "old.txt", "newer", "three.txt", "3").wantStatus(http.StatusOK).wantText("Uploaded 2 of 2 files", "exists already, left as it is")
	b.files(in, []string{"replace", "skip"}, "old.txt", "newer").wantRedirect("/console/resource" + string(shelf) + "/old.txt?note=upload-skipped")
	if s.content(shelf+"/old.txt") != "new" || s.content(shelf+"/three.txt") != "3" {
		t.Error("not what was asked for became of what was there")
	}
	b.files(in, []string{"name", "mine.txt"}, "a.txt", "a", "b.txt", "b").wantText("Uploaded 1 of 2", "A name was written")
	b.files(in, nil, "old.txt", "x", "one.txt", "x").wantStatus(http.StatusPreconditionFailed).wantText("Uploaded 0 of 2")
	b.files(in, nil).wantStatus(http.StatusBadRequest).wantText("No file was chosen")
}

func TestUpload_SeveralKeepToTheLimits(t *testing.T) {
	s := newSite(t)
	s.collection(shelf)
	b := s.signedIn()
	const in = "/console/upload" + string(shelf)
	big := strings.Repeat("x", contentLimit)
	b.files(in, nil, "big.bin", big+"x", "small.txt", "x").wantStatus(http.StatusOK).wantText("Uploaded 1 of 2")
	b.files(in, nil, "1", big, "2", big, "3", big, "4", big, "5", big).wantStatus(http.StatusOK).wantText("Uploaded 4 of 5", "The files together have more than 16 MiB")
	if s.gone(shelf+"/4") || !s.gone(shelf+"/5") {
		t.Error("more or less was stored")
	}
	var many []string
	for i := range 203 {
		many = append(many, fmt.Sprintf("n%d", i), "x")
	}
	b.files(in, nil, many...).wantStatus(http.StatusOK).wantText("Uploaded 200 of 201", "Only the first 200 files were taken")
}

func TestUpload_TellsAScript(t *testing.T) {
	s := newSite(t)
	s.newUser("joe")
	b, joe := s.signedIn(), s.signedInAs("joe")
	s.put(shelf+"/old.txt", "", "old")
	const in = "/console/upload" + string(shelf)
	for _, b := range []*browser{b, joe} {
		b.header.Set("Accept", "application/json")
	}
	for _, test := range []struct {
		fields, files []string
		status        int
		state, says   string
		href          registry.Path
	}{
		{[]string{"name", "tree/new.txt"}, []string{"new.txt", "x"}, http.StatusOK, "stored", "", shelf + "/tree/new.txt"},
		{[]string{"name", "tree/new.txt", "replace", "1"}, []string{"new.txt", "x"}, http.StatusOK, "unchanged", "", shelf + "/tree/new.txt"},
		{nil, []string{"old.txt", "x"}, http.StatusOK, "exists", "exists already", ""},
		{[]string{"replace", "skip"}, []string{"old.txt", "x"}, http.StatusOK, "skipped", "", shelf + "/old.txt"},
		{nil, []string{"a|b", "x"}, http.StatusOK, "failed", "has the character", ""},
		{nil, nil, http.StatusBadRequest, "failed", "No file was chosen", ""},
	} {
		r := b.files(in, test.fields, test.files...).wantStatus(test.status)
		var got []struct{ Name, State, Href, Error string }
		must(t, json.Unmarshal([]byte(r.body), &got))
		want := ""
		if test.href != "" {
			want = "/console/resource" + string(test.href)
		}
		if len(got) != 1 || got[0].State != test.state || got[0].Href != want || !strings.Contains(got[0].Error, test.says) || test.says == "" && got[0].Error != "" {
			t.Errorf("%v %v: %+v", test.fields, test.files, got)
		}
	}
	joe.files(in, nil, "x.txt", "x").wantStatus(http.StatusForbidden)
	if !s.gone(shelf + "/x.txt") {
		t.Error("joe stored a file")
	}
}
