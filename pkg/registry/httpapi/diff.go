package httpapi

import (
	"cmp"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// diffView is the difference of two states as JSON.
type diffView struct {
	From       diffSideView         `json:"from"`
	To         diffSideView         `json:"to"`
	Fields     []fieldChangeView    `json:"fields"`
	Properties []propertyChangeView `json:"properties"`
	Content    contentDiffView      `json:"content"`
}

type diffSideView struct {
	Path      registry.Path `json:"path"`
	Version   int64         `json:"version,omitempty"`
	Size      int64         `json:"size"`
	SHA256    string        `json:"sha256,omitempty"`
	CreatedAt time.Time     `json:"created_at,omitzero"`
	CreatedBy string        `json:"created_by,omitempty"`
}

type fieldChangeView struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

type propertyChangeView struct {
	Name string   `json:"name"`
	From []string `json:"from"`
	To   []string `json:"to"`
}

type contentDiffView struct {
	State registry.ContentState `json:"state"`
	Hunks []hunkView            `json:"hunks,omitempty"`
}

type hunkView struct {
	FromLine  int      `json:"from_line"`
	FromCount int      `json:"from_count"`
	ToLine    int      `json:"to_line"`
	ToCount   int      `json:"to_count"`
	Lines     []string `json:"lines"` // each with its sign: " ", "-" or "+"
}

func viewDiff(d registry.Diff) diffView {
	v := diffView{
		From: viewDiffSide(d.From), To: viewDiffSide(d.To), Fields: []fieldChangeView{}, Properties: []propertyChangeView{},
		Content: contentDiffView{State: d.Content.State},
	}
	for _, f := range d.Fields {
		v.Fields = append(v.Fields, fieldChangeView(f))
	}
	for _, p := range d.Properties {
		v.Properties = append(v.Properties, propertyChangeView{p.Name, append([]string{}, p.From...), append([]string{}, p.To...)})
	}
	for _, h := range d.Content.Hunks {
		hunk := hunkView{FromLine: h.FromLine, FromCount: h.FromCount, ToLine: h.ToLine, ToCount: h.ToCount}
		for _, l := range h.Lines {
			hunk.Lines = append(hunk.Lines, string(l.Op)+l.Text)
		}
		v.Content.Hunks = append(v.Content.Hunks, hunk)
	}
	return v
}

func viewDiffSide(s registry.DiffSide) diffSideView {
	return diffSideView{
		Path: s.Path, Version: s.Version.Number, Size: s.Version.Size, SHA256: viewHash(s.Version.Hash),
		CreatedAt: s.Version.CreatedAt.UTC(), CreatedBy: s.Version.CreatedBy,
	}
}

// getDiff compares two versions of a resource, or a version with another resource.
func (h *handler) getDiff(w http.ResponseWriter, c *call) error {
	in, err := c.diffInput()
	if err != nil {
		return err
	}
	fresh, err := c.freshness()
	if err != nil {
		return err
	}
	d, err := h.service.Diff(c.Context(), c.actor, in, fresh)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if !prefersText(c.Header.Get("Accept")) {
		return writeJSON(w, http.StatusOK, viewDiff(d))
	}
	text := d.Unified()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write([]byte(text)) // who does not read it has gone
	return nil
}

func (c *call) diffInput() (registry.DiffInput, error) {
	var in registry.DiffInput
	p, n, err := parseRest(c.rest)
	if err != nil {
		return in, err
	}
	in.Path = p
	if in.From, err = c.pick("from_"); err != nil {
		return in, err
	}
	if n != 0 {
		if in.From.Version != 0 && in.From.Version != n {
			return in, registry.Errorf(registry.CodeInvalid, "the path names version %d and from_version version %d", n, in.From.Version)
		}
		in.From.Version = n
	}
	if in.To, err = c.pick("to_"); err != nil {
		return in, err
	}
	if to := c.URL.Query().Get("to"); to != "" {
		in.ToPath, n, err = registry.ParseRef(to)
		in.To.Version = cmp.Or(in.To.Version, n)
	}
	return in, err
}

// prefersText tells whether an Accept header asks for text and does not name JSON before it.
func prefersText(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		t, _, err := mime.ParseMediaType(part)
		switch {
		case err != nil:
		case t == "text/plain" || t == "text/*" || t == "text/x-diff":
			return true
		case t == jsonType:
			return false
		}
	}
	return false
}
