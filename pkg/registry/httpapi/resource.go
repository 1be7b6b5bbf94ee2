package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// Media types of JSON bodies.
const (
	jsonType       = "application/json"
	mergePatchType = "application/merge-patch+json"
)

// getResource gives the metadata of a resource or collection, or of one of its versions.
func (h *handler) getResource(w http.ResponseWriter, c *call) error {
	r, v, err := h.read(c)
	if err != nil {
		return err
	}
	setState(w.Header(), r)
	if v == nil {
		return writeUnlessKnown(w, c, viewResource(r))
	}
	setVersion(w.Header(), *v)
	return writeUnlessKnown(w, c, viewResourceAt(r, *v))
}

// read finds what a call names, and the version when it names one.
func (h *handler) read(c *call) (registry.Resource, *registry.Version, error) {
	fail := func(err error) (registry.Resource, *registry.Version, error) { return registry.Resource{}, nil, err }
	p, pick, err := c.ref()
	if err != nil {
		return fail(err)
	}
	fresh, err := c.freshness()
	if err != nil {
		return fail(err)
	}
	r, v, err := h.service.GetPick(c.Context(), c.actor, p, pick, fresh)
	if err != nil || pick.IsCurrent() {
		return r, nil, err
	}
	return r, &v, nil
}

// writeUnlessKnown answers with body, or with 304 or 412 when the conditions of the request say so of the entity tag that is set.
func writeUnlessKnown(w http.ResponseWriter, c *call, body any) error {
	known, err := c.knows(w.Header().Get("ETag"))
	switch {
	case err != nil:
		return err
	case known:
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeJSON(w, http.StatusOK, body)
}

// collectionBody is the body that makes a collection.
type collectionBody struct {
	Kind        string              `json:"kind"`
	Description *string             `json:"description"`
	Properties  registry.Properties `json:"properties"`
	Comment     *string             `json:"comment"`
}

// putCollection makes a collection. When it is there already, the description and properties that the body has replace those it has.
func (h *handler) putCollection(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var in collectionBody
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	if in.Kind != registry.KindCollection.String() {
		return registry.Errorf(registry.CodeInvalid, "kind is %q; this operation makes a \"collection\" (to store a content: PUT %s)", in.Kind, location(contentURL, p))
	}
	comment, err := c.versionComment(in.Comment)
	if err != nil {
		return err
	}
	create := registry.CollectionInput{Path: p, Properties: in.Properties, Comment: comment, If: condition}
	if in.Description != nil {
		create.Description = *in.Description
	}
	res, err := h.service.CreateCollection(c.Context(), c.actor, create)
	if err != nil {
		return err
	}
	if !res.Created && (in.Description != nil || in.Properties != nil) {
		a := c.actor
		a.Once = a.Once.Part("meta")
		res, err = h.service.UpdateMeta(c.Context(), a, registry.MetaInput{
			Path: p, Description: in.Description, Properties: in.Properties, ReplaceProperties: in.Properties != nil,
			Comment: comment, If: condition,
		})
		if err != nil {
			return err
		}
	}
	return writeResult(w, res, resourceURL)
}

// patchResource changes metadata by a JSON merge patch (RFC 7396): what is null goes, what is not named stays.
func (h *handler) patchResource(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var patch map[string]json.RawMessage
	if err := c.decode(&patch, mergePatchType, jsonType); err != nil {
		return err
	}
	if patch == nil {
		return registry.Errorf(registry.CodeInvalid, "the JSON body is null; it must be an object")
	}
	in := registry.MetaInput{Path: p, Comment: c.Header.Get("Version-Comment"), If: condition}
	if value, ok := patch["comment"]; ok {
		var field *string
		if err := json.Unmarshal(value, &field); err != nil {
			return registry.Errorf(registry.CodeInvalid, "the JSON body is not understood: field %q: %s", "comment", jsonFault(err))
		}
		if in.Comment, err = c.versionComment(field); err != nil {
			return err
		}
		delete(patch, "comment")
	}
	for name, value := range patch {
		if err := applyPatch(&in, name, value); err != nil {
			return err
		}
	}
	res, err := h.service.UpdateMeta(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	return writeResult(w, res, resourceURL)
}

// applyPatch puts one member of a merge patch into in.
func applyPatch(in *registry.MetaInput, name string, value json.RawMessage) error {
	var err error
	switch name {
	case "media_type":
		in.MediaType = new(string)
		err = json.Unmarshal(value, in.MediaType) // null leaves the empty text
	case "description":
		in.Description = new(string)
		err = json.Unmarshal(value, in.Description)
	case "properties":
		err = json.Unmarshal(value, &in.Properties)
		in.ReplaceProperties = err == nil && in.Properties == nil // null: none are left
	default:
		return registry.Errorf(registry.CodeInvalid, "the JSON body has the field %q; it may have media_type, description, properties and comment", name)
	}
	if err != nil {
		return registry.Errorf(registry.CodeInvalid, "the JSON body is not understood: field %q: %s", name, jsonFault(err))
	}
	return nil
}

// deleteResource deletes a resource, or a collection with all below it.
func (h *handler) deleteResource(w http.ResponseWriter, c *call) error {
	return h.remove(w, c, h.service.Delete)
}

// remove runs one of the deletes of the service.
func (h *handler) remove(w http.ResponseWriter, c *call, remove func(context.Context, registry.Actor, registry.Path, registry.Precondition) (registry.Seq, error)) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	seq, err := remove(c.Context(), c.actor, p, condition)
	if err != nil {
		return err
	}
	setSeq(w.Header(), seq)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// getProperties gives the properties of a resource or collection, or of one of its versions.
func (h *handler) getProperties(w http.ResponseWriter, c *call) error {
	r, v, err := h.read(c)
	if err != nil {
		return err
	}
	setState(w.Header(), r)
	if v == nil {
		return writeUnlessKnown(w, c, viewProperties(r.Meta.Properties))
	}
	setVersion(w.Header(), *v)
	return writeUnlessKnown(w, c, viewProperties(v.Meta.Properties))
}

// putProperties replaces all properties.
func (h *handler) putProperties(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var properties registry.Properties
	if err := c.decode(&properties, jsonType); err != nil {
		return err
	}
	if properties == nil {
		return registry.Errorf(registry.CodeInvalid, "the JSON body is null; it must be an object of lists")
	}
	res, err := h.service.UpdateMeta(c.Context(), c.actor, registry.MetaInput{
		Path: p, Properties: properties, ReplaceProperties: true, Comment: c.Header.Get("Version-Comment"), If: condition,
	})
	if err != nil {
		return err
	}
	setState(w.Header(), res.Resource)
	return writeJSON(w, http.StatusOK, viewProperties(res.Resource.Meta.Properties))
}

// restore makes a new version that holds what an older one held, which the path or the body names.
func (h *handler) restore(w http.ResponseWriter, c *call) error {
	p, n, err := c.pathRef()
	if err != nil {
		return err
	}
	condition, err := c.condition()
	if err != nil {
		return err
	}
	var in struct {
		Version *int64  `json:"version"`
		Label   *string `json:"label"`
		Comment *string `json:"comment"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	if n != 0 && in.Version == nil && in.Label == nil {
		in.Version = &n
	}
	input := registry.RestoreInput{Path: p, If: condition}
	switch {
	case in.Version == nil && in.Label == nil:
		return registry.Errorf(registry.CodeInvalid, `the JSON body lacks the field "version", the number to restore`)
	case in.Version != nil && in.Label != nil:
		return registry.Errorf(registry.CodeInvalid, `the JSON body has the fields "version" and "label"; one of them names the version`)
	case n != 0 && (in.Label != nil || *in.Version != n):
		return registry.Errorf(registry.CodeInvalid, "the path names version %d and the JSON body another one", n)
	case in.Label != nil:
		if input.Label, err = registry.ParseLabel(*in.Label); err != nil {
			return err
		}
	default:
		input.Version = *in.Version
	}
	if input.Comment, err = c.versionComment(in.Comment); err != nil {
		return err
	}
	res, err := h.service.RestoreVersion(c.Context(), c.actor, input)
	if err != nil {
		return err
	}
	return writeResult(w, res, resourceURL)
}
