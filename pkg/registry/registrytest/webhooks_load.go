package registrytest

import (
	"strconv"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testWebhookLoad counts what webhooks cost that have nothing to tell: as many as there may be.
func testWebhookLoad(t *testing.T, fresh func(testing.TB) Database) {
	h := hookNode(t, open(t, fresh, 1)[0].Store, &receiver{})
	ctx := t.Context()
	ann := h.user(t, "ann", 0, registry.RoleAdmin)
	bob := h.user(t, "bob", registry.GrantWebhooks)
	h.grant(t, "/", "bob-role +read")
	h.store(t, "/a/before", "x")
	for i := range registry.MaxWebhooks {
		owner := ann
		if i%2 == 1 {
			owner = bob
		}
		h.hook(t, owner, "/a")
	}
	h.deliver(t)
	look := func(what string, most int64) {
		t.Helper()
		h.pass(time.Second)
		before := h.Statements()
		h.deliver(t)
		if sent := h.Statements() - before; sent > most {
			t.Errorf("%s: a look at %d webhooks took %d statements; want at most %d", what, registry.MaxWebhooks, sent, most)
		}
	}
	look("nothing happens", 10)
	for i := range 5 {
		for j := range 3 {
			h.store(t, "/elsewhere", strconv.Itoa(10*i+j))
		}
		look("what happens is for none", 10)
	}
	wantTold(t, "so far", h.r.told(t))

	// They go on where they are, each by itself.
	h.store(t, "/a/new", "1")
	h.deliver(t)
	if got := h.r.told(t); len(got) != registry.MaxWebhooks || got[0] != "create /a/new" {
		t.Errorf("%d were told: %v", len(got), got)
	}

	// Owners who may not have them any more: nothing of theirs is read.
	disable := func(off bool) {
		t.Helper()
		for _, name := range []string{"ann", "bob"} {
			err := h.ChangeUser(ctx, op(), name, func(u registry.User, _ int) (registry.UserChange, error) {
				u.Disabled = off
				return registry.UserChange{User: u}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	disable(true)
	h.store(t, "/a/new", "2")
	look("the owners are disabled", 10)
	look("the owners are still disabled", 10)
	wantTold(t, "with disabled owners", h.r.told(t))

	disable(false)
	h.deliver(t)
	if got := h.r.told(t); len(got) != registry.MaxWebhooks || got[0] != "update /a/new" {
		t.Errorf("%d were told: %v", len(got), got)
	}

	// How far they have come is stored now and then: another node need not read all of it again.
	for range 2 {
		h.store(t, "/elsewhere", "far")
		h.pass(time.Hour)
		h.deliver(t)
	}
	head, err := h.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.Webhooks(ctx)
	for _, w := range list {
		if w.State.Cursor != head {
			t.Fatalf("a webhook begins at %s after a take-over, the log ends at %s", w.State.Cursor, head)
		}
	}
	if err != nil {
		t.Error(err)
	}
}
