package console

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
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
	return c.show(w, r, a, http.StatusOK, "upload", v.title(), v.head, v)
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

func (v createView) title() string {
	if v.ETag != "" {
		return "Upload new version of " + v.Name()
	}
	return "Upload"
}

// upload stores the file of the form. It streams: the fields stand before the file, and the file goes from the connection into the store.
func (c *console) upload(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.uploadView(r, a)
	if err != nil {
		return err
	}
	body := r.Body
	r.Body = http.MaxBytesReader(w, body, v.Limit+formOverhead)
	form, err := v.readFields(r)
	var p registry.Path
	var put registry.PutResult
	if err == nil {
		var in registry.PutInput
		if in, err = v.input(form); err == nil {
			p = in.Path
			put, err = c.Service.Put(r.Context(), a, in)
			err = form.explain(err, v.Limit)
		}
	}
	if err == nil {
		toPage(w, link("resource", p), noteFor(put, "uploaded"))
		return nil
	}
	// A browser that is still sending does not read an answer: take what is on the way, within bounds.
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	v.Error = c.uploadError(r, a, v, p, err)
	if registry.CodeOf(err) == registry.CodePrecondition && v.ETag != "" {
		// The form goes back with the state that is there now: sent again, it replaces that, and no other.
		now, findErr := c.uploadView(r, a)
		if findErr != nil {
			return findErr
		}
		v.head, v.ETag = now.head, now.ETag
	}
	return c.show(w, r, a, statusOf(err), "upload", v.title(), v.head, v)
}

func (c *console) uploadError(r *http.Request, a registry.Actor, v createView, p registry.Path, err error) string {
	if registry.CodeOf(err) == registry.CodePrecondition && v.ETag == "" {
		return p.String() + " exists already. Choose another name, or tick the box to store the file as its next version. Choose the file again."
	}
	return c.formError(r, a, err) + " Choose the file again."
}

// uploadParts is a multipart form whose fields were read and whose file is next.
type uploadParts struct {
	fields map[string]string
	file   *multipart.Part
	err    error // what reading the file from the connection ended with, if it went wrong
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
	u := &uploadParts{fields: map[string]string{}}
	for range maxFields {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &registry.Error{Code: registry.CodeInvalid, Message: "the upload cannot be read, or was cut off", Err: err}
		}
		if part.FormName() == "file" {
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
	v.Replace = u.fields["replace"] != ""
	v.Comment = commentOf(u.fields["comment"])
	if u.file == nil || u.file.FileName() == "" {
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
		v.NewName = form.file.FileName()
	}
	var err error
	if in.Path, err = v.child(); err != nil {
		return registry.PutInput{}, err
	}
	if !v.Replace {
		in.If = nothingThere
	}
	if v.Description != "" {
		in.Description = &v.Description
	}
	// The browser's word counts where the name tells nothing.
	sent, _, err := mime.ParseMediaType(form.file.Header.Get("Content-Type"))
	if in.MediaType == "" && !v.Replace && err == nil && registry.MediaTypeByName(in.Path.Name()) == registry.DefaultMediaType {
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
		return &registry.Error{Code: registry.CodeTooLarge, Message: "the file has more than " + formatSize(limit) + ", the limit of one content", Err: err}
	}
	return &registry.Error{Code: registry.CodeInvalid, Message: "the upload was cut off before its end; nothing was stored", Err: err}
}
