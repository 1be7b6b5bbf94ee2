package httpapi

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// dependentsView is what a deletion takes along, and what it leaves pointing nowhere.
type dependentsView struct {
	Path         registry.Path     `json:"path"`
	Collections  int               `json:"collections"`
	Resources    int               `json:"resources"`
	Links        int               `json:"links"`
	More         bool              `json:"more"`
	Guarded      int               `json:"guarded"`
	Incoming     []associationView `json:"incoming"`
	MoreIncoming bool              `json:"more_incoming"`
	Pointing     []placeView       `json:"pointing"`
	MorePointing bool              `json:"more_pointing"`
}

// getDependents tells what a deletion of a path would take along and leave pointing nowhere. It deletes nothing.
func (h *handler) getDependents(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	d, err := h.service.Dependents(c.Context(), c.actor, []registry.Path{p}, fresh)
	if err != nil {
		return err
	}
	if d.Count() == 0 {
		return registry.Errorf(registry.CodeNotFound, "nothing is at %s", p)
	}
	v := dependentsView{
		Path: p, Collections: d.Collections, Resources: d.Resources, Links: d.Links, More: d.More, Guarded: d.Guarded,
		Incoming: make([]associationView, 0, len(d.Incoming)), MoreIncoming: d.MoreIncoming,
		Pointing: make([]placeView, 0, len(d.Pointing)), MorePointing: d.MorePointing,
	}
	for _, l := range d.Incoming {
		v.Incoming = append(v.Incoming, viewAssociation(l))
	}
	for _, r := range d.Pointing {
		v.Pointing = append(v.Pointing, viewPlace(registry.Place{ID: r.ID, Kind: r.Kind, Path: r.Path}))
	}
	return writeJSON(w, http.StatusOK, v)
}
