package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sort is an order of children.
type Sort string

// The orders; a minus sign turns one round. Names have an index; to sort by anything else all children must be read.
const (
	SortName    Sort = "name"
	SortUpdated Sort = "updated"
	SortSize    Sort = "size"
)

// MaxSorted is the most children of a collection that can be sorted by something else than their names.
const MaxSorted = 1000

// MaxTotal is how far children are counted.
const MaxTotal = 1_000_000

// ListInput says which page of a collection's children to read, and how.
type ListInput struct {
	Path   Path
	Cursor string // "" or the Next of the page before, in the same order
	Limit  int    // 0: DefaultPageSize
	Sort   Sort   // "": by name
	Total  bool   // count the children
	Fresh  Freshness
}

// ListSorted is [Service.List] with a choice of the order, and with a count: at most [MaxTotal], exact below. A collection with more than [MaxSorted]
// children is [CodeConflict] for another order than that of names.
func (s *Service) ListSorted(ctx context.Context, a Actor, in ListInput) (Page, error) {
	order, down := strings.CutPrefix(string(in.Sort), "-")
	page, err := s.sorted(ctx, a, in, Sort(cmp.Or(order, string(SortName))), down)
	if err != nil || !in.Total {
		return page, err
	}
	page.Total, err = s.countChildren(ctx, a, page.Parent, in.Fresh)
	return page, err
}

func (s *Service) sorted(ctx context.Context, a Actor, in ListInput, order Sort, down bool) (Page, error) {
	switch {
	case order == SortName && !down:
		return s.List(ctx, a, in.Path, in.Cursor, in.Limit, in.Fresh)
	case order != SortName && order != SortUpdated && order != SortSize:
		return Page{}, Errorf(CodeInvalid, "sort is %q; it may be name, updated or size, each with a minus sign before it to turn it round", firstRunes(string(in.Sort), 60))
	}
	limit, err := pageSize(in.Limit)
	if err != nil {
		return Page{}, err
	}
	after, err := parseSortCursor(in.Cursor, in.Sort)
	if err != nil {
		return Page{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightRead, in.Path); err != nil {
		return Page{}, err
	}
	r, m, err := s.reach(ctx, a, in.Path, in.Fresh)
	if err != nil {
		return Page{}, err
	}
	if err := mustBeCollection(r); err != nil {
		return Page{}, err
	}
	page := Page{Parent: r}
	mounted := s.mounts.below(cmp.Or(r.Real, in.Path))
	if m.Store != nil {
		if page.Entries, err = s.candidates(ctx, a, m, r, order, after, limit+1+len(mounted)); err != nil {
			return Page{}, err
		}
	}
	if err := s.overlay(ctx, a, &page, mounted, "", in.Fresh); err != nil {
		return Page{}, err
	}
	page.cut(order, down, after, limit, in.Sort)
	return page, nil
}

// candidates reads the children among which a page lies, as far as the actor may read them.
func (s *Service) candidates(ctx context.Context, a Actor, m Mount, r Resource, order Sort, after *sortKey, limit int) ([]Resource, error) {
	if order == SortName {
		before := ""
		if after != nil {
			before = after.name
		}
		return s.readable(ctx, a, m.Store.ChildrenBefore, r, before, limit)
	}
	all, err := s.readable(ctx, a, m.Store.Children, r, "", MaxSorted+1)
	if len(all) > MaxSorted {
		return nil, Errorf(CodeConflict, "%s has more than %d children; so many can be listed by name only", r.Path, MaxSorted)
	}
	return all, err
}

// cut sorts the entries and leaves those of one page.
func (page *Page) cut(order Sort, down bool, after *sortKey, limit int, sort Sort) {
	compare := func(a, b sortKey) int {
		if down {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(a.value, b.value), strings.Compare(a.name, b.name))
	}
	slices.SortFunc(page.Entries, func(a, b Resource) int { return compare(keyOf(a, order), keyOf(b, order)) })
	if after != nil {
		page.Entries = slices.DeleteFunc(page.Entries, func(r Resource) bool { return compare(keyOf(r, order), *after) <= 0 })
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = makeSortCursor(keyOf(page.Entries[limit-1], order), sort)
	}
}

// countChildren counts the children of a collection that the actor may read, with the mount points that its store does not have.
func (s *Service) countChildren(ctx context.Context, a Actor, r Resource, f Freshness) (int64, error) {
	p := cmp.Or(r.Real, r.Path)
	mounted := s.mounts.below(p)
	m, sp, ok := s.mounts.Resolve(p)
	var n int64
	hidden := map[string]bool{}
	if ok && !r.ID.IsZero() {
		var err error
		if n, err = m.Store.CountChildren(ctx, r, MaxTotal); err != nil {
			return 0, err
		}
		if hidden, err = s.hiddenChildren(ctx, a, m.Store, r); err != nil {
			return 0, err
		}
		n -= int64(len(hidden))
	}
	for _, name := range mounted {
		child, err := p.Join(name.name)
		if err != nil {
			return 0, err
		}
		if ok && !r.ID.IsZero() && !hidden[name.name] { // what the mount hides
			covered, err := sp.Join(name.name)
			if err != nil {
				return 0, err
			}
			switch _, err := m.Store.Get(ctx, covered, Freshness{Min: r.Seq}); CodeOf(err) {
			case "":
				n--
			case CodeNotFound:
			default:
				return 0, err
			}
		}
		switch _, _, err := s.get(ctx, a, child, f); CodeOf(err) {
		case "":
			n++
		case CodeDenied, CodeUnauthenticated:
		default:
			return 0, err
		}
	}
	return n, nil
}

// hiddenChildren gives the names of the children of a collection that the actor may read which it may not: only permission entries of their own can
// take the right away.
func (s *Service) hiddenChildren(ctx context.Context, a Actor, store Store, r Resource) (map[string]bool, error) {
	hidden := map[string]bool{}
	if s.access == nil || a.IsAdmin() {
		return hidden, nil
	}
	for after := ""; len(hidden) <= maxHidden; {
		list, err := store.Guarded(ctx, r, after, MaxPageSize)
		if err != nil || len(list) == 0 {
			return hidden, err
		}
		after = list[len(list)-1].Path.Name()
		for _, c := range list {
			hidden[c.Path.Name()] = true
		}
		full := len(list) == MaxPageSize
		kept, err := s.auth.Readable(ctx, a, r, list)
		if err != nil {
			return nil, err
		}
		for _, c := range kept {
			delete(hidden, c.Path.Name())
		}
		if !full {
			return hidden, nil
		}
	}
	return nil, Errorf(CodeConflict, "%s has more than %d entries that you may not read; it cannot be counted", r.Path, maxHidden)
}

// sortKey is what an entry is sorted by; names make it unique.
type sortKey struct {
	value int64
	name  string
}

func keyOf(r Resource, order Sort) sortKey {
	k := sortKey{name: r.Path.Name()}
	switch order {
	case SortUpdated:
		if k.value = r.UpdatedAt.UnixMicro(); r.UpdatedAt.Equal(time.Time{}) {
			k.value = 0
		}
	case SortSize:
		k.value = r.Size
	case SortName:
	}
	return k
}

// The cursor of another order than the usual one says which: the key of a page's last entry means nothing in another. No name has a character 0.

func makeSortCursor(k sortKey, sort Sort) string {
	return base64.RawURLEncoding.EncodeToString([]byte("\x00" + string(sort) + "\x00" + strconv.FormatInt(k.value, 10) + "\x00" + k.name))
}

func parseSortCursor(cursor string, sort Sort) (*sortKey, error) {
	if cursor == "" {
		return nil, nil //nolint:nilnil // no cursor is the start, not a failure
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.Split(string(b), "\x00")
	if err == nil && len(parts) == 4 && parts[0] == "" && parts[1] == string(sort) {
		if n, err := strconv.ParseInt(parts[2], 10, 64); err == nil {
			return &sortKey{n, parts[3]}, nil
		}
	}
	return nil, Errorf(CodeInvalid, "cursor %q is not one that a page in this order gave", firstRunes(cursor, 60))
}
