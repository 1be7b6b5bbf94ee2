package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// maxFromComment is how much of an address the version's comment has, in bytes that are ASCII.
const maxFromComment = 400

// fromURLView is the form for a new resource whose content the server fetches from an address.
type fromURLView struct {
	createView

	Address string
	Hosts   []string // that an operator allowed
}

// fromURL reads the collection that is to have it. Where nothing may be fetched there is no such page.
func (c *console) fromURL(r *http.Request, a registry.Actor) (fromURLView, error) {
	in, err := c.collection(r, a)
	if err == nil && c.fetcher == nil {
		err = registry.Errorf(registry.CodeDenied, "an operator has not allowed to fetch from any host (fetch_hosts in registry.yaml)")
	}
	return fromURLView{createView: in, Hosts: c.FetchHosts}, err
}

func (c *console) newFromURLForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.fromURL(r, a)
	if err != nil {
		return err
	}
	return c.show(w, r, a, http.StatusOK, "new-from-url", c.say("New from URL"), v.head, v)
}

// newFromURL fetches the file and stores it; it streams, so nothing of it is kept here.
func (c *console) newFromURL(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	v, err := c.fromURL(r, a)
	if err != nil {
		return err
	}
	v.fill(r)
	v.Address = strings.TrimSpace(r.PostForm.Get("address"))
	p, put, err := c.storeFetched(r, a, &v)
	if err == nil {
		toPage(w, link("resource", p), noteFor(put, "created"))
		return nil
	}
	v.Error = c.createError(r, a, p, err)
	return c.show(w, r, a, statusOf(err), "new-from-url", c.say("New from URL"), v.head, v)
}

// storeFetched stores what is at the address, under its own name when none was written.
func (c *console) storeFetched(r *http.Request, a registry.Actor, v *fromURLView) (registry.Path, registry.PutResult, error) {
	file, err := c.fetcher.fetch(r.Context(), v.Address)
	if err != nil {
		return "", registry.PutResult{}, err
	}
	defer func() { c.logClose(r, file.Close()) }()
	if v.NewName == "" {
		v.NewName = file.name
	}
	p, err := v.child()
	if err != nil {
		return "", registry.PutResult{}, err
	}
	in := registry.PutInput{Path: p, Body: file, MediaType: v.MediaType, If: nothingThere, Comment: commentOf("Fetched from " + file.from[:min(len(file.from), maxFromComment)])}
	if v.Description != "" {
		in.Description = &v.Description
	}
	if in.MediaType == "" && registry.MediaTypeByName(p.Name()) == registry.DefaultMediaType {
		in.MediaType = file.mediaType
	}
	put, err := c.Service.Put(r.Context(), oncePerForm(r, a), in)
	err = takenBefore(err, p)
	var why *registry.Error
	if errors.As(err, &why) && errors.As(why.Err, &why) { // what the reading failed with says more than that it failed
		err = why
	}
	return p, put, err
}
