package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	homeEvents  = 60 // that are looked at for each list
	homeChanges = 10 // that a list shows
)

// homeView is the first page: what changed lately, what its reader did, and how the cluster is.
type homeView struct {
	Lately, Mine []registry.Event // one for each path, newest first

	Stars     []registry.Star // the newest
	MoreStars bool

	SeesCluster   bool
	Total, Active int // members of the cluster, without load balancers
	Balancers     int
}

// home shows what whoever signs in looks for first.
func (c *console) home(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	var v homeView
	var err error
	if v.Lately, err = c.latest(r, a, ""); err != nil {
		return err
	}
	if v.Mine, err = c.latest(r, a, a.User); err != nil {
		return err
	}
	if v.Stars, err = c.Service.Stars(r.Context(), a, homeStars+1); err != nil {
		return err
	}
	if v.MoreStars = len(v.Stars) > homeStars; v.MoreStars {
		v.Stars = v.Stars[:homeStars]
	}
	if v.SeesCluster = a.Holds(registry.GrantServer); v.SeesCluster {
		for _, m := range c.Members() {
			switch {
			case m.Balancer:
				v.Balancers++
			case m.State == "active":
				v.Total, v.Active = v.Total+1, v.Active+1
			default:
				v.Total++
			}
		}
	}
	f := c.frame(r, a, c.say("Overview"))
	f.Section, f.Page = "home", v
	return c.render(w, http.StatusOK, "home", f)
}

// latest reads the newest change of each path, of one user or of all. Who may not read the root has no such list.
func (c *console) latest(r *http.Request, a registry.Actor, user string) ([]registry.Event, error) {
	list, err := c.Service.Activity(r.Context(), a, registry.ActivityInput{Path: registry.Root, User: user, Limit: homeEvents})
	if code := registry.CodeOf(err); code == registry.CodeDenied || code == registry.CodeConflict {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	seen := map[registry.Path]bool{}
	var latest []registry.Event
	for _, e := range list.Events {
		if e.Path == "" || seen[e.Path] || len(latest) == homeChanges {
			continue
		}
		seen[e.Path] = true
		latest = append(latest, e)
	}
	return latest, nil
}

// deeds are the actions of events in words that follow a name; others are told as they are.
var deeds = map[string]string{
	"create": mark("created"), "update": mark("changed"), "delete": mark("deleted"), "move": mark("moved"), "copy": mark("copied"), "leave": mark("moved away"),
	"undelete": mark("put back"), "purge": mark("deleted for good"), "rate": mark("rated"), "tag": mark("tagged"), "untag": mark("took a tag from"),
	"comment": mark("commented on"), "edit_comment": mark("edited a comment on"), "delete_comment": mark("deleted a comment on"),
	"associate": mark("associated"), "dissociate": mark("removed an association of"), "label": mark("labelled"), "unlabel": mark("removed a label of"),
	"checkpoint": mark("made a checkpoint of"), "delete_checkpoint": mark("removed a checkpoint of"), "permissions": mark("set the permissions of"),
	"retain": mark("set the retention of"), "prune": mark("removed old versions of"),
}

func deed(action string) string {
	if words, ok := deeds[action]; ok {
		return words
	}
	return action
}

// gone tells of actions after which nothing is at the path.
func gone(action string) bool {
	switch action {
	case "delete", "purge", "leave":
		return true
	}
	return false
}
