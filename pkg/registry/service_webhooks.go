package registry

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// WebhookView is a webhook as its owner and administrators see it.
type WebhookView struct {
	Webhook
	// Problem is why nothing is delivered although it is enabled; "" when nothing is in the way.
	Problem string
}

// WebhookInput is a webhook to make, or changes of one: nil fields stay.
type WebhookInput struct {
	Name    *string
	URL     *string
	Path    *Path
	Store   *string // where several stores lie below the path: which; "" is the first that all nodes have
	Actions *[]string
	Enabled *bool
}

// MadeWebhook is a webhook with its secret, which is told this once.
type MadeWebhook struct {
	WebhookView
	NewSecret string
}

// mayHook admits to webhooks: those with [GrantWebhooks], to their own; administrators to all.
func (s *Service) mayHook(a Actor) error {
	switch {
	case a.User == "":
		return Errorf(CodeUnauthenticated, "sign in first")
	case !a.Holds(GrantWebhooks):
		return Errorf(CodeDenied, "you may not make webhooks; the administrative right for it is %s", GrantWebhooks.Names()[0])
	case s.hooks.Store == nil:
		return Errorf(CodeConflict, "this registry has no webhooks")
	}
	return nil
}

// sees tells whether a may see and change a webhook.
func (w Webhook) sees(a Actor) bool { return a.IsAdmin() || w.Owner == a.UserID }

// Webhooks lists the actor's webhooks, for administrators all. Needs [GrantWebhooks]. Secrets are not told.
func (s *Service) Webhooks(ctx context.Context, a Actor) ([]WebhookView, error) {
	if err := s.mayHook(a); err != nil {
		return nil, err
	}
	all, err := s.hooks.Store.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	views := []WebhookView{}
	owners := map[ID]string{} // what is wrong with each
	for _, w := range all {
		if !w.sees(a) {
			continue
		}
		if _, known := owners[w.Owner]; !known {
			if owners[w.Owner], err = s.ownerProblem(ctx, w); err != nil {
				return nil, err
			}
		}
		views = append(views, s.viewWebhook(w, owners[w.Owner]))
	}
	return views, nil
}

func (s *Service) viewWebhook(w Webhook, problem string) WebhookView {
	w.Secret = ""
	if _, err := s.hookScope(w.Path, w.Store); err != nil && problem == "" {
		problem = err.Error()
	}
	return WebhookView{w, problem}
}

// ownerProblem tells why nothing is delivered for the owner of a webhook; "" when nothing is.
func (s *Service) ownerProblem(ctx context.Context, w Webhook) (string, error) {
	_, problem, err := s.ownerOf(ctx, w)
	return problem, err
}

// ownerOf is the owner of a webhook as an actor, with the rights that they have now; or why nothing is delivered for them.
func (s *Service) ownerOf(ctx context.Context, w Webhook) (Actor, string, error) {
	u, err := s.directory.UserByName(ctx, w.OwnerName)
	if CodeOf(err) == CodeNotFound || err == nil && u.ID != w.Owner {
		return Actor{}, "its owner " + w.OwnerName + " is gone", nil
	}
	if err != nil {
		return Actor{}, "", err
	}
	a := Actor{User: u.Name, UserID: u.ID, Roles: u.Roles, Grants: u.Grants, Seen: u.Seq}
	switch {
	case u.Disabled:
		return Actor{}, "its owner " + w.OwnerName + " is disabled", nil
	case !a.Holds(GrantWebhooks):
		return Actor{}, "its owner " + w.OwnerName + " may not make webhooks any more", nil
	}
	return a, "", nil
}

// Webhook reads one, without its secret; [CodeNotFound] when there is none that the actor may see. Needs [GrantWebhooks].
func (s *Service) Webhook(ctx context.Context, a Actor, id ID) (WebhookView, error) {
	w, err := s.webhook(ctx, a, id)
	if err != nil {
		return WebhookView{}, err
	}
	problem, err := s.ownerProblem(ctx, w)
	return s.viewWebhook(w, problem), err
}

// webhook reads one with its secret.
func (s *Service) webhook(ctx context.Context, a Actor, id ID) (Webhook, error) {
	if err := s.mayHook(a); err != nil {
		return Webhook{}, err
	}
	all, err := s.hooks.Store.Webhooks(ctx)
	if err != nil {
		return Webhook{}, err
	}
	if i := slices.IndexFunc(all, func(w Webhook) bool { return w.ID == id && w.sees(a) }); i >= 0 {
		return all[i], nil
	}
	return Webhook{}, noWebhook()
}

func noWebhook() error {
	return Errorf(CodeNotFound, "there is no such webhook, or it is somebody else's")
}

// MakeWebhook makes a webhook of the actor's, which tells what happens from now on. Needs [GrantWebhooks], and [RightRead] on the path.
func (s *Service) MakeWebhook(ctx context.Context, a Actor, in WebhookInput) (MadeWebhook, error) {
	fail := func(err error) (MadeWebhook, error) { return MadeWebhook{}, err }
	if err := s.mayHook(a); err != nil {
		return fail(err)
	}
	now := s.now().Truncate(time.Microsecond).UTC()
	w := Webhook{Owner: a.UserID, OwnerName: a.User, Enabled: true, Rev: 1, CreatedAt: now, ChangedAt: now, Secret: newWebhookSecret()}
	if err := s.fillWebhook(ctx, a, &w, in); err != nil {
		return fail(err)
	}
	made, err := s.hooks.Store.AddWebhook(ctx, s.op(a), w, MaxWebhooks)
	if err != nil {
		return fail(err)
	}
	return MadeWebhook{s.viewWebhook(made, ""), w.Secret.Reveal()}, nil
}

// ChangeWebhook changes a webhook; it stays its owner's. One that is enabled again, or told to follow another path, begins with what happens from now on.
// Needs what [Service.MakeWebhook] needs.
func (s *Service) ChangeWebhook(ctx context.Context, a Actor, id ID, in WebhookInput, c Precondition) (WebhookView, error) {
	fail := func(err error) (WebhookView, error) { return WebhookView{}, err }
	old, err := s.webhook(ctx, a, id)
	if err != nil {
		return fail(err)
	}
	next := old
	if err := s.fillWebhook(ctx, a, &next, in); err != nil {
		return fail(err)
	}
	if err := s.replaceWebhook(ctx, a, old, next, c); err != nil {
		return fail(err)
	}
	return s.Webhook(ctx, a, id)
}

// replaceWebhook puts next in the place of old, unless somebody else changed it meanwhile.
func (s *Service) replaceWebhook(ctx context.Context, a Actor, old, next Webhook, c Precondition) error {
	restart := next.State.Cursor != old.State.Cursor
	return s.hooks.Store.ChangeWebhook(ctx, s.op(a), old.ID, func(current Webhook) (Webhook, error) {
		if err := c.CheckTag("webhook", current.ETag()); err != nil {
			return Webhook{}, err
		}
		if current.Rev != old.Rev {
			return Webhook{}, Errorf(CodeConflict, "the webhook %s was changed at the same time; look at it again", old.Name)
		}
		w := next
		w.Rev, w.ChangedAt = old.Rev+1, s.now()
		if w.State = current.State; restart {
			w.State = WebhookState{Cursor: next.State.Cursor}
		}
		w.State.Rev = current.State.Rev + 1 // whoever is at it looks at it anew
		return w, nil
	})
}

// NewWebhookSecret gives a webhook another secret, with which everything is signed from then on.
func (s *Service) NewWebhookSecret(ctx context.Context, a Actor, id ID, c Precondition) (MadeWebhook, error) {
	old, err := s.webhook(ctx, a, id)
	if err != nil {
		return MadeWebhook{}, err
	}
	next := old
	next.Secret = newWebhookSecret()
	if err := s.replaceWebhook(ctx, a, old, next, c); err != nil {
		return MadeWebhook{}, err
	}
	view, err := s.Webhook(ctx, a, id)
	return MadeWebhook{view, next.Secret.Reveal()}, err
}

// RemoveWebhook removes a webhook with its log. Needs [GrantWebhooks].
func (s *Service) RemoveWebhook(ctx context.Context, a Actor, id ID, c Precondition) error {
	if err := s.mayHook(a); err != nil {
		return err
	}
	return s.hooks.Store.DeleteWebhook(ctx, s.op(a), id, func(w Webhook) error {
		if !w.sees(a) {
			return noWebhook()
		}
		return c.CheckTag("webhook", w.ETag())
	})
}

// fillWebhook checks the input and takes it over.
func (s *Service) fillWebhook(ctx context.Context, a Actor, w *Webhook, in WebhookInput) error {
	before := *w
	if in.Name != nil || w.Name == "" {
		name, err := cleanWebhookName(deref(in.Name))
		if err != nil {
			return err
		}
		w.Name = name
	}
	if in.URL != nil || w.URL == "" {
		w.URL = strings.TrimSpace(deref(in.URL))
		if len(w.URL) > MaxWebhookURL {
			return Errorf(CodeInvalid, "the address has %d bytes; the limit is %d", len(w.URL), MaxWebhookURL)
		}
		if err := s.hooks.Sender.CheckURL(w.URL); err != nil {
			return err
		}
	}
	if in.Actions != nil {
		actions, err := s.cleanActions(*in.Actions)
		if err != nil {
			return err
		}
		w.Actions = actions
	}
	if in.Enabled != nil {
		w.Enabled = *in.Enabled
	}
	if in.Path != nil || w.Path == "" {
		if w.Path = deref(in.Path); w.Path == "" {
			w.Path = Root
		}
		w.Store = ""
	}
	if err := s.auth.Authorize(ctx, a, RightRead, w.Path); err != nil {
		return err
	}
	sc, err := s.hookScope(w.Path, strings.TrimSpace(deref(orString(in.Store, w.Store))))
	if err != nil {
		return err
	}
	w.Store = sc.store.Name()
	if w.Path != before.Path || w.Store != before.Store || w.Enabled && !before.Enabled || w.ID.IsZero() {
		head, err := sc.store.Head(ctx)
		if err != nil {
			return err
		}
		w.State = WebhookState{Rev: 1, Cursor: head}
	}
	return nil
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func orString(p *string, s string) *string {
	if p != nil {
		return p
	}
	return &s
}

func cleanWebhookName(s string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(s))
	if s == "" {
		return "", Errorf(CodeInvalid, "the name of the webhook is empty")
	}
	if err := checkText("name of the webhook", s, MaxWebhookName); err != nil {
		return "", err
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", Errorf(CodeInvalid, "the name of the webhook has a control character")
	}
	return s, nil
}

// WebhookActions are the actions that webhooks tell of: all that happen at a path. What happens to accounts is told to nobody outside.
func (s *Service) WebhookActions() []string {
	return slices.DeleteFunc(s.Actions(), func(a string) bool {
		return slices.Contains([]string{"user", "role", "session", "token", "webhook", "order"}, a)
	})
}

// cleanActions sorts the actions that a webhook tells of; all of them are none.
func (s *Service) cleanActions(list []string) ([]string, error) {
	known := s.WebhookActions()
	var actions []string
	for _, x := range list {
		if x = strings.TrimSpace(x); x == "" {
			continue
		}
		if !slices.Contains(known, x) {
			return nil, Errorf(CodeInvalid, "action is %q; it must be one of %s", firstRunes(x, 60), strings.Join(known, ", "))
		}
		actions = append(actions, x)
	}
	slices.Sort(actions)
	return slices.Compact(actions), nil
}

// hookScope is the store that a webhook follows: one that all nodes have in common, since any of them delivers.
func (s *Service) hookScope(p Path, name string) (scope, error) {
	sc, err := s.scopeOf(p, name)
	if err != nil {
		return sc, err
	}
	if name == "" {
		for _, other := range sc.stores {
			if slices.Contains(s.hooks.Shared, other) {
				return s.scopeOf(p, other)
			}
		}
	}
	if !slices.Contains(s.hooks.Shared, sc.store.Name()) {
		return sc, Errorf(CodeConflict, "%s lies in the store %s, which each node has for itself; webhooks follow what all nodes have in common", p, sc.store.Name())
	}
	return sc, nil
}

// newWebhookSecret is as the Standard Webhooks ask for: 24 to 64 bytes in base64, with a prefix.
func newWebhookSecret() WebhookSecret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails: see its documentation
	return WebhookSecret("whsec_" + base64.StdEncoding.EncodeToString(b[:]))
}

// cutText makes something from outside a text of at most so many bytes that can be shown and stored.
func cutText(b []byte, most int) string {
	s := strings.ToValidUTF8(string(b[:min(len(b), most)]), "�")
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
