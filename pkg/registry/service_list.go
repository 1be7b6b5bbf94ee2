package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
)

// List reads a page of the children of a collection, sorted by name. cursor is "" or the Next of the page before; a limit of 0 is
// [DefaultPageSize]. A resource at p is [CodeConflict]. Needs [RightRead].
func (s *Service) List(ctx context.Context, a Actor, p Path, cursor string, limit int, f Freshness) (Page, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return Page{}, err
	}
	after, err := parseCursor(cursor)
	if err != nil {
		return Page{}, err
	}
	return s.listAfter(ctx, a, p, after, limit, f)
}

// ListPrefix reads the first children of a collection whose names begin with prefix, sorted by name: at most limit of them, which must be from 1 to [MaxPageSize].
// Needs [RightRead].
func (s *Service) ListPrefix(ctx context.Context, a Actor, p Path, prefix string, limit int, f Freshness) ([]Resource, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return nil, err
	}
	after := prefix
	if last := len(prefix) - 1; last >= 0 { // the greatest text below the prefix: no name has the byte 0xff
		after = prefix[:last] + string([]byte{prefix[last] - 1, 0xff})
	}
	page, err := s.listAfter(ctx, a, p, after, limit, f)
	if err != nil {
		return nil, err
	}
	others := func(r Resource) bool { return !strings.HasPrefix(r.Path.Name(), prefix) }
	return slices.DeleteFunc(page.Entries, others), nil
}

func (s *Service) listAfter(ctx context.Context, a Actor, p Path, after string, limit int, f Freshness) (Page, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Page{}, err
	}
	r, m, err := s.reach(ctx, a, p, f)
	if err != nil {
		return Page{}, err
	}
	if err := mustBeCollection(r); err != nil {
		return Page{}, err
	}
	page := Page{Parent: r}
	mounted := s.mounts.below(cmp.Or(r.Real, p))
	if m.Store != nil {
		// One more than asked tells whether there is a next page; as many again as mount points may hide.
		page.Entries, err = s.readable(ctx, a, m.Store.Children, r, after, limit+1+len(mounted))
		if err != nil {
			return Page{}, err
		}
	}
	if err := s.overlay(ctx, a, &page, mounted, after, f); err != nil {
		return Page{}, err
	}
	if len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = makeCursor(page.Entries[limit-1].Path.Name())
	}
	return page, nil
}

// maxHidden bounds how many children that the actor may not read one page looks past.
const maxHidden = 50_000

// pager reads up to limit children of a collection that come after a name, in the order of the pager.
type pager func(ctx context.Context, parent Resource, after string, limit int) ([]Resource, error)

// readable reads as many children as asked for that the actor may read, looking past those that it may not.
func (s *Service) readable(ctx context.Context, a Actor, read pager, parent Resource, after string, limit int) ([]Resource, error) {
	var list []Resource
	for hidden := 0; hidden <= maxHidden; {
		ask := max(limit-len(list), 0)
		if hidden > 0 {
			ask = max(ask, MaxPageSize) // many are hidden here: take larger steps
		}
		found, err := read(ctx, parent, after, ask)
		if err != nil {
			return nil, err
		}
		end := len(found) < ask
		if !end {
			after = found[len(found)-1].Path.Name()
		}
		kept, err := s.auth.Readable(ctx, a, parent, found)
		if err != nil {
			return nil, err
		}
		hidden += len(found) - len(kept)
		if list = append(list, kept...); end || len(list) >= limit {
			return list[:min(len(list), limit)], nil
		}
	}
	return nil, Errorf(CodeConflict, "%s has more than %d entries in a row that you may not read", parent.Path, maxHidden)
}

// overlay puts the mount points among the entries of a page, in place of what they hide.
func (s *Service) overlay(ctx context.Context, a Actor, page *Page, mounted []mountName, after string, f Freshness) error {
	for _, n := range mounted {
		if n.name <= after {
			continue
		}
		child, err := page.Parent.Path.Join(n.name)
		if err != nil {
			return err
		}
		r, _, err := s.reach(ctx, a, child, f)
		if code := CodeOf(err); code == CodeDenied || code == CodeUnauthenticated {
			page.Entries = slices.DeleteFunc(page.Entries, func(e Resource) bool { return e.Path == child })
			continue
		}
		if err != nil {
			return err
		}
		page.Entries = slices.DeleteFunc(page.Entries, func(e Resource) bool { return e.Path == child })
		page.Entries = append(page.Entries, r)
	}
	if len(mounted) > 0 {
		slices.SortFunc(page.Entries, func(a, b Resource) int { return strings.Compare(a.Path.Name(), b.Path.Name()) })
	}
	return nil
}

// A cursor is the last name of a page, encoded so that nobody takes it for one.

func makeCursor(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func parseCursor(cursor string) (string, error) {
	name, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || strings.HasPrefix(string(name), "\x00") {
		return "", badCursor(cursor)
	}
	return string(name), nil
}
