package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// tokenKey keys API tokens by their hash.
type tokenKey registry.Hash

const (
	tokenColumns = "t.id, t.hash, t.account, t.name, t.hint, t.rights, t.manage, t.paths, t.created_us, t.expires_us, t.used_us" //nolint:gosec // names of columns
	tokenQuery   = "SELECT " + headColumns + ", " + tokenColumns + " FROM store_head h JOIN api_token t ON t.hash = ? WHERE h.id = 1"
)

// tokenRow receives tokenColumns.
type tokenRow struct {
	id, hash, account, name, hint, paths         []byte
	rights, manage, createdUS, expiresUS, usedUS int64
}

func (r *tokenRow) dest() []any {
	return []any{&r.id, &r.hash, &r.account, &r.name, &r.hint, &r.rights, &r.manage, &r.paths, &r.createdUS, &r.expiresUS, &r.usedUS}
}

func (r *tokenRow) token() registry.Token {
	t := registry.Token{
		ID: toID(r.id), Hash: toHash(r.hash), User: toID(r.account), Name: string(r.name), Hint: string(r.hint),
		Scope: registry.Scope{Rights: registry.Rights(r.rights), Manage: r.manage != 0}, CreatedAt: toTime(r.createdUS), ExpiresAt: toTime(r.expiresUS),
	}
	for p := range bytes.SplitSeq(r.paths, []byte("\n")) {
		if len(p) > 0 {
			t.Scope.Paths = append(t.Scope.Paths, registry.Path(p))
		}
	}
	if r.usedUS > 0 {
		t.UsedAt = toTime(r.usedUS)
	}
	return t
}

// AddToken stores an API token with a new id. An account that has most of them already is CodeConflict, and so is a repeated request:
// its answer, with the secret, is not kept.
func (s *Store) AddToken(ctx context.Context, op registry.Op, t registry.Token, most int) (registry.Token, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return registry.Token{}, fmt.Errorf("make an id: %w", err)
	}
	t.ID = registry.ID(id)
	t.CreatedAt, t.ExpiresAt = toTime(toMicros(t.CreatedAt)), toTime(toMicros(t.ExpiresAt))
	paths := make([]string, len(t.Scope.Paths))
	for i, p := range t.Scope.Paths {
		paths[i] = p.String()
	}
	made, repeated, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) {
		var n int
		if err := o.tx.one(o.ctx, "token", "SELECT COUNT(*) FROM api_token WHERE account = ?", []any{t.User[:]}, &n); err != nil {
			return t.ID, o.broken(err)
		}
		if n >= most {
			return t.ID, registry.Errorf(registry.CodeConflict, "there are %d tokens; that is the limit of one user", n)
		}
		return t.ID, o.direct(item{act: actToken, node: t.User, name: string(t.Hash[:])},
			"INSERT INTO api_token (hash, id, account, name, hint, rights, manage, paths, created_us, expires_us, used_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
			t.Hash[:], t.ID[:], t.User[:], []byte(t.Name), []byte(t.Hint), int64(t.Scope.Rights), flag(t.Scope.Manage), []byte(strings.Join(paths, "\n")),
			toMicros(t.CreatedAt), toMicros(t.ExpiresAt))
	})
	if err == nil && repeated {
		// Its secret was told once and is kept nowhere, not for a repetition either.
		err = registry.Errorf(registry.CodeConflict, "this request has made the token %s already, and its secret was told then; revoke it and make another one", made)
	}
	return t, err
}

// TokenByHash finds an API token, also one that has expired; CodeNotFound when there is none.
func (s *Store) TokenByHash(ctx context.Context, hash registry.Hash) (registry.Token, error) {
	if err := s.refresh(ctx); err != nil {
		return registry.Token{}, err
	}
	t, at, ok := lookupAt(s.mem, s.mem.tokens, tokenKey(hash))
	s.metrics.looked("token", ok)
	if ok {
		t.Seq = s.position(at)
		return t, nil
	}
	var head headRow
	var row tokenRow
	err := s.retryRead(ctx, func() error {
		return s.read.one(ctx, "token", tokenQuery, []any{hash[:]}, append(head.dest(), row.dest()...)...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Token{}, noToken()
	}
	if err != nil {
		return registry.Token{}, s.fail("read a token", err)
	}
	t = row.token()
	s.mem.fill(head.snapshot(), []any{tokenKey(hash)}, func() { s.mem.tokens.put(tokenKey(hash), t) })
	t.Seq = s.position(head.snapshot())
	return t, nil
}

// Tokens reads up to limit API tokens of an account, newest first, by the index k_token_account.
func (s *Store) Tokens(ctx context.Context, account registry.ID, limit int) ([]registry.Token, error) {
	var list []registry.Token
	query := "SELECT " + tokenColumns + " FROM api_token t WHERE t.account = ? ORDER BY t.id DESC LIMIT ?"
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "tokens", query, []any{account[:], limit}, func(rows *sqlx.Rows) error {
			var row tokenRow
			err := rows.Scan(row.dest()...)
			list = append(list, row.token())
			return err
		})
	})
	return list, s.fail("read tokens", err)
}

// DeleteToken revokes an API token of an account, on every node; CodeNotFound when it has none with that id.
func (s *Store) DeleteToken(ctx context.Context, op registry.Op, account, id registry.ID) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) { return registry.ID{}, o.deleteToken(account, id) })
	return err
}

func (o *operation) deleteToken(account, id registry.ID) error {
	var hash []byte
	err := o.tx.one(o.ctx, "token", "SELECT hash FROM api_token WHERE account = ? AND id = ?", []any{account[:], id[:]}, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return noToken()
	}
	if err != nil {
		return o.broken(err)
	}
	return o.direct(item{act: actToken, node: account, name: string(hash)}, "DELETE FROM api_token WHERE hash = ?", hash)
}

// UseToken notes when an API token was used, for its owner to see. It is no change that the log tells of.
func (s *Store) UseToken(ctx context.Context, hash registry.Hash, used time.Time) error {
	return s.fail("note the use of a token", s.bulk.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "use_token", "UPDATE api_token SET used_us = ? WHERE hash = ?", toMicros(used), hash[:])
		return err
	}))
}

func noToken() error {
	return registry.Errorf(registry.CodeNotFound, "there is no such token")
}
