package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const retentionURL = apiPrefix + "retention"

// retentionView is the rule of retention that holds at a path.
type retentionView struct {
	Path     registry.Path `json:"path"`
	KeepLast int64         `json:"keep_last"`
	KeepDays int64         `json:"keep_days"`
	Own      bool          `json:"own"`
	From     registry.Path `json:"from,omitempty"`
	SetAt    time.Time     `json:"set_at,omitzero"`
	SetBy    string        `json:"set_by,omitempty"`
}

// getRetention tells the rule that holds at a path.
func (h *handler) getRetention(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	e, err := h.service.Retention(c.Context(), c.actor, p, fresh)
	if err != nil {
		return err
	}
	setSeq(w.Header(), e.Seq)
	if tag := e.Own.ETag(); tag != "" {
		w.Header().Set("ETag", tag)
	}
	v := retentionView{Path: p, KeepLast: e.Rule.KeepLast, KeepDays: e.Rule.KeepDays, Own: !e.Own.IsZero(), From: e.From}
	if !e.Rule.IsZero() {
		v.SetAt, v.SetBy = e.Rule.SetAt.UTC(), e.Rule.SetBy
	}
	return writeJSON(w, http.StatusOK, v)
}

// ruleBody is a rule of retention as clients write it.
type ruleBody struct {
	KeepLast int64 `json:"keep_last"`
	KeepDays int64 `json:"keep_days"`
}

// rulePreview is a rule, and what it would remove.
type rulePreview struct {
	ruleBody
	WouldRemove retentionPreviewView `json:"would_remove"`
}

// retentionPreviewView is what a rule would remove.
type retentionPreviewView struct {
	Looked   int   `json:"looked"`
	Versions int64 `json:"versions"`
	Whole    bool  `json:"whole"`
}

// putRetention gives a collection a rule. The conditions are on the rule.
func (h *handler) putRetention(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var in struct {
		ruleBody
		DryRun bool `json:"dry_run"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	asked := registry.Retention{KeepLast: in.KeepLast, KeepDays: in.KeepDays}
	if in.DryRun {
		told, err := h.service.PreviewRetention(c.Context(), c.actor, p, asked)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, rulePreview{in.ruleBody, retentionPreviewView(told)})
	}
	rule, err := h.service.SetRetention(c.Context(), c.actor, registry.RetentionInput{Path: p, Rule: asked, If: condition})
	if err != nil {
		return err
	}
	setSeq(w.Header(), rule.Seq)
	w.Header().Set("ETag", rule.ETag())
	return writeJSON(w, http.StatusOK, ruleBody{rule.KeepLast, rule.KeepDays})
}

// deleteRetention takes the rule of a collection away.
func (h *handler) deleteRetention(w http.ResponseWriter, c *call) error {
	return h.remove(w, c, h.service.RemoveRetention)
}

// retentionRunView is what a run did to one store.
type retentionRunView struct {
	Store    string `json:"store"`
	Busy     bool   `json:"busy"`
	Versions int64  `json:"versions"`
	Contents int64  `json:"contents"`
}

// runRetention applies the rules of all stores now.
func (h *handler) runRetention(w http.ResponseWriter, c *call) error {
	reports, err := h.service.RunRetention(c.Context(), c.actor)
	if err != nil {
		return err
	}
	views := make([]retentionRunView, 0, len(reports))
	for _, r := range reports {
		views = append(views, retentionRunView(r))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"stores": views})
}
