package console

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// propertiesView lists the properties of a resource or collection, at its current or an older version.
type propertiesView struct {
	head
	ETag       string
	Properties []property
}

type property struct {
	Name   string
	Values []string
}

func (c *console) properties(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	h, at, err := c.atVersion(r, a, "properties")
	if err != nil {
		return err
	}
	v := propertiesView{head: h, ETag: h.Resource.ETag()}
	for _, name := range slices.Sorted(maps.Keys(at.Meta.Properties)) {
		v.Properties = append(v.Properties, property{name, at.Meta.Properties[name]})
	}
	return c.show(w, r, a, http.StatusOK, "properties", c.say("Properties of %s", v.Name()), v.head, v)
}

// propertyView is the form for one property: a new one, or the values of one that exists.
type propertyView struct {
	head
	ETag     string
	New      bool
	Property string
	Values   []string // with empty boxes at the end, for more
	Error    string
}

// spareValues is how many empty boxes the form has after the values.
const spareValues = 2

func (c *console) propertyForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	name := r.URL.Query().Get("name")
	values, exists := res.Meta.Properties[name]
	if name != "" && !exists {
		return registry.Errorf(registry.CodeNotFound, "%s has no property %q", res.Path, name)
	}
	v := propertyView{head: c.headOf(r, res, "properties", res.Version), ETag: res.ETag(), New: !exists, Property: name, Values: values}
	return c.showProperty(w, r, a, http.StatusOK, v)
}

func (c *console) showProperty(w http.ResponseWriter, r *http.Request, a registry.Actor, status int, v propertyView) error {
	v.Values = append(slices.Clone(v.Values), make([]string, spareValues)...)
	title := c.say("Edit property of %s", v.Name())
	if v.New {
		title = c.say("Add property to %s", v.Name())
	}
	return c.show(w, r, a, status, "property", title, v.head, v)
}

// property stores the values of one property.
func (c *console) property(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	v := propertyView{
		head: c.headOf(r, res, "properties", res.Version), ETag: res.ETag(), New: r.PostForm.Get("new") != "",
		Property: strings.TrimSpace(r.PostForm.Get("name")), Values: valuesOf(r.PostForm["value"]),
	}
	if r.PostForm.Get("more") != "" { // the button that asks for more boxes, where no script adds them
		v.ETag = r.PostForm.Get("etag")
		v.Values = append(v.Values, make([]string, spareValues)...)
		return c.showProperty(w, r, a, http.StatusOK, v)
	}
	err = v.check(res)
	if err == nil {
		var put registry.PutResult
		in := registry.MetaInput{Path: res.Path, Properties: registry.Properties{v.Property: atLeastOne(v.Values)}, If: ifMatch(r)}
		if put, err = c.Service.UpdateMeta(r.Context(), oncePerForm(r, a), in); err == nil {
			toPage(w, link("properties", res.Path), noteFor(put, "property-saved"))
			return nil
		}
	}
	v.Error = c.formError(r, a, err)
	return c.showProperty(w, r, a, statusOf(err), v)
}

func (v propertyView) check(current registry.Resource) error {
	if v.Property == "" {
		return registry.Errorf(registry.CodeInvalid, "the property needs a name")
	}
	// The same values are there when the form came twice.
	if there, exists := current.Meta.Properties[v.Property]; exists && v.New && !slices.Equal(there, atLeastOne(v.Values)) {
		return registry.Errorf(registry.CodeConflict, "there is a property %q already; edit that one", v.Property)
	}
	return nil
}

// valuesOf takes the values out of the boxes of the form: empty boxes are none.
func valuesOf(boxes []string) []string {
	var values []string
	for _, box := range boxes {
		if box != "" {
			values = append(values, fromTextarea(box, newlinesLF))
		}
	}
	return values
}

// atLeastOne makes the value of a property whose boxes are all empty: a property without values would be no property, and Remove is another button.
func atLeastOne(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

// removeProperty takes one property away. It asks nothing: an older version still has it.
func (c *console) removeProperty(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	in := registry.MetaInput{Path: p, Properties: registry.Properties{r.PostForm.Get("name"): nil}, If: ifMatch(r)}
	put, err := c.Service.UpdateMeta(r.Context(), a, in)
	if err != nil {
		return err
	}
	toPage(w, link("properties", p), noteFor(put, "property-removed"))
	return nil
}
