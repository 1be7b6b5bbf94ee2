package registry

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// WebhookMediaType is the media type of what is sent: a CloudEvent 1.0 in structured mode (HTTP protocol binding of CloudEvents 1.0.2, section 3.2). Structured, since
// the signature is of the body, and all attributes are in it then.
const WebhookMediaType = "application/cloudevents+json"

// eventTypePrefix stands before the action in a CloudEvent's type.
const eventTypePrefix = "regent.registry."

// pingAction is the action of a test.
const pingAction = "ping"

// cloudEvent is what a receiver gets.
type cloudEvent struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Time        time.Time `json:"time"`
	Subject     string    `json:"subject,omitempty"`
	ContentType string    `json:"datacontenttype"`
	Data        any       `json:"data"`
}

// eventData is an event, in the words of the activity.
type eventData struct {
	Webhook    string `json:"webhook"`
	Store      string `json:"store"`
	Seq        int64  `json:"seq"`
	Item       int    `json:"item"`
	Action     string `json:"action"`
	Path       Path   `json:"path"`
	Related    Path   `json:"related_path,omitempty"`
	Subject    string `json:"subject,omitempty"`
	Number     int64  `json:"number,omitempty"`
	ResourceID string `json:"resource_id,omitempty"`
	Version    int64  `json:"version,omitempty"`
	Before     string `json:"sha256_before,omitempty"`
	After      string `json:"sha256_after,omitempty"`
	User       string `json:"user"`
	RequestID  string `json:"request_id,omitempty"`
}

// eventID names an event in its store for ever: the position with the mark of its operation.
func eventID(p Position) string { return p.String() }

// storeURN names a store as the source of events, whatever its name in a configuration.
func storeURN(id ID) string {
	h := hex.EncodeToString(id[:])
	return "urn:uuid:" + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// eventBody writes an event as a receiver gets it. It is the same for every try.
func eventBody(w Webhook, source ID, e Event) ([]byte, error) {
	d := eventData{
		Webhook: w.Name, Store: w.Store, Seq: e.Seq, Item: e.Item, Action: e.Action, Path: e.Path, Related: e.Related, Subject: e.Subject, Number: e.Number,
		Version: e.Version, Before: hashCell(e.Before), After: hashCell(e.After), User: e.User, RequestID: e.RequestID,
	}
	if !e.Node.IsZero() {
		d.ResourceID = e.Node.String()
	}
	return marshalEvent(cloudEvent{
		SpecVersion: "1.0", ID: eventID(e.Position), Source: storeURN(source), Type: eventTypePrefix + e.Action, Time: e.At.UTC(), Subject: e.Path.String(),
		ContentType: "application/json", Data: d,
	})
}

// pingBody writes a test.
func pingBody(w Webhook, source ID, d Delivery) ([]byte, error) {
	return marshalEvent(cloudEvent{
		SpecVersion: "1.0", ID: d.ID.String(), Source: storeURN(source), Type: eventTypePrefix + pingAction, Time: d.First.UTC(), Subject: w.Path.String(),
		ContentType: "application/json", Data: map[string]any{"webhook": w.Name, "path": w.Path, "actions": append([]string{}, w.Actions...)},
	})
}

func marshalEvent(e cloudEvent) ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write a CloudEvent: %w", err)
	}
	return b, nil
}
