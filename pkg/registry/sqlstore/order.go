package sqlstore

import (
	"context"

	"github.com/regent-registry/regent/pkg/registry"
)

// NoteOrder implements [registry.OrderLog]: an item of the change log, and nothing else.
func (s *Store) NoteOrder(ctx context.Context, op registry.Op, o registry.Order) error {
	_, err := s.update(ctx, op, func(u *operation) error {
		u.touch(item{act: actOrder, name: o.String()})
		return nil
	})
	return err
}
