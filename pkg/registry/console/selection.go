package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// maxSelected is how many entries one page changes: what one transaction takes.
const maxSelected = registry.MaxBatchSteps

// selectionDeeds are what can be done with selected entries: the right that each entry needs, how it is offered, asked for and reads when it is done, and
// what who may do it with none of them is told.
var selectionDeeds = map[string]struct {
	right                              registry.Right
	offer, ask, done, doneSome, denied string
}{
	"delete": {
		registry.RightDelete, mark("Delete %s"), mark("Delete %s?"), mark("Deleted"), mark("Deleted %d of %d"),
		mark("you may not delete any of the selected entries, or they are not there any more"),
	},
	"move": {
		registry.RightDelete, mark("Move %s"), mark("Move %s"), mark("Moved"), mark("Moved %d of %d"),
		mark("you may not move any of the selected entries, or they are not there any more"),
	},
	"copy": {
		registry.RightRead, mark("Copy %s"), mark("Copy %s"), mark("Copied"), mark("Copied %d of %d"),
		mark("you may not copy any of the selected entries, or they are not there any more"),
	},
	"tag": {
		registry.RightRead, mark("Tag %s"), mark("Tag %s"), mark("Tagged"), mark("Tagged %d of %d"),
		mark("you may not tag any of the selected entries, or they are not there any more"),
	},
}

// selectionView asks whether a change of several entries of a collection is meant, and says what it would do.
type selectionView struct {
	head
	Do         string
	Offer, Ask string // "Delete 3 entries", "Delete 3 entries?"
	Items      []registry.Resource
	Refused    []outcomeOf // entries that the change leaves alone
	Going      goingView   // only before a deletion
	To         string      // the collection that they go to
	Tags       string
	Pick       *pickerView
	Error      string

	etags map[string]string // of the entries, as the page that was sent showed them
}

// outcomeOf says of one entry what became of it.
type outcomeOf struct {
	Name  string
	Place *registry.Resource // where it is now; nil when there is nothing to lead to
	Error string             // why it was left alone
}

// selectionDone tells of each entry what became of it, where not all could be done at once.
type selectionDone struct {
	head
	Done     string // "Deleted 2 of 3"
	Outcomes []outcomeOf
}

// selection is about entries that were ticked in a list: it asks first, and does it when that page is sent.
func (c *console) selection(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	v, err := c.selected(r, a)
	if err != nil {
		return err
	}
	at, cursor, picks, err := picked(r)
	if picks {
		if err != nil {
			return err
		}
		v.To = at.String()
		if v.Pick, err = c.picker(r.Context(), a, at, cursor, false); err != nil {
			return err
		}
		return c.askSelection(w, r, a, v, nil)
	}
	if r.PostForm.Get("sure") == "" {
		return c.askSelection(w, r, a, v, nil)
	}
	var outcomes []outcomeOf
	switch v.Do {
	case "delete":
		err = c.deleteSelected(r, a, v)
	case "tag":
		outcomes, err = c.tagSelected(r, a, v)
	default:
		outcomes, err = c.transferSelected(r, a, v)
	}
	if err != nil {
		return c.askSelection(w, r, a, v, err)
	}
	return c.selectionDone(w, r, a, v, outcomes)
}

// selected reads the entries that a form names.
func (c *console) selected(r *http.Request, a registry.Actor) (selectionView, error) {
	res, err := c.find(r, a)
	if err != nil {
		return selectionView{}, err
	}
	form := r.PostForm
	v := selectionView{
		head: c.headOf(r, res, "entries", res.Version), Do: form.Get("do"), To: strings.TrimSpace(form.Get("to")), Tags: form.Get("tags"),
		etags: map[string]string{},
	}
	deed, ok := selectionDeeds[v.Do]
	names, etags := form["name"], form["etag"]
	switch {
	case !ok:
		return v, registry.Errorf(registry.CodeInvalid, "%q cannot be done with several entries; delete, move, copy and tag can", v.Do)
	case len(names) == 0:
		return v, registry.Errorf(registry.CodeInvalid, "nothing was selected; go back and tick the boxes of some entries first")
	case len(names) > maxSelected:
		return v, registry.Errorf(registry.CodeInvalid, "%d entries were selected; at most %d can be changed at once. Go back and select fewer, or change the collection they are in",
			len(names), maxSelected)
	}
	for i, name := range names {
		if len(etags) == len(names) {
			v.etags[name] = etags[i]
		}
		item, err := c.entry(r, a, res.Path, name, deed.right)
		switch code := registry.CodeOf(err); {
		case err == nil:
			v.Items = append(v.Items, item)
		case len(names) == 1, code == registry.CodeUnavailable, code == registry.CodeInternal, code == registry.CodeCanceled:
			return v, err
		default:
			v.Refused = append(v.Refused, outcomeOf{Name: name, Error: c.sentence(err)})
		}
	}
	if len(v.Items) == 0 {
		return v, &registry.Error{Code: registry.CodeDenied, Message: deed.denied}
	}
	entries := c.count(len(v.Items), "entry", "entries")
	v.Offer, v.Ask = c.say(deed.offer, entries), c.say(deed.ask, entries)
	return v, nil
}

// entry reads one entry of a collection that is to be changed.
func (c *console) entry(r *http.Request, a registry.Actor, above registry.Path, name string, right registry.Right) (registry.Resource, error) {
	p, err := above.Join(name)
	if err != nil {
		return registry.Resource{}, err
	}
	if p.Parent() != above {
		return registry.Resource{}, registry.Errorf(registry.CodeInvalid, "%q is no name of an entry", name)
	}
	item, err := c.Service.Look(r.Context(), a, p, registry.Freshness{})
	if err != nil {
		return item, err
	}
	if err := c.Service.Authorize(r.Context(), a, right, p); err != nil {
		return item, err
	}
	if item.Mount {
		return item, registry.Errorf(registry.CodeConflict, "%s is a mount point, or leads to one", p)
	}
	return item, nil
}

// askSelection shows the page that asks, with what the change would do.
func (c *console) askSelection(w http.ResponseWriter, r *http.Request, a registry.Actor, v selectionView, failed error) error {
	if v.Do == "delete" {
		paths := make([]registry.Path, len(v.Items))
		for i, item := range v.Items {
			paths[i] = item.Path
		}
		var err error
		if v.Going, err = c.going(r, a, paths...); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if failed != nil {
		c.logFault(r, a, failed)
		v.Error, status = c.say("Nothing was changed: %s.", c.messageOf(failed)), statusOf(failed)
	}
	return c.show(w, r, a, status, "selection", v.Offer, v.head, v)
}

// condition is that an entry is still what the page showed that was sent.
func (v selectionView) condition(item registry.Resource) registry.Precondition {
	if tag := v.etags[item.Path.Name()]; tag != "" {
		return registry.Precondition{Match: []string{tag}}
	}
	return registry.Precondition{}
}

// deleteSelected deletes all of them or none.
func (c *console) deleteSelected(r *http.Request, a registry.Actor, v selectionView) error {
	steps := make([]registry.Step, len(v.Items))
	for i, item := range v.Items {
		steps[i] = registry.DeleteStep(item.Path, v.condition(item))
	}
	_, _, err := c.Service.Batch(r.Context(), a, steps)
	return err
}

// transferSelected moves or copies them: all or none where one transaction can, else one after the other, and then tells of each.
func (c *console) transferSelected(r *http.Request, a registry.Actor, v selectionView) ([]outcomeOf, error) {
	to, err := registry.ParsePath(v.To)
	if err != nil {
		return nil, err
	}
	inputs := make([]registry.MoveInput, len(v.Items))
	steps := make([]registry.Step, len(v.Items))
	for i, item := range v.Items {
		in := registry.MoveInput{From: item.Path, If: v.condition(item)}
		if in.To, err = to.Join(item.Path.Name()); err != nil {
			return nil, err
		}
		inputs[i], steps[i] = in, registry.MoveStep(in)
		if v.Do == "copy" {
			steps[i] = registry.CopyStep(in)
		}
	}
	if c.atOnce(v, to) {
		_, _, err = c.Service.Batch(r.Context(), a, steps)
		return nil, err
	}
	outcomes := make([]outcomeOf, len(inputs))
	for i, in := range inputs {
		change := c.Service.Move
		if v.Do == "copy" {
			change = c.Service.Copy
		}
		res, err := change(r.Context(), a, in)
		outcomes[i] = c.became(r, a, v.Items[i], res.Resource, err)
	}
	return outcomes, nil
}

// atOnce tells whether one transaction can do it: within one store, and no copy of a whole collection, which may be too large for that.
func (c *console) atOnce(v selectionView, to registry.Path) bool {
	there, _, covered := c.Service.Mounts().Resolve(to)
	for _, item := range v.Items {
		here, _, ok := c.Service.Mounts().Resolve(item.Path)
		if ok && covered && here.Store != there.Store || v.Do == "copy" && item.Kind == registry.KindCollection {
			return false
		}
	}
	return true
}

// tagSelected gives each of them the tags.
func (c *console) tagSelected(r *http.Request, a registry.Actor, v selectionView) ([]outcomeOf, error) {
	tags := registry.SplitTags(v.Tags)
	if len(tags) == 0 {
		return nil, registry.Errorf(registry.CodeInvalid, "no tag was written")
	}
	outcomes := make([]outcomeOf, len(v.Items))
	for i, item := range v.Items {
		_, err := c.Service.AddTags(r.Context(), a, item.Path, tags)
		if i == 0 && registry.CodeOf(err) == registry.CodeInvalid {
			return nil, err // what is wrong with the tags is so for all
		}
		outcomes[i] = c.became(r, a, item, item, err)
	}
	return outcomes, nil
}

// became says what became of one entry.
func (c *console) became(r *http.Request, a registry.Actor, item, now registry.Resource, err error) outcomeOf {
	if err != nil {
		c.logFault(r, a, err)
		return outcomeOf{Name: item.Path.Name(), Error: c.sentence(err)}
	}
	return outcomeOf{Name: item.Path.Name(), Place: &now}
}

// selectionDone leads on when all is done, and otherwise shows what became of each.
func (c *console) selectionDone(w http.ResponseWriter, r *http.Request, a registry.Actor, v selectionView, outcomes []outcomeOf) error {
	good := 0
	for _, o := range outcomes {
		if o.Error == "" {
			good++
		}
	}
	if good == len(outcomes) && len(v.Refused) == 0 {
		notes := map[string]string{"delete": "deleted-some", "move": "moved", "copy": "copied", "tag": "tagged"}
		at := v.Resource.Path
		if v.Do == "move" || v.Do == "copy" {
			at, _ = registry.ParsePath(v.To) // it was parsed before
		}
		toPage(w, link("browse", at), notes[v.Do])
		return nil
	}
	if len(outcomes) == 0 { // done at once
		for _, item := range v.Items {
			outcomes, good = append(outcomes, outcomeOf{Name: item.Path.Name()}), good+1
		}
	}
	outcomes = append(outcomes, v.Refused...)
	deed := selectionDeeds[v.Do]
	done := selectionDone{head: v.head, Done: c.say(deed.doneSome, good, len(outcomes)), Outcomes: outcomes}
	return c.show(w, r, a, http.StatusOK, "selection-done", c.say(deed.done), v.head, done)
}
