package httpapi

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// wso2AssociationView is an association, also as a body has it; there the source is not looked at.
type wso2AssociationView struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Type   string `json:"type"`
}

// wso2Associations gives the associations that lead from a resource, all or those of one type.
func (h *handler) wso2Associations(w http.ResponseWriter, c *call) error {
	p, fresh, err := c.at()
	if err != nil {
		return err
	}
	win, err := c.window()
	if err != nil {
		return err
	}
	in := registry.AssociationsInput{Path: p, Type: c.URL.Query().Get("type"), Limit: registry.MaxPageSize}
	return writeWindow(w, win, func() ([]wso2AssociationView, bool, error) {
		page, err := h.service.Associations(c.Context(), c.actor, in, fresh)
		if err != nil {
			return nil, false, h.missing(c, p, err)
		}
		if in.Cursor == "" {
			setSeq(w.Header(), page.Resource.Seq)
		}
		in.Cursor = page.Next
		list := make([]wso2AssociationView, 0, len(page.Associations))
		for _, l := range page.Associations {
			target := l.Target.URI
			if target == "" {
				target = l.Target.Path.String()
			}
			list = append(list, wso2AssociationView{p.String(), target, l.Type})
		}
		return list, in.Cursor != "", nil
	})
}

// wso2PostAssociations adds associations, all or none; those to paths where nothing is are passed over.
func (h *handler) wso2PostAssociations(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	var in []wso2AssociationView
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	list := make([]registry.NewAssociation, 0, len(in))
	for _, l := range in {
		list = append(list, registry.NewAssociation{Type: l.Type, Target: l.Target})
	}
	seq, err := h.service.AssociateAll(c.Context(), c.actor, p, list)
	return gone(w, seq, h.missing(c, p, err))
}

// wso2PostAssociation adds an association; it is fine when it is there already.
func (h *handler) wso2PostAssociation(w http.ResponseWriter, c *call) error {
	return h.changeAssociation(w, c, func(p registry.Path, kind, target string) (registry.Seq, error) {
		_, seq, _, err := h.service.Associate(c.Context(), c.actor, p, kind, target)
		return seq, err
	})
}

// wso2DeleteAssociation removes an association; it is fine when both ends are there and it is not.
func (h *handler) wso2DeleteAssociation(w http.ResponseWriter, c *call) error {
	return h.changeAssociation(w, c, func(p registry.Path, kind, target string) (registry.Seq, error) {
		seq, err := h.service.Dissociate(c.Context(), c.actor, p, kind, target)
		if registry.CodeOf(err) != registry.CodeNotFound {
			return seq, err
		}
		r, look := h.service.Get(c.Context(), c.actor, p, registry.Freshness{})
		if look == nil && h.missingTarget(c, target) == nil {
			return r.Seq, nil
		}
		return seq, err
	})
}

// changeAssociation runs a change of the association that the query names.
func (h *handler) changeAssociation(w http.ResponseWriter, c *call, change func(p registry.Path, kind, target string) (registry.Seq, error)) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	target, err := c.must("targetPath")
	if err != nil {
		return err
	}
	kind, err := c.must("type")
	if err != nil {
		return err
	}
	seq, err := change(p, kind, target)
	if registry.CodeOf(err) == registry.CodeNotFound {
		if err = h.missing(c, p, err); !strings.HasPrefix(registry.MessageOf(err), resourceMissing) {
			err = h.missingTarget(c, target)
		}
	}
	return gone(w, seq, err)
}

// missingTarget says that nothing is at the target of an association, nil when something is or it is an outside URI.
func (h *handler) missingTarget(c *call, target string) error {
	if !strings.HasPrefix(target, "/") {
		return nil
	}
	p, err := registry.ParsePath(target)
	if err != nil {
		return err
	}
	_, err = h.service.Get(c.Context(), c.actor, p, registry.Freshness{})
	return h.missing(c, p, err)
}

// wso2Copy makes a copy, in place of what is there; that is in the trash then.
func (h *handler) wso2Copy(w http.ResponseWriter, c *call) error {
	return h.relocateCompat(w, c, func(in registry.MoveInput) (registry.PutResult, error) {
		return h.service.Copy(c.Context(), c.actor, in)
	})
}

// wso2Move moves, in place of what is there; that is in the trash then.
func (h *handler) wso2Move(w http.ResponseWriter, c *call) error {
	return h.relocateCompat(w, c, func(in registry.MoveInput) (registry.PutResult, error) {
		return h.service.Move(c.Context(), c.actor, in)
	})
}

func (h *handler) relocateCompat(w http.ResponseWriter, c *call, run func(registry.MoveInput) (registry.PutResult, error)) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	destination, err := c.must("destination")
	if err != nil {
		return err
	}
	to, err := registry.ParsePath(destination)
	if err != nil {
		return err
	}
	res, err := run(registry.MoveInput{From: p, To: to, Overwrite: true, If: condition})
	if err != nil {
		return h.missing(c, p, err)
	}
	setState(w.Header(), res.Resource)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
