package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// findingView is what a check found as JSON.
type findingView struct {
	Check    string            `json:"check"`
	Store    string            `json:"store,omitempty"`
	Severity registry.Severity `json:"severity"`
	What     string            `json:"what"`
	Why      string            `json:"why,omitempty"`
	Do       string            `json:"do,omitempty"`
}

// examinationView is an examination as JSON; the worst finding comes first.
type examinationView struct {
	Node       string            `json:"node"`
	ExaminedAt time.Time         `json:"examined_at"`
	Worst      registry.Severity `json:"worst"`
	Findings   []findingView     `json:"findings"`
}

// getDoctor examines what this node stands on.
func (h *handler) getDoctor(w http.ResponseWriter, c *call) error {
	e, err := h.service.Examine(c.Context(), c.actor)
	if err != nil {
		return err
	}
	v := examinationView{Node: e.Node, ExaminedAt: e.At.UTC(), Worst: e.Worst(), Findings: make([]findingView, 0, len(e.Findings))}
	for _, f := range e.Findings {
		v.Findings = append(v.Findings, findingView(f))
	}
	return writeJSON(w, http.StatusOK, v)
}
