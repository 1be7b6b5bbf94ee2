package httpapi

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// ratingView is how users rate a resource.
type ratingView struct {
	Path    registry.Path `json:"path"`
	Average float64       `json:"average"`
	Count   int64         `json:"count"`
	Mine    int           `json:"mine"`
}

func writeRating(w http.ResponseWriter, p registry.Path, res registry.RatingResult, err error) error {
	if err != nil {
		return err
	}
	setSeq(w.Header(), res.Resource.Seq)
	return writeJSON(w, http.StatusOK, ratingView{p, res.Rating.Average, res.Rating.Count, res.Rating.Mine})
}

// getRating gives the average rating of a resource and the user's own.
func (h *handler) getRating(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	res, err := h.service.Rating(c.Context(), c.actor, p, fresh)
	return writeRating(w, p, res, err)
}

// putRating sets the user's rating; 0 takes it away.
func (h *handler) putRating(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in struct {
		Rating *int `json:"rating"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	if in.Rating == nil {
		return registry.Errorf(registry.CodeInvalid, `the JSON body lacks the field "rating", a number from 1 to %d, or 0 for none`, registry.MaxRating)
	}
	res, err := h.service.Rate(c.Context(), c.actor, p, *in.Rating)
	return writeRating(w, p, res, err)
}

// deleteRating takes the user's rating away; it is fine when there is none.
func (h *handler) deleteRating(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	res, err := h.service.Rate(c.Context(), c.actor, p, 0)
	return gone(w, res.Resource.Seq, err)
}
