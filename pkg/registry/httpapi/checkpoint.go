package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const checkpointsURL = apiPrefix + "checkpoints"

// checkpointView is a checkpoint as JSON.
type checkpointView struct {
	Checkpoint string    `json:"checkpoint"`
	At         string    `json:"at"`
	Comment    string    `json:"comment"`
	SetAt      time.Time `json:"set_at"`
	SetBy      string    `json:"set_by"`
}

func viewCheckpoint(c registry.Checkpoint) checkpointView {
	return checkpointView{Checkpoint: c.Name, At: fmt.Sprintf("%s:%d", c.Seq.Store, c.Seq.N), Comment: c.Comment, SetAt: c.SetAt.UTC(), SetBy: c.SetBy}
}

// checkpointsView is all checkpoints of a collection, by name.
type checkpointsView struct {
	Path        registry.Path    `json:"path"`
	Checkpoints []checkpointView `json:"checkpoints"`
}

// getCheckpoints gives the checkpoints of a collection.
func (h *handler) getCheckpoints(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	r, list, err := h.service.Checkpoints(c.Context(), c.actor, p, fresh)
	if err != nil {
		return err
	}
	v := checkpointsView{Path: p, Checkpoints: make([]checkpointView, 0, len(list))}
	for _, point := range list {
		v.Checkpoints = append(v.Checkpoints, viewCheckpoint(point))
	}
	setSeq(w.Header(), r.Seq)
	return writeJSON(w, http.StatusOK, v)
}

// putCheckpoint gives a state of a collection a name.
func (h *handler) putCheckpoint(w http.ResponseWriter, c *call) error {
	in, err := c.checkpointInput()
	if err != nil {
		return err
	}
	var body struct {
		At      string `json:"at"`
		Comment string `json:"comment"`
	}
	if err := c.decode(&body, jsonType); err != nil {
		return err
	}
	in.Comment = body.Comment
	if body.At != "" {
		if in.At, err = registry.ParseMoment(body.At); err != nil {
			return err
		}
	}
	made, err := h.service.SetCheckpoint(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	if in.At.IsZero() { // otherwise Seq is of the state, not of this change
		setSeq(w.Header(), made.Seq)
	}
	return writeJSON(w, http.StatusCreated, viewCheckpoint(made))
}

// deleteCheckpoint takes the name of a state away.
func (h *handler) deleteCheckpoint(w http.ResponseWriter, c *call) error {
	in, err := c.checkpointInput()
	if err != nil {
		return err
	}
	seq, err := h.service.RemoveCheckpoint(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	setSeq(w.Header(), seq)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) checkpointInput() (registry.CheckpointInput, error) {
	p, condition, err := c.change()
	return registry.CheckpointInput{Path: p, Name: c.URL.Query().Get("checkpoint"), If: condition}, err
}

// treeRestoredView tells what a restore of a collection did.
type treeRestoredView struct {
	Path     registry.Path `json:"path"`
	Revised  int           `json:"revised"`
	Returned int           `json:"returned"`
	Created  int           `json:"created"`
	Removed  int           `json:"removed"`
}

// restoreTree makes a collection, with all below it, what it was.
func (h *handler) restoreTree(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var body struct {
		Checkpoint string  `json:"checkpoint"`
		At         string  `json:"at"`
		Comment    *string `json:"comment"`
		DryRun     bool    `json:"dry_run"`
	}
	if err := c.decode(&body, jsonType); err != nil {
		return err
	}
	in := registry.RestoreTreeInput{Path: p, Checkpoint: body.Checkpoint, If: condition, DryRun: body.DryRun}
	if in.Comment, err = c.versionComment(body.Comment); err != nil {
		return err
	}
	if body.At != "" {
		if in.At, err = registry.ParseMoment(body.At); err != nil {
			return err
		}
	}
	done, err := h.service.RestoreTree(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	if !in.DryRun {
		setState(w.Header(), done.Resource)
	}
	return writeJSON(w, http.StatusOK, treeRestoredView{p, done.Revised, done.Returned, done.Created, done.Removed})
}
