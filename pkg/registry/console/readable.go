package console

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"regexp"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/document"
)

// Limits of a page that a document is read into.
const (
	maxReadable     = 4 << 20  // bytes of a document in JSON or XML
	maxReadableYAML = 2 << 20  // of one in YAML, which takes longer to read
	readableHead    = 64 << 10 // bytes in which a document says what it is
	maxProse        = 16 << 10 // bytes of one description that is shown as Markdown
)

// readable is a content that describes something, read into what a page shows of it. At most one of its parts is there.
type readable struct {
	API    *document.API
	WSDL   *document.WSDL
	XSD    *document.XSD
	Policy *document.Policy
	Tree   *document.Branch

	Format  string // "json", "yaml", "xml"; "" for a content without structure
	IsPage  bool   // there is a page of it, beside its text and its tree
	WhyText string // why it is shown as text although something else was asked for
}

// IsRead tells whether there is something to show instead of the text.
func (v readable) IsRead() bool {
	return v.API != nil || v.WSDL != nil || v.XSD != nil || v.Policy != nil || v.Tree != nil
}

// otherForm is another form of what a page shows.
type otherForm struct {
	Shows string // what leads there says
	Href  template.URL
}

// Forms are the other forms that the content has.
func (v resourceView) Forms() ([]otherForm, error) {
	picture := isImage(v.At.Meta.MediaType)
	hasPage := v.IsPage || v.Format == "" && isMarkdown(v.Name(), v.At.Meta.MediaType)
	shownAsText := v.Page == "" && !v.IsRead() && !v.Content.Image && !v.Framed.HTML
	var forms []otherForm
	var failed error
	add := func(on bool, shows, parameter string) {
		if on && failed == nil {
			var href template.URL
			href, failed = query(link("resource", v.Resource.Path), "version", v.Version, "as", parameter)
			forms = append(forms, otherForm{shows, href})
		}
	}
	add(picture && v.AsText, mark("Show as picture"), "")
	add(isHTML(v.At.Meta.MediaType) && !v.Framed.HTML && v.At.Size > 0, mark("Show as preview"), "preview")
	add(isPDF(v.At.Meta.MediaType) && !v.Framed.PDF && !v.Framed.Loud && v.At.Size > 0, mark("Show as document"), "")
	add(v.Framed.PDF, mark("Show as bytes"), "bytes")
	add(hasPage && (v.AsText || v.Tree != nil), mark("Show as page"), "")
	add(!shownAsText && v.Content.Text, mark("Show as text"), "text")
	add(v.Format != "" && v.Content.Text && v.Tree == nil && v.At.Size > 0, mark("Show as tree"), "tree")
	return forms, failed
}

// look reads the content of a resource at p into the form asked for: "" for the best there is, "tree", "text". It gives the content from its beginning, for
// who reads it next.
func (c *console) look(v *readable, content io.Reader, p registry.Path, at registry.Version, form string) (io.Reader, error) {
	v.Format = formatOf(p.Name(), at.Meta.MediaType)
	if v.Format == "" {
		return content, nil
	}
	text, err := io.ReadAll(io.LimitReader(content, readableHead))
	if err != nil {
		return nil, fmt.Errorf("console: content: %w", err)
	}
	v.IsPage = isDescription(v.Format, text)
	limit := int64(maxReadable)
	if v.Format == "yaml" {
		limit = maxReadableYAML
	}
	switch {
	case form == "text", form != "tree" && !v.IsPage, at.Size == 0:
		return io.MultiReader(bytes.NewReader(text), content), nil
	case at.Size > limit:
		v.WhyText = c.say("it is larger than %s", formatSize(limit))
		return io.MultiReader(bytes.NewReader(text), content), nil
	}
	more, err := io.ReadAll(content)
	if err != nil {
		return nil, fmt.Errorf("console: content: %w", err)
	}
	if text = append(text, more...); isText(text) {
		v.WhyText = c.say(v.read(text, p, form == "tree"))
	}
	return bytes.NewReader(text), nil
}

// read tells why there is neither a page nor a tree of a text, "" when there is one.
func (v *readable) read(text []byte, p registry.Path, asTree bool) (why string) {
	if v.Format == "xml" {
		return v.readXML(text, asTree)
	}
	parse := document.ParseJSON
	if v.Format == "yaml" {
		parse = document.ParseYAML
	}
	top, err := parse(text)
	switch {
	case err != nil:
		return reason(err)
	case asTree:
		v.Tree = document.Tree(top)
	case document.IsAPI(top):
		v.API = document.ReadAPI(top, proseAt(p))
	case top.Get("openapi") != nil || top.Get("swagger") != nil:
		v.IsPage = false
		return mark("its version of OpenAPI is none that this page knows (2.0, 3.0, 3.1)")
	default:
		v.IsPage = false
	}
	return ""
}

func (v *readable) readXML(text []byte, asTree bool) (why string) {
	top, err := document.ParseXML(text)
	if err != nil {
		return reason(err)
	}
	if asTree {
		v.Tree = document.ElementTree(top)
		return ""
	}
	if v.WSDL, v.IsPage = document.ReadWSDL(top); v.IsPage {
		return ""
	}
	if v.XSD, v.IsPage = document.ReadXSD(top); v.IsPage {
		return ""
	}
	v.Policy, v.IsPage = document.ReadPolicy(top)
	return ""
}

// reason is what is wrong with a document.
func reason(err error) string {
	if e, ok := errors.AsType[*document.Error](err); ok {
		return e.Error()
	}
	return mark("it cannot be read")
}

// formatOf guesses what structure a content has, from the name and the media type alone.
func formatOf(name, mediaType string) string {
	base, _, err := mime.ParseMediaType(mediaType)
	if err != nil || base == registry.DefaultMediaType || base == "text/plain" {
		base = registry.MediaTypeByName(name)
	}
	switch {
	case strings.HasPrefix(base, "image/"):
		return "" // a picture, even where it is XML
	case strings.HasSuffix(base, "yaml"):
		return "yaml"
	case strings.HasSuffix(base, "json"):
		return "json"
	case strings.HasSuffix(base, "xml"):
		return "xml"
	}
	return ""
}

// descriptions find, by format, what a text has that may be a description of a service.
var descriptions = map[string]*regexp.Regexp{
	"json": regexp.MustCompile(`"(openapi|swagger)"\s*:`),
	"yaml": regexp.MustCompile(`(?m)^(["']?(openapi|swagger)["']?\s*:|\s*\{\s*["'](openapi|swagger)["']\s*:)`),
	"xml":  regexp.MustCompile(`(?s)^\x{FEFF}?(\s|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>)*<([^\s<>:/]+:)?(definitions|description|schema|Policy)[\s/>]`),
}

// isDescription guesses from its beginning whether there is a page of a document.
func isDescription(format string, head []byte) bool {
	pattern := descriptions[format]
	return pattern != nil && pattern.Match(head)
}

// proseAt makes HTML of the descriptions in a document that lies at p: Markdown, as long as that does not take long, and then plain text.
func proseAt(p registry.Path) document.Prose {
	s, until := settling{path: p, headless: true}, time.Now().Add(proseLimit)
	return func(text string) template.HTML {
		text = strings.TrimSpace(text)
		if text == "" {
			return ""
		}
		if strings.ContainsAny(text, "\n*_`[<&#|~:@\\") && len(text) <= maxProse && time.Now().Before(until) && !isTangled(strings.Split(text, "\n")) {
			if made, err := s.html(text, until); err == nil {
				return made
			}
		}
		return template.HTML(`<p class="prose">` + template.HTMLEscapeString(text) + `</p>`) //nolint:gosec // escaped
	}
}
