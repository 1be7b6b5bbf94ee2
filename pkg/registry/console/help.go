package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// shortcut is a key, or one after the other, and what it does.
type shortcut struct{ Keys, Does string }

// shortcutGroup is the shortcuts for one purpose.
type shortcutGroup struct {
	Title string
	Keys  []shortcut
}

// shortcutsView is the page that explains the keys. static/console.js/50-keys.js does what it says.
type shortcutsView struct {
	Groups []shortcutGroup
	On     bool
}

func (c *console) shortcuts(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	f := c.frame(r, a, "Keyboard shortcuts")
	v := shortcutsView{On: f.Display.Keys, Groups: []shortcutGroup{
		{"Everywhere", []shortcut{
			{"/", "Search, or go to a path"},
			{"?", "Show these shortcuts"},
			{"Esc", "Close a menu or this list"},
			{"g h", "Overview"},
			{"g b", "Browse from the root"},
			{"g s", "Starred"},
			{"g f", "Search page"},
			{"g t", "Tags"},
			{"g a", "Activity"},
			{"g m", "My account"},
		}},
		{"In lists", []shortcut{
			{"j", "Next entry"}, {"k", "Previous entry"}, {"Enter", "Open it"}, {"n", "Next page"}, {"p", "Previous or first page"},
		}},
		{"On a resource or collection", []shortcut{
			{"e", "Edit"},
			{".", "More actions"},
			{"s", "Star, or take the star away"},
			{"u", "Up to the collection that it is in"},
			{"Ctrl+Enter", "Save, while writing a text"},
		}},
	}}
	if f.ManagesUsers {
		v.Groups[0].Keys = append(v.Groups[0].Keys, shortcut{"g u", "Users"}, shortcut{"g r", "Roles"})
	}
	if f.Governs {
		v.Groups[0].Keys = append(v.Groups[0].Keys, shortcut{"g p", "Permissions"})
	}
	if f.SeesServer {
		v.Groups[0].Keys = append(v.Groups[0].Keys, shortcut{"g c", "Cluster"}, shortcut{"g d", "Doctor"})
	}
	f.Page = v
	return c.render(w, http.StatusOK, "shortcuts", f)
}
