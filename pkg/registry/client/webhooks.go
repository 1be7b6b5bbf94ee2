package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Webhook tells another program what happens at a path. Secret is there once: in the answer that makes it.
type Webhook struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	URL       string    `json:"url"`
	Path      string    `json:"path"`
	Store     string    `json:"store"`
	Actions   []string  `json:"actions"` // those that are told; none means all
	Enabled   bool      `json:"enabled"`
	Owner     string    `json:"owner"`
	ETag      string    `json:"etag"`
	Secret    string    `json:"secret,omitempty"`
	Problem   string    `json:"problem,omitempty"` // why nothing is sent although it is enabled
	Position  string    `json:"position"`
	Failures  int       `json:"failures"` // how many tries in a row have failed
	Failing   time.Time `json:"failing_since,omitzero"`
	NextTry   time.Time `json:"next_try,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	ChangedAt time.Time `json:"changed_at"`
}

// Delivery is an entry of a webhook's log.
type Delivery struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`            // event, resent or ping
	State    string    `json:"state"`           // waiting, delivered or failed
	Event    string    `json:"event,omitempty"` // the position in the change log
	Action   string    `json:"action"`
	Path     string    `json:"path"`
	Attempts int       `json:"attempts"`
	First    time.Time `json:"first_try"`
	Last     time.Time `json:"last_try"`
	Millis   int64     `json:"duration_ms"`      // of the last try
	Status   int       `json:"status,omitempty"` // 0 when there was no answer
	Answer   string    `json:"answer,omitempty"` // how it begins
	Fault    string    `json:"fault,omitempty"`
}

// NewWebhook is a webhook to make.
type NewWebhook struct {
	Name    string   `json:"name"`
	URL     string   `json:"url"`
	Path    string   `json:"path,omitempty"` // "/" when empty
	Actions []string `json:"actions,omitempty"`
}

// Webhooks lists the caller's webhooks, for administrators all.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	var list struct {
		Webhooks []Webhook `json:"webhooks"`
	}
	_, err := c.ask(ctx, &call{method: http.MethodGet, operation: "webhooks"}, &list)
	return list.Webhooks, err
}

// CreateWebhook makes a webhook. When the answer is lost, the secret is: remove the webhook and make another one.
func (c *Client) CreateWebhook(ctx context.Context, w NewWebhook) (Webhook, error) {
	body, err := jsonPayload(w, "application/json")
	if err != nil {
		return Webhook{}, err
	}
	var made Webhook
	_, err = c.ask(ctx, &call{method: http.MethodPost, operation: "webhooks", body: body}, &made)
	return made, err
}

// RemoveWebhook removes a webhook with its log.
func (c *Client) RemoveWebhook(ctx context.Context, id string) error {
	_, err := c.ask(ctx, &call{method: http.MethodDelete, operation: "webhooks/" + url.PathEscape(id)}, nil)
	return err
}

// PingWebhook sends a test through a webhook, and tells what came of it.
func (c *Client) PingWebhook(ctx context.Context, id string) (Delivery, error) {
	var d Delivery
	_, err := c.ask(ctx, &call{method: http.MethodPost, operation: "webhook-ping/" + url.PathEscape(id)}, &d)
	return d, err
}

// ResendDelivery sends the event of a delivery again, and tells what came of it.
func (c *Client) ResendDelivery(ctx context.Context, webhook, delivery string) (Delivery, error) {
	var d Delivery
	_, err := c.ask(ctx, &call{method: http.MethodPost, operation: "webhook-resend/" + url.PathEscape(webhook), query: url.Values{"delivery": {delivery}}}, &d)
	return d, err
}

// Deliveries reads the newest deliveries of a webhook, newest first; limit is at most 1000.
func (c *Client) Deliveries(ctx context.Context, webhook string, limit int) ([]Delivery, error) {
	var list struct {
		Deliveries []Delivery `json:"deliveries"`
	}
	_, err := c.ask(ctx, &call{
		method: http.MethodGet, operation: "webhook-deliveries/" + url.PathEscape(webhook), query: url.Values{"limit": {strconv.Itoa(limit)}},
	}, &list)
	return list.Deliveries, err
}
