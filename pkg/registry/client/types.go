package client

import "time"

// Kinds of what a path can name.
const (
	KindCollection = "collection"
	KindResource   = "resource"
)

// Properties are named lists of values.
type Properties map[string][]string

// Resource is what is known about a resource or collection. The JSON is that of the API.
type Resource struct {
	Path           string     `json:"path"`
	Name           string     `json:"name"`
	Kind           string     `json:"kind"` // KindCollection or KindResource
	ID             string     `json:"id,omitempty"`
	Version        int64      `json:"version,omitempty"`
	CurrentVersion int64      `json:"current_version,omitempty"` // only beside an older version
	ETag           string     `json:"etag,omitempty"`            // with its quotes, as IfMatch takes it
	MediaType      string     `json:"media_type,omitempty"`
	Description    string     `json:"description"`
	Properties     Properties `json:"properties"`
	Size           int64      `json:"size"` // bytes
	SHA256         string     `json:"sha256,omitempty"`
	CreatedAt      time.Time  `json:"created_at,omitzero"`
	CreatedBy      string     `json:"created_by,omitempty"`
	UpdatedAt      time.Time  `json:"updated_at,omitzero"`
	UpdatedBy      string     `json:"updated_by,omitempty"`
	Mount          bool       `json:"mount,omitempty"`
}

// Version is one state of a resource or collection.
type Version struct {
	Version     int64      `json:"version"`
	ETag        string     `json:"etag"`
	MediaType   string     `json:"media_type,omitempty"`
	Description string     `json:"description"`
	Properties  Properties `json:"properties"`
	Size        int64      `json:"size"`
	SHA256      string     `json:"sha256,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedBy   string     `json:"created_by"`
}

// Mount is a path that a store stands at.
type Mount struct {
	Path       string `json:"path"`
	Store      string `json:"store"`
	TargetPath string `json:"target_path"`
	ReadOnly   bool   `json:"read_only"`
}

// User is who the credentials are of.
type User struct {
	Name string `json:"user"`
	ID   string `json:"id"`
}

// WriteOptions are the conditions of a change, and what makes it safe to repeat.
type WriteOptions struct {
	// IfMatch is the entity tag that the current state must have; "*" for any. Else the change is refused with [ErrPrecondition].
	IfMatch string
	// IfNoneMatch "*" refuses the change, with [ErrPrecondition], when there is something already.
	IfNoneMatch string
	// IdempotencyKey names this change: the server answers a second one of that name with the first answer. Give one only to a server that
	// honours it: the client repeats the change then.
	IdempotencyKey string
}

// guarded tells whether the server can tell a repetition of the change from a new one.
func (o WriteOptions) guarded() bool {
	return o.IfMatch != "" && o.IfMatch != "*" || o.IfNoneMatch == "*" || o.IdempotencyKey != ""
}

// header says the options in HTTP.
func (o WriteOptions) header() map[string][]string {
	h := map[string][]string{}
	for name, value := range map[string]string{"If-Match": o.IfMatch, "If-None-Match": o.IfNoneMatch, "Idempotency-Key": o.IdempotencyKey} {
		if value != "" {
			h[name] = []string{value}
		}
	}
	return h
}
