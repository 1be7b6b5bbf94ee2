package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

//go:embed templates
var templateFiles embed.FS

// frame is what every page's template gets: what the layout shows around the page, and the page's own part.
type frame struct {
	Title    string
	User     string // "" leaves out everything that only somebody who signed in may use
	Node     string
	Theme    string // "light", "dark" or "" for what the browser prefers
	Here     string // the address of this page, for forms that lead back to it
	Section  string // which entry of the navigation is the current one
	Location string // what stands in the location box
	Places   []place
	Note     string // what the change before this page did
	Page     any

	SeesServer   bool // may look at members, stores and mounts
	ManagesUsers bool
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
	base, err := template.New("layout").Funcs(c.funcs()).ParseFS(templateFiles, "templates/layout/*.html", "templates/partials/*.html")
	if err != nil {
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
			t, err = t.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("console: templates: %w", err)
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return pages, nil
}

// funcs are the functions that templates may call.
func (c *console) funcs() template.FuncMap {
	return template.FuncMap{
		"asset":     c.assets.url,
		"icon":      c.icon,
		"entryIcon": entryIcon,
		"link":      link,
		"pageOf":    pageOf,
		"escaped":   escapePath,
		"query":     query,
		"size":      formatSize,
		"count":     formatCount,
		"ago":       func(t timeValue) template.HTML { return formatTime(t, c.Now()) },
		"since":     func(t timeValue) string { return formatSpan(c.Now().Sub(t)) },
		"short":     func(h registry.Hash) string { return h.String()[:12] },
		"isImage":   isImage,
		"isWeb":     isWeb,
		"plural":    plural[int64],
		"plurals":   plural[int],
		"add":       func(a, b int) int { return a + b },
		"after":     func(version int64) int64 { return version + 1 },
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
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // fails only when the browser is gone
	return nil
}

// frame fills in what the layout shows.
func (c *console) frame(r *http.Request, a registry.Actor, title string) frame {
	f := frame{Title: title, User: a.User, Node: c.Node, Theme: themeOf(r), Here: "/console/", Note: notes[r.URL.Query().Get("note")]}
	if r.Method == http.MethodGet {
		q := r.URL.Query()
		q.Del("note")
		f.Here, _, _ = strings.Cut(r.URL.RequestURI(), "?")
		if len(q) > 0 {
			f.Here += "?" + q.Encode()
		}
	}
	if f.User != "" {
		f.Places = c.places(r, a)
		f.SeesServer, f.ManagesUsers = a.Holds(registry.GrantServer), a.Holds(registry.GrantUsers)
	}
	return f
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
	places := []place{{Label: "Root", Href: link("browse", registry.Root), Icon: "home", Path: registry.Root}}
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

// notes are what a page may say about the change before it, by the note parameter. Nothing else of the parameter is shown.
var notes = map[string]string{
	"saved":            "Saved as a new version.",
	"unchanged":        "Nothing changed: the same was there already, so no new version was made.",
	"created":          "Created.",
	"uploaded":         "Uploaded.",
	"described":        "Details saved.",
	"property-saved":   "Property saved.",
	"property-removed": "Property removed. An older version still has it.",
	"restored":         "Restored as a new version.",
	"tagged":           "Tags added.",
	"untagged":         "Tag removed.",
	"rated":            "Rating saved.",
	"commented":        "Comment added.",
	"comment-edited":   "Comment saved.",
	"comment-deleted":  "Comment deleted.",
	"associated":       "Association added.",
	"dissociated":      "Association removed.",
	"deleted":          "Deleted. It is in the trash, from where it can come back.",
	"moved":            "Moved.",
	"copied":           "Copied.",
	"undeleted":        "Put back.",
	"purged":           "Deleted for good.",
	"search-saved":     "Search saved.",
	"search-forgotten": "Search forgotten.",
	"labelled":         "Label set.",
	"unlabelled":       "Label removed. The version is still there.",
	"signed-out":       "You are signed out.",

	"permissions-saved": "Permissions saved. They count at once, on every node.",
	"profile-saved":     "Profile saved.",
	"password-changed":  "Password changed. Your other sessions have ended.",
	"token-revoked":     "Token revoked.",
	"session-ended":     "Session ended.",
	"user-created":      "User created.",
	"user-saved":        "User saved.",
	"user-deleted":      "User removed.",
	"role-created":      "Role created.",
	"role-saved":        "Role saved.",
	"role-deleted":      "Role removed.",
}
