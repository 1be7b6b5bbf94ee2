package httpapi

import (
	"errors"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// entryView is what a role may do at a path and below it.
type entryView struct {
	Role  string   `json:"role"`
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// entriesView is the entries at a path further up.
type entriesView struct {
	Path    registry.Path `json:"path"`
	Entries []entryView   `json:"entries"`
}

// permissionsView is the entries that count at a path.
type permissionsView struct {
	entriesView
	Inherited []entriesView `json:"inherited"`
}

func viewEntries(e registry.PathEntries) entriesView {
	v := entriesView{Path: e.Path, Entries: []entryView{}}
	for _, entry := range e.Entries {
		v.Entries = append(v.Entries, entryView{entry.Role, entry.Allow.Names(), entry.Deny.Names()})
	}
	return v
}

func writePermissions(w http.ResponseWriter, p registry.PathPermissions) error {
	v := permissionsView{entriesView: viewEntries(p.PathEntries), Inherited: []entriesView{}}
	for _, e := range p.Inherited {
		v.Inherited = append(v.Inherited, viewEntries(e))
	}
	w.Header().Set("ETag", p.ETag)
	return writeJSON(w, http.StatusOK, v)
}

// getPermissions gives the permission entries of a path, and those that it inherits.
func (h *handler) getPermissions(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	perms, err := h.service.Permissions(c.Context(), c.actor, p)
	if err != nil {
		return err
	}
	return writePermissions(w, perms)
}

// putPermissions replaces the permission entries of a path.
func (h *handler) putPermissions(w http.ResponseWriter, c *call) error {
	p, condition, err := c.change()
	if err != nil {
		return err
	}
	var in struct {
		Entries *[]entryView `json:"entries"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	if in.Entries == nil {
		return lacks("entries", "the list that replaces the present one")
	}
	entries := make([]registry.RoleEntry, len(*in.Entries))
	for i, e := range *in.Entries {
		entries[i].Role = e.Role
		if entries[i].Allow, err = registry.ParseRights(e.Allow); err != nil {
			return err
		}
		if entries[i].Deny, err = registry.ParseRights(e.Deny); err != nil {
			return err
		}
	}
	perms, err := h.service.SetPermissions(c.Context(), c.actor, p, entries, condition)
	if err != nil {
		return err
	}
	return writePermissions(w, perms)
}

func lacks(field, what string) error {
	return registry.Errorf(registry.CodeInvalid, "the JSON body lacks the field %q, %s", field, what)
}

// decisionView is what one role says of a right. Path is where the entry is that says so.
type decisionView struct {
	Role    string        `json:"role"`
	Allowed bool          `json:"allowed"`
	Path    registry.Path `json:"path,omitempty"`
}

// explain tells why a user has a right on a path or not.
func (h *handler) explain(w http.ResponseWriter, c *call) error {
	p, err := c.target()
	if err != nil {
		return err
	}
	query := c.URL.Query()
	right, err := registry.ParseRight(query.Get("right"))
	if err != nil {
		return err
	}
	user := c.actor.User
	if query.Has("user") {
		user = query.Get("user")
	}
	x, err := h.service.Explain(c.Context(), c.actor, p, user, right)
	if err != nil {
		return err
	}
	decisions := []decisionView{}
	for _, d := range x.Decisions {
		decisions = append(decisions, decisionView{d.Role, d.Allowed, d.Path})
	}
	return writeJSON(w, http.StatusOK, map[string]any{
		"path": p, "user": user, "right": right.String(), "allowed": x.Allowed, "reason": x.Reason, "decisions": decisions,
	})
}

// open tells whether nobody in particular may try an operation: one that reads a path, for which the use case asks.
func (t route) open() bool { return t.method == http.MethodGet && t.hasPath() }

// signInFirst hides from who did not sign in why an operation failed: whether something is there is no business of theirs.
func signInFirst(err error) error {
	switch registry.CodeOf(err) {
	case "", registry.CodePrecondition, registry.CodeUnavailable, registry.CodeCanceled:
		return err
	case registry.CodeInternal:
		if e, ok := errors.AsType[*refusal](err); !ok || e.code == codeRange {
			return err
		}
	default:
	}
	return registry.Errorf(registry.CodeUnauthenticated, "sign in first: this needs a user name and a password, a token, or a session")
}
