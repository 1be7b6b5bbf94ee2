package console

import (
	"bytes"
	"html/template"
	"mime"
	"net/url"
	"strings"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/regent-registry/regent/pkg/registry"
)

// A Markdown text beyond these is shown as it is written: what it costs to make a page of it grows with the square of the delimiters of a paragraph.
const (
	maxMarkdown   = 64 << 10 // bytes
	maxDelimiters = 5_000    // between two blank lines
)

// isMarkdown tells whether a content is shown as the page that it describes.
func isMarkdown(name, mediaType string) bool {
	base, _, err := mime.ParseMediaType(mediaType)
	return err == nil && (base == "text/markdown" || base == "text/x-markdown" || base == "text/plain" && strings.HasSuffix(strings.ToLower(name), ".md"))
}

// isTangled tells whether a Markdown text has a paragraph with more delimiters than a page is made of.
func isTangled(lines []string) bool {
	n := 0
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			n = 0
		}
		for i := range len(line) {
			switch line[i] {
			case '*', '_', '~', '[':
				n++
			}
		}
		if n > maxDelimiters {
			return true
		}
	}
	return false
}

// markdown makes HTML of a Markdown text (CommonMark with tables and strikethrough) that lies at p. Markup of the text's own is left out. Links and pictures
// without a host lead into the registry; a picture from elsewhere becomes a link, for a page loads nothing from elsewhere.
func markdown(source string, p registry.Path) (template.HTML, error) {
	return settling{path: p}.html(source, time.Now().Add(highlightLimit))
}

// html makes HTML of a text; what code in it costs ends with until.
func (s settling) html(source string, until time.Time) (template.HTML, error) {
	md := goldmark.New(
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough, extension.Linkify),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(s, 1000))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(codeBlocks{until}, 100))),
	)
	var b bytes.Buffer
	if err := md.Convert([]byte(source), &b); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // goldmark escapes, and leaves raw HTML out
}

// settling makes a document part of the page: headings below the page's own, links and pictures that lead into the registry.
type settling struct {
	path     registry.Path
	headless bool // headings become strong lines: the text stands among headings of the page's own
}

// Transform implements [parser.ASTTransformer].
func (s settling) Transform(doc *ast.Document, source text.Reader, _ parser.Context) {
	var far []*ast.Image
	var odd []*ast.AutoLink
	var headings []*ast.Heading
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			n.Level = min(n.Level+1, 6)
			headings = append(headings, n)
		case *ast.Link:
			s.settle(n)
		case *ast.AutoLink:
			n.SetAttributeString("rel", []byte(foreign))
			if n.AutoLinkType == ast.AutoLinkURL && elsewhere(n.URL(source.Source())) == nil {
				odd = append(odd, n)
			}
		case *ast.Image:
			if to, ok := s.within(n.Destination); ok {
				n.Destination = []byte(link("download", to) + "?inline=1")
			} else {
				far = append(far, n)
			}
		}
		return ast.WalkContinue, nil
	})
	if s.headless {
		for _, n := range headings {
			asParagraph(n)
		}
	}
	for _, n := range odd {
		n.Parent().ReplaceChild(n.Parent(), n, ast.NewString(util.EscapeHTML(n.Label(source.Source()))))
	}
	for _, n := range far {
		a := ast.NewLink()
		a.Destination, a.Title = elsewhere(n.Destination), n.Title
		a.SetAttributeString("rel", []byte(foreign))
		for c := n.FirstChild(); c != nil; c = n.FirstChild() {
			a.AppendChild(a, c)
		}
		if a.FirstChild() == nil {
			a.AppendChild(a, ast.NewString(util.EscapeHTML(n.Destination)))
		}
		n.Parent().ReplaceChild(n.Parent(), n, a)
	}
}

// asParagraph puts a strong line where a heading was.
func asParagraph(n *ast.Heading) {
	strong, line := ast.NewEmphasis(2), ast.NewParagraph()
	for c := n.FirstChild(); c != nil; c = n.FirstChild() {
		strong.AppendChild(strong, c)
	}
	line.AppendChild(line, strong)
	n.Parent().ReplaceChild(n.Parent(), n, line)
}

// foreign is said of links that lead out of the registry.
const foreign = "noopener noreferrer nofollow"

func (s settling) settle(n *ast.Link) {
	if to, ok := s.within(n.Destination); ok {
		n.Destination = []byte(link("resource", to))
		return
	}
	n.Destination = elsewhere(n.Destination)
	n.SetAttributeString("rel", []byte(foreign))
}

// elsewhere lets through what leads to a page, a mailbox or a heading.
func elsewhere(reference []byte) []byte {
	to, err := url.Parse(string(reference))
	if err == nil && (to.Scheme == "http" || to.Scheme == "https" || to.Scheme == "mailto" || bytes.HasPrefix(reference, []byte("#"))) {
		return reference
	}
	return nil
}

// within resolves a reference without scheme and host to the path that it means.
func (s settling) within(reference []byte) (registry.Path, bool) {
	to, err := url.Parse(string(reference))
	if err != nil || to.Scheme != "" || to.Host != "" || to.Path == "" {
		return "", false
	}
	base := url.URL{Path: s.path.String()}
	p, err := registry.ParsePath(strings.TrimSuffix(base.ResolveReference(&url.URL{Path: to.Path}).Path, "/"))
	return p, err == nil
}

// codeBlocks highlights code whose language is named, all blocks of a page within one limit.
type codeBlocks struct{ until time.Time }

// RegisterFuncs implements [renderer.NodeRenderer].
func (c codeBlocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		n, ok := node.(*ast.FencedCodeBlock)
		if !entering || !ok {
			return ast.WalkContinue, nil
		}
		var lines []string
		for i := range n.Lines().Len() {
			segment := n.Lines().At(i)
			lines = append(lines, strings.TrimRight(string(segment.Value(source)), "\r\n"))
		}
		name := ""
		if language := n.Language(source); len(language) > 0 {
			name = "code." + string(language)
		}
		_, _ = w.WriteString(`<pre tabindex="0"><code>`)
		for _, line := range highlight(lines, name, "", c.until) {
			_, _ = w.WriteString(string(line) + "\n")
		}
		_, _ = w.WriteString("</code></pre>\n")
		return ast.WalkSkipChildren, nil
	})
}
