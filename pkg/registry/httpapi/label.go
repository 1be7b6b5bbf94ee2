package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const labelsURL = apiPrefix + "labels"

// labelView is a label as JSON.
type labelView struct {
	Label   string    `json:"label"`
	Version int64     `json:"version"`
	ETag    string    `json:"etag"`
	SetAt   time.Time `json:"set_at"`
	SetBy   string    `json:"set_by"`
}

func viewLabel(l registry.Label) labelView {
	return labelView{Label: l.Name, Version: l.Version, ETag: l.ETag(), SetAt: l.SetAt.UTC(), SetBy: l.SetBy}
}

// labelsView is all labels of a resource, by name.
type labelsView struct {
	Path   registry.Path `json:"path"`
	Labels []labelView   `json:"labels"`
}

// getLabels gives the labels of a resource or collection.
func (h *handler) getLabels(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	r, list, err := h.service.Labels(c.Context(), c.actor, p, fresh)
	if err != nil {
		return err
	}
	v := labelsView{Path: p, Labels: make([]labelView, 0, len(list))}
	for _, l := range list {
		v.Labels = append(v.Labels, viewLabel(l))
	}
	// No entity tag: each label has its own.
	setSeq(w.Header(), r.Seq)
	return writeJSON(w, http.StatusOK, v)
}

// putLabel makes a label point at a version, or makes it. The conditions are on the label, not on the resource.
func (h *handler) putLabel(w http.ResponseWriter, c *call) error {
	in, err := c.labelInput()
	if err != nil {
		return err
	}
	var body struct {
		Version int64 `json:"version"`
	}
	if err := c.decode(&body, jsonType); err != nil {
		return err
	}
	if body.Version < 1 {
		return registry.Errorf(registry.CodeInvalid, "version is %d; it must be the number of a version, from 1 on", body.Version)
	}
	in.Version = body.Version
	res, err := h.service.SetLabel(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	setSeq(w.Header(), res.Seq)
	w.Header().Set("ETag", res.Label.ETag())
	status := http.StatusOK
	if res.Created {
		status = http.StatusCreated
	}
	return writeJSON(w, status, viewLabel(res.Label))
}

// deleteLabel takes a label away.
func (h *handler) deleteLabel(w http.ResponseWriter, c *call) error {
	in, err := c.labelInput()
	if err != nil {
		return err
	}
	seq, err := h.service.RemoveLabel(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	setSeq(w.Header(), seq)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// labelInput reads what both changes of a label have.
func (c *call) labelInput() (registry.LabelInput, error) {
	p, condition, err := c.change()
	if err != nil {
		return registry.LabelInput{}, err
	}
	name, err := registry.ParseLabel(c.URL.Query().Get("label"))
	return registry.LabelInput{Path: p, Name: name, If: condition}, err
}

// setListTag makes the entity tag one of the answer's body: a list of versions changes with labels and retention, too, which the resource's own
// tag does not tell.
func setListTag(h http.Header, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	tag := h.Get("ETag")
	if tag == "" {
		return nil
	}
	sum := sha256.Sum256(b)
	h.Set("ETag", strings.TrimSuffix(tag, `"`)+"."+hex.EncodeToString(sum[:8])+`"`)
	return nil
}
