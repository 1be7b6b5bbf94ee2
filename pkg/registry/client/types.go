package client

import "time"

// Kinds of what a path can name.
const (
	KindCollection = "collection"
	KindResource   = "resource"
	KindLink       = "link"
)

// Properties are named lists of values.
type Properties map[string][]string

// Resource is what is known about a resource, a collection or a link. The JSON is that of the API.
type Resource struct {
	Path           string     `json:"path"`
	Name           string     `json:"name"`
	Kind           string     `json:"kind"` // KindCollection, KindResource or, in lists and of [Client.Link], KindLink
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
	Comment        string     `json:"comment,omitempty"` // what the author of the version said of it
	Mount          bool       `json:"mount,omitempty"`
	Target         string     `json:"target,omitempty"`    // of a link: the path that it leads to
	RealPath       string     `json:"real_path,omitempty"` // where this is, when Path led there over links
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
	Comment     string     `json:"comment,omitempty"`
	Labels      []string   `json:"labels,omitempty"`
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
	// IdempotencyKey names this change: the server answers a second one of that name with the first answer. A change without a key
	// gets one from the client, which may send it again then. A key of the caller's own is for a call that may be made again later.
	IdempotencyKey string
	// Comment is what the author says of the version that the change makes; "" for nothing.
	Comment string
}

// header says the options in HTTP.
func (o WriteOptions) header() map[string][]string {
	h := map[string][]string{}
	for name, value := range map[string]string{"If-Match": o.IfMatch, "If-None-Match": o.IfNoneMatch, "Idempotency-Key": o.IdempotencyKey, "Version-Comment": o.Comment} {
		if value != "" {
			h[name] = []string{value}
		}
	}
	return h
}
