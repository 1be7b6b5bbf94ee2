package console

import (
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// activityPageSize is how many events one page lists.
const activityPageSize = 50

// activityTime is how the form writes a time: what browsers make of datetime-local, taken as UTC.
const activityTime = "2006-01-02T15:04"

// activityView is a page of what was done, newest first: to one resource (Only), or at a path and below.
type activityView struct {
	head
	Only    bool
	List    registry.ActivityList
	Actions []string

	Store, User, Action, Since, Until string // the filters, as they were sent
	Cursor                            string
}

// Filtered tells whether the page does not show everything.
func (v activityView) Filtered() bool { return v.User+v.Action+v.Since+v.Until != "" }

// Query adds the filters, and a cursor, to an address.
func (v activityView) Query(address, cursor string) (any, error) {
	only := ""
	if v.Only {
		only = "true"
	}
	return query(address, "only", only, "store", v.Store, "user", v.User, "action", v.Action, "since", v.Since, "until", v.Until, "cursor", cursor)
}

// activityInput reads the filters of the address.
func activityInput(r *http.Request) (registry.ActivityInput, error) {
	p, err := pathOf(r)
	if err != nil {
		return registry.ActivityInput{}, err
	}
	q := r.URL.Query()
	in := registry.ActivityInput{
		Path: p, Only: q.Get("only") == "true", Store: q.Get("store"), User: strings.TrimSpace(q.Get("user")), Action: q.Get("action"), Cursor: q.Get("cursor"),
		Limit: activityPageSize,
	}
	if in.Since, err = activityInstant(q.Get("since"), "since"); err != nil {
		return in, err
	}
	in.Until, err = activityInstant(q.Get("until"), "until")
	return in, err
}

func activityInstant(text, field string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(activityTime, text)
	if err != nil {
		return time.Time{}, registry.Errorf(registry.CodeInvalid, "%s is %q; it must be a time like 2026-11-23T02:00, UTC", field, text)
	}
	return t, nil
}

func (c *console) activity(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	in, err := activityInput(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := activityView{
		Only: in.Only, Actions: c.Service.Actions(), Store: in.Store, User: in.User, Action: in.Action, Since: q.Get("since"), Until: q.Get("until"), Cursor: in.Cursor,
	}
	v.Resource.Path = in.Path
	if v.Only {
		res, err := c.find(r, a)
		if err != nil {
			return err
		}
		v.head = c.headOf(r, res, "activity", res.Version)
	}
	if v.List, err = c.Service.Activity(r.Context(), a, in); err != nil {
		return err
	}
	if v.Only {
		return c.show(w, r, a, http.StatusOK, "activity", c.say("Activity of %s", v.Name()), v.head, v)
	}
	f := c.frame(r, a, c.say("Activity"))
	f.Section, f.Page = "activity", v
	return c.render(w, http.StatusOK, "activity", f)
}

// activityCSV sends all that the filters choose, for spreadsheets.
func (c *console) activityCSV(w http.ResponseWriter, r *http.Request, _ registry.Actor) error {
	in, err := activityInput(r)
	if err != nil {
		return err
	}
	write := registry.ActivityCSV(w)
	begun := false
	err = c.Service.ExportActivity(r.Context(), func() (registry.Actor, error) { return c.Auth.Authenticate(r) }, in, func(events []registry.Event) error {
		if !begun {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="activity.csv"`)
			begun = true
		}
		return write(events)
	})
	if err != nil && begun {
		panic(http.ErrAbortHandler) // half an export must not look like a whole one
	}
	return err
}
