package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// starView tells whether the user starred a resource or collection.
type starView struct {
	Path    registry.Path `json:"path"`
	Starred bool          `json:"starred"`
}

// starEntryView is a resource or collection that the user starred.
type starEntryView struct {
	placeView
	StarredAt time.Time `json:"starred_at"`
}

// getStars lists what the user starred and may read.
func (h *handler) getStars(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxStars)
	if err != nil {
		return err
	}
	list, err := h.service.Stars(c.Context(), c.actor, int(limit))
	if err != nil {
		return err
	}
	v := struct {
		Entries []starEntryView `json:"entries"`
	}{make([]starEntryView, 0, len(list))}
	for _, s := range list {
		v.Entries = append(v.Entries, starEntryView{viewPlace(s.Place), s.At.UTC()})
	}
	return writeJSON(w, http.StatusOK, v)
}

// getStar tells whether the user starred a resource.
func (h *handler) getStar(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	r, on, err := h.service.Starred(c.Context(), c.actor, p, fresh)
	if err != nil {
		return err
	}
	setSeq(w.Header(), r.Seq)
	return writeJSON(w, http.StatusOK, starView{p, on})
}

// putStar gives a resource the user's star; it is fine when it has it.
func (h *handler) putStar(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	r, err := h.service.Star(c.Context(), c.actor, p, true)
	if err != nil {
		return err
	}
	setSeq(w.Header(), r.Seq)
	return writeJSON(w, http.StatusOK, starView{p, true})
}

// deleteStar takes the user's star away; it is fine when there is none.
func (h *handler) deleteStar(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	r, err := h.service.Star(c.Context(), c.actor, p, false)
	return gone(w, r.Seq, err)
}
