package console

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// label makes, moves or removes a label. A form for one that is there carries its entity tag: it changes only what its author saw.
func (c *console) label(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	n, err := versionOf(r)
	if err != nil {
		return err
	}
	in := registry.LabelInput{Path: p, Name: strings.TrimSpace(r.PostForm.Get("label")), Version: n, If: ifMatch(r)}
	note := "labelled"
	switch r.PostForm.Get("do") {
	case "remove":
		note = "unlabelled"
		_, err = c.Service.RemoveLabel(r.Context(), a, in)
	case "move":
		_, err = c.Service.SetLabel(r.Context(), a, in)
	default:
		in.If = nothingThere
		_, err = c.Service.SetLabel(r.Context(), a, in)
	}
	if err != nil {
		return c.showVersions(w, r, a, err)
	}
	toPage(w, link("versions", p), note)
	return nil
}

// commentOf is the comment of a version as a form sent it.
func commentOf(text string) string { return strings.TrimSpace(fromTextarea(text, newlinesLF)) }

// labelError is what the page says about a label that was not changed.
func (c *console) labelError(r *http.Request, a registry.Actor, err error) string {
	if registry.CodeOf(err) == registry.CodePrecondition {
		return c.say("There is a label of that name already, or somebody moved it after you opened this page; it is shown below as it is now. Nothing was changed.")
	}
	return c.formError(r, a, err)
}
