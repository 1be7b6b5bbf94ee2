package console

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/document"
)

// framedPolicy is the policy of a page that shows a content in a frame of its own.
const framedPolicy = contentSecurityPolicy + "; frame-src 'self'"

// The policies of contents as they are. None runs a script here, and none is in a frame of another site. A browser's own reader of PDF is a plug-in to it,
// which a sandbox forbids; it keeps what it shows apart from the page, but it runs the scripts in it, so only PDF that has none is shown at all.
//
// Where a content is shown, it has styles of its own in it, which are nothing without style-src 'unsafe-inline': a picture (SVG) that is opened by itself, the
// preview of a page, and the page that a browser makes around its reader of PDF. Nothing is loaded for a style, and what has no script cannot read what it shows.
const (
	contentPolicy = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"
	picturePolicy = contentPolicy + "; style-src 'unsafe-inline'"
	previewPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
	pdfPolicy     = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)

// framed is a content that the page shows in a frame, where nothing of it reaches the page.
type framed struct {
	PDF  bool
	HTML bool // in a sandbox
	Loud bool // a PDF that would act by itself, or is too large to tell: it is not shown
	Src  template.URL
}

// isPDF tells of contents that browsers show with a reader of their own.
func isPDF(mediaType string) bool { return baseType(mediaType) == "application/pdf" }

// isHTML tells of contents that are pages themselves.
func isHTML(mediaType string) bool { return baseType(mediaType) == "text/html" }

func baseType(mediaType string) string {
	base, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		return ""
	}
	return base
}

// frameOf says how the content of a resource is shown in a frame, if it is; form is what was asked for. It gives the content from its beginning.
func frameOf(content io.Reader, p registry.Path, at registry.Version, form string) (framed, io.Reader, error) {
	f := framed{PDF: isPDF(at.Meta.MediaType) && form != "bytes", HTML: isHTML(at.Meta.MediaType) && form == "preview"}
	if at.Size == 0 || !f.PDF && !f.HTML {
		return framed{}, content, nil
	}
	how := "1"
	if f.HTML {
		how = "preview"
	} else {
		text, err := io.ReadAll(io.LimitReader(content, document.MaxPDF+1))
		if err != nil {
			return f, nil, fmt.Errorf("console: content: %w", err)
		}
		content = io.MultiReader(bytes.NewReader(text), content)
		if f.Loud = !document.IsQuietPDF(text); f.Loud {
			f.PDF = false
			return f, content, nil
		}
	}
	var err error
	f.Src, err = query(link("download", p), "version", at.Number, "inline", how)
	return f, content, err
}

// isQuiet tells whether a content that a request wants to see in place may be shown so. What a reader asks for after the beginning is not looked at again:
// alone, it is no document.
func isQuiet(r *http.Request, content io.ReadSeeker, mediaType string) (bool, error) {
	if r.URL.Query().Get("inline") == "" || !isPDF(mediaType) {
		return true, nil
	}
	if first, isRange := strings.CutPrefix(r.Header.Get("Range"), "bytes="); isRange && !strings.HasPrefix(first, "0-") && !strings.Contains(first, ",") {
		return true, nil
	}
	text, err := io.ReadAll(io.LimitReader(content, document.MaxPDF+1))
	if err == nil {
		_, err = content.Seek(0, io.SeekStart)
	}
	if err != nil {
		return false, fmt.Errorf("console: content: %w", err)
	}
	return document.IsQuietPDF(text), nil
}

// serveAs chooses how a content goes out as it is: policy, disposition and type. Only the frame of its page gets a page as a page: opened by itself it would
// stand under the console's name.
func serveAs(r *http.Request, mediaType string, quiet bool) (policy, disposition, contentType string) {
	if mediaType == "" {
		mediaType = registry.DefaultMediaType
	}
	dest := r.Header.Get("Sec-Fetch-Dest") // browsers say it, unless they came over plain HTTP
	switch how := r.URL.Query().Get("inline"); {
	case how == "":
	case how == "preview" && isHTML(mediaType) && (dest == "" || dest == "iframe"):
		if _, params, _ := mime.ParseMediaType(mediaType); params["charset"] == "" {
			mediaType = "text/html; charset=utf-8"
		}
		return previewPolicy, "inline", mediaType
	case isPDF(mediaType) && quiet:
		return pdfPolicy, "inline", mediaType
	case isImage(mediaType):
		return picturePolicy, "inline", mediaType
	}
	return contentPolicy, "attachment", mediaType
}
