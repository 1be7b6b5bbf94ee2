package httpapi

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
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

// id is what a request names by its id.
func (c *call) id() (registry.ID, error) {
	b, err := hex.DecodeString(c.rest)
	if err != nil || len(b) != len(registry.ID{}) {
		return registry.ID{}, registry.Errorf(registry.CodeInvalid, "the URL must end in an id of 32 hexadecimal digits")
	}
	return registry.ID(b), nil
}

// getUsers gives a page of users, sorted by name.
func (h *handler) getUsers(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	users, next, err := h.auth.Users(c.Context(), c.actor, c.URL.Query().Get("after"), int(limit))
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
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
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

// tokenView is an API token. Token, the secret, is there once: when it is made.
type tokenView struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Token     string          `json:"token,omitempty"`
	Hint      string          `json:"hint"`
	Rights    []string        `json:"rights"`
	Manage    bool            `json:"manage"`
	Paths     []registry.Path `json:"paths"`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
	UsedAt    time.Time       `json:"used_at,omitzero"`
}

func viewToken(t registry.Token, secret string) tokenView {
	v := tokenView{
		ID: t.ID.String(), Name: t.Name, Token: secret, Hint: t.Hint, Rights: t.Scope.Rights.Names(), Manage: t.Scope.Manage,
		Paths: append([]registry.Path{}, t.Scope.Paths...), CreatedAt: t.CreatedAt.UTC(), ExpiresAt: t.ExpiresAt.UTC(),
	}
	if !t.UsedAt.IsZero() {
		v.UsedAt = t.UsedAt.UTC()
	}
	return v
}

func (h *handler) getTokens(w http.ResponseWriter, c *call) error {
	tokens, err := h.auth.Tokens(c.Context(), c.actor, c.URL.Query().Get("user"))
	if err != nil {
		return err
	}
	views := []tokenView{}
	for _, t := range tokens {
		views = append(views, viewToken(t, ""))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"tokens": views})
}

// postToken makes an API token of the caller. The answer has the secret, this once.
func (h *handler) postToken(w http.ResponseWriter, c *call) error {
	var in struct {
		Name      string   `json:"name"`
		Rights    []string `json:"rights"`
		Manage    bool     `json:"manage"`
		Paths     []string `json:"paths"`
		ExpiresIn int64    `json:"expires_in"` // seconds
	}
	if err := c.decode(&in, jsonType); err != nil {
		return err
	}
	rights, err := registry.ParseRights(in.Rights)
	if err != nil {
		return err
	}
	scope := registry.Scope{Rights: rights, Manage: in.Manage}
	for _, s := range in.Paths {
		p, err := registry.ParsePath(s)
		if err != nil {
			return err
		}
		scope.Paths = append(scope.Paths, p)
	}
	lifetime := time.Duration(min(max(in.ExpiresIn, 0), int64(2*auth.MaxTokenLifetime/time.Second))) * time.Second
	secret, t, err := h.auth.CreateToken(c.Context(), c.actor, in.Name, scope, lifetime)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusCreated, viewToken(t, secret))
}

func (h *handler) deleteToken(w http.ResponseWriter, c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	return done(w, h.auth.RevokeToken(c.Context(), c.actor, c.URL.Query().Get("user"), id))
}

// sessionView is a session.
type sessionView struct {
	ID        string    `json:"id"`
	Current   bool      `json:"current,omitempty"`
	Address   string    `json:"address"`
	Agent     string    `json:"agent"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (h *handler) getSessions(w http.ResponseWriter, c *call) error {
	sessions, err := h.auth.Sessions(c.Context(), c.actor, c.URL.Query().Get("user"))
	if err != nil {
		return err
	}
	current := auth.SessionID(auth.SessionToken(c.Request))
	views := []sessionView{}
	for _, s := range sessions {
		views = append(views, sessionView{s.PublicID().String(), s.PublicID() == current, s.Address, strings.ToValidUTF8(s.Agent, "?"), s.CreatedAt.UTC(), s.ExpiresAt.UTC()})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"sessions": views})
}

// deleteSessions ends all sessions of a user but the one of this request.
func (h *handler) deleteSessions(w http.ResponseWriter, c *call) error {
	return done(w, h.auth.RevokeSessions(c.Context(), c.actor, c.URL.Query().Get("user"), auth.SessionToken(c.Request)))
}

func (h *handler) deleteSession(w http.ResponseWriter, c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	return done(w, h.auth.RevokeSession(c.Context(), c.actor, c.URL.Query().Get("user"), id))
}
