package registry

import (
	"context"
	"strings"
)

// Order is what somebody tells one process of the cluster to do, beside the registry's data: to log more, to take no more requests, to do a job now.
type Order struct {
	Node string // the name of the process
	What string // "drain", "log level debug"
}

// maxOrder is how many bytes of an order the log keeps: a name in it has no more room.
const maxOrder = 255

// String is the order as the activity shows it, "node1: drain", shortened.
func (o Order) String() string {
	s := o.Node + ": " + o.What
	return strings.ToValidUTF8(s[:min(len(s), maxOrder)], "")
}

// OrderLog keeps who told which process what. The change log of the store with the accounts is one.
type OrderLog interface {
	// NoteOrder notes an order; it is durable when NoteOrder returns nil.
	NoteOrder(ctx context.Context, op Op, o Order) error
}

// Operates tells whether a may give orders that change which nodes serve, or what they work at: administrators who see the server.
func (s *Service) Operates(a Actor) bool { return a.Holds(GrantServer) && a.IsAdmin() }

// NoteLogOrder notes, before it is followed, an order that changes what a process logs. Needs [GrantServer].
func (s *Service) NoteLogOrder(ctx context.Context, a Actor, o Order) error {
	if !a.Holds(GrantServer) {
		return Errorf(CodeDenied, "you may not change what the nodes log")
	}
	return s.noteOrder(ctx, a, o)
}

// NoteOrder notes any other order, before it is followed. Needs what [Service.Operates] tells.
func (s *Service) NoteOrder(ctx context.Context, a Actor, o Order) error {
	if !s.Operates(a) {
		return Errorf(CodeDenied, "only administrators may tell nodes what to do")
	}
	return s.noteOrder(ctx, a, o)
}

func (s *Service) noteOrder(ctx context.Context, a Actor, o Order) error {
	if s.orders == nil {
		return Errorf(CodeConflict, "this registry takes no orders: it has nowhere to note them")
	}
	return s.orders.NoteOrder(ctx, s.op(a), o)
}
