package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// webhooksView is the list of webhooks, and the form for a new one, with what was typed into it when it was refused.
type webhooksView struct {
	Webhooks []registry.WebhookView
	Form     hookForm
	Made     *registry.MadeWebhook // the one just made, with its secret
	Error    string
}

// hookForm is what the fields of a webhook show.
type hookForm struct {
	Name, URL, Path string
	Chosen          []string
	Actions         []string
	Enabled         bool
}

// Has tells whether an action is chosen.
func (f hookForm) Has(action string) bool { return slices.Contains(f.Chosen, action) }

func (c *console) webhooks(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showWebhooks(w, r, a, hookForm{Path: r.URL.Query().Get("path")}, nil, nil)
}

func (c *console) showWebhooks(w http.ResponseWriter, r *http.Request, a registry.Actor, form hookForm, made *registry.MadeWebhook, failed error) error {
	list, err := c.Service.Webhooks(r.Context(), a)
	if err != nil {
		return err
	}
	form.Actions = c.Service.WebhookActions()
	v := webhooksView{Webhooks: list, Form: form, Made: made}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	f := c.frame(r, a, c.say("Webhooks"))
	f.Section, f.Here, f.Page = "webhooks", "/console/webhooks", v
	return c.render(w, status, "webhooks", f)
}

// readHook reads the fields of a webhook.
func readHook(form url.Values) (hookForm, registry.WebhookInput, error) {
	f := hookForm{
		Name: strings.TrimSpace(form.Get("name")), URL: strings.TrimSpace(form.Get("url")), Path: strings.TrimSpace(form.Get("path")), Chosen: form["action"],
		Enabled: form.Get("enabled") != "",
	}
	in := registry.WebhookInput{Name: &f.Name, URL: &f.URL, Actions: &f.Chosen}
	p, err := registry.ParsePath(f.Path)
	in.Path = &p
	return f, in, err
}

// newWebhook makes a webhook. The page that answers shows its secret: no redirect could.
func (c *console) newWebhook(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	form, in, err := readHook(r.PostForm)
	if err != nil {
		return c.showWebhooks(w, r, a, form, nil, err)
	}
	made, err := c.Service.MakeWebhook(r.Context(), oncePerForm(r, a), in)
	if err != nil {
		return c.showWebhooks(w, r, a, form, nil, err)
	}
	return c.showWebhooks(w, r, a, hookForm{}, &made, nil)
}

// webhookView is one webhook, its form and its log.
type webhookView struct {
	Webhook    registry.WebhookView
	Form       hookForm
	Deliveries []registry.Delivery
	First      bool   // this is the newest page
	Next       string // where the next page begins; "" at the end
	NextTry    string // when it is tried again
	Secret     string // the new one; shown this once
	Error      string
}

// hookPage is how many deliveries a page shows.
const hookPage = 50

func (c *console) webhook(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	id, err := registry.ParseID("the webhook's id", r.URL.Query().Get("id"))
	if !a.Holds(registry.GrantWebhooks) { // before the id: who may not learns nothing of what is wrong with it
		_, err = c.Service.Webhooks(r.Context(), a)
	}
	if err != nil {
		return err
	}
	return c.showWebhook(w, r, a, id, nil, "", nil)
}

func (c *console) showWebhook(w http.ResponseWriter, r *http.Request, a registry.Actor, id registry.ID, form *hookForm, secret string, failed error) error {
	hook, err := c.Service.Webhook(r.Context(), a, id)
	if err != nil {
		return err
	}
	v := webhookView{Webhook: hook, Secret: secret, First: true}
	if wait := hook.State.Next.Sub(c.Now()); wait > 0 {
		v.NextTry = c.say("in %s", c.formatSpan(wait))
	} else {
		v.NextTry = c.say("at once")
	}
	if form == nil {
		form = &hookForm{Name: hook.Name, URL: hook.URL, Path: hook.Path.String(), Chosen: hook.Actions, Enabled: hook.Enabled}
	}
	v.Form = *form
	v.Form.Actions = c.Service.WebhookActions()
	var before registry.ID
	if s := r.URL.Query().Get("before"); s != "" {
		if before, err = registry.ParseID("the page", s); err != nil {
			return err
		}
		v.First = false
	}
	list, next, err := c.Service.Deliveries(r.Context(), a, id, before, hookPage)
	if err != nil {
		return err
	}
	v.Deliveries = list
	if !next.IsZero() {
		v.Next = next.String()
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	f := c.frame(r, a, hook.Name)
	f.Section, f.Page = "webhooks", v
	if r.Method != http.MethodGet {
		f.Here = hookAddress(id)
	}
	return c.render(w, status, "webhook", f)
}

func hookAddress(id registry.ID) string { return "/console/webhook?id=" + id.String() }

// changeWebhook saves, removes or tests a webhook, gives it a new secret or sends something again, as the button of the form says.
func (c *console) changeWebhook(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	if !a.Holds(registry.GrantWebhooks) {
		_, err := c.Service.Webhooks(r.Context(), a)
		return err
	}
	id, err := registry.ParseID("the webhook's id", r.PostForm.Get("id"))
	if err != nil {
		return err
	}
	switch r.PostForm.Get("do") {
	case "save":
		form, in, err := readHook(r.PostForm)
		if err == nil {
			in.Enabled = &form.Enabled
			_, err = c.Service.ChangeWebhook(r.Context(), a, id, in, ifMatch(r))
		}
		return c.changedWebhook(w, r, a, id, &form, "webhook-saved", err)
	case "delete":
		if err := c.Service.RemoveWebhook(r.Context(), a, id, ifMatch(r)); err != nil {
			return c.changedWebhook(w, r, a, id, nil, "", err)
		}
		toPage(w, "/console/webhooks", "webhook-removed")
		return nil
	case "secret":
		made, err := c.Service.NewWebhookSecret(r.Context(), a, id, ifMatch(r))
		return c.showWebhook(w, r, a, id, nil, made.NewSecret, err)
	case "test":
		d, err := c.Service.PingWebhook(r.Context(), a, id)
		return c.changedWebhook(w, r, a, id, nil, "webhook-tested", orFault(d, err))
	case "resend":
		delivery, err := registry.ParseID("the delivery's id", r.PostForm.Get("delivery"))
		var d registry.Delivery
		if err == nil {
			d, err = c.Service.ResendDelivery(r.Context(), a, id, delivery)
		}
		return c.changedWebhook(w, r, a, id, nil, "webhook-resent", orFault(d, err))
	}
	return registry.Errorf(registry.CodeInvalid, "the form says not what to do")
}

// orFault makes an error of something that was not delivered.
func orFault(d registry.Delivery, err error) error {
	if err == nil && d.Fault != "" {
		err = registry.Errorf(registry.CodeConflict, "it was not delivered: %s; the log below has what the receiver answered", d.Fault)
	}
	return err
}

// changedWebhook leads back to the webhook, or shows what is wrong.
func (c *console) changedWebhook(w http.ResponseWriter, r *http.Request, a registry.Actor, id registry.ID, form *hookForm, note string, err error) error {
	if err != nil {
		return c.showWebhook(w, r, a, id, form, "", err)
	}
	redirect(w, hookAddress(id)+"&note="+note)
	return nil
}
