package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// MaxLinks is how many links one read follows.
const MaxLinks = 16

// ViaLinkError is the cause of a [CodeNotFound] of [Store.Get] where the path goes on below a link: the link, and what follows it in the path.
type ViaLinkError struct {
	Link Resource
	Rest string
}

// Error says what is on the way.
func (e *ViaLinkError) Error() string { return "a link is on the way: " + e.Link.Path.String() }

// next is the path that the read goes on with.
func (e *ViaLinkError) next() (Path, error) {
	return ParsePath(strings.TrimSuffix(string(e.Link.Meta.Link), "/") + "/" + e.Rest)
}

// LinkInput is a symbolic link to make.
type LinkInput struct {
	Path   Path
	Target Path // any path of the registry; nothing need be there yet
	If     Precondition
}

// Link makes a symbolic link, with missing collections above it, or leads one that is there elsewhere. Reads follow links, of which each has its own
// permission to ask for; changes do not. Anything else at the path is [CodeConflict]. Needs [RightWrite].
func (s *Service) Link(ctx context.Context, a Actor, in LinkInput) (PutResult, error) {
	m, sp, err := s.place(ctx, a, in.Path)
	if err != nil {
		return PutResult{}, err
	}
	if in.Path == in.Target {
		return PutResult{}, Errorf(CodeConflict, "a link at %s cannot lead to itself", in.Path)
	}
	return s.update(ctx, a, m, in.Path, func(tx Tx, res *PutResult) error {
		current, err := lookup(tx, sp)
		if err != nil {
			return err
		}
		if err := in.If.Check(current); err != nil {
			return err
		}
		if current != nil {
			if current.Kind != KindLink {
				return Errorf(CodeConflict, "%s is a %s; a link cannot replace it", in.Path, current.Kind)
			}
			meta := current.Meta
			meta.Link = in.Target
			return revise(tx, *current, Draft{Meta: meta}, res)
		}
		parent, err := makeCollections(tx, sp.Parent())
		if err != nil {
			return err
		}
		res.Resource, err = tx.Create(parent, sp.Name(), KindLink, Draft{Meta: Meta{Link: in.Target}})
		res.Created, res.Changed = true, true
		return err
	})
}

// Look is [Service.Get] of the link itself where one is at p.
func (s *Service) Look(ctx context.Context, a Actor, p Path, f Freshness) (Resource, error) {
	if err := s.auth.Authorize(ctx, a, RightRead, p); err != nil {
		return Resource{}, err
	}
	r, _, err := s.get(ctx, a, p, f)
	return r, err
}

// reach finds what p stands for, and follows links for that, at its end and on the way. The result keeps p as its path and says where it is.
func (s *Service) reach(ctx context.Context, a Actor, p Path, f Freshness) (Resource, Mount, error) {
	return s.reachBy(ctx, a, p, func(here Path) (Resource, Mount, error) { return s.get(ctx, a, here, f) })
}

// reachBy is reach with a read of its own.
func (s *Service) reachBy(ctx context.Context, a Actor, p Path, get func(Path) (Resource, Mount, error)) (Resource, Mount, error) {
	fail := func(err error) (Resource, Mount, error) { return Resource{}, Mount{}, err }
	here, chain := p, []Path(nil)
	for {
		r, m, err := get(here)
		next, err := follow(r, err)
		switch {
		case err != nil && len(chain) > 0 && CodeOf(err) == CodeNotFound:
			return fail(Errorf(CodeNotFound, "nothing is at %s, where the links lead: %s", here, chainText(append(chain, here))))
		case err != nil:
			return fail(err)
		case next == "":
			if len(chain) > 0 {
				r.Path, r.Real = p, here
			}
			return r, m, nil
		}
		chain = append(chain, here)
		switch {
		case slices.Contains(chain, next):
			return fail(Errorf(CodeConflict, "the links lead in a circle: %s", chainText(append(chain, next))))
		case len(chain) > MaxLinks:
			return fail(Errorf(CodeConflict, "more than %d links follow each other: %s", MaxLinks, chainText(chain)))
		}
		if err := s.auth.Authorize(ctx, a, RightRead, next); err != nil {
			return fail(err)
		}
		here = next
	}
}

// follow tells where the result of a read leads; "" when it is the end of the way.
func follow(r Resource, err error) (Path, error) {
	if via, ok := errors.AsType[*ViaLinkError](err); ok {
		return via.next()
	}
	if err == nil && r.Kind == KindLink {
		return r.Meta.Link, nil
	}
	return "", err
}

func chainText(chain []Path) string {
	names := make([]string, len(chain))
	for i, p := range chain {
		names[i] = string(p)
	}
	return strings.Join(names, " -> ")
}
