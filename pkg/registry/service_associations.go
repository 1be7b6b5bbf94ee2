package registry

import (
	"cmp"
	"context"
	"slices"
)

// AssociationsInput asks for associations of what is at Path.
type AssociationsInput struct {
	Path     Path
	Incoming bool   // those that lead here, not from here
	Type     string // "" or "*" for all
	Cursor   string // "" or the Next of the page before
	Limit    int    // [DefaultPageSize] for 0
}

// Associations reads a page of the associations from, or to, what is at a path. Those of one type lie together; within the page they are sorted by
// type and the other end. Needs [RightRead], also on the other end: what the actor may not read, and what is in the trash, is left out.
func (s *Service) Associations(ctx context.Context, a Actor, in AssociationsInput, f Freshness) (AssociationPage, error) {
	limit, err := pageSize(in.Limit)
	if err != nil {
		return AssociationPage{}, err
	}
	kind, err := allTypes(in.Type, "")
	if err != nil {
		return AssociationPage{}, err
	}
	after, err := parseAssociationCursor(in.Cursor)
	if err != nil {
		return AssociationPage{}, err
	}
	r, m, err := s.authorizedGet(ctx, a, in.Path, f)
	if err != nil || m.Store == nil {
		return AssociationPage{Resource: r}, err
	}
	page := AssociationPage{Resource: r}
	q := AssociationQuery{Nodes: []ID{r.ID}, Incoming: in.Incoming, Type: kind, After: after, Limit: limit + 1}
	if err := s.fillAssociations(ctx, a, m.Store, q, &page); err != nil {
		return AssociationPage{}, err
	}
	if err := s.still(ctx, a, r); err != nil {
		return AssociationPage{}, err
	}
	slices.SortFunc(page.Associations, func(x, y Association) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Source.Path, y.Source.Path), cmp.Compare(x.Target.Path, y.Target.Path),
			cmp.Compare(x.Target.URI, y.Target.URI))
	})
	return page, nil
}

// fillAssociations reads until the page has one less than q.Limit entries, the store has no more, or it has looked far enough.
func (s *Service) fillAssociations(ctx context.Context, a Actor, store Store, q AssociationQuery, page *AssociationPage) error {
	for range lookAhead {
		list, err := store.Associations(ctx, q)
		if err != nil {
			return err
		}
		shown, err := s.showEnds(ctx, a, store, list, q.Incoming)
		if err != nil {
			return err
		}
		for i, l := range list {
			if len(page.Associations) == q.Limit-1 {
				page.Next = makeAssociationCursor(q.After)
				return nil
			}
			q.After = l.Key
			if shown[i] {
				l.near(q.Incoming).Path, l.near(q.Incoming).Kind = page.Resource.Path, page.Resource.Kind
				page.Associations = append(page.Associations, l)
			}
		}
		if len(list) < q.Limit {
			return nil
		}
	}
	page.Next = makeAssociationCursor(q.After)
	return nil
}

// far is the end that a query did not ask by.
func (l *Association) far(incoming bool) *End {
	if incoming {
		return &l.Source
	}
	return &l.Target
}

// near is the end that a query asked by.
func (l *Association) near(incoming bool) *End { return l.far(!incoming) }

// showEnds makes the paths of the far ends those of the registry; false where the actor does not see one. An outside URI everybody sees.
func (s *Service) showEnds(ctx context.Context, a Actor, store Store, list []Association, incoming bool) ([]bool, error) {
	places := make([]Place, len(list))
	for i := range list {
		places[i] = list[i].far(incoming).Place
	}
	paths, err := s.visible(ctx, a, store, places)
	if err != nil {
		return nil, err
	}
	shown := make([]bool, len(list))
	for i := range list {
		e := list[i].far(incoming)
		e.Path, shown[i] = paths[i], paths[i] != "" || e.URI != ""
	}
	return shown, nil
}

// Associate links what is at p to a target: a path of the registry, which must be in the same store, or an absolute URI. It gives the ends and the type of the
// link, and false when it was there already. Needs [RightWrite] on p and [RightRead] on the target.
func (s *Service) Associate(ctx context.Context, a Actor, p Path, kind, target string) (Association, Seq, bool, error) {
	return s.linkOne(ctx, a, p, kind, target, associate(p))
}

// associate makes a link of what is at p.
func associate(p Path) linkChange {
	return func(tx Tx, r Resource, to End, kind string) (bool, error) {
		if to.URI == "" && to.ID == r.ID {
			return false, Errorf(CodeInvalid, "target is the resource itself, %s", p)
		}
		return tx.Associate(r, to, kind)
	}
}

// Dissociate removes a link; [CodeNotFound] when there is none. Needs [RightWrite] on p and [RightRead] on the target.
func (s *Service) Dissociate(ctx context.Context, a Actor, p Path, kind, target string) (Seq, error) {
	_, seq, _, err := s.linkOne(ctx, a, p, kind, target, func(tx Tx, r Resource, to End, kind string) (bool, error) {
		return true, tx.Dissociate(r, to, kind)
	})
	return seq, err
}

// linkChange changes one link of r, and tells whether there was anything to change.
type linkChange func(tx Tx, r Resource, to End, kind string) (bool, error)

// linked is the answer to a change of one link.
type linked struct {
	To      End
	Changed bool
}

// linkOne runs a change of the link of that type from p to target.
func (s *Service) linkOne(ctx context.Context, a Actor, p Path, kind, target string, change linkChange) (Association, Seq, bool, error) {
	var one pendingLink
	m, sp, err := s.writable(ctx, a, RightWrite, p)
	if err == nil {
		one, err = s.pending(ctx, a, m, p, NewAssociation{kind, target})
	}
	if err != nil {
		return Association{}, Seq{}, false, err
	}
	r, made, err := annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (linked, error) { return one.run(tx, r, change) })
	if err != nil {
		return Association{}, Seq{}, false, err
	}
	return Association{Source: End{Place: Place{r.ID, r.Kind, p}}, Target: made.To, Type: one.kind}, r.Seq, made.Changed, nil
}

// pendingLink is a link to change, with what is known of it before the transaction.
type pendingLink struct {
	kind  string
	to    End
	there Path // of the target, in the store; "" for a URI
}

// pending checks a link from p, in the store of m, and authorises a look at its target.
func (s *Service) pending(ctx context.Context, a Actor, m Mount, p Path, n NewAssociation) (l pendingLink, err error) {
	if l.kind, err = cleanType(n.Type); err != nil {
		return l, err
	}
	if l.to.Path, l.to.URI, err = parseTarget(n.Target); err != nil || l.to.URI != "" {
		return l, err
	}
	l.there, err = s.sameStore(ctx, a, m, p, l.to.Path)
	return l, err
}

// run finds the target and changes the link of r.
func (l pendingLink) run(tx Tx, r Resource, change linkChange) (linked, error) {
	if l.to.URI == "" {
		t, err := tx.Get(l.there)
		if err != nil {
			return linked{}, at(l.to.Path, err)
		}
		l.to.Place = Place{t.ID, t.Kind, l.to.Path}
	}
	changed, err := change(tx, r, l.to, l.kind)
	return linked{l.to, changed}, err
}

// sameStore authorises a look at the target and finds its path in the store of m.
func (s *Service) sameStore(ctx context.Context, a Actor, m Mount, p, target Path) (Path, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, target); err != nil {
		return "", err
	}
	tm, there, ok := s.mounts.Resolve(target)
	if !ok {
		return "", notFound(target)
	}
	if tm.Store != m.Store {
		return "", Errorf(CodeConflict, "%s lies in the store %s and %s in %s; an association stays within one store", p, m.Store.Name(), target, tm.Store.Name())
	}
	return there, nil
}
