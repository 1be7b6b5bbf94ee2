package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// id is what a request names by its id.
func (c *call) id() (registry.ID, error) { return registry.ParseID("the end of the URL", c.rest) }

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
		views = append(views, sessionView{s.PublicID().String(), s.PublicID() == current, s.Address, s.Agent, s.CreatedAt.UTC(), s.ExpiresAt.UTC()})
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
