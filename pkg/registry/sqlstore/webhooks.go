package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

var _ registry.WebhookStore = (*Store)(nil)

const (
	webhookColumns = "w.id, w.name, w.url, w.store, w.path, w.actions, w.secret, w.enabled, w.owner, w.owner_name, w.rev, w.created_us, w.changed_us, " +
		"s.rev, s.seq, s.item, s.mark, s.waiting, s.failures, s.failing_us, s.next_us"
	webhookQuery = "SELECT " + webhookColumns + " FROM webhook w JOIN webhook_state s ON s.webhook = w.id"
	webhookLease = "webhooks"
)

var (
	webhookTable      = table{"webhook", []string{"id", "name", "url", "store", "path", "actions", "secret", "enabled", "owner", "owner_name", "rev", "created_us", "changed_us"}}
	webhookStateTable = table{"webhook_state", []string{"webhook", "rev", "seq", "item", "mark", "waiting", "failures", "failing_us", "next_us"}}
)

// scanWebhook reads webhookColumns.
func scanWebhook(rows *sqlx.Rows) (registry.Webhook, error) {
	var id, name, url, store, path, actions, secret, owner, ownerName, waiting []byte
	var enabled, rev, createdUS, changedUS, stateRev, seq, item, mark, failures, failingUS, nextUS int64
	err := rows.Scan(&id, &name, &url, &store, &path, &actions, &secret, &enabled, &owner, &ownerName, &rev, &createdUS, &changedUS,
		&stateRev, &seq, &item, &mark, &waiting, &failures, &failingUS, &nextUS)
	w := registry.Webhook{
		ID: toID(id), Name: string(name), URL: string(url), Store: string(store), Path: registry.Path(path), Secret: registry.WebhookSecret(secret), Enabled: enabled != 0,
		Owner: toID(owner), OwnerName: string(ownerName), Rev: rev, CreatedAt: toTime(createdUS), ChangedAt: toTime(changedUS),
		State: registry.WebhookState{
			Rev: stateRev, Cursor: registry.Position{Seq: seq, Item: int(item), Mark: uint32(mark)},
			Waiting: toID(waiting), Failures: int(failures), Failing: optionalTime(failingUS), Next: optionalTime(nextUS),
		},
	}
	if len(actions) > 0 {
		w.Actions = strings.Split(string(actions), "\n")
	}
	return w, err
}

// optionalTime is the time that optionalMicros wrote.
func optionalTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return toTime(us)
}

// optionalMicros writes no time as 0.
func optionalMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return toMicros(t)
}

func webhookRow(w registry.Webhook) []any {
	return []any{
		w.ID[:], []byte(w.Name), []byte(w.URL), []byte(w.Store), []byte(w.Path), []byte(strings.Join(w.Actions, "\n")), []byte(w.Secret.Reveal()), flag(w.Enabled),
		w.Owner[:], []byte(w.OwnerName), w.Rev, toMicros(w.CreatedAt), toMicros(w.ChangedAt),
	}
}

func webhookStateRow(id registry.ID, s registry.WebhookState) []any {
	return []any{
		id[:], s.Rev, s.Cursor.Seq, int64(s.Cursor.Item), int64(s.Cursor.Mark), s.Waiting[:], int64(s.Failures), optionalMicros(s.Failing), optionalMicros(s.Next),
	}
}

// Webhooks implements [registry.WebhookStore].
func (s *Store) Webhooks(ctx context.Context) ([]registry.Webhook, error) {
	var list []registry.Webhook
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "webhooks", webhookQuery+" ORDER BY w.name, w.id", nil, func(rows *sqlx.Rows) error {
			w, err := scanWebhook(rows)
			list = append(list, w)
			return err
		})
	})
	return list, s.fail("read webhooks", err)
}

// webhook reads one in the transaction, and keeps deliveries from moving its state until that ends.
func (o *operation) webhook(id registry.ID) (registry.Webhook, error) {
	var list []registry.Webhook
	err := o.tx.each(o.ctx, "webhook", webhookQuery+" WHERE w.id = ?"+o.store.backend.dialect.forUpdate, []any{id[:]}, func(rows *sqlx.Rows) error {
		w, err := scanWebhook(rows)
		list = append(list, w)
		return err
	})
	if err != nil {
		return registry.Webhook{}, o.broken(err)
	}
	if len(list) == 0 {
		return registry.Webhook{}, registry.Errorf(registry.CodeNotFound, "there is no such webhook, or it is somebody else's")
	}
	return list[0], nil
}

func webhookItem(w registry.Webhook) item {
	return item{act: actWebhook, node: w.ID, name: logName(w.Name)}
}

// AddWebhook implements [registry.WebhookStore].
func (s *Store) AddWebhook(ctx context.Context, op registry.Op, w registry.Webhook, most int) (registry.Webhook, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return registry.Webhook{}, fmt.Errorf("make an id: %w", err)
	}
	w.ID = registry.ID(id)
	made, repeated, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) {
		var n int
		if err := o.tx.one(o.ctx, "webhook", "SELECT COUNT(*) FROM webhook", nil, &n); err != nil {
			return w.ID, o.broken(err)
		}
		if n >= most {
			return w.ID, registry.Errorf(registry.CodeConflict, "there are %d webhooks; that is the limit", n)
		}
		if err := o.sendRows(webhookTable, [][]any{webhookRow(w)}, ""); err != nil {
			return w.ID, err
		}
		if err := o.sendRows(webhookStateTable, [][]any{webhookStateRow(w.ID, w.State)}, ""); err != nil {
			return w.ID, err
		}
		o.touch(webhookItem(w))
		return w.ID, nil
	})
	if err == nil && repeated {
		err = registry.Errorf(registry.CodeConflict, "this request has made the webhook %s already, and its secret was told then; give it a new secret", made)
	}
	return w, err
}

// ChangeWebhook implements [registry.WebhookStore].
func (s *Store) ChangeWebhook(ctx context.Context, op registry.Op, id registry.ID, change func(registry.Webhook) (registry.Webhook, error)) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) {
		old, err := o.webhook(id)
		if err != nil {
			return id, err
		}
		next, err := change(old)
		if err != nil {
			return id, err
		}
		d := s.backend.dialect
		if err := o.sendRows(webhookTable, [][]any{webhookRow(next)}, d.onConflict("id", webhookTable.columns[1:]...)); err != nil {
			return id, err
		}
		o.touch(webhookItem(next))
		if next.State == old.State {
			return id, nil
		}
		return id, o.sendRows(webhookStateTable, [][]any{webhookStateRow(id, next.State)}, d.onConflict("webhook", webhookStateTable.columns[1:]...))
	})
	return err
}

// DeleteWebhook implements [registry.WebhookStore].
func (s *Store) DeleteWebhook(ctx context.Context, op registry.Op, id registry.ID, check func(registry.Webhook) error) error {
	_, _, err := s.updateOnce(ctx, op, func(o *operation) (registry.ID, error) {
		w, err := o.webhook(id)
		if err != nil {
			return id, err
		}
		if err := check(w); err != nil {
			return id, err
		}
		o.touch(webhookItem(w))
		for _, query := range []string{
			"DELETE FROM webhook WHERE id = ?", "DELETE FROM webhook_state WHERE webhook = ?", "DELETE FROM webhook_delivery WHERE webhook = ?",
		} {
			if err := o.send("write_webhook", query, id[:]); err != nil {
				return id, err
			}
		}
		return id, nil
	})
	return err
}

// HoldWebhooks implements [registry.WebhookStore].
func (s *Store) HoldWebhooks(ctx context.Context, holder registry.ID, d time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	l := &lease{s, s.bulk, webhookLease, uuid.UUID(holder), d}
	held, err := l.renew(ctx)
	return held, s.fail("hold the webhooks", err)
}

// LeaveWebhooks implements [registry.WebhookStore].
func (s *Store) LeaveWebhooks(ctx context.Context, holder registry.ID) error {
	l := &lease{s, s.bulk, webhookLease, uuid.UUID(holder), 0}
	return s.fail("leave the webhooks", l.release(ctx))
}
