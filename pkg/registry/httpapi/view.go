package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// resourceView is a resource or collection as JSON. What a collection above mount points does not have is left out.
type resourceView struct {
	Path           registry.Path       `json:"path"`
	Name           string              `json:"name"`
	Kind           string              `json:"kind"`
	ID             string              `json:"id,omitempty"`
	Version        int64               `json:"version,omitempty"`
	CurrentVersion int64               `json:"current_version,omitempty"` // only beside an older version
	ETag           string              `json:"etag,omitempty"`
	MediaType      string              `json:"media_type,omitempty"`
	Description    string              `json:"description"`
	Properties     registry.Properties `json:"properties"`
	Size           int64               `json:"size"`
	SHA256         string              `json:"sha256,omitempty"`
	CreatedAt      time.Time           `json:"created_at,omitzero"`
	CreatedBy      string              `json:"created_by,omitempty"`
	UpdatedAt      time.Time           `json:"updated_at,omitzero"`
	UpdatedBy      string              `json:"updated_by,omitempty"`
	Comment        string              `json:"comment,omitempty"` // of the version
	Mount          bool                `json:"mount,omitempty"`
	Target         registry.Path       `json:"target,omitempty"`    // of a link
	RealPath       registry.Path       `json:"real_path,omitempty"` // where the path leads over links
}

func viewResource(r registry.Resource) resourceView {
	v := resourceView{
		Path: r.Path, Name: r.Path.Name(), Kind: r.Kind.String(), Version: r.Version, MediaType: r.Meta.MediaType,
		Description: r.Meta.Description, Properties: viewProperties(r.Meta.Properties), Size: r.Size, SHA256: viewHash(r.Hash),
		Target: r.Meta.Link, RealPath: r.Real,
		CreatedAt: r.CreatedAt.UTC(), CreatedBy: r.CreatedBy, UpdatedAt: r.UpdatedAt.UTC(), UpdatedBy: r.UpdatedBy, Comment: r.Comment, Mount: r.Mount,
	}
	if !r.ID.IsZero() {
		v.ID, v.ETag = r.ID.String(), r.ETag()
	}
	return v
}

// viewResourceAt is a resource with what an older version of it held.
func viewResourceAt(r registry.Resource, at registry.Version) resourceView {
	v := viewResource(r)
	v.Version, v.ETag = at.Number, at.ETag()
	if !r.IsPast() {
		v.CurrentVersion = r.Version
	}
	v.MediaType, v.Description, v.Properties = at.Meta.MediaType, at.Meta.Description, viewProperties(at.Meta.Properties)
	v.Size, v.SHA256, v.UpdatedAt, v.UpdatedBy, v.Comment = at.Size, viewHash(at.Hash), at.CreatedAt.UTC(), at.CreatedBy, at.Comment
	return v
}

// versionView is one version in a list of versions.
type versionView struct {
	Version     int64               `json:"version"`
	ETag        string              `json:"etag"`
	MediaType   string              `json:"media_type,omitempty"`
	Description string              `json:"description"`
	Properties  registry.Properties `json:"properties"`
	Size        int64               `json:"size"`
	SHA256      string              `json:"sha256,omitempty"`
	CreatedAt   time.Time           `json:"created_at"`
	CreatedBy   string              `json:"created_by"`
	Comment     string              `json:"comment,omitempty"`
	Labels      []string            `json:"labels,omitempty"`
}

func viewVersion(v registry.Version) versionView {
	return versionView{
		Version: v.Number, ETag: v.ETag(), MediaType: v.Meta.MediaType, Description: v.Meta.Description, Properties: viewProperties(v.Meta.Properties),
		Size: v.Size, SHA256: viewHash(v.Hash), CreatedAt: v.CreatedAt.UTC(), CreatedBy: v.CreatedBy, Comment: v.Comment,
	}
}

func viewProperties(p registry.Properties) registry.Properties {
	if p == nil {
		return registry.Properties{}
	}
	return p
}

func viewHash(h registry.Hash) string {
	if h == (registry.Hash{}) {
		return ""
	}
	return h.String()
}

// writeJSON answers with v. It is encoded whole first, so that an error can still be told.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who does not read it has gone
	return nil
}

// setState puts the headers that tell which state of a resource an answer speaks of.
func setState(h http.Header, r registry.Resource) {
	setSeq(h, r.Seq)
	if !r.ID.IsZero() {
		h.Set("ETag", r.ETag())
		h.Set("Registry-Version", strconv.FormatInt(r.Version, 10))
	}
}

// setVersion puts the headers of an older version in place of the current one's.
func setVersion(h http.Header, v registry.Version) {
	h.Set("ETag", v.ETag())
	h.Set("Registry-Version", strconv.FormatInt(v.Number, 10))
}

func setSeq(h http.Header, s registry.Seq) {
	if s.Store != "" {
		h.Set("Registry-Seq", s.Store+":"+strconv.FormatInt(s.N, 10))
	}
}

// location is the URL of p below an operation's URL, without host: the client knows by which name it came.
func location(operation string, p registry.Path) string {
	return (&url.URL{Path: operation + p.String()}).EscapedPath()
}
