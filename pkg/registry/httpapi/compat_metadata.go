package httpapi

import (
	"encoding/hex"
	"maps"
	"net/http"
	"slices"

	"github.com/regent-registry/regent/pkg/registry"
)

// metadataView is what WSO2's registry tells about a resource or collection. Names are in the order of the alphabet, as in all its answers.
type metadataView struct {
	AuthorUsername       *string `json:"authorUsername"`
	CreatedTime          *string `json:"createdTime"`
	Description          *string `json:"description"`
	LastModifiedTime     *string `json:"lastModifiedTime"`
	LastModifiedUsername *string `json:"lastModifiedUsername"`
	MediaType            *string `json:"mediaType"`
	UUID                 *string `json:"uuid"`
}

// wso2Metadata tells about a resource.
func (h *handler) wso2Metadata(w http.ResponseWriter, c *call) error {
	r, v, err := h.readCompat(w, c)
	if err != nil {
		return err
	}
	return writeCompact(w, c, metadataView{
		AuthorUsername: orNull(r.CreatedBy), CreatedTime: gmt(r.CreatedAt), Description: orNull(v.Meta.Description), LastModifiedTime: gmt(v.CreatedAt),
		LastModifiedUsername: orNull(v.CreatedBy), MediaType: orNull(v.Meta.MediaType), UUID: viewUUID(r.ID),
	})
}

// readCompat finds what a call names, and sets the headers that tell its state.
func (h *handler) readCompat(w http.ResponseWriter, c *call) (registry.Resource, registry.Version, error) {
	fail := func(err error) (registry.Resource, registry.Version, error) {
		return registry.Resource{}, registry.Version{}, err
	}
	p, pick, err := c.ref()
	if err != nil {
		return fail(err)
	}
	fresh, err := c.freshness()
	if err != nil {
		return fail(err)
	}
	r, v, err := h.service.GetPick(c.Context(), c.actor, p, pick, fresh)
	if err != nil {
		return fail(refNotFound(p, pick, err))
	}
	setState(w.Header(), r)
	if !pick.IsCurrent() {
		setVersion(w.Header(), v)
	}
	return r, v, nil
}

// refNotFound says that a path or a version of it is not there.
func refNotFound(p registry.Path, pick registry.Pick, err error) error {
	switch {
	case registry.CodeOf(err) != registry.CodeNotFound:
		return err
	case pick.Version > 0:
		return resourceNotFound(versioned(p, pick.Version))
	}
	return resourceNotFound(p.String())
}

// viewUUID writes an id as UUIDs are written.
func viewUUID(id registry.ID) *string {
	if id.IsZero() {
		return nil
	}
	b := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return orNull(string(b))
}

// propertyView is one property, also as a body has it.
type propertyView struct {
	Name  string   `json:"name"`
	Value []string `json:"value"`
}

// wso2Properties gives the properties of a resource, by name.
func (h *handler) wso2Properties(w http.ResponseWriter, c *call) error {
	win, err := c.window()
	if err != nil {
		return err
	}
	_, v, err := h.readCompat(w, c)
	if err != nil {
		return err
	}
	list := make([]propertyView, 0, len(v.Meta.Properties))
	for _, name := range slices.Sorted(maps.Keys(v.Meta.Properties)) {
		list = append(list, propertyView{name, v.Meta.Properties[name]})
	}
	if list, err = cut(list, win); err != nil {
		return err
	}
	return writeCompact(w, c, list)
}

// wso2PostProperties replaces the values of the properties that the body names; the others stay.
func (h *handler) wso2PostProperties(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var list []propertyView
	if err := c.decode(&list, jsonType); err != nil {
		return err
	}
	properties := registry.Properties{}
	for _, one := range list {
		if one.Value == nil {
			return registry.Errorf(registry.CodeInvalid, "the property %q has no field \"value\", a list of texts", one.Name)
		}
		properties[one.Name] = one.Value
	}
	if len(properties) == 0 {
		return registry.Errorf(registry.CodeInvalid, "the JSON body names no property")
	}
	return h.setProperties(w, c, registry.MetaInput{Path: p, Properties: properties, If: condition})
}

// setProperties makes a change of properties.
func (h *handler) setProperties(w http.ResponseWriter, c *call, in registry.MetaInput) error {
	in.Comment = c.Header.Get("Version-Comment")
	res, err := h.service.UpdateMeta(c.Context(), c.actor, in)
	if err != nil {
		return h.missing(c, in.Path, err)
	}
	setState(w.Header(), res.Resource)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// wso2Property gives the values of one property.
func (h *handler) wso2Property(w http.ResponseWriter, c *call) error {
	name, err := c.must("name")
	if err != nil {
		return err
	}
	r, v, err := h.readCompat(w, c)
	if err != nil {
		return err
	}
	values, ok := v.Meta.Properties[name]
	if !ok {
		return registry.Errorf(registry.CodeNotFound, "%s has no property %q", r.Path, name)
	}
	return writeCompact(w, c, map[string][]string{name: values})
}

// wso2PostProperty gives a property one value, in place of those it has.
func (h *handler) wso2PostProperty(w http.ResponseWriter, c *call) error {
	name, err := c.must("name")
	if err != nil {
		return err
	}
	if !c.URL.Query().Has("value") {
		return registry.Errorf(registry.CodeInvalid, "query parameter value is missing")
	}
	return h.changeProperty(w, c, name, []string{c.URL.Query().Get("value")})
}

// wso2DeleteProperty takes a property away; it is fine when there is none.
func (h *handler) wso2DeleteProperty(w http.ResponseWriter, c *call) error {
	name, err := c.must("name")
	if err != nil {
		return err
	}
	return h.changeProperty(w, c, name, nil)
}

func (h *handler) changeProperty(w http.ResponseWriter, c *call, name string, values []string) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	return h.setProperties(w, c, registry.MetaInput{Path: p, Properties: registry.Properties{name: values}, If: condition})
}
