package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// userView is a user.
type userView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	FullName  string    `json:"full_name"`
	Disabled  bool      `json:"disabled"`
	Roles     []string  `json:"roles"`
	CreatedAt time.Time `json:"created_at"`
}

func viewUser(u auth.Account) userView {
	return userView{u.ID.String(), u.Name, u.Email, u.FullName, u.Disabled, u.Roles, u.CreatedAt.UTC()}
}

func writeUser(w http.ResponseWriter, status int, u auth.Account) error {
	w.Header().Set("ETag", u.ETag)
	if status == http.StatusCreated {
		w.Header().Set("Location", usersURL+"/"+url.PathEscape(u.Name))
	}
	return writeJSON(w, status, viewUser(u))
}

// name is what a request names that is no path: a user or a role.
func (c *call) name() (string, error) {
	s, err := url.PathUnescape(c.rest)
	if err != nil || s == "" {
		return "", registry.Errorf(registry.CodeInvalid, "the URL ends in no name, or it is not well escaped")
	}
	return s, nil
}

// getUsers gives a page of users, or of those who were given a role, sorted by name.
func (h *handler) getUsers(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	q := c.URL.Query()
	var users []auth.Account
	var next string
	if q.Has("role") {
		users, next, err = h.auth.Members(c.Context(), c.actor, q.Get("role"), q.Get("after"), int(limit))
	} else {
		users, next, err = h.auth.Users(c.Context(), c.actor, q.Get("after"), int(limit))
	}
	if err != nil {
		return err
	}
	v := struct {
		Users []userView `json:"users"`
		Next  string     `json:"next,omitempty"`
	}{[]userView{}, next}
	for _, u := range users {
		v.Users = append(v.Users, viewUser(u))
	}
	return writeJSON(w, http.StatusOK, v)
}

// userFields is a user to make or to change.
type userFields struct {
	Email    *string   `json:"email"`
	FullName *string   `json:"full_name"`
	Disabled *bool     `json:"disabled"`
	Roles    *[]string `json:"roles"`
}

func (f userFields) input() auth.AccountInput {
	return auth.AccountInput{Email: f.Email, FullName: f.FullName, Disabled: f.Disabled, Roles: f.Roles}
}

func (h *handler) postUser(w http.ResponseWriter, c *call) error {
	var in struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		userFields
	}
	once := c.actor.Once
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	// Nothing that is made of the password is kept to tell whether the request is the same.
	rest, err := json.Marshal([]any{in.Name, in.userFields})
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	c.actor.Once = once.And(string(rest))
	u, err := h.auth.CreateUser(c.Context(), c.actor, in.Name, in.Password, in.input())
	if err != nil {
		return err
	}
	return writeUser(w, http.StatusCreated, u)
}

func (h *handler) getUser(w http.ResponseWriter, c *call) error {
	name, err := c.name()
	if err != nil {
		return err
	}
	u, err := h.auth.Account(c.Context(), c.actor, name)
	if err != nil {
		return err
	}
	return writeUser(w, http.StatusOK, u)
}

func (h *handler) patchUser(w http.ResponseWriter, c *call) error {
	name, condition, err := c.named()
	if err != nil {
		return err
	}
	var in userFields
	if err := c.decode(&in, jsonType, mergePatchType); err != nil {
		return err
	}
	u, err := h.auth.UpdateUser(c.Context(), c.actor, name, in.input(), condition)
	if err != nil {
		return err
	}
	return writeUser(w, http.StatusOK, u)
}

// named reads what every change of a user or role has.
func (c *call) named() (string, registry.Precondition, error) {
	name, err := c.name()
	if err != nil {
		return "", registry.Precondition{}, err
	}
	condition, err := precondition(c.Header)
	return name, condition, err
}

func (h *handler) deleteUser(w http.ResponseWriter, c *call) error {
	name, condition, err := c.named()
	if err != nil {
		return err
	}
	return done(w, h.auth.DeleteUser(c.Context(), c.actor, name, condition))
}

// done answers a change that has nothing to show.
func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// putPassword gives another user a new password.
func (h *handler) putPassword(w http.ResponseWriter, c *call) error {
	name, err := c.name()
	if err != nil {
		return err
	}
	var in struct {
		Password string `json:"password"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	return done(w, h.auth.ResetPassword(c.Context(), c.actor, name, in.Password))
}

// postPassword gives the caller a new password.
func (h *handler) postPassword(w http.ResponseWriter, c *call) error {
	var in struct {
		Old string `json:"old"`
		New string `json:"new"`
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	return done(w, h.auth.ChangePassword(c.Context(), c.actor, auth.ClientOf(c.Request), auth.SessionToken(c.Request), in.Old, in.New))
}

// roleView is a role.
type roleView struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Grants      []string  `json:"grants"`
	BuiltIn     bool      `json:"built_in"`
	CreatedAt   time.Time `json:"created_at"`
}

func viewRole(r registry.Role) roleView {
	return roleView{r.Name, r.Description, r.Grants.Names(), r.IsBuiltIn(), r.CreatedAt.UTC()}
}

func writeRole(w http.ResponseWriter, status int, r registry.Role) error {
	w.Header().Set("ETag", auth.RoleTag(r))
	if status == http.StatusCreated {
		w.Header().Set("Location", rolesURL+"/"+url.PathEscape(r.Name))
	}
	return writeJSON(w, status, viewRole(r))
}

func (h *handler) getRoles(w http.ResponseWriter, c *call) error {
	roles, err := h.auth.Roles(c.Context(), c.actor)
	if err != nil {
		return err
	}
	views := []roleView{}
	for _, r := range roles {
		views = append(views, viewRole(r))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"roles": views})
}

// roleFields is a role to make or to change.
type roleFields struct {
	Name        *string   `json:"name"`
	Description *string   `json:"description"`
	Grants      *[]string `json:"grants"`
}

func (f roleFields) input() (auth.RoleInput, error) {
	in := auth.RoleInput{Name: f.Name, Description: f.Description}
	if f.Grants == nil {
		return in, nil
	}
	grants, err := registry.ParseGrants(*f.Grants)
	in.Grants = &grants
	return in, err
}

// roleInput reads a role out of the body.
func (c *call) roleInput() (auth.RoleInput, error) {
	var f roleFields
	if err := c.decode(&f, jsonType, mergePatchType); err != nil {
		return auth.RoleInput{}, err
	}
	return f.input()
}

func (h *handler) postRole(w http.ResponseWriter, c *call) error {
	in, err := c.roleInput()
	if err != nil {
		return err
	}
	r, err := h.auth.CreateRole(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	return writeRole(w, http.StatusCreated, r)
}

func (h *handler) getRole(w http.ResponseWriter, c *call) error {
	name, err := c.name()
	if err != nil {
		return err
	}
	r, err := h.auth.Role(c.Context(), c.actor, name)
	if err != nil {
		return err
	}
	return writeRole(w, http.StatusOK, r)
}

func (h *handler) patchRole(w http.ResponseWriter, c *call) error {
	name, condition, err := c.named()
	if err != nil {
		return err
	}
	in, err := c.roleInput()
	if err != nil {
		return err
	}
	r, err := h.auth.UpdateRole(c.Context(), c.actor, name, in, condition)
	if err != nil {
		return err
	}
	return writeRole(w, http.StatusOK, r)
}

func (h *handler) deleteRole(w http.ResponseWriter, c *call) error {
	name, condition, err := c.named()
	if err != nil {
		return err
	}
	return done(w, h.auth.DeleteRole(c.Context(), c.actor, name, condition))
}
