package registry

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// TrashPage is one page of the trash, newest entries first. It may have fewer entries than were asked for, even none, with more to come: Next tells.
type TrashPage struct {
	Entries []Deleted
	Next    string // the cursor of the next page, "" at the end; opaque to callers
}

// trashScan bounds the entries of a store's trash that one call looks at.
const trashScan = 1000

// Trash reads a page of what was deleted from p or below it, as far as the actor may read those paths. cursor is "" or the Next of the page before; a limit
// of 0 is [DefaultPageSize]. Needs [RightRead]. A path that no store holds is [CodeConflict].
func (s *Service) Trash(ctx context.Context, a Actor, p Path, cursor string, limit int) (TrashPage, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return TrashPage{}, err
	}
	mark, err := parseTrashMark(cursor)
	if err != nil {
		return TrashPage{}, err
	}
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return TrashPage{}, err
	}
	m, sp, ok := s.mounts.Resolve(p)
	if !ok {
		return TrashPage{}, Errorf(CodeConflict, "no store is mounted at or above %s; each store has a trash of its own", p)
	}
	var page TrashPage
	list, err := m.Store.Trash(ctx, mark, trashScan)
	if err != nil {
		return TrashPage{}, err
	}
	may, err := s.gone(ctx, a, RightRead, m, sp, list)
	if err != nil {
		return TrashPage{}, err
	}
	for i, d := range list {
		if !may[i] {
			continue
		}
		d.Path = d.Path.rebase(m.Target, m.Path)
		if len(page.Entries) == limit {
			page.Next = makeTrashMark(list[i-1])
			return page, nil
		}
		page.Entries = append(page.Entries, d)
	}
	if len(list) == trashScan {
		page.Next = makeTrashMark(list[len(list)-1])
	}
	return page, nil
}

// gone tells which entries of the trash of m were deleted from sp or below it, and are such that the actor has a right on them; to delete, on all below
// them, too.
func (s *Service) gone(ctx context.Context, a Actor, r Right, m Mount, sp Path, list []Deleted) ([]bool, error) {
	var places []Place
	var index []int
	for i, d := range list {
		if sp.Covers(d.Path) {
			places, index = append(places, Place{d.ID, d.Kind, d.Path.rebase(m.Target, m.Path)}), append(index, i)
		}
	}
	may, err := s.auth.Gone(ctx, a, r, m.Store, places, r != RightRead)
	if err != nil {
		return nil, err
	}
	all := make([]bool, len(list))
	for i, ok := range may {
		all[index[i]] = ok
	}
	return all, nil
}

// authorizeGone asks for rights on an entry of the trash that was at a path, and on all below it.
func (s *Service) authorizeGone(ctx context.Context, a Actor, store Store, id ID, old Path, rights ...Right) error {
	for _, r := range rights {
		may, err := s.auth.Gone(ctx, a, r, store, []Place{{ID: id, Path: old}}, true)
		if err != nil {
			return err
		}
		if !may[0] {
			return Errorf(CodeDenied, "you may not %s all that was deleted from %s", r, old)
		}
	}
	return nil
}

func makeTrashMark(d Deleted) string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, uint64(d.At.UnixMicro())), d.ID[:]...))
}

func parseTrashMark(cursor string) (TrashMark, error) {
	if cursor == "" {
		return TrashMark{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) != 8+len(ID{}) {
		return TrashMark{}, badCursor(cursor)
	}
	return TrashMark{At: time.UnixMicro(int64(binary.BigEndian.Uint64(b))), ID: ID(b[8:])}, nil
}

// Undelete puts an entry of the trash at p, its old place or another one in the same store, and makes missing collections above it. Something that stands
// there is [CodeConflict]. Needs [RightWrite] on p and on the entry, and when p is not its name in the collection that it was deleted from, wherever that is by now,
// [RightRead] and [RightDelete] on the entry, too, as for a move; all of them on all below it. The entry's own permissions count, and those of its old place.
func (s *Service) Undelete(ctx context.Context, a Actor, id ID, p Path) (PutResult, error) {
	m, sp, err := s.place(ctx, a, p)
	if err != nil {
		return PutResult{}, err
	}
	// Where an answer is kept, the entry is gone already.
	if res, ok, err := s.answered(ctx, a, m, p); ok || err != nil {
		return res, err
	}
	old, err := s.deletedFrom(ctx, m, id)
	if err != nil {
		return PutResult{}, err
	}
	var home ID
	if p.Name() == old.Name() {
		if home, err = s.wentFrom(ctx, m, id, sp); err != nil {
			return PutResult{}, err
		}
	}
	rights := []Right{RightWrite}
	if home.IsZero() {
		rights = []Right{RightWrite, RightRead, RightDelete}
	}
	if err := s.authorizeGone(ctx, a, m.Store, id, old, rights...); err != nil {
		return PutResult{}, err
	}
	return s.update(ctx, a, m, p, func(tx Tx, res *PutResult) (err error) {
		res.Changed = true
		res.Resource, err = into(tx, sp, MoveInput{To: p}, func(parent Resource) (Resource, error) {
			if !home.IsZero() && parent.ID != home {
				return Resource{}, Errorf(CodeUnavailable, "%s has changed meanwhile; try again", p.Parent())
			}
			return tx.Undelete(id, parent, sp.Name())
		})
		return err
	})
}

// wentFrom gives the collection that an entry of the trash was deleted from, when sp is a place in it; else the zero id.
func (s *Service) wentFrom(ctx context.Context, m Mount, id ID, sp Path) (ID, error) {
	origins, err := m.Store.Origins(ctx, []ID{id})
	if err != nil {
		return ID{}, err
	}
	parent, err := m.Store.Get(ctx, sp.Parent(), Freshness{})
	switch {
	case err == nil && parent.ID == origins[0].Parent:
		return parent.ID, nil
	case err != nil && CodeOf(err) != CodeNotFound:
		return ID{}, err
	}
	return ID{}, nil
}

// deletedFrom tells the path where an entry of the trash of m's store was.
func (s *Service) deletedFrom(ctx context.Context, m Mount, id ID) (Path, error) {
	d, err := m.Store.Deleted(ctx, id)
	if err != nil {
		return "", err
	}
	if m.Target.Covers(d.Path) {
		return d.Path.rebase(m.Target, m.Path), nil
	}
	for _, other := range s.mounts.All() {
		if other.Store == m.Store && other.Target.Covers(d.Path) {
			return d.Path.rebase(other.Target, other.Path), nil
		}
	}
	return "", Errorf(CodeNotFound, "there is no entry %s in the trash", id)
}

// answered gives the answer that a request got before, if it did.
func (s *Service) answered(ctx context.Context, a Actor, m Mount, p Path) (PutResult, bool, error) {
	if a.Once.IsZero() {
		return PutResult{}, false, nil
	}
	var res PutResult
	found := false
	_, err := m.Store.Update(ctx, s.op(a), func(tx Tx) error {
		made, n, ok, err := kept[outcome](tx)
		found = ok
		if err != nil || !ok {
			return err
		}
		res, err = made.result(tx)
		res.Resource.Path, res.Resource.Seq = p, Seq{Store: m.Store.Name(), N: n}
		return err
	})
	if err == nil && found {
		res.Resource.Mount = m.Path == p
		if s.auth.Authorize(ctx, a, RightRead, p) != nil {
			res.Resource = res.Resource.concealed()
		}
	}
	return res, found, err
}

// Purge removes an entry of the trash that was deleted from p or below it, for good. Needs [RightDelete] on p and on the entry, with all below
// it: by their own permissions, and those of the place where they were.
func (s *Service) Purge(ctx context.Context, a Actor, p Path, id ID) (Seq, error) {
	m, _, err := s.writable(ctx, a, RightDelete, p)
	if err != nil {
		return Seq{}, err
	}
	old, err := s.deletedFrom(ctx, m, id)
	// A request with a key may come again after it has done its work.
	if err != nil && (a.Once.IsZero() || CodeOf(err) != CodeNotFound) {
		return Seq{}, err
	}
	if err == nil {
		if !p.Covers(old) {
			return Seq{}, Errorf(CodeNotFound, "the entry %s of the trash was not deleted from %s", id, p)
		}
		if err := s.authorizeGone(ctx, a, m.Store, id, old, RightDelete); err != nil {
			return Seq{}, err
		}
	}
	missing := err
	seq, err := s.change(ctx, a, m, func(tx Tx) error {
		if missing != nil { // nobody was asked about what may have come into the trash since
			return missing
		}
		return tx.Purge(id)
	})
	if err != nil {
		return Seq{}, err
	}
	_ = m.Store.Remove(ctx, id) // what it leaves, the store removes later
	return seq, nil
}

// PurgeOlderThan is [Service.PurgeOlder] of what was deleted longer ago than age.
func (s *Service) PurgeOlderThan(ctx context.Context, a Actor, p Path, age time.Duration) (int, error) {
	return s.PurgeOlder(ctx, a, p, s.now().Add(-age))
}

// PurgeOlder removes all that was deleted from p or below it before a time, for good, as far as the actor may delete it, as for [Service.Purge]. It
// tells how many entries those were. When it ends early the store removes later what was marked. Needs [RightDelete] on p.
func (s *Service) PurgeOlder(ctx context.Context, a Actor, p Path, before time.Time) (int, error) {
	m, sp, err := s.writable(ctx, a, RightDelete, p)
	if err != nil {
		return 0, err
	}
	if a.Once.IsZero() {
		return s.purgeOlder(ctx, a, m, sp, before)
	}
	// A repeat finds nothing more to purge; it gets the count of the first time.
	count, answered := 0, false
	if _, err = m.Store.Update(ctx, s.op(a), func(tx Tx) (err error) {
		count, _, answered, err = kept[int](tx)
		return err
	}); err != nil || answered {
		return count, err
	}
	plain := a
	plain.Once = Once{}
	if count, err = s.purgeOlder(ctx, plain, m, sp, before); err != nil {
		return count, err
	}
	_, err = m.Store.Update(ctx, s.op(a), func(tx Tx) error {
		_, _, err := once(a, tx, func() (int, error) { return count, nil })
		return err
	})
	if count > 0 {
		err = afterwards(err)
	}
	return count, err
}

func (s *Service) purgeOlder(ctx context.Context, a Actor, m Mount, sp Path, before time.Time) (purged int, err error) {
	defer func() {
		if purged > 0 {
			err = afterwards(err)
		}
	}()
	for mark := (TrashMark{At: before}); ; {
		list, err := m.Store.Trash(ctx, mark, purgePage)
		if err != nil || len(list) == 0 {
			return purged, err
		}
		last := list[len(list)-1]
		mark = TrashMark{last.At, last.ID}
		ids, err := s.markPage(ctx, a, m, sp, list)
		if err != nil {
			return purged, err
		}
		purged += len(ids)
		for _, id := range ids {
			_ = m.Store.Remove(ctx, id) // what it leaves, the store removes later
		}
	}
}

// purgePage is how many entries one change marks.
const purgePage = 100

// markPage marks those of the entries that lie at or below sp and that the actor may delete.
func (s *Service) markPage(ctx context.Context, a Actor, m Mount, sp Path, list []Deleted) ([]ID, error) {
	var wanted, ids []ID
	may, err := s.gone(ctx, a, RightDelete, m, sp, list)
	if err != nil {
		return nil, err
	}
	for i, d := range list {
		if may[i] {
			wanted = append(wanted, d.ID)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	_, err = m.Store.Update(ctx, s.op(a), func(tx Tx) error {
		ids = nil
		for _, id := range wanted {
			err := tx.Purge(id)
			switch {
			case err == nil:
				ids = append(ids, id)
			case CodeOf(err) != CodeNotFound: // somebody else took it
				return err
			}
		}
		return nil
	})
	return ids, err
}
