package sqlstore

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// roleQuery reads all roles of a tenant by the index u_role_name: there are few.
const roleQuery = "SELECT id, name, description, grants, created_us FROM role WHERE tenant = ? ORDER BY name LIMIT ?"

// oneRoleQuery reads the role of a name by the same index.
const oneRoleQuery = "SELECT id, name, description, grants, created_us FROM role WHERE tenant = ? AND name = ?"

// Roles reads all roles, sorted by name.
func (s *Store) Roles(ctx context.Context) ([]registry.Role, error) {
	var list []registry.Role
	err := s.retryRead(ctx, func() (err error) {
		list, err = s.readRoles(ctx, s.read.statements, roleQuery, s.tenant.id, registry.MaxRoles)
		return err
	})
	return list, s.fail("read roles", err)
}

func (s *Store) readRoles(ctx context.Context, q statements, query string, args ...any) ([]registry.Role, error) {
	var list []registry.Role
	err := q.each(ctx, "roles", query, args, func(rows *sqlx.Rows) error {
		var id, name, description []byte
		var grants, createdUS int64
		err := rows.Scan(&id, &name, &description, &grants, &createdUS)
		list = append(list, registry.Role{
			ID: toID(id), Name: string(name), Description: string(description), Grants: registry.Grants(grants), CreatedAt: toTime(createdUS),
		})
		return err
	})
	return list, err
}

// role finds a role by its name; nil when there is none.
func (o *operation) role(name string) (*registry.Role, error) {
	found, err := o.store.readRoles(o.ctx, o.tx.statements, oneRoleQuery, o.store.tenant.id, []byte(name))
	if err != nil || len(found) == 0 {
		return nil, o.broken(err)
	}
	return &found[0], nil
}

// roles counts them.
func (o *operation) roles() (int, error) {
	var n int
	err := o.tx.statements.one(o.ctx, "roles", "SELECT COUNT(*) FROM role WHERE tenant = ?", []any{o.store.tenant.id}, &n)
	return n, o.broken(err)
}

// AddRole makes a role with a new id; CodeConflict when the name is taken, or there are [registry.MaxRoles] already.
func (s *Store) AddRole(ctx context.Context, op registry.Op, r registry.Role) (registry.Role, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return registry.Role{}, fmt.Errorf("make an id: %w", err)
	}
	r.ID, r.CreatedAt = registry.ID(id), toTime(toMicros(op.At))
	made, repeated, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return r.ID, o.addRole(r) })
	if err != nil || !repeated {
		return r, err
	}
	// What the request made before; it may have changed since, or gone.
	r.ID = made
	all, err := s.Roles(ctx)
	for _, now := range all {
		if now.ID == made {
			return now, nil
		}
	}
	return r, err
}

func (o *operation) addRole(r registry.Role) error {
	taken, err := o.role(r.Name)
	if err != nil {
		return err
	}
	n, err := o.roles()
	switch {
	case err != nil:
		return err
	case taken != nil:
		return registry.Errorf(registry.CodeConflict, "the role %s exists already", r.Name)
	case n >= registry.MaxRoles:
		return registry.Errorf(registry.CodeConflict, "there are %d roles; that is the limit", n)
	}
	return o.direct(item{act: actRole, node: r.ID, name: r.Name}, "INSERT INTO role (id, tenant, name, description, grants, created_us) VALUES (?, ?, ?, ?, ?, ?)",
		r.ID[:], o.store.tenant.id, []byte(r.Name), []byte(r.Description), int64(r.Grants), toMicros(r.CreatedAt))
}

// ChangeRole puts what change makes of a role in its place; CodeNotFound when there is none of that name, CodeConflict when the new name is taken.
// change may run several times. Its error is passed on, and nothing is changed then.
func (s *Store) ChangeRole(ctx context.Context, op registry.Op, name string, change func(registry.Role) (registry.Role, error)) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return registry.ID{}, o.changeRole(name, change) })
	return err
}

func (o *operation) changeRole(name string, change func(registry.Role) (registry.Role, error)) error {
	current, err := o.role(name)
	if err != nil {
		return err
	}
	if current == nil {
		return noRole(name)
	}
	next, err := change(*current)
	if err != nil || next == *current {
		return err
	}
	if next.Name != name {
		taken, err := o.role(next.Name)
		if err != nil {
			return err
		}
		if taken != nil {
			return registry.Errorf(registry.CodeConflict, "the role %s exists already", next.Name)
		}
	}
	return o.direct(item{act: actRole, node: current.ID, name: name}, "UPDATE role SET name = ?, description = ?, grants = ? WHERE id = ?",
		[]byte(next.Name), []byte(next.Description), int64(next.Grants), current.ID[:])
}

// DeleteRole takes a role away from everybody, with its permission entries in this store; CodeNotFound when there is none of that name. Entries in other
// stores stay and count for nobody: no role gets that id again. check may refuse it.
func (s *Store) DeleteRole(ctx context.Context, op registry.Op, name string, check func(registry.Role) error) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return registry.ID{}, o.deleteRole(name, check) })
	return err
}

func (o *operation) deleteRole(name string, check func(registry.Role) error) error {
	r, err := o.role(name)
	if err != nil {
		return err
	}
	if r == nil {
		return noRole(name)
	}
	if err := check(*r); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM account_role WHERE role = ?", "DELETE FROM acl WHERE role = ?", "DELETE FROM role WHERE id = ?"} {
		if err := o.direct(item{act: actRole, node: r.ID, name: name}, query, r.ID[:]); err != nil {
			return err
		}
	}
	return nil
}

func noRole(name string) error {
	return registry.Errorf(registry.CodeNotFound, "there is no role %s", name)
}
