package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
)

// routePatterns reads the console's URL map from its source, so that no page escapes the tests that go through all of them.
func routePatterns(t *testing.T) (gets, posts []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		must(t, err)
		for _, m := range regexp.MustCompile(`\w\("(GET|POST) (/console[^"]*)"`).FindAllStringSubmatch(string(source), -1) {
			switch {
			case strings.Contains(m[2], "/static/"):
			case m[1] == http.MethodGet:
				gets = append(gets, m[2])
			default:
				posts = append(posts, m[2])
			}
		}
	}
	if len(gets) < 45 || len(posts) < 35 {
		t.Fatalf("found only %d pages and %d actions", len(gets), len(posts))
	}
	return gets, posts
}

// addressOf is a route's address for what is at p.
func addressOf(pattern string, p registry.Path) string {
	if pattern == "/console/events/{path...}" {
		return "/console/events" + p.String() + "?from=none" // refused: else it would answer until its reader goes
	}
	if before, ok := strings.CutSuffix(pattern, "/{path...}"); ok {
		return before + p.String()
	}
	return strings.TrimSuffix(pattern, "{$}")
}

// The corpus goes into every field of every form and into files of every kind, and every page is visited: no page has an element, an attribute
// or a kind of address that it has not with harmless texts.
func TestXSS_CorpusStaysText(t *testing.T) {
	harmless := injected(t, benign, nil)
	texts := corpus
	if testing.Short() {
		texts = corpus[:12]
	}
	made := injected(t, texts, harmless)
	if len(made) < len(harmless)/2 {
		t.Errorf("the corpus came to %d kinds of pages, harmless texts to %d", len(made), len(harmless))
	}
}

// parts are the kinds of elements of a kind of page: their names with those of their attributes.
type parts map[string]map[string]bool

// injected makes a site with the texts in all places and gives what its pages are made of; where known is given, they must not have more.
func injected(t *testing.T, texts []string, known parts) parts {
	t.Helper()
	s := newSite(t)
	b := s.signedIn()
	gets, _ := routePatterns(t)
	found := parts{}
	look := func(r reply, kind, text string) {
		if r.StatusCode >= 500 {
			t.Errorf("%s with %q: status %d", r.Request.URL, text, r.StatusCode)
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			if got := r.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("%s: X-Content-Type-Options %q", r.Request.URL, got)
			}
			return
		}
		checkParts(t, r, kind, text, found, known)
	}
	for i, text := range texts {
		tree := registry.Path(fmt.Sprintf("/_system/governance/x%d", i))
		doc := tree + "/doc.md"
		s.inject(tree, doc, text)
		forms := map[string]bool{}
		for _, pattern := range gets {
			places := []registry.Path{doc, tree}
			if addressOf(pattern, doc) == addressOf(pattern, tree) {
				places = places[:1]
			}
			for _, p := range places {
				query := url.Values{"q": {text}, "tag": {text}, "name": {text}, "user": {text}, "to": {text}, "checkpoint": {text}, "type": {text}, "note": {text}, "action": {text}}
				for _, address := range []string{addressOf(pattern, p), addressOf(pattern, p) + "?" + query.Encode()} {
					r := b.get(address)
					look(r, pattern, text)
					for _, form := range formsOf(r) {
						if key := pattern + form.action; !forms[key] && !strings.Contains(address, "?") {
							forms[key] = true
							look(form.send(b, text), "form", text)
						}
					}
				}
			}
		}
		for name, content := range files(text) {
			s.put(tree+registry.Path("/"+name), "", content)
			look(b.get("/console/resource"+string(tree)+"/"+name), "/console/resource/{path...}", text)
			_, err := s.service.Put(t.Context(), s.admin, registry.PutInput{Path: tree + registry.Path("/"+name), Body: strings.NewReader(content + "\n" + text), Comment: text})
			if registry.CodeOf(err) == registry.CodeInvalid { // of a control character
				s.put(tree+registry.Path("/"+name), "", content+"\n"+text)
			}
			look(b.get("/console/diff"+string(tree)+"/"+name+"?version=2"), "/console/diff/{path...}", text)
		}
		look(b.get("/console/browse"+string(tree)), "/console/browse/{path...}", text)
		look(s.visitor().post("/console/sign-in", "user", text, "password", "x", "next", text), "sign-in", text)
		look(s.visitor().post("/console/edit"+string(doc), "text", text, "other", text), "expired", text)
	}
	return found
}

// inject puts a text wherever the service takes it about what is at doc; what it refuses stays as it is.
func (s *site) inject(tree, doc registry.Path, text string) {
	s.t.Helper()
	ctx := s.t.Context()
	refusable := func(err error) {
		s.t.Helper()
		if err != nil && statusOf(err) >= 500 {
			s.t.Errorf("%q: %v", text, err)
		}
	}
	s.put(doc, "text/markdown", text)
	s.put(doc, "text/markdown", text+"\n\n"+text)
	for name := range map[string]bool{text: true, strings.ReplaceAll(text, "/", "_"): true} {
		if p, err := registry.ParsePath(string(tree) + "/" + name); err == nil {
			_, err = s.service.Put(ctx, s.admin, registry.PutInput{Path: p, Body: strings.NewReader(text)})
			refusable(err)
		}
	}
	_, err := s.service.UpdateMeta(ctx, s.admin, registry.MetaInput{Path: doc, Description: &text, Comment: text, Properties: registry.Properties{"plain": {text, text}}})
	refusable(err)
	_, err = s.service.UpdateMeta(ctx, s.admin, registry.MetaInput{Path: doc, Properties: registry.Properties{text: {text}}})
	refusable(err)
	_, err = s.service.UpdateMeta(ctx, s.admin, registry.MetaInput{Path: tree, Description: &text})
	refusable(err)
	_, err = s.service.AddTags(ctx, s.admin, doc, []string{text})
	refusable(err)
	_, _, err = s.service.AddComment(ctx, s.admin, doc, text, 0)
	refusable(err)
	for _, in := range [][2]string{{text, string(tree)}, {"depends", text}, {"docs", string(tree)}} {
		_, _, _, err = s.service.Associate(ctx, s.admin, doc, in[0], in[1])
		refusable(err)
	}
	_, err = s.service.SetLabel(ctx, s.admin, registry.LabelInput{Path: doc, Name: text, Version: 1})
	refusable(err)
	_, err = s.service.SetCheckpoint(ctx, s.admin, registry.CheckpointInput{Path: tree, Name: text, Comment: text})
	refusable(err)
	_, err = s.service.SetCheckpoint(ctx, s.admin, registry.CheckpointInput{Path: tree, Name: "plain", Comment: text})
	refusable(err)
	// In the trash with its own name and description.
	s.put(tree+"/gone.txt", "", text)
	_, err = s.service.Delete(ctx, s.admin, tree+"/gone.txt", registry.Precondition{})
	must(s.t, err)
}

func statusOf(err error) int {
	if registry.CodeOf(err) == registry.CodeInternal {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// files are contents with a text in them, of each kind that a page reads.
func files(text string) map[string]string {
	quoted := fmt.Sprintf("%q", text)
	return map[string]string{
		"a.html": text, "a.svg": `<svg xmlns="http://www.w3.org/2000/svg">` + text + `</svg>`, "a.xml": `<?xml version="1.0"?><a b="` + text + `">` + text + `</a>`,
		"a.json": `{` + quoted + `:` + quoted + `}`, "a.yaml": "a: " + quoted + "\n# " + text + "\n", "a.md": "# " + text + "\n\n* " + text + "\n\n`" + text + "`\n\n[" + text + "](" + text + ")\n\n```" + text + "\n" + text + "\n```\n",
		"openapi.yaml": "openapi: 3.1.0\ninfo: {title: " + quoted + ", version: " + quoted + ", description: " + quoted + "}\nservers: [{url: " + quoted + "}]\npaths: {" + quoted + ": {get: {summary: " + quoted +
			", description: " + quoted + ", operationId: " + quoted + ", tags: [" + quoted + "], externalDocs: {url: " + quoted + "}, responses: {" + quoted + ": {description: " + quoted + "}}}}}\n",
		"a.wsdl": `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" name="` + html.EscapeString(text) + `"><documentation>` + html.EscapeString(text) + `</documentation><portType name="` + html.EscapeString(text) +
			`"><operation name="` + html.EscapeString(text) + `"/></portType><service name="` + html.EscapeString(text) + `"><port name="p"><address location="` + html.EscapeString(text) + `"/></port></service></definitions>`,
		"a.css": text, "a.js": text, "a.txt": text, "a.csv": text + "," + quoted, "a.pdf": "%PDF-1.4 " + text, "a.graphql": text,
	}
}

// checkParts compares what a page is made of with what is known of its kind.
func checkParts(t *testing.T, r reply, kind, text string, found, known parts) {
	t.Helper()
	if r.StatusCode >= 400 {
		kind = "refusal"
	}
	if found[kind] == nil {
		found[kind] = map[string]bool{}
	}
	for n := range r.doc().Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		var names []string
		for _, a := range n.Attr {
			names = append(names, a.Key)
			checkAttribute(t, r, n.Data, a, text)
		}
		slices.Sort(names)
		part := n.Data + " " + strings.Join(names, " ")
		found[kind][part] = true
		if known == nil {
			continue
		}
		if !known[kind][part] && !known["refusal"][part] {
			t.Errorf("%s %s with %q: the page has <%s>, which it has not with harmless texts", r.Request.Method, r.Request.URL.Path, text, part)
			found[kind][part], known[kind][part] = true, true // told once
		}
	}
}

// checkAttribute refuses handlers, and addresses that run something or load from elsewhere.
func checkAttribute(t *testing.T, r reply, element string, a html.Attribute, text string) {
	t.Helper()
	where := fmt.Sprintf("%s %s with %q: <%s %s=%q>", r.Request.Method, r.Request.URL.Path, text, element, a.Key, a.Val)
	if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || a.Key == "http-equiv" {
		t.Error(where)
	}
	if !slices.Contains([]string{"href", "src", "action", "formaction", "data", "poster", "background", "cite", "srcset", "xlink:href", "ping"}, a.Key) {
		return
	}
	// What browsers make of an address before they look at its scheme.
	address := strings.ToLower(strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(strings.TrimFunc(a.Val, func(r rune) bool { return r <= ' ' })))
	leads := element == "a" && a.Key == "href"
	switch {
	case leads && address == "": // Markdown's, of an address that it refuses
	case strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") && !strings.HasPrefix(address, `/\`), strings.HasPrefix(address, "#"), strings.HasPrefix(address, "?"):
	case leads && (strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "mailto:")):
	default:
		t.Error(where)
	}
}

// form is a form of a page that somebody may fill in.
type form struct {
	action string
	file   bool
	fixed  []string // names and values that the page gives
	free   []string // names of fields for text
}

// endings are actions that would end the visit, or what the test is about.
var endings = regexp.MustCompile(`/console/(sign-out|sign-in|theme|delete|purge|account/(password|end-session)|permissions|retention|restore)`)

// formsOf are the forms of a page that send something and end nothing.
func formsOf(r reply) []form {
	var all []form
	for n := range r.doc().Descendants() {
		if n.Data != "form" || attr(n, "method") != "post" || endings.MatchString(attr(n, "action")) {
			continue
		}
		f := form{action: attr(n, "action")}
		buttons := false
		for d := range n.Descendants() {
			name, kind := attr(d, "name"), attr(d, "type")
			switch {
			case d.Data == "button" && name != "" && !buttons && attr(d, "value") != "delete":
				f.fixed, buttons = append(f.fixed, name, attr(d, "value")), true
			case d.Data == "input" && kind == "file":
				f.file = true
			case name == "" || d.Data == "button" || d.Data == "select" || kind == "checkbox" || kind == "radio":
			case kind == "hidden" || kind == "number" || kind == "password":
				f.fixed = append(f.fixed, name, attr(d, "value"))
			default:
				f.free = append(f.free, name)
			}
		}
		all = append(all, f)
	}
	return all
}

// send fills in the form with a text in every field for text.
func (f form) send(b *browser, text string) reply {
	b.s.t.Helper()
	pairs := slices.Clone(f.fixed)
	for _, name := range f.free {
		pairs = append(pairs, name, text)
	}
	if f.file {
		return b.upload(f.action, text, text, pairs...)
	}
	return b.post(f.action, pairs...)
}
