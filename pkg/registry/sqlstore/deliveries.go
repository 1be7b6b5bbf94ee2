package sqlstore

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// The log of deliveries. It is outside the change log, like the use of tokens: deliveries are no changes of the registry.

const (
	deliveryColumns = "webhook, id, kind, state, seq, item, mark, action, path, attempts, first_us, last_us, duration_us, status, answer, fault"
	moveWebhook     = "UPDATE webhook_state SET rev = ?, seq = ?, item = ?, mark = ?, waiting = ?, failures = ?, failing_us = ?, next_us = ? WHERE webhook = ? AND rev = ?"
	stateOfWebhook  = "SELECT rev FROM webhook_state WHERE webhook = ?"
)

func deliveryRow(d registry.Delivery) []any {
	return []any{
		d.Webhook[:], d.ID[:], int64(d.Kind), int64(d.State), d.Event.Seq, int64(d.Event.Item), int64(d.Event.Mark), []byte(d.Action), []byte(d.Path), int64(d.Attempts),
		toMicros(d.First), toMicros(d.Last), d.Duration.Microseconds(), int64(d.Status), []byte(d.Answer), []byte(d.Fault),
	}
}

func scanDelivery(rows *sqlx.Rows) (registry.Delivery, error) {
	var webhook, id, action, path, answer, fault []byte
	var kind, state, seq, item, mark, attempts, firstUS, lastUS, durationUS, status int64
	err := rows.Scan(&webhook, &id, &kind, &state, &seq, &item, &mark, &action, &path, &attempts, &firstUS, &lastUS, &durationUS, &status, &answer, &fault)
	return registry.Delivery{
		ID: toID(id), Webhook: toID(webhook), Kind: registry.DeliveryKind(kind), State: registry.DeliveryState(state),
		Event:  registry.Position{Seq: seq, Item: int(item), Mark: uint32(mark)},
		Action: string(action), Path: registry.Path(path), Attempts: int(attempts), First: toTime(firstUS), Last: toTime(lastUS),
		Duration: time.Duration(durationUS) * time.Microsecond, Status: int(status), Answer: string(answer), Fault: string(fault),
	}, err
}

// NoteDelivery implements [registry.WebhookStore].
func (s *Store) NoteDelivery(ctx context.Context, d registry.Delivery, webhook registry.ID, rev int64, next *registry.WebhookState) (bool, error) {
	noted := true
	query := "INSERT INTO webhook_delivery (" + deliveryColumns + ") VALUES (" + placeholders(16) + ")" +
		s.backend.dialect.onConflict("webhook, id", "state", "attempts", "last_us", "duration_us", "status", "answer", "fault")
	err := s.bulk.within(ctx, func(t *txn) error {
		noted = true
		if next != nil {
			row := webhookStateRow(webhook, *next)
			n, err := t.exec(ctx, "webhook_state", moveWebhook, append(append([]any{}, row[1:]...), webhook[:], rev)...)
			if noted = n == 1; err != nil || !noted {
				return err
			}
		}
		if d.ID.IsZero() {
			return nil
		}
		if next == nil {
			// The row is kept from being removed until this is written; nobody else would remove what is written then.
			noted = false
			err := t.each(ctx, "webhook_state", stateOfWebhook+s.backend.dialect.forUpdate, []any{webhook[:]}, func(*sqlx.Rows) error {
				noted = true
				return nil
			})
			if err != nil || !noted {
				return err
			}
		}
		_, err := t.exec(ctx, "delivery", query, deliveryRow(d)...)
		return err
	})
	return noted && err == nil, s.fail("note a delivery", err)
}

// Deliveries implements [registry.WebhookStore]: a range of the primary key.
func (s *Store) Deliveries(ctx context.Context, webhook, before registry.ID, limit int) ([]registry.Delivery, error) {
	if before.IsZero() {
		for i := range before {
			before[i] = 0xff
		}
	}
	return s.readDeliveries(ctx, "webhook = ? AND id < ? ORDER BY id DESC LIMIT ?", webhook[:], before[:], limit)
}

func (s *Store) readDeliveries(ctx context.Context, which string, args ...any) ([]registry.Delivery, error) {
	var list []registry.Delivery
	err := s.retryRead(ctx, func() error {
		list = nil
		return s.read.each(ctx, "deliveries", "SELECT "+deliveryColumns+" FROM webhook_delivery WHERE "+which, args, func(rows *sqlx.Rows) error {
			d, err := scanDelivery(rows)
			list = append(list, d)
			return err
		})
	})
	return list, s.fail("read deliveries", err)
}

// Delivery implements [registry.WebhookStore].
func (s *Store) Delivery(ctx context.Context, webhook, id registry.ID) (registry.Delivery, error) {
	list, err := s.readDeliveries(ctx, "webhook = ? AND id = ?", webhook[:], id[:])
	if err == nil && len(list) == 0 {
		err = registry.Errorf(registry.CodeNotFound, "there is no such delivery, or not any more")
	}
	if err != nil {
		return registry.Delivery{}, err
	}
	return list[0], nil
}

// PruneDeliveries implements [registry.WebhookStore].
func (s *Store) PruneDeliveries(ctx context.Context, webhook registry.ID, before time.Time, keep int) (int64, error) {
	var oldest registry.ID
	setTime(&oldest, before)
	var last []byte
	err := s.read.each(ctx, "prune_deliveries", "SELECT id FROM webhook_delivery WHERE webhook = ? ORDER BY id DESC LIMIT 1 OFFSET ?", []any{webhook[:], keep - 1},
		func(rows *sqlx.Rows) error { return rows.Scan(&last) })
	if err != nil {
		return 0, s.fail("remove old deliveries", err)
	}
	if id := toID(last); len(last) > 0 && string(id[:]) > string(oldest[:]) {
		oldest = id
	}
	var removed int64
	err = s.bulk.within(ctx, func(t *txn) (err error) {
		removed, err = t.exec(ctx, "prune_deliveries", "DELETE FROM webhook_delivery WHERE webhook = ? AND id < ? AND state <> ?",
			webhook[:], oldest[:], int64(registry.DeliveryWaiting))
		return err
	})
	return removed, s.fail("remove old deliveries", err)
}
