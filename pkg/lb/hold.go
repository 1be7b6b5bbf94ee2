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
	ErrNoMember   = errors.New("no member that is in use has this id")
	ErrLastMember = errors.New("no other member of its pool is in use; draining the last one must be forced")
)

// Drain takes a member out of use at this process. It fails with ErrNoMember, and with ErrLastMember when it is the last one of a pool that is in use, unless
// forced. To drain a member twice is no fault.
func (d *Discovery) Drain(id string, force bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var member *Member
	for _, pool := range d.proxy.table.Load().pools {
		m := pool.member(id)
		if m == nil {
			continue
		}
		member = m
		if !force && pool.lastInUse(id) {
			return fmt.Errorf("drain %s: %w", id, ErrLastMember)
		}
	}
	if member == nil {
		return fmt.Errorf("drain %s: %w", id, ErrNoMember)
	}
	if d.held[id].IsZero() {
		d.held[id] = time.Now().UTC()
		d.proxy.Use(d.newTable())
		d.log.Warn("member drained by an operator", "id", id, "name", member.Name, "domain", member.Domain, "sub_domain", member.SubDomain)
	}
	return nil
}

// member finds a member of the pool; nil if there is none of that id.
func (p *Pool) member(id string) *Member {
	for _, t := range p.all() {
		if t.Member.ID == id {
			return &t.Member
		}
	}
	return nil
}

// lastInUse reports whether that member, and no other one, is in use.
func (p *Pool) lastInUse(id string) bool {
	now := time.Now().UnixNano()
	itself, others := false, false
	for _, t := range p.active {
		if t.health.usable(now) {
			itself = itself || t.Member.ID == id
			others = others || t.Member.ID != id
		}
	}
	return itself && !others
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
	for _, pool := range d.proxy.table.Load().pools {
		if m := pool.member(id); m != nil {
			d.log.Info("member put back by an operator", "id", id, "name", m.Name, "domain", m.Domain, "sub_domain", m.SubDomain)
		}
	}
	return nil
}

// newTable makes the table of what is known now. d.mu is held.
func (d *Discovery) newTable() *Table { return newTable(d.routes, d.eligible(), d.held) }

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
