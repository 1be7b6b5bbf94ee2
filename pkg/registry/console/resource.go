package console

import (
	"errors"
	"html/template"
	"mime"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// resourceView is the content of a resource, at its current or an older version.
type resourceView struct {
	head
	At      registry.Version
	Content preview
	AsText  bool // a picture that is also a text, shown as text
	Raw     template.URL
}

// resource shows what is in a resource; a collection is shown by its entries.
func (c *console) resource(w http.ResponseWriter, r *http.Request, a registry.Actor) (err error) {
	p, pick, err := refOf(r)
	if err != nil {
		return err
	}
	res, at, content, err := c.Service.OpenPick(r.Context(), a, p, pick, registry.Freshness{})
	if registry.CodeOf(err) == registry.CodeConflict {
		return c.redirectByKind(w, r, a, p, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, content.Close()) }()

	v := resourceView{head: c.headOf(r, res, "content", at.Number), At: at, AsText: r.URL.Query().Get("as") == "text"}
	if v.Content, err = readPreview(content, at.Size); err != nil {
		return err
	}
	v.Editable = v.Writable && v.Content.Text && res.Size <= maxEditable
	v.Content.Image = isImage(at.Meta.MediaType) && !v.AsText && at.Size > 0
	if v.Raw, err = query(link("download", p), "version", at.Number, "inline", "1"); err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "resource", v.Name(), v.head, v)
}

// download sends the bytes of a resource as they are: as a file, or in place for the picture on the resource's page.
// Whatever they are, they run nothing here: the policy of the answer forbids it.
func (c *console) download(w http.ResponseWriter, r *http.Request, a registry.Actor) (err error) {
	p, pick, err := refOf(r)
	if err != nil {
		return err
	}
	_, at, content, err := c.Service.OpenPick(r.Context(), a, p, pick, registry.Freshness{})
	if err != nil {
		return err
	}
	defer func() { c.logClose(r, content.Close()) }()

	h := w.Header()
	disposition := "attachment"
	if r.URL.Query().Get("inline") != "" && isImage(at.Meta.MediaType) {
		disposition = "inline"
	}
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": p.Name()}))
	h.Set("Content-Type", at.Meta.MediaType)
	if at.Meta.MediaType == "" {
		h.Set("Content-Type", registry.DefaultMediaType)
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", at.ETag())
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// logClose tells of a content that did not close, after the answer has gone out.
func (c *console) logClose(r *http.Request, err error) {
	if err != nil {
		c.Logger.WarnContext(r.Context(), "content did not close", "request_id", requestID(r), "error", err)
	}
}
