package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	linkURL  = apiPrefix + "link"
	trashURL = apiPrefix + "trash"
)

// placeBody says where something is to go.
type placeBody struct {
	To        *string `json:"to"`
	Overwrite bool    `json:"overwrite"`
}

// place reads what a move and a copy have.
func (c *call) place() (registry.MoveInput, error) {
	from, condition, err := c.change()
	if err != nil {
		return registry.MoveInput{}, err
	}
	var in placeBody
	if err := c.decode(&in, jsonType); err != nil {
		return registry.MoveInput{}, err
	}
	to, err := pathField("to", in.To)
	return registry.MoveInput{From: from, To: to, Overwrite: in.Overwrite, If: condition}, err
}

// pathField reads a path in a JSON body.
func pathField(name string, value *string) (registry.Path, error) {
	if value == nil {
		return "", registry.Errorf(registry.CodeInvalid, "the JSON body lacks the field %q, a path", name)
	}
	p, err := registry.ParsePath(*value)
	if err != nil {
		return "", registry.Errorf(registry.CodeInvalid, "field %q: %s", name, registry.MessageOf(err))
	}
	return p, nil
}

// move gives a resource, or a collection with all below it, another place.
func (h *handler) move(w http.ResponseWriter, c *call) error {
	in, err := c.place()
	if err != nil {
		return err
	}
	res, err := h.service.Move(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Location", location(resourceURL, res.Resource.Path))
	return writeResult(w, res, resourceURL)
}

// copy makes a copy of a resource, or of a collection with all below it.
func (h *handler) copy(w http.ResponseWriter, c *call) error {
	in, err := c.place()
	if err != nil {
		return err
	}
	res, err := h.service.Copy(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	return writeResult(w, res, resourceURL)
}

// putLink makes a symbolic link, or leads one elsewhere.
func (h *handler) putLink(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var in struct {
		Target *string `json:"target"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	target, err := pathField("target", in.Target)
	if err != nil {
		return err
	}
	res, err := h.service.Link(c.Context(), c.actor, registry.LinkInput{Path: p, Target: target, If: condition})
	if err != nil {
		return err
	}
	return writeResult(w, res, linkURL)
}

// getLink gives a link itself, where other reads give what it leads to.
func (h *handler) getLink(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	r, err := h.service.Look(c.Context(), c.actor, p, fresh)
	if err != nil {
		return err
	}
	if r.Kind != registry.KindLink {
		return registry.Errorf(registry.CodeConflict, "%s is a %s, not a link", p, r.Kind)
	}
	setState(w.Header(), r)
	return writeUnlessKnown(w, c, viewResource(r))
}

// deletedView is an entry of the trash. Path is where it was.
type deletedView struct {
	ID        string        `json:"id"`
	Path      registry.Path `json:"path"`
	Kind      string        `json:"kind"`
	Version   int64         `json:"version"`
	MediaType string        `json:"media_type,omitempty"`
	Size      int64         `json:"size"`
	DeletedAt time.Time     `json:"deleted_at"`
	DeletedBy string        `json:"deleted_by"`
}

// trashView is a page of the trash. Next is the cursor of the next page; there is none at the end.
type trashView struct {
	Path    registry.Path `json:"path"`
	Entries []deletedView `json:"entries"`
	Next    string        `json:"next,omitempty"`
}

// getTrash gives a page of what was deleted from a path or below it, newest first.
func (h *handler) getTrash(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	page, err := h.service.Trash(c.Context(), c.actor, p, c.URL.Query().Get("cursor"), int(limit))
	if err != nil {
		return err
	}
	v := trashView{Path: p, Entries: make([]deletedView, 0, len(page.Entries)), Next: page.Next}
	for _, d := range page.Entries {
		v.Entries = append(v.Entries, deletedView{
			ID: d.ID.String(), Path: d.Path, Kind: d.Kind.String(), Version: d.Version, MediaType: d.Meta.MediaType, Size: d.Size,
			DeletedAt: d.At.UTC(), DeletedBy: d.By,
		})
	}
	return writeJSON(w, http.StatusOK, v)
}

// undelete puts an entry of the trash at the path of the request.
func (h *handler) undelete(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in struct {
		ID string `json:"id"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	id, err := registry.ParseID(`field "id"`, in.ID)
	if err != nil {
		return err
	}
	res, err := h.service.Undelete(c.Context(), c.actor, id, p)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Location", location(resourceURL, p))
	return writeResult(w, res, resourceURL)
}

// purge removes one entry of the trash for good, or all that are older than an age.
func (h *handler) purge(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	query := c.URL.Query()
	if query.Has("id") == query.Has("older_than") {
		return registry.Errorf(registry.CodeInvalid, "the query must have either id, an entry of the trash, or older_than, an age such as 720h")
	}
	purged := 1
	if query.Has("id") {
		id, err := registry.ParseID("query parameter id", query.Get("id"))
		if err != nil {
			return err
		}
		seq, err := h.service.Purge(c.Context(), c.actor, p, id)
		if err != nil {
			return err
		}
		setSeq(w.Header(), seq)
	} else {
		age, err := time.ParseDuration(query.Get("older_than"))
		if err != nil || age < 0 {
			return registry.Errorf(registry.CodeInvalid, "query parameter older_than is %.40q; it must be an age such as 720h or 30m", query.Get("older_than"))
		}
		if purged, err = h.service.PurgeOlderThan(c.Context(), c.actor, p, age); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, map[string]int{"purged": purged})
}
