package console

import (
	"errors"
	"html/template"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// resourceView is the content of a resource, at its current or an older version.
type resourceView struct {
	head
	At      registry.Version
	Content preview
	AsText  bool          // a text that has another form, a picture or a page, shown as text
	Page    template.HTML // of a text that describes one
	Raw     template.URL
	Picture picture
	Framed  framed
	readable
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

	form := r.URL.Query().Get("as")
	v := resourceView{head: c.headOf(r, res, "content", at.Number), At: at, AsText: form == "text"}
	var source io.Reader = content
	if v.Framed, source, err = frameOf(source, p, at, form); err != nil {
		return err
	}
	source, err = c.look(&v.readable, source, p, at, form)
	if err != nil {
		return err
	}
	isPicture := isImage(at.Meta.MediaType) && !v.AsText && at.Size > 0
	if isPicture {
		if v.Picture, source, err = c.lookAtPicture(source, at); err != nil {
			return err
		}
	}
	if v.Content, err = readPreview(source, at.Size); err != nil {
		return err
	}
	if v.Content.Text && !v.Content.Cut && !v.AsText && at.Size <= maxMarkdown && isMarkdown(p.Name(), at.Meta.MediaType) && !isTangled(v.Content.Lines) {
		if v.Page, err = markdown(strings.Join(v.Content.Lines, "\n"), p); err != nil {
			return err
		}
	}
	if v.Page == "" && !v.IsRead() {
		v.Content.Shown = highlight(v.Content.Lines, p.Name(), at.Meta.MediaType, time.Now().Add(highlightLimit))
	}
	v.Editable = v.Writable && v.Content.Text && res.Size <= maxEditable
	v.Content.Image = isPicture
	if v.Raw, err = query(link("download", p), "version", at.Number, "inline", "1"); err != nil {
		return err
	}
	if v.Framed.Src != "" {
		w.Header().Set("Content-Security-Policy", framedPolicy)
	}
	return c.show(w, r, a, http.StatusOK, "resource", v.Name(), v.head, v)
}

// download sends the bytes of a resource as they are: as a file, or in place for the picture on the resource's page.
// Whatever they are, they run nothing here: the policy of the answer forbids it.
func (c *console) download(w http.ResponseWriter, r *http.Request, a registry.Actor) (err error) {
	p, pick, err := refOf(r)
	if err == nil {
		pick.At, err = momentOf(r.URL.Query().Get("at"))
	}
	if err != nil {
		return err
	}
	_, at, content, err := c.Service.OpenPick(r.Context(), a, p, pick, registry.Freshness{})
	if err != nil {
		return err
	}
	defer func() { c.logClose(r, content.Close()) }()

	quiet, err := isQuiet(r, content, at.Meta.MediaType)
	if err != nil {
		return err
	}
	h := w.Header()
	policy, disposition, contentType := serveAs(r, at.Meta.MediaType, quiet)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": p.Name()}))
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", policy)
	if policy == previewPolicy || policy == pdfPolicy {
		h.Set("X-Frame-Options", "SAMEORIGIN") // the frame is on a page of the console
	}
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
