package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// moveView is the form that gives something another place, or makes a copy of it there.
type moveView struct {
	head
	ETag  string
	To    string
	Copy  bool
	Pick  *pickerView
	Error string
}

// itself reads what the address names: a link itself, not what it leads to.
func (c *console) itself(r *http.Request, a registry.Actor) (registry.Resource, error) {
	p, err := pathOf(r)
	if err != nil {
		return registry.Resource{}, err
	}
	return c.Service.Look(r.Context(), a, p, registry.Freshness{})
}

func (c *console) moveForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	res, err := c.itself(r, a)
	if err != nil {
		return err
	}
	v := moveView{head: c.headOf(r, res, "", res.Version), ETag: res.ETag(), To: res.Path.String()}
	return c.show(w, r, a, http.StatusOK, "move", c.say("Move %s", v.Name()), v.head, v)
}

// move takes what the address names to the place that the form says, if it is still what the page showed.
func (c *console) move(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	res, err := c.itself(r, a)
	if err != nil {
		return err
	}
	v := moveView{
		head: c.headOf(r, res, "", res.Version), ETag: res.ETag(), To: strings.TrimSpace(r.PostForm.Get("new_path")), Copy: r.PostForm.Get("do") == "copy",
	}
	if at, cursor, picks, err := picked(r); picks {
		if err == nil {
			v.To = under(at, res.Path.Name())
			v.Pick, err = c.picker(r.Context(), a, at, cursor, false)
		}
		if err != nil {
			return err
		}
		return c.show(w, r, a, http.StatusOK, "move", c.say("Move %s", v.Name()), v.head, v)
	}
	to, err := registry.ParsePath(v.To)
	if err == nil {
		in := registry.MoveInput{From: res.Path, To: to, If: ifMatch(r)}
		var done registry.PutResult
		note := "moved"
		if v.Copy {
			note = "copied"
			done, err = c.Service.Copy(r.Context(), oncePerForm(r, a), in)
		} else {
			done, err = c.Service.Move(r.Context(), a, in)
		}
		if err == nil {
			toPage(w, pageOf(done.Resource), note)
			return nil
		}
	}
	v.Error = c.formError(r, a, err)
	return c.show(w, r, a, statusOf(err), "move", c.say("Move %s", v.Name()), v.head, v)
}

// linkView is the form for a new link in the collection of its head.
type linkView struct {
	createView
	Target string
	Pick   *pickerView
}

func (c *console) newLinkForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.collection(r, a)
	if err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "new-link", c.say("New link"), v.head, linkView{createView: v})
}

func (c *console) newLink(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	in, err := c.collection(r, a)
	if err != nil {
		return err
	}
	in.fill(r)
	v := linkView{createView: in, Target: strings.TrimSpace(r.PostForm.Get("target"))}
	if at, cursor, picks, err := picked(r); picks {
		if err == nil {
			v.Target = at.String()
			v.Pick, err = c.picker(r.Context(), a, at, cursor, true)
		}
		if err != nil {
			return err
		}
		return c.show(w, r, a, http.StatusOK, "new-link", c.say("New link"), v.head, v)
	}
	p, err := v.child()
	if err == nil {
		var target registry.Path
		if target, err = registry.ParsePath(v.Target); err == nil {
			_, err = c.Service.Link(r.Context(), oncePerForm(r, a), registry.LinkInput{Path: p, Target: target, If: nothingThere})
		}
	}
	if err == nil {
		toPage(w, link("browse", p.Parent()), "created")
		return nil
	}
	v.Error = c.createError(r, a, p, err)
	return c.show(w, r, a, statusOf(err), "new-link", c.say("New link"), v.head, v)
}
