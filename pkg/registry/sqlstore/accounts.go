package sqlstore

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// Accounts and sessions change through the same log as the tree, so what memory holds of them is as exact: a sign-out on one node ends the
// session on all of them with its next request.

const (
	userColumns = "a.id, a.name, a.password, a.disabled, a.created_us, p.email, p.full_name, r.id, r.grants"
	userJoins   = " LEFT JOIN profile p ON p.account = a.id LEFT JOIN account_role x ON x.account = a.id LEFT JOIN role r ON r.id = x.role"
	userByName  = "SELECT " + headColumns + ", " + userColumns + " FROM store_head h JOIN account a ON a.tenant = ? AND a.name = ?" + userJoins + " WHERE h.id = 1 ORDER BY r.id"
	userByID    = "SELECT " + headColumns + ", " + userColumns + " FROM store_head h JOIN account a ON a.id = ? AND a.tenant = ?" + userJoins + " WHERE h.id = 1 ORDER BY r.id"

	sessionColumns = "x.token, x.account, x.created_us, x.expires_us, x.address, x.agent"
	sessionQuery   = "SELECT " + headColumns + ", " + sessionColumns + " FROM store_head h JOIN signin x ON x.token = ? WHERE h.id = 1"
)

// userRow receives userColumns; there is a row for each role.
type userRow struct {
	id, name, password, email, fullName, role []byte
	disabled, createdUS                       int64
	grants                                    sql.NullInt64
}

func (r *userRow) dest() []any {
	return []any{&r.id, &r.name, &r.password, &r.disabled, &r.createdUS, &r.email, &r.fullName, &r.role, &r.grants}
}

// addTo adds what the row says to u.
func (r *userRow) addTo(u *registry.User) {
	u.ID, u.Name, u.Password, u.Disabled, u.CreatedAt = toID(r.id), string(r.name), string(r.password), r.disabled != 0, toTime(r.createdUS)
	u.Email, u.FullName = string(r.email), string(r.fullName)
	if r.role != nil {
		u.Roles = append(u.Roles, toID(r.role))
		u.Grants |= registry.Grants(r.grants.Int64)
	}
}

// UserByName finds an account by its exact name; CodeNotFound when there is none.
func (s *Store) UserByName(ctx context.Context, name string) (registry.User, error) {
	if err := s.refresh(ctx); err != nil {
		return registry.User{}, err
	}
	id, _, ok := lookupAt(s.mem, s.mem.names, accountName(name))
	if ok {
		// The account may be gone from memory meanwhile; then the database is asked by name.
		if u, at, ok := lookupAt(s.mem, s.mem.users, id); ok && u.Name == name {
			s.metrics.looked("user", true)
			u.Seq = s.position(at)
			return u, nil
		}
	}
	return s.readUser(ctx, userByName, []any{s.tenant.id, []byte(name)}, "there is no user "+name)
}

// UserByID finds an account; CodeNotFound when there is none.
func (s *Store) UserByID(ctx context.Context, id registry.ID, f registry.Freshness) (registry.User, error) {
	if !s.covers(f) {
		if err := s.refresh(ctx); err != nil {
			return registry.User{}, err
		}
	}
	if u, at, ok := lookupAt(s.mem, s.mem.users, id); ok {
		s.metrics.looked("user", true)
		u.Seq = s.position(at)
		return u, nil
	}
	return s.readUser(ctx, userByID, []any{id[:], s.tenant.id}, "there is no user with the id "+id.String())
}

func (s *Store) readUser(ctx context.Context, query string, args []any, missing string) (registry.User, error) {
	s.metrics.looked("user", false)
	var head headRow
	var u registry.User
	err := s.retryRead(ctx, func() error {
		u = registry.User{}
		return s.read.each(ctx, "user", query, args, func(rows *sqlx.Rows) error {
			var row userRow
			err := rows.Scan(append(head.dest(), row.dest()...)...)
			row.addTo(&u)
			return err
		})
	})
	if err != nil {
		return registry.User{}, s.fail("read an account", err)
	}
	if u.ID.IsZero() {
		return registry.User{}, registry.Errorf(registry.CodeNotFound, "%s", missing)
	}
	s.mem.fill(head.snapshot(), []any{accountName(u.Name), u.ID}, func() {
		s.mem.users.put(u.ID, u)
		s.mem.names.put(accountName(u.Name), u.ID)
	})
	u.Seq = s.position(head.snapshot())
	return u, nil
}

// SetPassword replaces the password hash of an account; CodeNotFound when there is none with that id.
func (s *Store) SetPassword(ctx context.Context, id registry.ID, phc string) error {
	_, err := s.update(ctx, s.systemOp(), func(o *operation) error {
		var name []byte
		err := o.tx.one(o.ctx, "user", "SELECT name FROM account WHERE id = ? AND tenant = ?", []any{id[:], o.store.tenant.id}, &name)
		if errors.Is(err, sql.ErrNoRows) {
			return registry.Errorf(registry.CodeNotFound, "there is no user with the id %s", id)
		}
		if err != nil {
			return o.broken(err)
		}
		return o.direct(item{act: actUser, node: id, name: string(name)}, "UPDATE account SET password = ? WHERE id = ?", []byte(phc), id[:])
	})
	return err
}

// CreateSession stores a session of a user whose password still is the given PHC string; [registry.CodeUnauthenticated] when it is not, or the user is
// disabled: somebody may have taken the account back while the sign-in was checked. The user's oldest sessions end for it, so that there are most of them.
func (s *Store) CreateSession(ctx context.Context, x registry.Session, password string, most int) error {
	_, err := s.update(ctx, s.systemOp(), func(o *operation) error {
		var there int
		query := "SELECT COUNT(*) FROM account WHERE id = ? AND tenant = ? AND password = ? AND disabled = 0"
		if err := o.tx.one(o.ctx, "user", query, []any{x.User[:], s.tenant.id, []byte(password)}, &there); err != nil {
			return o.broken(err)
		}
		if there == 0 {
			return registry.Errorf(registry.CodeUnauthenticated, "the account has changed meanwhile; sign in again")
		}
		if err := o.endOldSessions(x.User, most-1); err != nil {
			return err
		}
		return o.direct(item{act: actSession, node: x.User, name: string(x.Token[:])},
			"INSERT INTO signin (token, account, created_us, expires_us, address, agent) VALUES (?, ?, ?, ?, ?, ?)",
			x.Token[:], x.User[:], toMicros(x.CreatedAt), toMicros(x.ExpiresAt), []byte(x.Address), []byte(x.Agent))
	})
	return err
}

// oldSessions are those of an account beyond its newest ones, by the index k_signin_account.
const oldSessions = "SELECT token FROM signin WHERE account = ? ORDER BY created_us DESC, token DESC LIMIT ? OFFSET ?"

// maxEnded bounds how many sessions one sign-in ends; it is more than one where the limit was lowered.
const maxEnded = 20

// endOldSessions ends the sessions of an account beyond the newest ones.
func (o *operation) endOldSessions(account registry.ID, newest int) error {
	var tokens [][]byte
	err := o.tx.each(o.ctx, "sessions", oldSessions, []any{account[:], maxEnded, newest}, func(rows *sqlx.Rows) error {
		var token []byte
		err := rows.Scan(&token)
		tokens = append(tokens, token)
		return err
	})
	if err != nil {
		return o.broken(err)
	}
	for _, token := range tokens {
		if err := o.direct(item{act: actSession, node: account, name: string(token)}, "DELETE FROM signin WHERE token = ?", token); err != nil {
			return err
		}
	}
	return nil
}

// DeleteSession ends a session, on every node; one that is not there is fine.
func (s *Store) DeleteSession(ctx context.Context, token registry.Hash) error {
	_, err := s.update(ctx, s.systemOp(), func(o *operation) error {
		return o.direct(item{act: actSession, name: string(token[:])}, "DELETE FROM signin WHERE token = ?", token[:])
	})
	return err
}

// SessionByToken finds a session that has not expired; CodeNotFound when there is none.
func (s *Store) SessionByToken(ctx context.Context, token registry.Hash) (registry.Session, error) {
	if err := s.refresh(ctx); err != nil {
		return registry.Session{}, err
	}
	x, at, ok := lookupAt(s.mem, s.mem.sessions, token)
	s.metrics.looked("session", ok)
	x.Seq = s.position(at)
	if !ok {
		var err error
		if x, err = s.readSession(ctx, token); err != nil {
			return registry.Session{}, err
		}
	}
	if !s.now().Before(x.ExpiresAt) {
		return registry.Session{}, noSession()
	}
	return x, nil
}

func (s *Store) readSession(ctx context.Context, token registry.Hash) (registry.Session, error) {
	var head headRow
	var row sessionRow
	err := s.retryRead(ctx, func() error {
		return s.read.one(ctx, "session", sessionQuery, []any{token[:]}, append(head.dest(), row.dest()...)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Session{}, noSession()
	}
	if err != nil {
		return registry.Session{}, s.fail("read a session", err)
	}
	x := row.session()
	s.mem.fill(head.snapshot(), []any{token}, func() { s.mem.sessions.put(token, x) })
	x.Seq = s.position(head.snapshot())
	return x, nil
}

// sessionRow receives sessionColumns.
type sessionRow struct {
	token, account, address, agent []byte
	createdUS, expiresUS           int64
}

func (r *sessionRow) dest() []any {
	return []any{&r.token, &r.account, &r.createdUS, &r.expiresUS, &r.address, &r.agent}
}

func (r *sessionRow) session() registry.Session {
	return registry.Session{
		Token: toHash(r.token), User: toID(r.account), CreatedAt: toTime(r.createdUS), ExpiresAt: toTime(r.expiresUS),
		Address: string(r.address), Agent: string(r.agent),
	}
}

func (s *Store) position(at snapshot) registry.Seq { return registry.Seq{Store: s.name, N: at.seq} }

func noSession() error {
	return registry.Errorf(registry.CodeNotFound, "there is no such session, or it has expired")
}

func (s *Store) systemOp() registry.Op {
	return registry.Op{Actor: registry.Actor{User: "system"}, At: s.now()}
}

// direct sends a statement at once, as send does, so nothing half-done stays. When it changed no row
// the operation has touched nothing.
func (o *operation) direct(i item, query string, args ...any) error {
	o.sent = true
	n, err := o.tx.exec(o.ctx, "write_account", query, args...)
	if err != nil {
		return o.broken(err)
	}
	if n > 0 {
		o.touch(i)
	}
	return nil
}
