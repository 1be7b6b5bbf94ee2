package console

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	maxFieldSize = 16 << 10  // bytes of one field before the file
	maxFields    = 16        // fields before the file
	formOverhead = 256 << 10 // bytes of an upload beside the file
	maxDrain     = 32 << 20  // bytes read from a refused upload, so that the browser gets to see the answer
)

// uploadForm shows the form for a file: into a collection, or as the next version of a resource.
func (c *console) uploadForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.uploadView(r, a)
	if err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "upload", c.uploadTitle(v), v.head, v)
}

func (c *console) uploadView(r *http.Request, a registry.Actor) (createView, error) {
	res, err := c.find(r, a)
	if err != nil {
		return createView{}, err
	}
	v := createView{Limit: c.Service.ContentLimit()}
	if res.Kind == registry.KindResource {
		v.head, v.ETag, v.MediaType = c.headOf(r, res, "content", res.Version), res.ETag(), res.Meta.MediaType
		return v, nil
	}
	v.head = c.headOf(r, res, "entries", res.Version)
	return v, c.mounted(res.Path)
}

func (c *console) uploadTitle(v createView) string {
	if v.ETag != "" {
		return c.say("Upload new version of %s", v.Name())
	}
	return c.say("Upload")
}

// upload stores the files of the form. It streams: the fields stand before the files, and each file goes from the connection into the store.
func (c *console) upload(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.uploadView(r, a)
	if err != nil {
		return err
	}
	body := r.Body
	r.Body = http.MaxBytesReader(w, body, v.Total()+formOverhead)
	form, err := v.readFields(r)
	var files []uploadedFile
	if err == nil {
		files = c.storeFiles(r, a, &v, form)
	}
	if err != nil || slices.ContainsFunc(files, func(f uploadedFile) bool { return f.err != nil }) {
		// A browser that is still sending does not read an answer: take what is on the way, within bounds.
		_, _ = io.CopyN(io.Discard, body, maxDrain)
	}
	switch {
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		return c.uploadedJSON(w, r, a, files, err)
	case len(files) > 1:
		return c.uploadedPage(w, r, a, v, files)
	case len(files) == 1:
		err = files[0].err
		if err == nil {
			toPage(w, link("resource", files[0].path), files[0].note())
			return nil
		}
		return c.uploadAgain(w, r, a, v, files[0].path, err)
	}
	return c.uploadAgain(w, r, a, v, "", err)
}

// uploadAgain shows the form once more, with what was wrong.
func (c *console) uploadAgain(w http.ResponseWriter, r *http.Request, a registry.Actor, v createView, p registry.Path, err error) error {
	v.Error = c.uploadError(r, a, v, p, err)
	if registry.CodeOf(err) == registry.CodePrecondition && v.ETag != "" {
		// The form goes back with the state that is there now: sent again, it replaces that, and no other.
		now, findErr := c.uploadView(r, a)
		if findErr != nil {
			return findErr
		}
		v.head, v.ETag = now.head, now.ETag
	}
	return c.show(w, r, a, statusOf(err), "upload", c.uploadTitle(v), v.head, v)
}

func (c *console) uploadError(r *http.Request, a registry.Actor, v createView, p registry.Path, err error) string {
	if registry.CodeOf(err) == registry.CodePrecondition && v.ETag == "" {
		return c.say("%s exists already. Choose another name, or say that the file is to be its next version. Choose the file again.", p)
	}
	return c.say("%s Choose the file again.", c.formError(r, a, err))
}

// uploadParts is a multipart form whose fields were read and whose file is next.
type uploadParts struct {
	fields map[string]string
	parts  *multipart.Reader
	file   *multipart.Part
	count  int   // of the files before this one
	err    error // what reading the file from the connection ended with, if it went wrong
}

// next goes on to the next file that was chosen; false when there is none.
func (u *uploadParts) next() (bool, error) {
	for {
		part, err := u.parts.NextPart()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, &registry.Error{Code: registry.CodeInvalid, Message: "the upload was cut off before its end", Err: err}
		}
		if part.FormName() == "file" && part.FileName() != "" {
			u.file = part
			u.count++
			return true, nil
		}
	}
}

// name is the name of the file, with the folders that it was chosen with.
func (u *uploadParts) name() string {
	_, params, err := mime.ParseMediaType(u.file.Header.Get("Content-Disposition"))
	if err != nil {
		return u.file.FileName()
	}
	return params["filename"]
}

// Read reads the file.
func (u *uploadParts) Read(b []byte) (int, error) {
	n, err := u.file.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	return n, err
}

// readFields reads the form up to its file.
func (v *createView) readFields(r *http.Request) (*uploadParts, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, &registry.Error{Code: registry.CodeInvalid, Message: "the form carries no file (multipart/form-data)", Err: err}
	}
	u := &uploadParts{fields: map[string]string{}, parts: parts}
	for range maxFields {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &registry.Error{Code: registry.CodeInvalid, Message: "the upload cannot be read, or was cut off", Err: err}
		}
		if part.FormName() == "file" {
			if part.FileName() == "" { // a field for files where none was chosen
				continue
			}
			u.file = part
			break
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFieldSize+1))
		if err != nil || len(value) > maxFieldSize {
			return nil, &registry.Error{
				Code: registry.CodeInvalid, Err: err,
				Message: fmt.Sprintf("field %q cannot be read, or has more than %s", part.FormName(), formatSize(maxFieldSize)),
			}
		}
		u.fields[part.FormName()] = string(value)
	}
	v.NewName = strings.TrimSpace(u.fields["name"])
	v.MediaType = strings.TrimSpace(u.fields["media_type"])
	v.Description = fromTextarea(u.fields["description"], newlinesLF)
	v.Exists = u.fields["replace"]
	v.Comment = commentOf(u.fields["comment"])
	if u.file == nil {
		return nil, registry.Errorf(registry.CodeInvalid, "no file was chosen")
	}
	return u, nil
}

// input is the use case's input for the form.
func (v *createView) input(form *uploadParts) (registry.PutInput, error) {
	in := registry.PutInput{Path: v.Resource.Path, Body: form, MediaType: v.MediaType, Comment: v.Comment}
	if v.ETag != "" {
		in.If = registry.Precondition{Match: []string{form.fields["etag"]}}
		return in, nil
	}
	if v.NewName == "" {
		v.NewName = form.name()
	}
	var err error
	if in.Path, err = v.child(); err != nil {
		return registry.PutInput{}, err
	}
	if v.Exists != existsReplace {
		in.If = nothingThere
	}
	if v.Description != "" {
		in.Description = &v.Description
	}
	// The browser's word counts where the name tells nothing.
	sent, _, err := mime.ParseMediaType(form.file.Header.Get("Content-Type"))
	if in.MediaType == "" && v.Exists != existsReplace && err == nil && registry.MediaTypeByName(in.Path.Name()) == registry.DefaultMediaType {
		in.MediaType = sent
	}
	return in, nil
}

// explain says what went wrong with the file where the store only knows that it could not read on.
func (u *uploadParts) explain(err error, limit int64) error {
	if err == nil || u.err == nil {
		return err
	}
	if _, ok := errors.AsType[*http.MaxBytesError](u.err); ok {
		return &registry.Error{Code: registry.CodeTooLarge, Message: "the files together have more than " + formatSize(limit) + ", the limit of one sending", Err: err}
	}
	return &registry.Error{Code: registry.CodeInvalid, Message: "the upload was cut off before its end; this file was not stored", Err: err}
}
