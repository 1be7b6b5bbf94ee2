package httpapi

import (
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const webhooksURL = apiPrefix + "webhooks"

// webhookRoutes are webhooks and their logs.
func (h *handler) webhookRoutes() []route {
	return []route{
		{"GET", webhooksURL, h.getWebhooks, nil},
		{"POST", webhooksURL, h.postWebhook, nil},
		{"GET", webhooksURL + "/{id}", h.getWebhook, nil},
		{"PATCH", webhooksURL + "/{id}", h.patchWebhook, nil},
		{"DELETE", webhooksURL + "/{id}", h.deleteWebhook, nil},
		{"POST", "/api/v1/webhook-secret/{id}", h.postWebhookSecret, nil},
		{"POST", "/api/v1/webhook-ping/{id}", h.postWebhookPing, nil},
		{"GET", "/api/v1/webhook-deliveries/{id}", h.getDeliveries, []string{"before", "limit"}},
		{"POST", "/api/v1/webhook-resend/{id}", h.postResend, []string{"delivery"}},
	}
}

// webhookView is a webhook. Secret is there once.
type webhookView struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	URL       string        `json:"url"`
	Path      registry.Path `json:"path"`
	Store     string        `json:"store"`
	Actions   []string      `json:"actions"`
	Enabled   bool          `json:"enabled"`
	Owner     string        `json:"owner"`
	ETag      string        `json:"etag"`
	Secret    string        `json:"secret,omitempty"`
	Problem   string        `json:"problem,omitempty"`
	Position  string        `json:"position"`
	Failures  int           `json:"failures"`
	FailingAt *time.Time    `json:"failing_since,omitempty"`
	NextTry   *time.Time    `json:"next_try,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	ChangedAt time.Time     `json:"changed_at"`
}

func viewWebhook(w registry.WebhookView, secret string) webhookView {
	v := webhookView{
		ID: w.ID.String(), Name: w.Name, URL: w.URL, Path: w.Path, Store: w.Store, Actions: append([]string{}, w.Actions...), Enabled: w.Enabled, Owner: w.OwnerName,
		ETag: w.ETag(), Secret: secret, Problem: w.Problem, Position: w.State.Cursor.String(), Failures: w.State.Failures, CreatedAt: w.CreatedAt.UTC(), ChangedAt: w.ChangedAt.UTC(),
	}
	if w.State.Failures > 0 {
		v.FailingAt, v.NextTry = new(w.State.Failing.UTC()), new(w.State.Next.UTC())
	}
	return v
}

func writeWebhook(w http.ResponseWriter, status int, hook registry.WebhookView, secret string) error {
	w.Header().Set("ETag", hook.ETag())
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusCreated {
		w.Header().Set("Location", webhooksURL+"/"+hook.ID.String())
	}
	return writeJSON(w, status, viewWebhook(hook, secret))
}

// webhookFields is a webhook to make or to change.
type webhookFields struct {
	Name    *string   `json:"name"`
	URL     *string   `json:"url"`
	Path    *string   `json:"path"`
	Store   *string   `json:"store"`
	Actions *[]string `json:"actions"`
	Enabled *bool     `json:"enabled"`
}

func (c *call) webhookInput() (registry.WebhookInput, error) {
	var f webhookFields
	if err := c.decode(&f, jsonType, mergePatchType); err != nil {
		return registry.WebhookInput{}, err
	}
	in := registry.WebhookInput{Name: f.Name, URL: f.URL, Store: f.Store, Actions: f.Actions, Enabled: f.Enabled}
	if f.Path != nil {
		p, err := registry.ParsePath(*f.Path)
		if err != nil {
			return in, err
		}
		in.Path = &p
	}
	return in, nil
}

func (h *handler) getWebhooks(w http.ResponseWriter, c *call) error {
	list, err := h.service.Webhooks(c.Context(), c.actor)
	if err != nil {
		return err
	}
	views := []webhookView{}
	for _, hook := range list {
		views = append(views, viewWebhook(hook, ""))
	}
	return writeJSON(w, http.StatusOK, map[string]any{"webhooks": views})
}

func (h *handler) postWebhook(w http.ResponseWriter, c *call) error {
	in, err := c.webhookInput()
	if err != nil {
		return err
	}
	made, err := h.service.MakeWebhook(c.Context(), c.actor, in)
	if err != nil {
		return err
	}
	return writeWebhook(w, http.StatusCreated, made.WebhookView, made.NewSecret)
}

func (h *handler) getWebhook(w http.ResponseWriter, c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	hook, err := h.service.Webhook(c.Context(), c.actor, id)
	if err != nil {
		return err
	}
	return writeWebhook(w, http.StatusOK, hook, "")
}

// withID reads what every change of something with an id has.
func (c *call) withID() (registry.ID, registry.Precondition, error) {
	id, err := c.id()
	if err != nil {
		return id, registry.Precondition{}, err
	}
	condition, err := precondition(c.Header)
	return id, condition, err
}

func (h *handler) patchWebhook(w http.ResponseWriter, c *call) error {
	id, condition, err := c.withID()
	if err != nil {
		return err
	}
	in, err := c.webhookInput()
	if err != nil {
		return err
	}
	hook, err := h.service.ChangeWebhook(c.Context(), c.actor, id, in, condition)
	if err != nil {
		return err
	}
	return writeWebhook(w, http.StatusOK, hook, "")
}

func (h *handler) deleteWebhook(w http.ResponseWriter, c *call) error {
	id, condition, err := c.withID()
	if err != nil {
		return err
	}
	return done(w, h.service.RemoveWebhook(c.Context(), c.actor, id, condition))
}

func (h *handler) postWebhookSecret(w http.ResponseWriter, c *call) error {
	id, condition, err := c.withID()
	if err != nil {
		return err
	}
	made, err := h.service.NewWebhookSecret(c.Context(), c.actor, id, condition)
	if err != nil {
		return err
	}
	return writeWebhook(w, http.StatusOK, made.WebhookView, made.NewSecret)
}

// deliveryView is an entry of a webhook's log.
type deliveryView struct {
	ID       string        `json:"id"`
	Kind     string        `json:"kind"`
	State    string        `json:"state"`
	Event    string        `json:"event,omitempty"`
	Action   string        `json:"action"`
	Path     registry.Path `json:"path"`
	Attempts int           `json:"attempts"`
	First    time.Time     `json:"first_try"`
	Last     time.Time     `json:"last_try"`
	Millis   int64         `json:"duration_ms"`
	Status   int           `json:"status,omitempty"`
	Answer   string        `json:"answer,omitempty"`
	Fault    string        `json:"fault,omitempty"`
}

func viewDelivery(d registry.Delivery) deliveryView {
	v := deliveryView{
		ID: d.ID.String(), Kind: d.Kind.String(), State: d.State.String(), Action: d.Action, Path: d.Path, Attempts: d.Attempts, First: d.First.UTC(), Last: d.Last.UTC(),
		Millis: d.Duration.Milliseconds(), Status: d.Status, Answer: d.Answer, Fault: d.Fault,
	}
	if d.Event != (registry.Position{}) {
		v.Event = d.Event.String()
	}
	return v
}

func (h *handler) getDeliveries(w http.ResponseWriter, c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	limit, err := c.number("limit", registry.MaxPageSize)
	if err != nil {
		return err
	}
	var before registry.ID
	if q := c.URL.Query(); q.Has("before") {
		if before, err = registry.ParseID("query parameter before", q.Get("before")); err != nil {
			return err
		}
	}
	list, next, err := h.service.Deliveries(c.Context(), c.actor, id, before, int(limit))
	if err != nil {
		return err
	}
	v := struct {
		Deliveries []deliveryView `json:"deliveries"`
		Next       string         `json:"next,omitempty"`
	}{Deliveries: []deliveryView{}}
	for _, d := range list {
		v.Deliveries = append(v.Deliveries, viewDelivery(d))
	}
	if !next.IsZero() {
		v.Next = next.String()
	}
	return writeJSON(w, http.StatusOK, v)
}

// postWebhookPing sends a test. The status is 200 whatever the receiver said: the delivery tells that.
func (h *handler) postWebhookPing(w http.ResponseWriter, c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	d, err := h.service.PingWebhook(c.Context(), c.actor, id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, viewDelivery(d))
}

func (h *handler) postResend(w http.ResponseWriter, c *call) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	delivery, err := registry.ParseID("query parameter delivery", c.URL.Query().Get("delivery"))
	if err != nil {
		return err
	}
	d, err := h.service.ResendDelivery(c.Context(), c.actor, id, delivery)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, viewDelivery(d))
}
