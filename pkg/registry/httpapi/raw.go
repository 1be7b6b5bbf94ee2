package httpapi

import (
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// disposition says whether browsers may show a content or only save it.
type disposition bool

const (
	asDownload disposition = false
	asItIs     disposition = true // where its type is harmless
)

// harmless tells whether browsers show a media type without running anything in it. HTML, SVG and XML (by its style sheets) are not so.
func harmless(mediaType string) bool {
	if harmlessType(mediaType) {
		return true // most types have no parameters
	}
	t, _, err := mime.ParseMediaType(mediaType)
	return err == nil && harmlessType(t)
}

func harmlessType(t string) bool {
	switch t {
	case "text/plain", "text/csv", "text/markdown", "application/json", "application/yaml", "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// serveRaw answers with the content of what the call names, or with 304, 206 or 412, as RFC 9110 says. Modification dates are told but not
// compared: two changes can fall into one second, and a read must not miss the second one.
func (h *handler) serveRaw(w http.ResponseWriter, c *call, d disposition) error {
	p, pick, err := c.ref()
	if err != nil {
		return err
	}
	fresh, err := c.freshness()
	if err != nil {
		return err
	}
	return h.serveContent(w, c, p, pick, fresh, d)
}

// serveContent is serveRaw for a path and a state that were found already.
func (h *handler) serveContent(w http.ResponseWriter, c *call, p registry.Path, pick registry.Pick, fresh registry.Freshness, d disposition) error {
	r, v, content, err := h.service.OpenPick(c.Context(), c.actor, p, pick, fresh)
	if err != nil {
		return err
	}
	defer content.Close()

	header := w.Header()
	setState(header, r)
	if !pick.IsCurrent() {
		setVersion(header, v)
	}
	known, err := c.knows(header.Get("ETag"))
	switch {
	case err != nil:
		return err
	case known:
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	describeContent(header, p, v, d)

	source := &source{ReadSeeker: content}
	out := &rangeWriter{ResponseWriter: w}
	http.ServeContent(out, c.Request, "", time.Time{}, source)
	if out.refused {
		return badRange(v.Size)
	}
	return source.err
}

// describeContent puts the headers that tell what the bytes are.
func describeContent(h http.Header, p registry.Path, v registry.Version, d disposition) {
	h.Set("Content-Type", cmp.Or(v.Meta.MediaType, registry.DefaultMediaType))
	h.Set("Last-Modified", v.CreatedAt.UTC().Format(http.TimeFormat))
	h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(v.Hash[:])+":")
	kind := "attachment"
	if d == asItIs && harmless(v.Meta.MediaType) {
		kind = "inline"
	}
	h.Set("Content-Disposition", contentDisposition(kind, p.Name()))
}

// contentDisposition names the file as RFC 6266 has it.
func contentDisposition(kind, name string) string {
	for _, c := range []byte(name) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
		if !plain {
			return mime.FormatMediaType(kind, map[string]string{"filename": name})
		}
	}
	return kind + "; filename=" + name // what the other way gives as well, at a tenth of the cost
}

// source remembers why a content could not be read to the end; [http.ServeContent] does not tell.
type source struct {
	io.ReadSeeker
	err error
}

// Read implements [io.Reader].
func (s *source) Read(b []byte) (int, error) {
	n, err := s.ReadSeeker.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// rangeWriter holds back the plain text with which [http.ServeContent] answers an impossible range.
type rangeWriter struct {
	http.ResponseWriter
	refused bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *rangeWriter) WriteHeader(status int) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		w.refused = true
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *rangeWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
