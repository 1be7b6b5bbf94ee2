package registry

import (
	"context"
	"testing"
)

type orderBook struct{ noted []string }

func (b *orderBook) NoteOrder(_ context.Context, op Op, o Order) error {
	b.noted = append(b.noted, op.Actor.User+" "+o.String())
	return nil
}

func TestNoteOrder_NeedsTheRights(t *testing.T) {
	book := &orderBook{}
	s := NewService(Config{Authorizer: SignedIn{}, Orders: book})
	admin := Actor{User: "ann", Roles: []ID{RoleAdmin}}
	for _, c := range []struct {
		a          Actor
		logs, rest bool
	}{
		{admin, true, true},
		{Actor{User: "joe", Grants: GrantServer}, true, false},
		{Actor{User: "joe", Grants: GrantUsers}, false, false},
		{Actor{User: "ann", Roles: []ID{RoleAdmin}, Scope: &Scope{}}, false, false},
		{Actor{}, false, false},
	} {
		book.noted = nil
		logs, rest := s.NoteLogOrder(t.Context(), c.a, Order{"n1", "log level debug"}), s.NoteOrder(t.Context(), c.a, Order{"n1", "drain"})
		if (logs == nil) != c.logs || (rest == nil) != c.rest || s.Operates(c.a) != c.rest {
			t.Errorf("%+v: %v, %v", c.a, logs, rest)
		}
		for _, err := range []error{logs, rest} {
			if err != nil && CodeOf(err) != CodeDenied {
				t.Error(err)
			}
		}
		if want := map[bool]int{true: 1}[c.logs] + map[bool]int{true: 1}[c.rest]; len(book.noted) != want {
			t.Errorf("%+v: noted %q", c.a, book.noted)
		}
	}
	if err := NewService(Config{Authorizer: SignedIn{}}).NoteOrder(t.Context(), admin, Order{"n1", "drain"}); CodeOf(err) != CodeConflict {
		t.Errorf("without a log: %v", err)
	}
}
