package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
)

// Tags reads the tags of what is at p. Needs [RightRead].
func (s *Service) Tags(ctx context.Context, a Actor, p Path, f Freshness) (TagList, error) {
	r, m, err := s.authorizedGet(ctx, a, p, f)
	if err != nil || m.Store == nil {
		return TagList{Resource: r}, err
	}
	tags, err := m.Store.Tags(ctx, r.ID, a.User)
	if err == nil {
		err = s.still(ctx, a, r)
	}
	if err != nil {
		return TagList{}, err
	}
	return TagList{r, tags}, nil
}

// AddTags adds tags of the actor's to what is at p; those it has already stay. It gives all tags that are there then. Needs [RightRead].
func (s *Service) AddTags(ctx context.Context, a Actor, p Path, names []string) (TagList, error) {
	m, sp, err := s.contribute(ctx, a, p)
	if err != nil {
		return TagList{}, err
	}
	tags, err := cleanTags(names)
	if err != nil {
		return TagList{}, err
	}
	var list TagList
	list.Resource, list.Tags, err = annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) ([]Tag, error) { return tx.AddTags(r, tags) })
	return list, err
}

// RemoveTag takes the actor's own tag from what is at p, or with everyone set the tag as such, for which the actor must be a moderator.
// [CodeNotFound] when there is none. Needs [RightRead].
func (s *Service) RemoveTag(ctx context.Context, a Actor, p Path, name string, everyone bool) (Seq, error) {
	m, sp, err := s.contribute(ctx, a, p)
	if err != nil {
		return Seq{}, err
	}
	tag, err := cleanTag(name)
	if err != nil {
		return Seq{}, err
	}
	if everyone {
		if err := s.mustModerate(ctx, a, p, "remove the tags of others"); err != nil {
			return Seq{}, err
		}
	}
	r, _, err := annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (struct{}, error) { return struct{}{}, tx.RemoveTag(r, tag, everyone) })
	return r.Seq, err
}

// TagCloud reads the tags that most resources have, sorted by name: at most limit of them, [DefaultCloud] for 0. A tag shows when the actor may read one
// of the first resources that have it.
func (s *Service) TagCloud(ctx context.Context, a Actor, limit int) ([]CloudTag, error) {
	limit, err := within("limit", limit, DefaultCloud, MaxCloudTags)
	if err != nil {
		return nil, err
	}
	if err := s.mustBeSomebody(ctx, a); err != nil {
		return nil, err
	}
	merged := map[string]CloudTag{}
	for _, store := range s.mounts.stores() {
		// Twice as many as asked for: some may turn out to be of nothing that the actor sees.
		uses, err := store.TopTags(ctx, 2*limit, cloudSample)
		if err != nil {
			return nil, err
		}
		for _, u := range uses {
			paths, err := s.visible(ctx, a, store, u.Sample)
			if err != nil {
				return nil, err
			}
			seen := int64(0)
			for _, p := range paths {
				if p != "" {
					seen++
				}
			}
			if seen > 0 {
				t := merged[u.Name]
				merged[u.Name] = CloudTag{u.Name, t.Count + s.countUses(a, u, seen), t.About || u.Nodes > int64(len(u.Sample))}
			}
		}
	}
	cloud := make([]CloudTag, 0, len(merged))
	for _, t := range merged {
		cloud = append(cloud, t)
	}
	slices.SortFunc(cloud, func(x, y CloudTag) int { return cmp.Or(cmp.Compare(y.Count, x.Count), strings.Compare(x.Name, y.Name)) })
	cloud = cloud[:min(limit, len(cloud))]
	slices.SortFunc(cloud, func(x, y CloudTag) int { return strings.Compare(x.Name, y.Name) })
	return cloud, nil
}

// countUses is how many resources with a tag the actor hears of, who sees so many of its sample: all that there may be behind the sample, for whom no
// permission hides anything, else those of the sample.
func (s *Service) countUses(a Actor, u TagUse, seen int64) int64 {
	if s.access != nil && (!a.IsAdmin() || a.Scope != nil) {
		return seen
	}
	return u.Nodes - int64(len(u.Sample)) + seen
}

// lookAhead bounds how many reads of a store fill one page when the actor may not see most of what they give.
const lookAhead = 4

// Tagged reads a page of the resources with exactly that tag that the actor may read. cursor is "" or the Next of the page before; a limit of 0 is
// [DefaultPageSize].
func (s *Service) Tagged(ctx context.Context, a Actor, name, cursor string, limit int) (TaggedPage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return TaggedPage{}, err
	}
	tag, err := cleanTag(name)
	if err != nil {
		return TaggedPage{}, err
	}
	if err := s.mustBeSomebody(ctx, a); err != nil {
		return TaggedPage{}, err
	}
	stores := s.mounts.stores()
	i, after, err := parseStoreCursor(stores, cursor)
	if err != nil {
		return TaggedPage{}, err
	}
	var page TaggedPage
	for range lookAhead + len(stores) {
		places, err := stores[i].Tagged(ctx, tag, after, limit)
		if err != nil {
			return TaggedPage{}, err
		}
		paths, err := s.visible(ctx, a, stores[i], places)
		if err != nil {
			return TaggedPage{}, err
		}
		for n, place := range places {
			if len(page.Entries) == limit {
				page.Next = makeStoreCursor(stores[i], after)
				return page, nil
			}
			after = place.ID
			if p := paths[n]; p != "" {
				page.Entries = append(page.Entries, Place{place.ID, place.Kind, p})
			}
		}
		if len(places) < limit {
			if i++; i == len(stores) {
				return page, nil
			}
			after = ID{}
		}
	}
	page.Next = makeStoreCursor(stores[i], after)
	return page, nil
}

// A store cursor is a store and the last id that a page had of it.

func makeStoreCursor(store Store, after ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(after.String() + store.Name()))
}

func parseStoreCursor(stores []Store, cursor string) (int, ID, error) {
	if cursor == "" && len(stores) > 0 {
		return 0, ID{}, nil
	}
	const digits = 2 * len(ID{})
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(b) > digits {
		after, err := ParseID("id", string(b[:digits]))
		name := string(b[digits:])
		if i := slices.IndexFunc(stores, func(s Store) bool { return s.Name() == name }); err == nil && i >= 0 {
			return i, after, nil
		}
	}
	return 0, ID{}, badCursor(cursor)
}
