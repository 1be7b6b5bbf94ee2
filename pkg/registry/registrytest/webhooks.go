package registrytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/registry"
)

// receiver is a sender that keeps what it is given, and answers as a test says.
type receiver struct {
	mu     sync.Mutex
	got    []registry.WebhookMessage
	answer func(registry.WebhookMessage) registry.WebhookAnswer
}

func (r *receiver) CheckURL(address string) error {
	if !strings.HasPrefix(address, "https://") {
		return registry.Errorf(registry.CodeInvalid, "no address")
	}
	return nil
}

func (r *receiver) Send(ctx context.Context, m registry.WebhookMessage) registry.WebhookAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return registry.WebhookAnswer{Err: err}
	}
	r.got = append(r.got, m)
	if r.answer != nil {
		return r.answer(m)
	}
	return registry.WebhookAnswer{Status: 204, Duration: time.Millisecond}
}

// told is what arrived at a receiver, as "action path", and forgets it.
func (r *receiver) told(t testing.TB) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := []string{}
	for _, m := range r.got {
		var e struct {
			SpecVersion, ID, Source, Type, Subject string
			Data                                   struct{ Action, Path string }
		}
		if err := json.Unmarshal(m.Body, &e); err != nil || e.SpecVersion != "1.0" || e.ID != m.ID || e.Source == "" {
			t.Errorf("%s: %v", m.Body, err)
		}
		list = append(list, strings.TrimPrefix(e.Type, "regent.registry.")+" "+e.Subject)
	}
	r.got = nil
	return list
}

func (r *receiver) answers(f func(registry.WebhookMessage) registry.WebhookAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// hooked is a node with webhooks, at a time that the test moves.
type hooked struct {
	*node
	r       *receiver
	courier *registry.Courier
	mu      sync.Mutex
	now     time.Time
}

const hookLease = 100 * time.Millisecond

func hookNode(t testing.TB, s Store, r *receiver) *hooked {
	t.Helper()
	return hookNodeOf(t, s, s, r, r)
}

// hookNodeOf is a node that keeps webhooks in hooks and sends through a sender of its own.
func hookNodeOf(t testing.TB, s Store, hooks registry.WebhookStore, sender registry.WebhookSender, r *receiver) *hooked {
	t.Helper()
	table, err := registry.NewMounts(registry.Mount{Path: registry.Root, Store: s, Target: registry.Root})
	if err != nil {
		t.Fatal(err)
	}
	h := &hooked{r: r, now: time.Now().Truncate(time.Microsecond).UTC()}
	clock := func() time.Time {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now
	}
	h.node = &node{Store: s, svc: registry.NewService(registry.Config{
		Mounts: table, Authorizer: registry.NewAccess(table, s), Directory: s, Now: clock,
		Webhooks: registry.Webhooks{
			Store: hooks, Sender: sender, Shared: []string{s.Name()}, Lease: hookLease,
			Warn: func(_ context.Context, what string, err error) { t.Logf("%s: %v", what, err) },
		},
	})}
	h.courier = h.svc.NewCourier()
	return h
}

func (h *hooked) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// deliver does one round, and waits for it.
func (h *hooked) deliver(t testing.TB) {
	t.Helper()
	holds, err := h.courier.Round(context.Background())
	if err != nil || !holds {
		t.Fatalf("round: %v, %v", holds, err)
	}
	h.courier.Wait()
}

// user makes a user with roles of these grants and gives them as an actor.
func (h *hooked) user(t testing.TB, name string, grants registry.Grants, roles ...registry.ID) registry.Actor {
	t.Helper()
	ctx := context.Background()
	if grants != 0 {
		r, err := h.AddRole(ctx, op(), registry.Role{Name: name + "-role", Grants: grants})
		if err != nil {
			t.Fatal(err)
		}
		roles = append(roles, r.ID)
	}
	u, err := h.AddUser(ctx, op(), registry.User{Name: name, Password: "x", Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return registry.Actor{User: name, UserID: u.ID, Roles: roles, Grants: grants}
}

func (h *hooked) hook(t testing.TB, a registry.Actor, p registry.Path, actions ...string) registry.MadeWebhook {
	t.Helper()
	w, err := h.svc.MakeWebhook(context.Background(), a, registry.WebhookInput{Name: new("hook of " + a.User), URL: new("https://example.org/hook"), Path: &p, Actions: &actions})
	if err != nil {
		t.Fatalf("make a webhook: %v", err)
	}
	return w
}

// log is the webhook's log, oldest first, as "kind state attempts action path".
func (h *hooked) log(t testing.TB, id registry.ID) []string {
	t.Helper()
	list, err := h.Deliveries(context.Background(), id, registry.ID{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, d := range slices.Backward(list) {
		lines = append(lines, fmt.Sprintf("%s %s %d %s %s", d.Kind, d.State, d.Attempts, d.Action, d.Path))
	}
	return lines
}

func wantTold(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func testWebhooks(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	at := time.UnixMicro(1_800_000_000_000_001).UTC()
	w := registry.Webhook{
		Name: "ci", URL: "https://example.org/é?x=1", Store: "test", Path: "/a", Actions: []string{"create", "update"}, Secret: "whsec_c2VjcmV0", Enabled: true,
		Owner: registry.ID{9}, OwnerName: "ann", Rev: 1, CreatedAt: at, ChangedAt: at,
		State: registry.WebhookState{Rev: 1, Cursor: registry.Position{Seq: 5, Item: registry.EndOfOperation, Mark: 1<<32 - 1}},
	}
	made, err := nodes[0].AddWebhook(ctx, op(), w, 2)
	if err != nil {
		t.Fatal(err)
	}
	w.ID = made.ID
	list, err := nodes[1].Webhooks(ctx)
	if diff := cmp.Diff([]registry.Webhook{w}, list, cmp.Comparer(func(a, b registry.WebhookSecret) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	bare := registry.Webhook{Name: "b", Path: "/", CreatedAt: at, ChangedAt: at}
	if _, err := nodes[1].AddWebhook(ctx, op(), bare, 2); err != nil {
		t.Fatal(err)
	}
	_, err = nodes[0].AddWebhook(ctx, op(), bare, 2)
	wantCode(t, err, registry.CodeConflict)

	refused := errors.New("refused")
	if err := nodes[0].ChangeWebhook(ctx, op(), w.ID, func(registry.Webhook) (registry.Webhook, error) { return registry.Webhook{}, refused }); !errors.Is(err, refused) {
		t.Errorf("refused: %v", err)
	}
	err = nodes[1].ChangeWebhook(ctx, op(), w.ID, func(old registry.Webhook) (registry.Webhook, error) {
		old.Enabled, old.Actions, old.Rev = false, nil, old.Rev+1
		old.State = registry.WebhookState{Rev: 2, Waiting: registry.ID{7}, Failures: 3, Failing: at, Next: at.Add(time.Second)}
		w = old
		return old, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if list, err = nodes[0].Webhooks(ctx); err != nil || !cmp.Equal(list[1], w, cmp.Comparer(func(a, b registry.WebhookSecret) bool { return a == b })) {
		t.Errorf("%+v, %v; want %+v", list, err, w)
	}
	none := registry.ID{1, 2, 3}
	wantCode(t, nodes[0].ChangeWebhook(ctx, op(), none, func(w registry.Webhook) (registry.Webhook, error) { return w, nil }), registry.CodeNotFound)
	wantCode(t, nodes[0].DeleteWebhook(ctx, op(), none, func(registry.Webhook) error { return nil }), registry.CodeNotFound)
	if err := nodes[0].DeleteWebhook(ctx, op(), w.ID, func(registry.Webhook) error { return nil }); err != nil {
		t.Error(err)
	}
	if list, err = nodes[1].Webhooks(ctx); err != nil || len(list) != 1 || list[0].Name != "b" {
		t.Errorf("%+v, %v", list, err)
	}

	page, err := nodes[0].Activity(ctx, registry.ActivityQuery{Action: "webhook", Limit: 10})
	if err != nil || len(page.Events) != 4 || page.Events[0].Subject != "ci" || page.Events[0].Node != w.ID {
		t.Errorf("the activity tells %+v, %v", page.Events, err)
	}
}

func testDeliveries(t *testing.T, fresh func(testing.TB) Database) {
	s := open(t, fresh, 1)[0]
	ctx := t.Context()
	at := time.UnixMilli(1_800_000_000_000).UTC()
	w, err := s.AddWebhook(ctx, op(), registry.Webhook{Name: "w", Path: "/", CreatedAt: at, ChangedAt: at, State: registry.WebhookState{Rev: 1}}, 10)
	if err != nil {
		t.Fatal(err)
	}
	id := func(n int) registry.ID { // of a delivery that began n seconds after at
		ms := at.UnixMilli() + int64(n)*1000
		id := registry.ID{15: byte(n)}
		for i := range 6 {
			id[i] = byte(ms >> (40 - 8*i))
		}
		return id
	}
	d := registry.Delivery{
		ID: id(1), Webhook: w.ID, Kind: registry.DeliveryEvent, State: registry.DeliveryWaiting, Event: registry.Position{Seq: 3, Item: 1, Mark: 7}, Action: "create",
		Path: "/é", Attempts: 1, First: at, Last: at, Duration: 3 * time.Millisecond, Status: 500, Answer: "no", Fault: "refused",
	}
	next := registry.WebhookState{Rev: 2, Cursor: registry.Position{Seq: 2}, Waiting: d.ID, Failures: 1, Failing: at, Next: at.Add(time.Minute)}
	if ok, err := s.NoteDelivery(ctx, d, w.ID, 1, &next); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	late := d
	late.ID, late.Attempts = id(2), 9
	if ok, err := s.NoteDelivery(ctx, late, w.ID, 1, &registry.WebhookState{Rev: 2}); ok || err != nil {
		t.Errorf("a late note: %v, %v", ok, err)
	}
	d.State, d.Attempts, d.Status, d.Fault, d.Answer = registry.DeliveryDone, 2, 204, "", "\x00 yes"
	if ok, err := s.NoteDelivery(ctx, d, w.ID, 0, nil); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	got, err := s.Delivery(ctx, w.ID, d.ID)
	if diff := cmp.Diff(d, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if all, err := s.Deliveries(ctx, w.ID, registry.ID{}, 10); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v: what lost the race left something", all, err)
	}
	list, err := s.Webhooks(ctx)
	if err != nil || list[0].State != next {
		t.Errorf("%+v, %v; want %+v", list, err, next)
	}
	_, err = s.Delivery(ctx, w.ID, id(5))
	wantCode(t, err, registry.CodeNotFound)

	for i := 2; i < 10; i++ {
		d.ID = id(i)
		if d.State = registry.DeliveryDone; i == 3 {
			d.State = registry.DeliveryWaiting
		}
		if _, err := s.NoteDelivery(ctx, d, w.ID, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	ids := func(before registry.ID, limit int) (list []int) {
		page, err := s.Deliveries(ctx, w.ID, before, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page {
			list = append(list, int(d.ID[15]))
		}
		return list
	}
	if got := ids(id(8), 3); !slices.Equal(got, []int{7, 6, 5}) {
		t.Errorf("a page has %v", got)
	}
	for _, c := range []struct {
		before time.Time
		keep   int
		left   []int
	}{
		{at, 100, []int{9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{at.Add(5 * time.Second), 100, []int{9, 8, 7, 6, 5, 3}},
		{at, 2, []int{9, 8, 3}},
	} {
		if _, err := s.PruneDeliveries(ctx, w.ID, c.before, c.keep); err != nil {
			t.Fatal(err)
		}
		if got := ids(registry.ID{}, 100); !slices.Equal(got, c.left) {
			t.Errorf("before %s, keep %d: %v are left, want %v", c.before, c.keep, got, c.left)
		}
	}
	if err := s.DeleteWebhook(ctx, op(), w.ID, func(registry.Webhook) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := ids(registry.ID{}, 100); got != nil {
		t.Errorf("its log stayed: %v", got)
	}
	if ok, err := s.NoteDelivery(ctx, d, w.ID, 2, &next); ok || err != nil {
		t.Errorf("a note of a webhook that is gone: %v, %v", ok, err)
	}
	if ok, err := s.NoteDelivery(ctx, d, w.ID, 0, nil); ok || err != nil || ids(registry.ID{}, 100) != nil {
		t.Errorf("a test of a webhook that is gone: %v, %v, and its log has %v", ok, err, ids(registry.ID{}, 100))
	}
}
