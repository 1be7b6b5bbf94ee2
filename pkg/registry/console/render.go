package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

//go:embed templates
var templateFiles embed.FS

// frame is what every page's template gets: what the layout shows around the page, and the page's own part.
type frame struct {
	Title    string
	User     string // "" leaves out everything that only somebody who signed in may use
	Node     string
	Theme    string // "light", "dark" or "" for what the browser prefers
	Display  display
	Here     string // the address of this page, for forms that lead back to it
	Section  string // which entry of the navigation is the current one
	Location string // what stands in the location box
	Places   []place
	Note     string // what the change before this page did
	Page     any

	Recent *registry.Resource // what this page is about, for the browser to remember

	SeesServer   bool // may look at members, stores and mounts
	ManagesUsers bool
	Governs      bool // may give permissions on the root
	MakesHooks   bool // may make webhooks
	BacksUp      bool // may make backups
}

// place is an entry of the navigation that leads into the tree.
type place struct {
	Label, Href, Icon string
	Path              registry.Path
	Private           bool // every node has its own
	Current           bool
}

// parsePages parses every page with the layout and the partials around it.
func (c *console) parsePages() (map[string]*template.Template, error) {
	base := template.New("layout").Funcs(c.funcs())
	if err := c.parse(base, "templates/layout/*.html", "templates/partials/*.html"); err != nil {
		return nil, fmt.Errorf("console: templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("console: templates: %w", err)
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		t, err := base.Clone()
		if err == nil {
			err = c.parse(t, name)
		}
		if err != nil {
			return nil, fmt.Errorf("console: templates: %w", err)
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return pages, nil
}

// parse adds the templates of files, with the texts of the console's language.
func (c *console) parse(to *template.Template, patterns ...string) error {
	for _, pattern := range patterns {
		names, err := fs.Glob(templateFiles, pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			source, err := templateFiles.ReadFile(name)
			if err != nil {
				return err
			}
			text, err := c.Texts.Template(string(source))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if _, err := to.New(path.Base(name)).Parse(text); err != nil {
				return err
			}
		}
	}
	return nil
}

// say is a text in the console's language; see the method of that name of package texts.
func (c *console) say(format string, args ...any) string { return c.Texts.Say(format, args...) }

// count is a number with what it counts, in the console's language.
func (c *console) count(n int, one, many string) string { return c.Texts.Count(int64(n), one, many) }

// countOf is count for what [counted] marked.
func (c *console) countOf(n int64, what texts.Counted) string {
	return c.Texts.Count(n, what.One, what.Many)
}

// messageOf is the message of an error, in the console's language.
func (c *console) messageOf(err error) string { return registry.MessageIn(err, c.Texts.Text) }

// sentence is the message of an error as a sentence, in the console's language.
func (c *console) sentence(err error) string { return c.say("%s.", capitalize(c.messageOf(err))) }

// mark says of a text in a table that it belongs to the catalogue; who shows it asks say for it.
func mark(text string) string { return text }

// counted is mark for what is counted.
func counted(one, many string) texts.Counted { return texts.Counted{One: one, Many: many} }

// funcs are the functions that templates may call.
func (c *console) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":       c.assets.url,
		"icon":        c.icon,
		"entryIcon":   entryIcon,
		"link":        link,
		"pageOf":      pageOf,
		"chartAlt":    c.chartAlt,
		"escaped":     escapePath,
		"query":       query,
		"partPage":    func(p part, from int) (template.URL, error) { return p.page(from) },
		"matrixPage":  func(v permissionsView, from int) (template.URL, error) { return v.page(v.Resource.Path, from) },
		"size":        formatSize,
		"count":       texts.Number,
		"ago":         formatTime,
		"moment":      formatMoment,
		"since":       func(t timeValue) string { return c.formatSpan(c.Now().Sub(t)) },
		"short":       func(h registry.Hash) string { return h.String()[:12] },
		"isImage":     isImage,
		"isMarkdown":  isMarkdown,
		"deed":        deed,
		"gone":        gone,
		"isWeb":       isWeb,
		"plural":      c.Texts.Count,
		"plurals":     c.count,
		"say":         c.say,
		"language":    c.Texts.Language,
		"levelName":   func(l slog.Level) string { return c.say(levelName(l)) },
		"levelClass":  levelClass,
		"add":         func(a, b int) int { return a + b },
		"once":        newOnce,
		"maxEditable": func() int64 { return maxEditable },
		"after":       func(version int64) int64 { return version + 1 },
	}
}

// icon draws a picture of the sprite; the words beside it say what it means.
func (c *console) icon(name string) (template.HTML, error) {
	sprite, err := c.assets.url("icons.svg")
	//nolint:gosec // name is written in our templates
	return template.HTML(`<svg class="icon" aria-hidden="true" focusable="false"><use href="` + sprite + `#` + name + `"></use></svg>`), err
}

// entryIcon chooses the picture for a resource or collection.
func entryIcon(r registry.Resource) string {
	t := r.Meta.MediaType
	switch {
	case r.Kind == registry.KindCollection && r.Mount:
		return "mount"
	case r.Kind == registry.KindCollection:
		return "folder"
	case r.Kind == registry.KindLink:
		return "next"
	case strings.HasPrefix(t, "image/"):
		return "image"
	case strings.Contains(t, "zip"), strings.Contains(t, "java-archive"), strings.Contains(t, "tar"):
		return "archive"
	case strings.HasPrefix(t, "text/") && !isCode(t):
		return "text"
	case isCode(t):
		return "code"
	}
	return "file"
}

// isCode tells of media types that programs read and people edit.
func isCode(t string) bool {
	for _, word := range []string{"xml", "json", "yaml", "script", "graphql", "protobuf"} {
		if strings.Contains(t, word) {
			return true
		}
	}
	return false
}

// soundsLikeText guesses from the media type alone whether a content is a text.
func soundsLikeText(t string) bool { return strings.HasPrefix(t, "text/") || isCode(t) }

// render writes a page. It writes nothing when the template fails.
func (c *console) render(w http.ResponseWriter, status int, name string, f frame) error {
	t, ok := c.pages[name]
	if !ok {
		return fmt.Errorf("console: no page %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", f); err != nil {
		return fmt.Errorf("console: page %s: %w", name, err)
	}
	page := c.timesAt(b.Bytes(), f.Display.place, c.Now())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, _ = w.Write(page) // fails only when the browser is gone
	return nil
}

// frame fills in what the layout shows.
func (c *console) frame(r *http.Request, a registry.Actor, title string) frame {
	f := frame{Title: title, User: a.User, Node: c.Node, Theme: themeOf(r), Display: displayOf(r), Here: "/console/", Note: c.say(notes[r.URL.Query().Get("note")])}
	if r.Method == http.MethodGet {
		f.Here = here(r)
	}
	if f.User != "" {
		f.Places = c.places(r, a)
		f.SeesServer, f.ManagesUsers = a.Holds(registry.GrantServer), a.Holds(registry.GrantUsers)
		f.Governs = c.Service.Authorize(r.Context(), a, registry.RightAuthorize, registry.Root) == nil
		f.MakesHooks = a.Holds(registry.GrantWebhooks)
		_, err := c.Service.Backups(a)
		f.BacksUp = err == nil
	}
	return f
}

// here is the address of a page, without the note about the change before it.
func here(r *http.Request) string {
	q := r.URL.Query()
	q.Del("note")
	address, _, _ := strings.Cut(r.URL.RequestURI(), "?")
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	return address
}

// at marks where in the tree a page is.
func (f frame) at(p registry.Path) frame {
	f.Section, f.Location = "browse", p.String()
	best := -1
	for i, pl := range f.Places {
		if pl.Path.Covers(p) && (best < 0 || len(pl.Path) >= len(f.Places[best].Path)) {
			best = i
		}
	}
	if best >= 0 {
		f.Places[best].Current = true
	}
	return f
}

// places are the root and the mount points that the user may read.
func (c *console) places(r *http.Request, a registry.Actor) []place {
	places := []place{{Label: c.say("Root"), Href: link("browse", registry.Root), Icon: "folder", Path: registry.Root}}
	for _, m := range c.Service.Mounts().All() {
		if m.Path.IsRoot() || c.Service.Authorize(r.Context(), a, registry.RightRead, m.Path) != nil {
			continue
		}
		places = append(places, place{
			Label: m.Path.Name(), Href: link("browse", m.Path), Icon: placeIcon(m.Path.Name()), Path: m.Path, Private: c.isPrivate(m.Path),
		})
	}
	return places
}

// placeIcon knows the mounts that every registry of this kind has.
func placeIcon(name string) string {
	switch name {
	case "config":
		return "sliders"
	case "governance":
		return "shield"
	case "local":
		return "disk"
	}
	return "mount"
}
