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
	links := make([]pendingLink, 0, len(list))
	for _, n := range list {
		l, err := s.pending(ctx, a, m, p, n)
		switch CodeOf(err) {
		case "":
			links = append(links, l)
		case CodeNotFound:
		default:
			return Seq{}, err
		}
	}
	// How many were there: what nodes of an older version keep of the answer.
	r, _, err := annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (there int, err error) {
		for _, l := range links {
			switch _, err := l.run(tx, r, associate(p)); {
			case err == nil:
				there++
			case CodeOf(err) != CodeNotFound:
				return there, err
			}
		}
		return there, nil
	})
	return r.Seq, err
}
