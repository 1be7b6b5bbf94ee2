package httpapi

import (
	"encoding/base64"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// stepBody is one change of a batch; which fields it may have depends on do.
type stepBody struct {
	Do            string              `json:"do"`
	Path          *string             `json:"path"`
	To            *string             `json:"to"`
	Overwrite     *bool               `json:"overwrite"`
	Target        *string             `json:"target"`
	Content       *string             `json:"content"`
	ContentBase64 *string             `json:"content_base64"`
	MediaType     *string             `json:"media_type"`
	Description   *string             `json:"description"`
	Properties    registry.Properties `json:"properties"`
	Comment       *string             `json:"comment"`
	IfMatch       string              `json:"if_match"`
	IfNoneMatch   string              `json:"if_none_match"`
}

// resultView is what one step of a batch did. A delete has no resource.
type resultView struct {
	Do       string        `json:"do"`
	Created  bool          `json:"created"`
	Changed  bool          `json:"changed"`
	Path     registry.Path `json:"path"`
	Resource *resourceView `json:"resource,omitempty"`
}

// batch makes several changes in one transaction, all or none.
func (h *handler) batch(w http.ResponseWriter, c *call) error {
	var in struct {
		Steps []stepBody `json:"steps"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	steps := make([]registry.Step, len(in.Steps))
	for i, s := range in.Steps {
		step, err := s.step(c)
		if err != nil {
			return registry.Errorf(registry.CodeInvalid, "step %d: %s", i+1, registry.MessageOf(err))
		}
		steps[i] = step
	}
	results, seq, err := h.service.Batch(c.Context(), c.actor, steps)
	if err != nil {
		return err
	}
	views := make([]resultView, len(results))
	for i, res := range results {
		views[i] = resultView{Do: in.Steps[i].Do, Created: res.Created, Changed: res.Changed, Path: res.Resource.Path}
		if !res.Resource.ID.IsZero() {
			v := viewResource(res.Resource)
			views[i].Resource = &v
		}
	}
	setSeq(w.Header(), seq)
	return writeJSON(w, http.StatusOK, map[string]any{"results": views})
}

// step makes one step of its body, in the request c.
func (s stepBody) step(c *call) (registry.Step, error) {
	fail := func(err error) (registry.Step, error) { return registry.Step{}, err }
	comment, err := c.versionComment(s.Comment)
	if err != nil {
		return fail(err)
	}
	p, err := pathField("path", s.Path)
	if err != nil {
		return fail(err)
	}
	condition, err := s.condition()
	if err != nil {
		return fail(err)
	}
	if err := s.fits(); err != nil {
		return fail(err)
	}
	switch s.Do {
	case "put":
		content, err := s.bytes()
		in := registry.PutInput{Path: p, Description: s.Description, Properties: s.Properties, Comment: comment, If: condition}
		if s.MediaType != nil {
			in.MediaType = *s.MediaType
		}
		return registry.PutStep(in, content), err
	case "collection":
		in := registry.CollectionInput{Path: p, Properties: s.Properties, Comment: comment, If: condition}
		if s.Description != nil {
			in.Description = *s.Description
		}
		return registry.CollectionStep(in), nil
	case "meta":
		return registry.MetaStep(registry.MetaInput{
			Path: p, MediaType: s.MediaType, Description: s.Description, Properties: s.Properties, Comment: comment, If: condition,
		}), nil
	case "delete":
		return registry.DeleteStep(p, condition), nil
	case "link":
		target, err := pathField("target", s.Target)
		return registry.LinkStep(registry.LinkInput{Path: p, Target: target, If: condition}), err
	case "move", "copy":
		to, err := pathField("to", s.To)
		in := registry.MoveInput{From: p, To: to, Overwrite: s.Overwrite != nil && *s.Overwrite, If: condition}
		if s.Do == "copy" {
			return registry.CopyStep(in), err
		}
		return registry.MoveStep(in), err
	}
	return fail(registry.Errorf(registry.CodeInvalid, "do is %.40q; it may be put, collection, meta, delete, move, copy or link", s.Do))
}

// fits refuses fields that the step does not have: a change must not be another one than its author thinks.
func (s stepBody) fits() error {
	for name, field := range map[string]struct {
		there bool
		of    []string
	}{
		"to":             {s.To != nil, []string{"move", "copy"}},
		"overwrite":      {s.Overwrite != nil, []string{"move", "copy"}},
		"target":         {s.Target != nil, []string{"link"}},
		"content":        {s.Content != nil, []string{"put"}},
		"content_base64": {s.ContentBase64 != nil, []string{"put"}},
		"media_type":     {s.MediaType != nil, []string{"put", "meta"}},
		"description":    {s.Description != nil, []string{"put", "collection", "meta"}},
		"properties":     {s.Properties != nil, []string{"put", "collection", "meta"}},
		"comment":        {s.Comment != nil, []string{"put", "collection", "meta"}},
	} {
		if field.there && !names(field.of, s.Do) {
			return registry.Errorf(registry.CodeInvalid, "a step that does %.40q has no field %q", s.Do, name)
		}
	}
	return nil
}

func (s stepBody) bytes() ([]byte, error) {
	switch {
	case (s.Content == nil) == (s.ContentBase64 == nil):
		return nil, registry.Errorf(registry.CodeInvalid, `it must have either "content", a text, or "content_base64"`)
	case s.Content != nil:
		return []byte(*s.Content), nil
	}
	b, err := base64.StdEncoding.DecodeString(*s.ContentBase64)
	if err != nil {
		return nil, registry.Errorf(registry.CodeInvalid, "content_base64 is not base64 (RFC 4648, section 4)")
	}
	return b, nil
}

func (s stepBody) condition() (registry.Precondition, error) {
	h := http.Header{}
	for name, value := range map[string]string{"If-Match": s.IfMatch, "If-None-Match": s.IfNoneMatch} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return precondition(h)
}
