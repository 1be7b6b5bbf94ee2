package registrytest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

func testWebhookOrder(t *testing.T, fresh func(testing.TB) Database) {
	h := hookNode(t, open(t, fresh, 1)[0].Store, &receiver{})
	ctx := t.Context()
	ann := h.user(t, "ann", 0, registry.RoleAdmin)
	h.store(t, "/a/before", "x")
	all, some := h.hook(t, ann, "/a"), h.hook(t, ann, "/a/b", "create", "delete")
	if !strings.HasPrefix(all.NewSecret, "whsec_") || all.Secret != "" || fmt.Sprintf("%v %+v %q", all.Secret, some.Webhook, registry.WebhookSecret("s3cret")) == "" {
		t.Errorf("the secret is %q, and %q elsewhere", all.NewSecret, all.Secret.Reveal())
	}
	h.store(t, "/a/b/c", "1")
	h.store(t, "/a/b/c", "2")
	h.store(t, "/elsewhere", "x")
	if _, err := h.svc.Delete(ctx, ann, "/a/b/c", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	h.deliver(t)
	h.r.told(t)
	wantTold(t, "the log of all", h.log(t, all.ID),
		"event delivered 1 create /a/b", "event delivered 1 create /a/b/c", "event delivered 1 update /a/b/c", "event delivered 1 delete /a/b/c")
	wantTold(t, "the log of some", h.log(t, some.ID), "event delivered 1 create /a/b", "event delivered 1 create /a/b/c", "event delivered 1 delete /a/b/c")
	h.deliver(t)
	wantTold(t, "a second round", h.r.told(t))

	// While it is disabled nothing is told, and nothing of that later.
	off, err := h.svc.ChangeWebhook(ctx, ann, all.ID, registry.WebhookInput{Enabled: new(false)}, registry.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.svc.ChangeWebhook(ctx, ann, all.ID, registry.WebhookInput{Enabled: new(true)}, registry.Precondition{Match: []string{all.ETag()}})
	wantCode(t, err, registry.CodePrecondition)
	h.store(t, "/a/unseen", "x")
	h.deliver(t)
	wantTold(t, "while disabled", h.r.told(t))
	if _, err := h.svc.ChangeWebhook(ctx, ann, all.ID, registry.WebhookInput{Enabled: new(true)}, registry.Precondition{Match: []string{off.ETag()}}); err != nil {
		t.Fatal(err)
	}
	h.store(t, "/a/seen", "x")
	h.deliver(t)
	wantTold(t, "enabled again", h.r.told(t), "create /a/seen")

	list, _, err := h.svc.Deliveries(ctx, ann, all.ID, registry.ID{}, 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	first := h.eventIDs(t, all.ID)
	again, err := h.svc.ResendDelivery(ctx, ann, all.ID, list[0].ID)
	if err != nil || again.State != registry.DeliveryDone || again.Kind != registry.DeliveryResent || again.Event != list[0].Event {
		t.Errorf("resent: %+v, %v", again, err)
	}
	ping, err := h.svc.PingWebhook(ctx, ann, some.ID)
	if err != nil || ping.State != registry.DeliveryDone || ping.Kind != registry.DeliveryPing {
		t.Errorf("ping: %+v, %v", ping, err)
	}
	wantTold(t, "by hand", h.r.told(t), "create /a/seen", "ping /a/b")
	if now := h.eventIDs(t, all.ID); now[len(now)-1] != first[len(first)-1] {
		t.Errorf("the event was sent again as %s, before as %s", now[len(now)-1], first[len(first)-1])
	}
	// It is removed while something is on its way that somebody waits for.
	h.r.answers(func(registry.WebhookMessage) registry.WebhookAnswer {
		if err := h.svc.RemoveWebhook(ctx, ann, all.ID, registry.Precondition{}); err != nil {
			t.Error(err)
		}
		return registry.WebhookAnswer{Status: 204}
	})
	_, err = h.svc.PingWebhook(ctx, ann, all.ID)
	wantCode(t, err, registry.CodeNotFound)
	wantTold(t, "the log of what is gone", h.log(t, all.ID))
	_, err = h.svc.Webhook(ctx, ann, all.ID)
	wantCode(t, err, registry.CodeNotFound)
}

// eventIDs are the positions that a webhook's log names, oldest first.
func (h *hooked) eventIDs(t testing.TB, id registry.ID) (list []string) {
	t.Helper()
	all, err := h.Deliveries(context.Background(), id, registry.ID{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		list = append(list, all[len(all)-1-i].Event.String())
	}
	return list
}

func testWebhookRetries(t *testing.T, fresh func(testing.TB) Database) {
	h := hookNode(t, open(t, fresh, 1)[0].Store, &receiver{})
	ctx := t.Context()
	ann := h.user(t, "ann", 0, registry.RoleAdmin)
	w := h.hook(t, ann, "/a")
	state := func() registry.WebhookState {
		t.Helper()
		v, err := h.svc.Webhook(ctx, ann, w.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v.State
	}
	refuse := func(registry.WebhookMessage) registry.WebhookAnswer {
		return registry.WebhookAnswer{Status: 503, Body: []byte(strings.Repeat("é", 2000))}
	}
	h.r.answers(refuse)
	h.store(t, "/a", "1")
	h.store(t, "/a", "2")
	var ids []string
	waits := time.Duration(0)
	for i := 1; i <= 4; i++ {
		h.deliver(t)
		h.deliver(t) // not yet
		s := state()
		wait := s.Next.Sub(h.now)
		whole := 5 * time.Second << (i - 1)
		if s.Failures != i || wait < whole/2 || wait > whole {
			t.Fatalf("after %d failures: %+v; the next try is in %s", i, s, wait)
		}
		waits += wait
		h.pass(wait)
		for _, m := range h.r.got {
			ids = append(ids, m.ID)
		}
		wantTold(t, "what arrived", h.r.told(t), "create /a")
	}
	if ids[0] == "" || ids[0] != ids[3] {
		t.Errorf("the tries have the ids %q", ids)
	}
	wantTold(t, "the log", h.log(t, w.ID), "event waiting 4 create /a")
	list, err := h.Deliveries(ctx, w.ID, registry.ID{}, 1)
	if err != nil || len(list[0].Answer) != registry.WebhookAnswerMax || list[0].Status != 503 || list[0].Fault == "" {
		t.Errorf("%+v, %v", list, err)
	}

	// Redirects and answers that never came are failures, too, and a receiver may ask for more time.
	h.r.answers(func(registry.WebhookMessage) registry.WebhookAnswer { return registry.WebhookAnswer{Status: 302} })
	h.deliver(t)
	h.pass(time.Hour)
	h.r.answers(func(registry.WebhookMessage) registry.WebhookAnswer {
		return registry.WebhookAnswer{Err: errors.New("no route"), RetryAfter: 50 * time.Minute}
	})
	h.deliver(t)
	if s := state(); s.Failures != 6 || s.Next.Sub(h.now) != 50*time.Minute {
		t.Errorf("%+v: the next try is in %s", s, s.Next.Sub(h.now))
	}

	// It comes back: both arrive, in order, and all is well.
	h.pass(time.Hour)
	h.r.told(t)
	h.r.answers(nil)
	h.deliver(t)
	wantTold(t, "after it came back", h.r.told(t), "create /a", "update /a")
	if s := state(); s.Failures != 0 || !s.Failing.IsZero() || !s.Waiting.IsZero() {
		t.Errorf("%+v", s)
	}

	// One that stays away for a day loses what was to be told, one after the other, and gets the rest when it comes back.
	h.r.answers(refuse)
	for _, text := range []string{"3", "4", "5"} {
		h.store(t, "/a", text)
	}
	h.deliver(t)
	for range 2 {
		h.pass(registry.DefaultWebhookGiveUp)
		h.deliver(t)
	}
	h.pass(time.Hour)
	h.r.told(t)
	h.r.answers(nil)
	h.deliver(t)
	wantTold(t, "after a day", h.r.told(t), "update /a")
	wantTold(t, "the log", h.log(t, w.ID), "event delivered 7 create /a", "event delivered 1 update /a", "event failed 2 update /a", "event failed 1 update /a",
		"event delivered 1 update /a")
}

func testWebhookRights(t *testing.T, fresh func(testing.TB) Database) {
	h := hookNode(t, open(t, fresh, 1)[0].Store, &receiver{})
	ctx := t.Context()
	root := h.user(t, "root", 0, registry.RoleAdmin)
	ann, bob := h.user(t, "ann", registry.GrantWebhooks), h.user(t, "bob", registry.GrantWebhooks)
	joe := h.user(t, "joe", registry.GrantServer)
	h.grant(t, "/", "ann-role +read")
	h.store(t, "/open", "1")
	h.store(t, "/secret/doc", "1")
	h.grant(t, "/secret", "ann-role -read")
	for a, code := range map[*registry.Actor]registry.Code{{}: registry.CodeUnauthenticated, &joe: registry.CodeDenied, &bob: registry.CodeDenied} {
		_, err := h.svc.MakeWebhook(ctx, *a, registry.WebhookInput{Name: new("x"), URL: new("https://example.org/"), Path: new(registry.Path("/open"))})
		wantCode(t, err, code)
	}
	for _, in := range []registry.WebhookInput{
		{URL: new("https://x/")},
		{Name: new("\x01"), URL: new("https://x/")},
		{Name: new("x"), URL: new("http://x/")},
		{Name: new("x")},
		{Name: new("x"), URL: new("https://x/"), Actions: &[]string{"none"}},
		{Name: new("x"), URL: new("https://" + strings.Repeat("x", 3000))},
	} {
		_, err := h.svc.MakeWebhook(ctx, ann, in)
		wantCode(t, err, registry.CodeInvalid)
	}
	_, err := h.svc.MakeWebhook(ctx, ann, registry.WebhookInput{Name: new("x"), URL: new("https://x/"), Path: new(registry.Path("/secret"))})
	wantCode(t, err, registry.CodeDenied)

	w := h.hook(t, ann, "/")
	for _, do := range []func(registry.Actor) error{
		func(a registry.Actor) error { _, err := h.svc.Webhook(ctx, a, w.ID); return err },
		func(a registry.Actor) error { _, err := h.svc.PingWebhook(ctx, a, w.ID); return err },
		func(a registry.Actor) error {
			_, _, err := h.svc.Deliveries(ctx, a, w.ID, registry.ID{}, 0)
			return err
		},
		func(a registry.Actor) error {
			_, err := h.svc.ChangeWebhook(ctx, a, w.ID, registry.WebhookInput{URL: new("https://bob/")}, registry.Precondition{})
			return err
		},
		func(a registry.Actor) error {
			_, err := h.svc.NewWebhookSecret(ctx, a, w.ID, registry.Precondition{})
			return err
		},
		func(a registry.Actor) error { return h.svc.RemoveWebhook(ctx, a, w.ID, registry.Precondition{}) },
		func(a registry.Actor) error { _, err := h.svc.ResendDelivery(ctx, a, w.ID, registry.ID{1}); return err },
	} {
		wantCode(t, do(bob), registry.CodeNotFound)
		wantCode(t, do(joe), registry.CodeDenied)
	}
	if list, err := h.svc.Webhooks(ctx, bob); err != nil || len(list) != 0 {
		t.Errorf("bob sees %+v, %v", list, err)
	}
	if list, err := h.svc.Webhooks(ctx, root); err != nil || len(list) != 1 || list[0].Secret != "" || list[0].Problem != "" {
		t.Errorf("root sees %+v, %v", list, err)
	}
	if changed, err := h.svc.NewWebhookSecret(ctx, root, w.ID, registry.Precondition{}); err != nil || changed.Owner != ann.UserID || changed.NewSecret == w.NewSecret {
		t.Errorf("%+v, %v", changed, err)
	}

	h.store(t, "/open", "2")
	h.store(t, "/secret/doc", "2")
	if _, err := h.svc.Move(ctx, root, registry.MoveInput{From: "/open", To: "/secret/open"}); err != nil {
		t.Fatal(err)
	}
	h.store(t, "/other", "1")
	h.deliver(t)
	wantTold(t, "ann may read", h.r.told(t), "create /other")

	// What is not yet told when the right goes is never told, not even when it was tried already; nor is it sent again.
	h.r.answers(func(registry.WebhookMessage) registry.WebhookAnswer { return registry.WebhookAnswer{Status: 500} })
	h.store(t, "/other", "2")
	h.deliver(t)
	h.r.told(t)
	h.r.answers(nil)
	h.grant(t, "/other", "ann-role -read")
	h.pass(time.Minute)
	h.deliver(t)
	wantTold(t, "ann may not read any more", h.r.told(t))
	wantTold(t, "the log", h.log(t, w.ID), "event delivered 1 create /other", "event failed 1 update /other")
	list, err := h.Deliveries(ctx, w.ID, registry.ID{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.svc.ResendDelivery(ctx, ann, w.ID, list[0].ID)
	wantCode(t, err, registry.CodeDenied)

	// While the owner is disabled it waits; then it goes on.
	disable := func(off bool) {
		t.Helper()
		err := h.ChangeUser(ctx, op(), "ann", func(u registry.User, _ int) (registry.UserChange, error) {
			u.Disabled = off
			return registry.UserChange{User: u}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	disable(true)
	h.store(t, "/third", "1")
	h.deliver(t)
	wantTold(t, "ann is disabled", h.r.told(t))
	if v, err := h.svc.Webhook(ctx, root, w.ID); err != nil || !strings.Contains(v.Problem, "disabled") {
		t.Errorf("%+v, %v", v, err)
	}
	disable(false)
	h.deliver(t)
	wantTold(t, "ann is back", h.r.told(t), "create /third")
}

// mortal is a node's way to the database and to receivers, until it dies: then nothing comes through any more.
type mortal struct {
	registry.WebhookStore
	receiver *receiver
	dead     atomic.Bool
	end      context.CancelFunc
}

var errNodeDead = errors.New("the node is dead")

func (m *mortal) CheckURL(address string) error { return m.receiver.CheckURL(address) }

func (m *mortal) Send(ctx context.Context, msg registry.WebhookMessage) registry.WebhookAnswer {
	a := m.receiver.Send(ctx, msg)
	if errors.Is(a.Err, errNodeDead) {
		m.dead.Store(true)
		m.end()
	}
	return a
}

func (m *mortal) NoteDelivery(ctx context.Context, d registry.Delivery, webhook registry.ID, rev int64, next *registry.WebhookState) (bool, error) {
	if m.dead.Load() {
		return false, errNodeDead
	}
	return m.WebhookStore.NoteDelivery(ctx, d, webhook, rev, next)
}

func (m *mortal) LeaveWebhooks(ctx context.Context, holder registry.ID) error {
	if m.dead.Load() {
		return errNodeDead
	}
	return m.WebhookStore.LeaveWebhooks(ctx, holder)
}

// Three nodes deliver. Two of them die one after the other, in the middle of sending and without a word, while they hold the lease: nothing is missed, all comes in
// order, and what comes twice has one id.
func testWebhookTakeover(t *testing.T, fresh func(testing.TB) Database) {
	const events = 30
	r := &receiver{}
	var hooks []*hooked
	var starts []func()
	var running sync.WaitGroup
	all, stop := context.WithCancel(t.Context())
	defer running.Wait()
	defer stop()
	for _, n := range open(t, fresh, 3) {
		ctx, end := context.WithCancel(all)
		m := &mortal{WebhookStore: n.Store, receiver: r, end: end}
		h := hookNodeOf(t, n.Store, m, m, r)
		hooks, starts = append(hooks, h), append(starts, func() { h.courier.Run(ctx) })
	}
	ann := hooks[0].user(t, "ann", 0, registry.RoleAdmin)
	hooks[0].hook(t, ann, "/a")
	var got []string
	seen := map[string]int{}
	died := 0
	complete := make(chan struct{})
	r.answers(func(m registry.WebhookMessage) registry.WebhookAnswer {
		if seen[m.ID]++; seen[m.ID] == 1 {
			got = append(got, m.ID)
		}
		switch n := len(got); {
		case died < 2 && n == 10*(died+1):
			died++
			return registry.WebhookAnswer{Err: errNodeDead}
		case n == events && seen[m.ID] == 1:
			close(complete)
		}
		return registry.WebhookAnswer{Status: 200}
	})
	for i := range events {
		hooks[i%3].store(t, "/a", strconv.Itoa(i))
	}
	for _, start := range starts {
		running.Go(start)
	}
	select {
	case <-complete:
	case <-time.After(time.Minute):
		t.Error("not all arrived")
	}
	r.answers(nil) // nobody appends any more
	var last registry.Position
	for _, id := range got {
		p, _, err := registry.ParsePosition(id)
		if err != nil || !last.Before(p) {
			t.Errorf("%s came after %s: %v", id, last, err)
		}
		last = p
	}
	if len(got) != events || died != 2 || len(r.got) < events+2 {
		t.Errorf("%d events arrived in %d messages, %d nodes died", len(got), len(r.got), died)
	}
}
