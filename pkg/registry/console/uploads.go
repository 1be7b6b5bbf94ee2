package console

import (
	"encoding/json"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	maxUploadFiles = 200 // of one form
	uploadTimes    = 4   // contents of the largest size that one form may carry

	existsTell    = ""     // it is told, and not stored
	existsReplace = "1"    // it becomes the next version
	existsSkip    = "skip" // it is left out
)

// Total is the most bytes that the files of one form may have together.
func (v createView) Total() int64 {
	if v.ETag != "" {
		return v.Limit
	}
	return uploadTimes * v.Limit
}

// Most is the most files of one form.
func (v createView) Most() int { return maxUploadFiles }

// uploadedFile says what became of one file of a form.
type uploadedFile struct {
	name    string        // as the browser sent it
	path    registry.Path // where it is, or would be; "" when its name is none
	changed bool
	skipped bool // its name was taken
	err     error
}

// note is what the page says that follows.
func (f uploadedFile) note() string {
	switch {
	case f.skipped:
		return "upload-skipped"
	case !f.changed:
		return "unchanged"
	}
	return "uploaded"
}

// State is what became of it, in a word for scripts.
func (f uploadedFile) State() string {
	switch {
	case registry.CodeOf(f.err) == registry.CodePrecondition:
		return "exists"
	case f.err != nil:
		return "failed"
	case f.skipped:
		return "skipped"
	case !f.changed:
		return "unchanged"
	}
	return "stored"
}

// storeFiles stores one file after the other. One that fails leaves the others as they are; an upload that breaks off ends it.
func (c *console) storeFiles(r *http.Request, a registry.Actor, v *createView, form *uploadParts) []uploadedFile {
	var files []uploadedFile
	named := v.NewName != ""
	for {
		one := *v
		if len(files) > 0 {
			one.NewName = ""
		}
		f := uploadedFile{name: form.name()}
		switch {
		case len(files) == maxUploadFiles:
			f.err = registry.Errorf(registry.CodeTooLarge, "only the first %d files were taken; send the others by themselves", maxUploadFiles)
			return append(files, f)
		case len(files) > 0 && named:
			f.err = registry.Errorf(registry.CodeInvalid, "a name was written, which is for one file; leave it empty to send several")
		default:
			c.storeFile(r, a, &one, form, &f)
		}
		if len(files) == 0 {
			*v = one
		}
		files = append(files, f)
		if form.err != nil || v.ETag != "" {
			return files
		}
		if more, err := form.next(); err != nil {
			return append(files, uploadedFile{name: c.say("the next file"), err: err})
		} else if !more {
			return files
		}
	}
}

// storeFile stores the file that the form is at.
func (c *console) storeFile(r *http.Request, a registry.Actor, v *createView, form *uploadParts, f *uploadedFile) {
	in, err := v.input(form)
	if err != nil {
		f.err = err
		return
	}
	put, err := c.Service.Put(r.Context(), form.once(r, a), in)
	f.path, f.changed, f.err = in.Path, put.Changed, form.explain(takenBefore(err, in.Path), v.Total())
	if v.Exists == existsSkip && registry.CodeOf(err) == registry.CodePrecondition {
		f.skipped, f.err = true, nil
	}
}

// explainFile is why a file was not stored, in a sentence.
func (c *console) explainFile(r *http.Request, a registry.Actor, f uploadedFile) string {
	switch {
	case f.err == nil:
		return ""
	case registry.CodeOf(f.err) == registry.CodePrecondition:
		return c.say("It exists already.")
	}
	return c.formError(r, a, f.err)
}

// uploadedView tells of each of several files what became of it.
type uploadedView struct {
	head
	Files []uploadedRow
	Good  int
}

// uploadedRow is one of them; Path is "" where it is nowhere.
type uploadedRow struct {
	Name, State, Error string
	Path               registry.Path
}

// uploadedPage answers a form with several files.
func (c *console) uploadedPage(w http.ResponseWriter, r *http.Request, a registry.Actor, v createView, files []uploadedFile) error {
	view := uploadedView{head: v.head}
	status := http.StatusOK
	for _, f := range files {
		row := uploadedRow{Name: f.name, State: f.State(), Error: c.explainFile(r, a, f)}
		if f.err == nil || row.State == "exists" {
			row.Path = f.path
		}
		if f.err == nil {
			view.Good++
		}
		view.Files = append(view.Files, row)
	}
	if view.Good == 0 {
		status = statusOf(files[0].err)
	}
	return c.show(w, r, a, status, "uploaded", c.say("Uploaded"), v.head, view)
}

// uploadedAnswer is what the script that sends files is told of one.
type uploadedAnswer struct {
	Name  string `json:"name"`
	State string `json:"state"` // stored, unchanged, skipped, exists or failed
	Href  string `json:"href,omitempty"`
	Error string `json:"error,omitempty"`
}

// uploadedJSON answers a script, with status 200 when each file was looked at, whatever became of it. refused is why none was.
func (c *console) uploadedJSON(w http.ResponseWriter, r *http.Request, a registry.Actor, files []uploadedFile, refused error) error {
	status := http.StatusOK
	if refused != nil {
		files, status = []uploadedFile{{err: refused}}, statusOf(refused)
	}
	answers := make([]uploadedAnswer, 0, len(files))
	for _, f := range files {
		answer := uploadedAnswer{Name: f.name, State: f.State(), Error: c.explainFile(r, a, f)}
		if f.err == nil {
			answer.Href = link("resource", f.path)
		}
		answers = append(answers, answer)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(answers)
}
