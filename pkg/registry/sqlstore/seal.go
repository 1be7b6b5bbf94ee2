package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// A subtree that is on its way to another store is sealed: nothing at or below its top changes, and nothing takes it, or a collection above it, elsewhere. Each
// transaction reads how many subtrees are sealed with the head, in the write turn, so the answer is exact and costs nothing while there is none. An
// operation is judged by what it put into the change log: no kind of change can be forgotten here.

// errSealed is in the error of a change that met a sealed subtree.
var errSealed = errors.New("a sealed subtree")

func sealed(to string) error {
	return &registry.Error{
		Code: registry.CodeUnavailable, Message: "what is at or below this place is being moved to the store " + to + "; try again", Err: errSealed,
	}
}

// seals are the sealed subtrees as one transaction sees them.
type seals struct {
	tops  map[registry.ID]string // the name of the store that each goes to
	above map[registry.ID]string // the same of the collections above them
}

// readSeals reads the sealed subtrees; they are few.
func (o *operation) readSeals() (*seals, error) {
	if o.seals != nil {
		return o.seals, nil
	}
	l := &seals{tops: map[registry.ID]string{}, above: map[registry.ID]string{}}
	err := o.tx.each(o.ctx, "seals", "SELECT node, to_store FROM departure", nil, func(rows *sqlx.Rows) error {
		var node, to []byte
		err := rows.Scan(&node, &to)
		l.tops[toID(node)] = string(to)
		return err
	})
	if err != nil {
		return nil, o.broken(err)
	}
	for top, to := range l.tops {
		err := o.climb(top, func(id registry.ID) bool {
			if id != top {
				l.above[id] = to
			}
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	o.seals = l
	return l, nil
}

// climb visits a node and those above it, until visit says false. What is no node has nothing above it.
func (o *operation) climb(id registry.ID, visit func(registry.ID) bool) error {
	for range 2*registry.MaxDepth + 2 {
		if id.IsZero() || !visit(id) {
			return nil
		}
		n, err := o.node(id)
		if registry.CodeOf(err) == registry.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		id = n.parent
	}
	return nil
}

// under tells to which store the sealed subtree goes that a node is in; "" when it is in none.
func (o *operation) under(l *seals, id registry.ID) (string, error) {
	found := ""
	err := o.climb(id, func(id registry.ID) bool {
		found = l.tops[id]
		return found == ""
	})
	return found, err
}

// unsealed refuses an operation that changed something at or below a sealed node, or took away what holds one.
func (o *operation) unsealed() error {
	if o.sealed == 0 || o.passes {
		return nil
	}
	l, err := o.readSeals()
	if err != nil {
		return err
	}
	for _, i := range o.items {
		if to, holds := l.above[i.node]; holds && (i.act == actTrash || i.act == actLeave) {
			return sealed(to)
		}
		for _, id := range []registry.ID{i.node, i.parent} {
			to, err := o.under(l, id)
			if err != nil {
				return err
			}
			if to != "" {
				return sealed(to)
			}
		}
	}
	return nil
}

// Seal implements [registry.TransferTx].
func (o *operation) Seal(r registry.Resource, t registry.Transfer, holder registry.ID, d time.Duration) error {
	n, err := o.node(r.ID)
	if err != nil {
		return err
	}
	l, err := o.readSeals()
	if err != nil {
		return err
	}
	to, err := o.under(l, n.ID)
	if err != nil {
		return err
	}
	if to == "" {
		to = l.above[n.ID]
	}
	if to != "" {
		return sealed(to)
	}
	if n.ID == o.store.root() || n.parent == trashID {
		return notFound(r.Path)
	}
	now := o.store.backend.dialect.nowUS
	err = o.send("write_departure", "INSERT INTO departure (id, node, path, home, to_store, to_path, actor, at_us, holder, until_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "+now+" + ?)",
		t.ID[:], n.ID[:], []byte(r.Path), t.Home[:], []byte(t.Store), []byte(t.To), []byte(o.op.Actor.User), toMicros(o.op.At), holder[:], d.Microseconds())
	if err != nil {
		return err
	}
	o.touch(item{actSeal, n.ID, 1, n.parent, n.name})
	return o.recountSeals()
}

// recountSeals notes how many subtrees are sealed now. The operation itself has looked whether it may.
func (o *operation) recountSeals() error {
	o.passes, o.reseals = true, true
	return o.send("write_head", "UPDATE store_head SET sealed = (SELECT COUNT(*) FROM departure) WHERE id = 1")
}

const transferColumns = "t.id, t.node, t.path, t.home, t.to_store, t.to_path, t.actor, t.at_us"

// transferRow receives transferColumns.
type transferRow struct {
	id, node, path, home, store, to, actor []byte
	atUS                                   int64
}

func (r *transferRow) dest() []any {
	return []any{&r.id, &r.node, &r.path, &r.home, &r.store, &r.to, &r.actor, &r.atUS}
}

func (r *transferRow) transfer() registry.Transfer {
	return registry.Transfer{
		ID: toID(r.id), Node: toID(r.node), Path: registry.Path(r.path), Home: toID(r.home), Store: string(r.store), To: registry.Path(r.to),
		By: string(r.actor), At: toTime(r.atUS),
	}
}

// transfersPage is how many moves one statement reads.
const transfersPage = 100

// Transfers implements [registry.TransferStore]. The table has a row for each move that goes on, and so is all but empty: a page has them all, mostly.
func (s *Store) Transfers(ctx context.Context, idle bool) ([]registry.Transfer, error) {
	var list []registry.Transfer
	var last registry.ID
	for {
		page, err := s.transfersAfter(ctx, idle, last)
		list = append(list, page...)
		if err != nil || len(page) < transfersPage {
			return list, s.fail("read moves to other stores", err)
		}
		last = page[len(page)-1].ID
	}
}

// transfersAfter reads a page of moves, by their ids: a range of the primary key.
func (s *Store) transfersAfter(ctx context.Context, idle bool, last registry.ID) ([]registry.Transfer, error) {
	which := ""
	if idle {
		which = " AND t.until_us < " + s.backend.dialect.nowUS
	}
	query := "SELECT " + transferColumns + " FROM departure t WHERE t.id > ?" + which + " ORDER BY t.id LIMIT ?"
	var page []registry.Transfer
	err := s.retryRead(ctx, func() error {
		page = nil
		return s.read.each(ctx, "departures", query, []any{last[:], transfersPage}, func(rows *sqlx.Rows) error {
			var row transferRow
			err := rows.Scan(row.dest()...)
			page = append(page, row.transfer())
			return err
		})
	})
	return page, err
}

// HoldTransfer implements [registry.TransferStore].
func (s *Store) HoldTransfer(ctx context.Context, id, holder registry.ID, d time.Duration) (bool, error) {
	now := s.backend.dialect.nowUS
	query := "UPDATE departure SET holder = ?, until_us = " + now + " + ? WHERE id = ? AND (holder = ? OR until_us < " + now + ")"
	held := false
	err := s.bulk.within(ctx, func(t *txn) error {
		n, err := t.exec(ctx, "hold", query, holder[:], d.Microseconds(), id[:], holder[:])
		held = n == 1
		return err
	})
	return held && err == nil, s.fail("hold a move", err)
}

// EndTransfer implements [registry.TransferStore].
func (s *Store) EndTransfer(ctx context.Context, op registry.Op, id registry.ID, arrived bool) error {
	_, err := s.update(ctx, op, func(o *operation) error {
		var row transferRow
		there := false
		err := o.tx.each(o.ctx, "departures", "SELECT "+transferColumns+" FROM departure t WHERE t.id = ?", []any{id[:]}, func(rows *sqlx.Rows) error {
			there = true
			return rows.Scan(row.dest()...)
		})
		if err != nil {
			return o.broken(err)
		}
		if !there {
			return nil
		}
		t := row.transfer()
		n, err := o.node(t.Node)
		if err != nil {
			return fmt.Errorf("the node of a move: %w", err)
		}
		if arrived {
			if err := o.Trash(n.at(t.Path, s.name, o.head.seq)); err != nil {
				return err
			}
		}
		o.touch(item{actSeal, n.ID, 0, n.parent, n.name})
		if err := o.send("write_departure", "DELETE FROM departure WHERE id = ?", id[:]); err != nil {
			return err
		}
		return o.recountSeals()
	})
	return err
}

// Identity implements [registry.TransferStore].
func (s *Store) Identity(ctx context.Context) (registry.ID, error) {
	var head headRow
	err := s.retryRead(ctx, func() error { return s.read.one(ctx, "head", headQuery, nil, head.dest()...) })
	return head.snapshot().epoch, s.fail("read the identity", err)
}
