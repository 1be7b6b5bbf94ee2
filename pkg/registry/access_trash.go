package registry

import "context"

// Gone implements [Authorizer].
func (x *Access) Gone(ctx context.Context, a Actor, r Right, store Store, list []Place, tree bool) ([]bool, error) {
	may := make([]bool, len(list))
	var ids []ID
	var index []int
	for i, place := range list {
		if done, err := x.before(a, r, place.Path); done {
			may[i] = err == nil
			continue
		}
		ids, index = append(ids, place.ID), append(index, i)
	}
	if len(ids) == 0 {
		return may, nil
	}
	origins, err := store.Origins(ctx, ids)
	if err != nil {
		return nil, err
	}
	l := x.now()
	for i, origin := range origins {
		w, err := l.waysFrom(ctx, store, origin)
		ok := err == nil && w != nil && w.permit(a, r)
		if ok && tree {
			ok, err = x.permitBelow(ctx, a, r, store, ids[i], w)
		}
		if err != nil {
			return nil, err
		}
		may[index[i]] = ok
	}
	return may, nil
}

// waysFrom is ways for what is in the trash; nil where no mount would show it, or nobody knows where it was.
func (l *look) waysFrom(ctx context.Context, store Store, o Origin) (ways, error) {
	if o.Path == "" {
		return nil, nil
	}
	p, ok := l.x.mounts.shows(store, o.Path)
	if !ok {
		return nil, nil
	}
	if p.IsRoot() {
		w, _, err := l.ways(ctx, p)
		return w, err
	}
	stretches := l.x.stretches(p)
	w := ways{below(o.Way, stretches[0].base)}
	for _, s := range stretches[1:] {
		perms, err := l.read(ctx, s)
		if err != nil {
			return nil, err
		}
		w = append(w, perms.Way)
	}
	return w, nil
}
