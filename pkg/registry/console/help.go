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
	f := c.frame(r, a, c.say("Keyboard shortcuts"))
	say := c.say
	v := shortcutsView{On: f.Display.Keys, Groups: []shortcutGroup{
		{say("Everywhere"), []shortcut{
			{"/", say("Search, or go to a path")},
			{"?", say("Show these shortcuts")},
			{"Esc", say("Close a menu or this list")},
			{"g h", say("Overview")},
			{"g b", say("Browse from the root")},
			{"g s", say("Starred")},
			{"g f", say("Search page")},
			{"g t", say("Tags")},
			{"g a", say("Activity")},
			{"g m", say("My account")},
		}},
		{say("In lists"), []shortcut{
			{"j", say("Next entry")}, {"k", say("Previous entry")}, {"Enter", say("Open it")}, {"n", say("Next page")}, {"p", say("Previous or first page")},
		}},
		{say("On a resource or collection"), []shortcut{
			{"e", say("Edit")},
			{".", say("More actions")},
			{"s", say("Star, or take the star away")},
			{"u", say("Up to the collection that it is in")},
			{"Ctrl+Enter", say("Save, while writing a text")},
		}},
	}}
	if f.ManagesUsers {
		v.Groups[0].Keys = append(v.Groups[0].Keys, shortcut{"g u", say("Users")}, shortcut{"g r", say("Roles")})
	}
	if f.Governs {
		v.Groups[0].Keys = append(v.Groups[0].Keys, shortcut{"g p", say("Permissions")})
	}
	if f.SeesServer {
		v.Groups[0].Keys = append(v.Groups[0].Keys, shortcut{"g c", say("Cluster")}, shortcut{"g d", say("Doctor")})
	}
	f.Page = v
	return c.render(w, http.StatusOK, "shortcuts", f)
}
