package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// activityView is a page of the activity, newest first. Next is the cursor of the next page; there is none at the end.
type activityView struct {
	Path   registry.Path `json:"path"`
	Store  string        `json:"store"`
	Stores []string      `json:"stores"`
	Events []eventView   `json:"events"`
	Next   string        `json:"next,omitempty"`
}

// getActivity tells who did what at a path and below: a page as JSON, or all of it as CSV or JSON lines.
func (h *handler) getActivity(w http.ResponseWriter, c *call) error {
	in, err := c.activityInput()
	if err != nil {
		return err
	}
	switch format := c.URL.Query().Get("format"); format {
	case "", "json":
		return h.activityPage(w, c, in)
	case "csv":
		return h.export(w, c, in, "text/csv; charset=utf-8", "activity.csv", registry.ActivityCSV(w))
	case "jsonl":
		return h.export(w, c, in, "application/jsonl", "activity.jsonl", writeLines(w))
	default:
		return registry.Errorf(registry.CodeInvalid, "query parameter format is %q; it must be json, csv or jsonl", format)
	}
}

func (h *handler) activityPage(w http.ResponseWriter, c *call, in registry.ActivityInput) error {
	list, err := h.service.Activity(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	v := activityView{Path: in.Path, Store: list.Store, Stores: list.Stores, Events: make([]eventView, 0, len(list.Events)), Next: list.Next}
	for _, e := range list.Events {
		v.Events = append(v.Events, viewEvent(e))
	}
	return writeJSON(w, http.StatusOK, v)
}

// activityInput reads the filters.
func (c *call) activityInput() (registry.ActivityInput, error) {
	p, err := c.target()
	if err != nil {
		return registry.ActivityInput{}, err
	}
	query := c.URL.Query()
	in := registry.ActivityInput{
		Path: p, Store: query.Get("store"), User: query.Get("user"), Action: query.Get("action"), Cursor: query.Get("cursor"),
	}
	if in.Only, err = c.flag("only"); err != nil {
		return in, err
	}
	if in.Since, err = c.instant("since"); err != nil {
		return in, err
	}
	if in.Until, err = c.instant("until"); err != nil {
		return in, err
	}
	if in.From, err = c.number("from", unlimited); err != nil {
		return in, err
	}
	if in.To, err = c.number("to", unlimited); err != nil {
		return in, err
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	in.Limit = int(limit)
	return in, err
}

// instant reads a query parameter that is a time; the zero time when it is not there.
func (c *call) instant(name string) (time.Time, error) {
	s := c.URL.Query().Get(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, registry.Errorf(registry.CodeInvalid, "query parameter %s is %q; it must be a time like 2026-11-23T02:00:00Z", name, s)
	}
	return t, nil
}

// export writes all that matches, as it is read. An error in the middle breaks the connection: half an export must not look like a whole one.
func (h *handler) export(w http.ResponseWriter, c *call, in registry.ActivityInput, mediaType, name string, write func([]registry.Event) error) error {
	begun := false
	who := func() (registry.Actor, error) { return h.auth.Authenticate(c.Request) }
	return h.service.ExportActivity(c.Context(), who, in, func(events []registry.Event) error {
		if !begun {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
			w.WriteHeader(http.StatusOK)
			begun = true
		}
		return write(events)
	})
}

func writeLines(w io.Writer) func([]registry.Event) error {
	lines := json.NewEncoder(w)
	return func(events []registry.Event) error {
		for _, e := range events {
			if err := lines.Encode(viewEvent(e)); err != nil {
				return err
			}
		}
		return nil
	}
}

// accessView is a sign-in or a refusal.
type accessView struct {
	ID        string        `json:"id"`
	Kind      string        `json:"kind"`
	Times     int64         `json:"times"`
	At        time.Time     `json:"at"`
	User      string        `json:"user"`
	Client    string        `json:"client"`
	Agent     string        `json:"agent"`
	RequestID string        `json:"request_id"`
	Path      registry.Path `json:"path,omitempty"`
}

// getAccesses tells sign-ins, failed ones and refusals, newest first.
func (h *handler) getAccesses(w http.ResponseWriter, c *call) error {
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	page, err := h.service.Accesses(c.Context(), c.actor, c.URL.Query().Get("cursor"), int(limit))
	if err != nil {
		return err
	}
	list := make([]accessView, 0, len(page.Accesses))
	for _, a := range page.Accesses {
		list = append(list, accessView{
			ID: a.ID.String(), Kind: a.Kind.String(), Times: a.Times, At: a.At.UTC(), User: a.User, Client: a.Client, Agent: a.Agent, RequestID: a.RequestID, Path: a.Path,
		})
	}
	v := struct {
		Accesses []accessView `json:"accesses"`
		Next     string       `json:"next,omitempty"`
	}{list, page.Next}
	return writeJSON(w, http.StatusOK, v)
}
