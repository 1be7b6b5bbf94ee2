package registry

import (
	"context"
	"slices"
	"strings"
	"time"
)

// ActivityInput chooses what of the activity to read. Zero fields choose all.
type ActivityInput struct {
	Path   Path
	Only   bool   // what happened to the resource at that path, also where it was before; not what happened below
	Store  string // where several stores lie below Path: which; "" is the first
	User   string
	Action string
	Since  time.Time
	Until  time.Time
	From   int64  // first operation
	To     int64  // last operation
	Cursor string // "" or the Next of the page before
	Limit  int    // 0 is [DefaultPageSize]
}

// ActivityList is a page of the activity, newest first. A page may be short, or empty, and have a next one.
type ActivityList struct {
	Events []Event
	Next   string   // the cursor of the next page, "" at the end
	Store  string   // whose activity it is
	Stores []string // those that lie there
}

// activityPages bounds how many pages of a store are looked through for one page of what the actor may read.
const activityPages = 4

// Activity reads who did what at a path and below, newest first. Needs [RightRead] on the path, and on that of each event; from where a request came is
// shown to those who have [RightAuthorize] on the path, and so is what happened to accounts, at the root.
func (s *Service) Activity(ctx context.Context, a Actor, in ActivityInput) (ActivityList, error) {
	limit, err := pageSize(in.Limit)
	if err != nil {
		return ActivityList{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightRead, in.Path); err != nil {
		return ActivityList{}, err
	}
	sc, err := s.scopeOf(in.Path, in.Store)
	if err != nil {
		return ActivityList{}, err
	}
	q, err := in.query(sc, limit)
	if err != nil {
		return ActivityList{}, err
	}
	filter := eventFilter{auth: s.auth, scope: sc, full: s.auth.Authorize(ctx, a, RightAuthorize, in.Path) == nil}
	if err := s.aim(ctx, a, in, filter.full, &q); err != nil {
		return ActivityList{}, err
	}
	list := ActivityList{Store: sc.store.Name(), Stores: sc.stores}
	for range activityPages {
		q.Limit = limit - len(list.Events)
		page, err := sc.store.Activity(ctx, q)
		if err != nil {
			return ActivityList{}, err
		}
		events, err := filter.pass(ctx, a, page.Events)
		if err != nil {
			return ActivityList{}, err
		}
		list.Events = append(list.Events, events...)
		if q.Older = page.Next; q.Older == (Position{}) {
			return list, nil
		}
		if len(list.Events) == limit {
			break
		}
	}
	list.Next = q.Older.String()
	return list, nil
}

// Actions are the words that an event's action can be.
func (s *Service) Actions() []string {
	var all []string
	for _, store := range s.mounts.stores() {
		all = append(all, store.Actions()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// query checks the input.
func (in ActivityInput) query(sc scope, limit int) (ActivityQuery, error) {
	q := ActivityQuery{
		Under: sc.under, User: in.User, Action: in.Action, Since: in.Since, Until: in.Until, From: in.From, To: in.To, Limit: limit,
	}
	if err := checkText("user", in.User, MaxUserNameLength); err != nil {
		return q, err
	}
	if actions := sc.store.Actions(); in.Action != "" && !slices.Contains(actions, in.Action) {
		return q, Errorf(CodeInvalid, "action is %q; it must be one of %s", firstRunes(in.Action, 60), strings.Join(actions, ", "))
	}
	if in.From < 0 || in.To < 0 || in.To > 0 && in.To < in.From {
		return q, Errorf(CodeInvalid, "from is %d and to is %d; both must be positions of the log, the first not after the last", in.From, in.To)
	}
	if !in.Since.IsZero() && !in.Until.IsZero() && !in.Since.Before(in.Until) {
		return q, Errorf(CodeInvalid, "since is %s and until is %s; the first must be before the last", in.Since.Format(time.RFC3339), in.Until.Format(time.RFC3339))
	}
	if in.Cursor != "" {
		p, store, err := ParsePosition(in.Cursor)
		if err != nil || store != "" || p.Seq == 0 {
			return q, badCursor(in.Cursor)
		}
		q.Older = p
	}
	return q, nil
}

// aim points the query at one resource when that is asked for, and at the whole store for those who may see accounts.
func (s *Service) aim(ctx context.Context, a Actor, in ActivityInput, full bool, q *ActivityQuery) error {
	if !in.Only {
		if in.Path.IsRoot() && full {
			q.Under = ""
		}
		return nil
	}
	r, m, err := s.get(ctx, a, in.Path, Freshness{})
	switch {
	case err == nil && m.Store != nil:
		q.Node = r.ID
	case err == nil || CodeOf(err) == CodeNotFound:
		q.Exact = true
	default:
		return err
	}
	return nil
}
