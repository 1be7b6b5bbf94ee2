package registry

import (
	"context"
	"slices"
	"strings"
)

// Limits of what [Service.Dependents] looks at, so that its cost does not grow with the tree.
const (
	MaxDependentsTops = MaxBatchSteps // paths of one question
	maxGoingNodes     = 2_000         // nodes below them that are looked at
	maxGoingParents   = 100           // collections whose children are read
	maxPointing       = 100           // associations and links that are told
	maxPointingRead   = 2_000         // associations that are read for that, of one lot of nodes
	maxLinksRead      = MaxSearchPage // links of the registry that are looked at
)

// Dependents is what goes when something is deleted, and what points there from elsewhere: all of it as far as the actor may read it. The counts are
// those of the deleted paths with all below them; More says that there is more of it than was looked at.
type Dependents struct {
	Collections, Resources, Links int
	More                          bool

	Incoming     []Association // from outside of what goes; both paths are of the registry
	MoreIncoming bool          // there may be others

	Pointing     []Resource // links from outside that lead to what goes
	MorePointing bool       // the registry has more links than were looked at

	Guarded int // of what goes, those with permissions of their own; counted for who may set them
}

// Count is how many nodes go.
func (d Dependents) Count() int { return d.Collections + d.Resources + d.Links }

// Any tells whether anything points to what goes.
func (d Dependents) Any() bool { return len(d.Incoming)+len(d.Pointing) > 0 }

// Dependents tells what a deletion of some paths takes along, and what it would leave pointing nowhere. It looks at no more than some thousand nodes. What
// is not there (any more) is passed over. Needs [RightRead] on each path.
func (s *Service) Dependents(ctx context.Context, a Actor, paths []Path, f Freshness) (Dependents, error) {
	if len(paths) > MaxDependentsTops {
		return Dependents{}, Errorf(CodeInvalid, "%d paths were named; at most %d can be", len(paths), MaxDependentsTops)
	}
	w := &going{service: s, actor: a, tops: paths}
	for _, p := range paths {
		if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
			return Dependents{}, err
		}
		r, m, err := s.get(ctx, a, p, f)
		if CodeOf(err) == CodeNotFound {
			continue
		}
		if err != nil {
			return Dependents{}, err
		}
		if err := w.from(ctx, r, m.Store); err != nil {
			return Dependents{}, err
		}
	}
	if err := w.links(ctx); err != nil {
		return Dependents{}, err
	}
	return w.found, nil
}

// going is one walk through what is to be deleted.
type going struct {
	service *Service
	actor   Actor
	tops    []Path
	parents int // collections whose children were read
	found   Dependents
}

// inside tells whether p goes, too.
func (w *going) inside(p Path) bool {
	return slices.ContainsFunc(w.tops, func(top Path) bool { return top.Covers(p) })
}

// from walks through what stands at one of the paths, breadth first.
func (w *going) from(ctx context.Context, top Resource, store Store) error {
	w.count(top)
	if store == nil { // it only leads to mounts
		return nil
	}
	all := []Resource{top}
	for i := 0; i < len(all); i++ {
		if all[i].Kind != KindCollection {
			continue
		}
		children, err := w.children(ctx, all[i], store)
		if err != nil {
			return err
		}
		all = append(all, children...)
	}
	governs := w.service.auth.Authorize(ctx, w.actor, RightAuthorize, top.Path) == nil
	for lot := range slices.Chunk(all, MaxPageSize/2) {
		if err := w.lot(ctx, store, lot, governs); err != nil {
			return err
		}
	}
	return nil
}

func (w *going) count(r Resource) {
	switch r.Kind {
	case KindCollection:
		w.found.Collections++
	case KindLink:
		w.found.Links++
	case KindResource:
		w.found.Resources++
	}
}

// children reads those of one collection, as many as may still be looked at.
func (w *going) children(ctx context.Context, parent Resource, store Store) ([]Resource, error) {
	room := maxGoingNodes - w.found.Count()
	if w.parents == maxGoingParents || room <= 0 {
		w.found.More = true
		return nil, nil
	}
	w.parents++
	ask := min(room, MaxPageSize)
	children, err := store.Children(ctx, parent, "", ask)
	if err != nil {
		return nil, err
	}
	w.found.More = w.found.More || len(children) == ask
	kept, err := w.service.auth.Readable(ctx, w.actor, parent, children)
	if CodeOf(err) == CodeNotFound { // it went meanwhile
		return nil, nil
	}
	for _, r := range kept {
		w.count(r)
	}
	return kept, err
}

// lot looks at what points to some of the nodes, and at their permissions.
func (w *going) lot(ctx context.Context, store Store, lot []Resource, governs bool) error {
	ids := make([]ID, 0, len(lot))
	paths := make(map[ID]Place, len(lot))
	for _, r := range lot {
		ids = append(ids, r.ID)
		paths[r.ID] = Place{r.ID, r.Kind, r.Path}
	}
	if governs {
		perms, err := store.Permissions(ctx, Root, ids, Freshness{})
		if err != nil {
			return err
		}
		for _, entries := range perms.Of {
			if len(entries) > 0 {
				w.found.Guarded++
			}
		}
	}
	list, err := store.Associations(ctx, AssociationQuery{Nodes: ids, Incoming: true, Limit: maxPointingRead})
	if err != nil {
		return err
	}
	w.found.MoreIncoming = w.found.MoreIncoming || len(list) == maxPointingRead
	shown, err := w.service.showEnds(ctx, w.actor, store, list, true)
	if err != nil {
		return err
	}
	for i, l := range list {
		if !shown[i] || w.inside(l.Source.Path) {
			continue
		}
		if len(w.found.Incoming) == maxPointing {
			w.found.MoreIncoming = true
			break
		}
		l.Target.Place = paths[l.Target.ID]
		w.found.Incoming = append(w.found.Incoming, l)
	}
	return nil
}

// links looks at the links of the registry for those that lead to what goes. The index does not know where links lead, so it looks at the newest of them.
func (w *going) links(ctx context.Context) error {
	page, err := w.service.Search(ctx, w.actor, SearchInput{Query: "kind:link", Limit: maxLinksRead})
	if err != nil {
		return err
	}
	w.found.MorePointing = page.Next != "" || !page.Complete
	for _, hit := range page.Hits {
		if w.inside(hit.Path) {
			continue
		}
		r, err := w.service.Look(ctx, w.actor, hit.Path, Freshness{})
		switch code := CodeOf(err); {
		case code == CodeNotFound || code == CodeDenied:
		case err != nil:
			return err
		case r.Kind == KindLink && w.inside(r.Meta.Link):
			w.found.Pointing = append(w.found.Pointing, r)
		}
	}
	slices.SortFunc(w.found.Pointing, func(x, y Resource) int { return strings.Compare(string(x.Path), string(y.Path)) })
	return nil
}
