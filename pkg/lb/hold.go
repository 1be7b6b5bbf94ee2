package lb

import (
	"errors"
	"fmt"
	"maps"
	"time"
)

// An operator can drain a member at this process: it gets no new requests, as if it drained itself, and what runs on it ends by itself. That lasts
// until it is undone, the member is gone (after a restart it is another one), or this process ends.

// Faults of [Discovery.Drain].
var (
	ErrNoMember   = errors.New("no member has this id")
	ErrLastMember = errors.New("no other member of the pool can be used; draining the last one must be forced")
)

// Drain takes a member out of use at this process. It fails with ErrNoMember, and with ErrLastMember when no other member of a pool that it is in can be
// used, unless forced.
func (d *Discovery) Drain(id string, force bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := false
	for _, pool := range d.proxy.table.Load().pools {
		for _, t := range pool.all() {
			if t.Member.ID != id {
				continue
			}
			found = true
			if !force && !pool.another(nil, id) {
				return fmt.Errorf("drain %s: %w", id, ErrLastMember)
			}
		}
	}
	if !found {
		return fmt.Errorf("drain %s: %w", id, ErrNoMember)
	}
	if d.held[id].IsZero() {
		d.held[id] = time.Now().UTC()
		d.proxy.Use(d.newTable())
		d.log.Warn("member drained by an operator", "id", id)
	}
	return nil
}

// Undrain undoes Drain. It fails with ErrNoMember if the member was not drained by it.
func (d *Discovery) Undrain(id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held[id].IsZero() {
		return fmt.Errorf("undrain %s: %w, or it is not drained here", id, ErrNoMember)
	}
	delete(d.held, id)
	d.proxy.Use(d.newTable())
	d.log.Info("member put back by an operator", "id", id)
	return nil
}

// newTable makes the table of what is known now. d.mu is held.
func (d *Discovery) newTable() *Table {
	return newTable(d.routes, d.eligible(), d.held)
}

// letGo forgets drains of members that are gone. d.mu is held.
func (d *Discovery) letGo() {
	if len(d.held) == 0 {
		return
	}
	present := map[string]bool{}
	for _, pool := range d.proxy.table.Load().pools {
		for _, t := range pool.all() {
			present[t.Member.ID] = true
		}
	}
	maps.DeleteFunc(d.held, func(id string, _ time.Time) bool { return !present[id] })
}
