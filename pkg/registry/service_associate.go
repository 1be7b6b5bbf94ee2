package registry

import "context"

// NewAssociation is a link to make: its type, and its target, a path or an absolute URI.
type NewAssociation struct {
	Type   string
	Target string
}

// MaxAssociationsAtOnce is the most links that one request makes.
const MaxAssociationsAtOnce = 100

// AssociateAll links what is at p to several targets, all or none. Those where nothing is are passed over, as WSO2's registry does; for the rest it
// is [Service.Associate].
func (s *Service) AssociateAll(ctx context.Context, a Actor, p Path, list []NewAssociation) (Seq, error) {
	m, sp, err := s.writable(ctx, a, RightWrite, p)
	if err != nil {
		return Seq{}, err
	}
	if len(list) == 0 || len(list) > MaxAssociationsAtOnce {
		return Seq{}, Errorf(CodeInvalid, "the list has %d associations; it must have from 1 to %d", len(list), MaxAssociationsAtOnce)
	}
	type link struct {
		kind  string
		to    End
		there Path // in the store
	}
	links := make([]link, 0, len(list))
	for _, n := range list {
		var l link
		if l.kind, err = cleanType(n.Type); err != nil {
			return Seq{}, err
		}
		if l.to.Path, l.to.URI, err = parseTarget(n.Target); err != nil {
			return Seq{}, err
		}
		if l.to.URI == "" {
			l.there, err = s.sameStore(ctx, a, m, p, l.to.Path)
			switch {
			case CodeOf(err) == CodeNotFound:
				continue
			case err != nil:
				return Seq{}, err
			}
		}
		links = append(links, l)
	}
	r, _, err := annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (made int, err error) {
		for _, l := range links {
			if l.to.URI == "" {
				t, err := lookup(tx, l.there)
				switch {
				case err != nil:
					return made, err
				case t == nil:
					continue
				case t.ID == r.ID:
					return made, Errorf(CodeInvalid, "target is the resource itself, %s", p)
				}
				l.to.Place = Place{t.ID, t.Kind, l.to.Path}
			}
			changed, err := tx.Associate(r, l.to, l.kind)
			if err != nil {
				return made, err
			}
			if changed {
				made++
			}
		}
		return made, nil
	})
	return r.Seq, err
}
