package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// The rights on a path.
const (
	RightRead      = "read"
	RightWrite     = "write"
	RightDelete    = "delete"
	RightAuthorize = "authorize"
)

// Entry says what a role may do at a path and below it. A right in neither list is left to the entries further up.
type Entry struct {
	Role  string   `json:"role"`
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
}

// PathEntries are the entries at one path.
type PathEntries struct {
	Path    string  `json:"path"`
	Entries []Entry `json:"entries"`
}

// Permissions are the entries that count at a path: its own, and those further up, the nearest first.
type Permissions struct {
	PathEntries

	Inherited []PathEntries `json:"inherited"`
	ETag      string        `json:"etag,omitempty"` // of the path's own entries, as IfMatch takes it
}

// Decision is what one role says of a right, by the entry at Path; "" when it says nothing.
type Decision struct {
	Role    string `json:"role"`
	Allowed bool   `json:"allowed"`
	Path    string `json:"path,omitempty"`
}

// Explanation tells why a user may do something at a path or not. Decisions has what decided first.
type Explanation struct {
	Path      string     `json:"path"`
	User      string     `json:"user"`
	Right     string     `json:"right"`
	Allowed   bool       `json:"allowed"`
	Reason    string     `json:"reason"`
	Decisions []Decision `json:"decisions"`
}

// Token is an API token. Secret is there once: in the answer that makes it.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Secret    string    `json:"token,omitempty"`
	Hint      string    `json:"hint"` // how the secret begins
	Rights    []string  `json:"rights"`
	Manage    bool      `json:"manage"` // good for the administrative rights of its owner
	Paths     []string  `json:"paths"`  // what it is good for, with all below; none means everything
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at,omitzero"` // within an hour
}

// NewToken is an API token to make. Lifetime is at most 366 days.
type NewToken struct {
	Name     string
	Rights   []string
	Manage   bool
	Paths    []string
	Lifetime time.Duration
}

// Permissions reads the entries that count at a path. It needs the right authorize.
func (c *Client) Permissions(ctx context.Context, path string) (Permissions, error) {
	return c.permissions(ctx, &call{method: http.MethodGet, operation: "permissions", path: path})
}

// SetPermissions replaces the entries at a path. They count for the next request at every node.
func (c *Client) SetPermissions(ctx context.Context, path string, entries []Entry, o WriteOptions) (Permissions, error) {
	for i, e := range entries { // null is no list
		entries[i].Allow, entries[i].Deny = append([]string{}, e.Allow...), append([]string{}, e.Deny...)
	}
	body, err := jsonPayload(map[string][]Entry{"entries": append([]Entry{}, entries...)}, "application/json")
	if err != nil {
		return Permissions{}, err
	}
	return c.permissions(ctx, &call{method: http.MethodPut, operation: "permissions", path: path, header: o.header(), body: body})
}

func (c *Client) permissions(ctx context.Context, k *call) (Permissions, error) {
	var p Permissions
	_, header, err := c.askHeader(ctx, k, &p)
	if err == nil {
		p.ETag = header.Get("ETag")
	}
	return p, err
}

// Explain tells why a user, "" for the one who asks, has a right at a path or not.
func (c *Client) Explain(ctx context.Context, path, right, user string) (Explanation, error) {
	query := url.Values{"right": {right}}
	if user != "" {
		query.Set("user", user)
	}
	var x Explanation
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "explain", path: path, query: query}, &x)
	return x, err
}

// Tokens lists the caller's API tokens, newest first.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	var list struct {
		Tokens []Token `json:"tokens"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "tokens"}, &list)
	return list.Tokens, err
}

// CreateToken makes an API token of the caller, who must be signed in by password. When the answer is lost, the secret is: revoke the token and make another one.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (Token, error) {
	body, err := jsonPayload(map[string]any{
		"name": t.Name, "rights": append([]string{}, t.Rights...), "manage": t.Manage, "paths": append([]string{}, t.Paths...),
		"expires_in": int64(t.Lifetime / time.Second),
	}, "application/json")
	if err != nil {
		return Token{}, err
	}
	var made Token
	_, err = c.ask(ctx, &call{method: http.MethodPost, operation: "tokens", body: body}, &made)
	return made, err
}

// RevokeToken ends an API token of the caller, at every node.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := c.ask(ctx, &call{method: http.MethodDelete, operation: "tokens/" + url.PathEscape(id)}, nil)
	return err
}
