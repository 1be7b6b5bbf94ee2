package console

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	suggestEntries = 8
	suggestFacets  = 2 // of each kind
	suggestFrom    = 3 // characters of words; fewer begin too much
)

// suggestion is one line below the box in the header: where it leads, and what it says.
type suggestion struct {
	Href string `json:"href"`
	Text string `json:"text"`
	Note string `json:"note,omitempty"`
}

// suggest tells, as JSON, what somebody who types into the box in the header may mean: entries of a collection after a slash, else what a search finds.
// What cannot be understood yet, or found in time, has no suggestions.
func (c *console) suggest(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	typed := strings.TrimSpace(r.URL.Query().Get("q"))
	ctx, cancel := context.WithTimeout(r.Context(), suggestLimit)
	defer cancel()
	var list []suggestion
	var err error
	switch {
	case strings.HasPrefix(typed, "/"):
		list, err = c.suggestEntries(ctx, a, typed)
		if r.URL.Query().Get("for") == "permissions" {
			leadTo(list, "permissions")
		}
	case utf8.RuneCountInString(typed) >= suggestFrom:
		list, err = c.suggestHits(ctx, a, typed)
	}
	if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
		list, err = nil, nil
	}
	vain := []registry.Code{registry.CodeInvalid, registry.CodeNotFound, registry.CodeConflict, registry.CodeDenied}
	if err != nil && !slices.Contains(vain, registry.CodeOf(err)) {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(append([]suggestion{}, list...))
}

// leadTo makes suggestions lead to another page about the same entries.
func leadTo(list []suggestion, operation string) {
	for i, s := range list {
		_, path, _ := strings.Cut(strings.TrimPrefix(s.Href, "/console/"), "/")
		list[i].Href = "/console/" + operation + "/" + path
	}
}

func (c *console) suggestEntries(ctx context.Context, a registry.Actor, typed string) ([]suggestion, error) {
	cut := strings.LastIndexByte(typed, '/')
	above, err := registry.ParsePath(typed[:cut])
	if err != nil {
		return nil, err
	}
	entries, err := c.Service.ListPrefix(ctx, a, above, typed[cut+1:], suggestEntries, registry.Freshness{})
	if err != nil {
		return nil, err
	}
	list := make([]suggestion, 0, len(entries))
	for _, e := range entries {
		s := suggestion{Href: pageOf(e), Text: e.Path.String(), Note: e.Meta.MediaType}
		if e.Kind == registry.KindCollection {
			s.Text, s.Note = s.Text+"/", c.say("collection")
		}
		list = append(list, s)
	}
	return list, nil
}

func (c *console) suggestHits(ctx context.Context, a registry.Actor, typed string) ([]suggestion, error) {
	query := typed
	if last := typed[len(typed)-1]; last != '*' && last != '"' && last != ')' {
		query += "*"
	}
	page, err := c.Service.Search(ctx, a, registry.SearchInput{Query: query, Limit: suggestEntries})
	if err != nil {
		return nil, err
	}
	var list []suggestion
	for _, h := range page.Hits {
		list = append(list, suggestion{Href: pageOf(registry.Resource{Path: h.Path, Kind: h.Kind}), Text: h.Path.Name(), Note: h.Path.Parent().String()})
	}
	for _, kind := range []struct {
		field, note string
		values      []registry.Facet
	}{{"type", mark("media type"), page.Facets.Types}, {"owner", mark("person"), page.Facets.Owners}, {"tag", mark("tag"), page.Facets.Tags}} {
		shown := 0
		for _, v := range kind.values {
			if shown == suggestFacets || !strings.Contains(strings.ToLower(v.Value), strings.ToLower(typed)) {
				continue
			}
			address, err := searchFor(condition(kind.field, v.Value))
			if err != nil {
				return nil, err
			}
			list = append(list, suggestion{Href: address, Text: kind.field + ":" + v.Value, Note: c.say(kind.note)})
			shown++
		}
	}
	return list, nil
}
