package sqlstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Changes of accounts. Each reads and judges what is there first, and writes at last: see direct.

const (
	accountByName = "SELECT " + userColumns + " FROM account a" + userJoins + " WHERE a.tenant = ? AND a.name = ? ORDER BY r.id"
	accountOnly   = "SELECT a.id, a.name, a.password, a.disabled, a.created_us, p.email, p.full_name, NULL, NULL FROM account a LEFT JOIN profile p ON p.account = a.id"
	// The pages go by the index u_account_name.
	accountPage = accountOnly + " WHERE a.tenant = ? AND a.name > ? ORDER BY a.name LIMIT ?"
	// A page of a role's members goes by the same index, with a look at the primary key of account_role for each, or, where there are few members, by the
	// index k_member, whose rows it sorts.
	memberPage    = accountOnly + " JOIN account_role x ON x.account = a.id WHERE x.role = ? AND a.tenant = ? AND a.name > ? ORDER BY a.name LIMIT ?"
	accountsRoles = "SELECT x.account, r.id, r.grants FROM account_role x JOIN role r ON r.id = x.role WHERE x.account IN ("
	// Goes by the index k_member.
	otherAdmins = "SELECT COUNT(*) FROM account_role x JOIN account a ON a.id = x.account WHERE x.role = ? AND a.tenant = ? AND a.disabled = 0 AND a.id <> ?"
)

// CreateUser makes an account with a new id; CodeConflict when the name is taken.
func (s *Store) CreateUser(ctx context.Context, u registry.User) (registry.User, error) {
	return s.AddUser(ctx, s.systemOp(), u)
}

// AddUser makes an account with a new id, its profile and its roles; CodeConflict when the name is taken.
func (s *Store) AddUser(ctx context.Context, op registry.Op, u registry.User) (registry.User, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return registry.User{}, fmt.Errorf("make an id: %w", err)
	}
	u.ID = registry.ID(id)
	if u.CreatedAt.IsZero() {
		u.CreatedAt = s.now()
	}
	u.CreatedAt = toTime(toMicros(u.CreatedAt))
	made, repeated, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return u.ID, o.addUser(u) })
	if err != nil || !repeated {
		return u, err
	}
	// What the request made before; it may have changed since, or gone.
	u.ID = made
	if now, err := s.UserByID(ctx, made, registry.Freshness{}); registry.CodeOf(err) != registry.CodeNotFound {
		return now, err
	}
	return u, nil
}

func (o *operation) addUser(u registry.User) error {
	var n int
	if err := o.tx.one(o.ctx, "user", "SELECT COUNT(*) FROM account WHERE tenant = ? AND name = ?", []any{o.store.tenant.id, []byte(u.Name)}, &n); err != nil {
		return o.broken(err)
	}
	if n > 0 {
		return registry.Errorf(registry.CodeConflict, "the user %s exists already", u.Name)
	}
	if err := o.direct(userItem(u), "INSERT INTO account (id, tenant, name, password, disabled, created_us) VALUES (?, ?, ?, ?, ?, ?)",
		u.ID[:], o.store.tenant.id, []byte(u.Name), []byte(u.Password), flag(u.Disabled), toMicros(u.CreatedAt)); err != nil {
		return err
	}
	return o.writeProfile(registry.User{}, u)
}

// ChangeUser puts what change makes of an account in its place; CodeNotFound when there is none of that name. others is how many other users who
// are not disabled have the role admin. change may run several times. Its error is passed on, and nothing is changed then.
func (s *Store) ChangeUser(ctx context.Context, op registry.Op, name string, change func(current registry.User, others int) (registry.UserChange, error)) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return registry.ID{}, o.changeUser(name, change) })
	return err
}

func (o *operation) changeUser(name string, change func(current registry.User, others int) (registry.UserChange, error)) error {
	current, others, err := o.account(name)
	if err != nil {
		return err
	}
	c, err := change(current, others)
	if err != nil {
		return err
	}
	next := c.User
	if next.Password != current.Password || next.Disabled != current.Disabled {
		if err := o.direct(userItem(current), "UPDATE account SET password = ?, disabled = ? WHERE id = ?",
			[]byte(next.Password), flag(next.Disabled), current.ID[:]); err != nil {
			return err
		}
	}
	if err := o.writeProfile(current, next); err != nil || !c.EndSessions {
		return err
	}
	return o.direct(item{act: actSession, node: current.ID}, "DELETE FROM signin WHERE account = ? AND token <> ?", current.ID[:], c.KeepSession[:])
}

// DeleteUser removes an account with its sessions and tokens; CodeNotFound when there is none of that name. check may refuse it.
func (s *Store) DeleteUser(ctx context.Context, op registry.Op, name string, check func(current registry.User, others int) error) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return registry.ID{}, o.deleteUser(name, check) })
	return err
}

func (o *operation) deleteUser(name string, check func(current registry.User, others int) error) error {
	u, others, err := o.account(name)
	if err != nil {
		return err
	}
	if err := check(u, others); err != nil {
		return err
	}
	for _, q := range []struct {
		touched item
		query   string
	}{
		{userItem(u), "DELETE FROM account_role WHERE account = ?"},
		{userItem(u), "DELETE FROM profile WHERE account = ?"},
		{item{act: actSession, node: u.ID}, "DELETE FROM signin WHERE account = ?"},
		{item{act: actToken, node: u.ID}, "DELETE FROM api_token WHERE account = ?"},
		{userItem(u), "DELETE FROM account WHERE id = ?"},
	} {
		if err := o.direct(q.touched, q.query, u.ID[:]); err != nil {
			return err
		}
	}
	return nil
}

func userItem(u registry.User) item { return item{act: actUser, node: u.ID, name: u.Name} }

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// account reads an account in the transaction, and how many others are administrators.
func (o *operation) account(name string) (registry.User, int, error) {
	var u registry.User
	err := o.tx.each(o.ctx, "user", accountByName, []any{o.store.tenant.id, []byte(name)}, func(rows *sqlx.Rows) error {
		var row userRow
		err := rows.Scan(row.dest()...)
		row.addTo(&u)
		return err
	})
	if err != nil {
		return registry.User{}, 0, o.broken(err)
	}
	if u.ID.IsZero() {
		return registry.User{}, 0, registry.Errorf(registry.CodeNotFound, "there is no user %s", name)
	}
	var others int
	if err := o.tx.one(o.ctx, "admins", otherAdmins, []any{registry.RoleAdmin[:], o.store.tenant.id, u.ID[:]}, &others); err != nil {
		return registry.User{}, 0, o.broken(err)
	}
	return u, others, nil
}

// writeProfile writes profile and roles where they differ.
func (o *operation) writeProfile(current, next registry.User) error {
	if next.Email != current.Email || next.FullName != current.FullName {
		query := "INSERT INTO profile (account, email, full_name) VALUES (?, ?, ?)" + o.store.backend.dialect.onConflict("account", "email", "full_name")
		if err := o.direct(userItem(next), query, next.ID[:], []byte(next.Email), []byte(next.FullName)); err != nil {
			return err
		}
	}
	for _, r := range current.Roles {
		if slices.Contains(next.Roles, r) {
			continue
		}
		if err := o.direct(userItem(next), "DELETE FROM account_role WHERE account = ? AND role = ?", next.ID[:], r[:]); err != nil {
			return err
		}
	}
	for _, r := range next.Roles {
		if slices.Contains(current.Roles, r) {
			continue
		}
		// The role may have gone since the caller looked: then nobody gets it.
		if err := o.direct(userItem(next), "INSERT INTO account_role (account, role) SELECT ?, r.id FROM role r WHERE r.id = ? AND r.tenant = ?", next.ID[:], r[:], o.store.tenant.id); err != nil {
			return err
		}
	}
	return nil
}

// Users reads up to limit users whose names sort (by bytes) after the given one, in that order.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]registry.User, error) {
	return s.usersPage(ctx, accountPage, s.tenant.id, []byte(after), limit)
}

// Members reads up to limit users who were given a role, whose names sort after the given one, in that order.
func (s *Store) Members(ctx context.Context, role registry.ID, after string, limit int) ([]registry.User, error) {
	return s.usersPage(ctx, memberPage, role[:], s.tenant.id, []byte(after), limit)
}

func (s *Store) usersPage(ctx context.Context, query string, args ...any) ([]registry.User, error) {
	var list []registry.User
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "users", query, args, func(rows *sqlx.Rows) error {
			var row userRow
			err := rows.Scan(row.dest()...)
			var u registry.User
			row.addTo(&u)
			list = append(list, u)
			return err
		})
	})
	if err != nil || len(list) == 0 {
		return nil, s.fail("read accounts", err)
	}
	index := make(map[registry.ID]*registry.User, len(list))
	args = make([]any, len(list))
	for i := range list {
		index[list[i].ID], args[i] = &list[i], list[i].ID[:]
	}
	err = s.retryRead(ctx, func() error {
		for i := range list {
			list[i].Roles, list[i].Grants = nil, 0
		}
		return s.read.each(ctx, "user_roles", accountsRoles+placeholders(len(args))+") ORDER BY r.id", args, func(rows *sqlx.Rows) error {
			var account, role []byte
			var grants int64
			err := rows.Scan(&account, &role, &grants)
			if u := index[toID(account)]; u != nil {
				u.Roles = append(u.Roles, toID(role))
				u.Grants |= registry.Grants(grants)
			}
			return err
		})
	})
	return list, s.fail("read the roles of accounts", err)
}

// HasAdmin tells whether somebody who is not disabled has the role admin.
func (s *Store) HasAdmin(ctx context.Context) (bool, error) {
	var n int
	var nobody registry.ID
	err := s.retryRead(ctx, func() error {
		return s.read.one(ctx, "admins", otherAdmins, []any{registry.RoleAdmin[:], s.tenant.id, nobody[:]}, &n)
	})
	return n > 0, s.fail("look for an administrator", err)
}

// Sessions reads up to limit sessions of an account that have not expired, newest first, by the index k_signin_account.
func (s *Store) Sessions(ctx context.Context, account registry.ID, limit int) ([]registry.Session, error) {
	var list []registry.Session
	query := "SELECT " + sessionColumns + " FROM signin x WHERE x.account = ? AND x.expires_us > ? ORDER BY x.created_us DESC LIMIT ?"
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "sessions", query, []any{account[:], toMicros(s.now()), limit}, func(rows *sqlx.Rows) error {
			var row sessionRow
			err := rows.Scan(row.dest()...)
			list = append(list, row.session())
			return err
		})
	})
	return list, s.fail("read sessions", err)
}

// EndSession ends the session of an account with that public id, on every node; CodeNotFound when it has none.
func (s *Store) EndSession(ctx context.Context, op registry.Op, account, public registry.ID) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return registry.ID{}, o.endSession(account, public) })
	return err
}

func (o *operation) endSession(account, public registry.ID) error {
	var from, to registry.Hash
	for i := range to {
		to[i] = 0xff
	}
	copy(from[:], public[:])
	copy(to[:], public[:])
	var token []byte
	err := o.tx.each(o.ctx, "session", "SELECT token FROM signin WHERE token >= ? AND token <= ? AND account = ?",
		[]any{from[:], to[:], account[:]}, func(rows *sqlx.Rows) error { return rows.Scan(&token) })
	if err != nil {
		return o.broken(err)
	}
	if token == nil {
		return noSession()
	}
	return o.direct(item{act: actSession, node: account, name: string(token)}, "DELETE FROM signin WHERE token = ?", token)
}
