package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// defaultHeartbeat keeps a watch that has nothing to tell alive through load balancers, and finds out that its client is gone or signed out.
	defaultHeartbeat = 15 * time.Second
	// maxWait bounds a long poll; load balancers give up on an answer after a minute.
	maxWait = 50 * time.Second
	minWait = 100 * time.Millisecond // for what is there already to be read
	// retryHint is when browsers come back to a watch that ended, in milliseconds.
	retryHint = "retry: 500\n"

	eventStream = "text/event-stream"
)

// eventView is one event of the activity or of a watch.
type eventView struct {
	ID        string        `json:"id"` // the position
	Seq       int64         `json:"seq"`
	Item      int           `json:"item"`
	At        time.Time     `json:"at"`
	User      string        `json:"user"`
	Action    string        `json:"action"`
	Path      registry.Path `json:"path,omitempty"`
	Related   registry.Path `json:"related_path,omitempty"`
	Subject   string        `json:"subject,omitempty"`
	Number    int64         `json:"number,omitempty"`
	Resource  string        `json:"resource_id,omitempty"`
	Version   int64         `json:"version,omitempty"`
	Before    string        `json:"sha256_before,omitempty"`
	After     string        `json:"sha256_after,omitempty"`
	RequestID string        `json:"request_id,omitempty"`
	Client    string        `json:"client,omitempty"`
	Agent     string        `json:"agent,omitempty"`
}

func viewEvent(e registry.Event) eventView {
	v := eventView{
		ID: e.String(), Seq: e.Seq, Item: e.Item, At: e.At.UTC(), User: e.User, Action: e.Action, Path: e.Path, Related: e.Related, Subject: e.Subject, Number: e.Number,
		Version: e.Version, Before: viewHash(e.Before), After: viewHash(e.After), RequestID: e.RequestID, Client: e.Client, Agent: e.Agent,
	}
	if !e.Node.IsZero() && e.Path != "" {
		v.Resource = e.Node.String()
	}
	return v
}

// getWatch tells what happens at a path and below, from a position on: as server-sent events, or as a list when the request says how long to wait for one.
func (h *handler) getWatch(w http.ResponseWriter, c *call) error {
	in, err := c.watchInput()
	if err != nil {
		return err
	}
	wait, poll, err := c.wait()
	if err != nil {
		return err
	}
	watch, err := h.service.Watch(c.Context(), c.actor, in)
	if err != nil {
		return logGone(err)
	}
	defer watch.Close()
	setSeq(w.Header(), registry.Seq{Store: watch.Store(), N: watch.Position().Seq})
	w.Header().Set("Cache-Control", "no-store")
	who := func() (registry.Actor, error) { return h.auth.Authenticate(c.Request) }
	if poll {
		return pollWatch(w, c, watch, who, wait)
	}
	s := &eventWriter{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", eventStream)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if c.Method == http.MethodHead {
		return nil
	}
	s.stream(c.Context(), watch, who, h.heartbeat)
	return nil
}

// watchInput reads what to watch, and from where: a browser that comes back says so by Last-Event-ID.
func (c *call) watchInput() (registry.WatchInput, error) {
	p, err := c.target()
	if err != nil {
		return registry.WatchInput{}, err
	}
	query := c.URL.Query()
	in := registry.WatchInput{Path: p, Store: query.Get("store")}
	if in.Only, err = c.flag("only"); err != nil {
		return in, err
	}
	from := c.Header.Get("Last-Event-ID")
	if from == "" {
		from = query.Get("from")
	}
	if from == "" {
		if query.Has("from") {
			return in, registry.Errorf(registry.CodeInvalid, "query parameter from is empty; leave it out to begin with what happens next")
		}
		return in, nil
	}
	at, store, err := registry.ParsePosition(from)
	if err != nil {
		return in, err
	}
	if in.Store == "" {
		in.Store = store
	}
	in.From = &at
	return in, nil
}

// wait reads how long a long poll may wait; false when the request asks for none.
func (c *call) wait() (time.Duration, bool, error) {
	query := c.URL.Query()
	if !query.Has("wait") {
		return 0, false, nil
	}
	d, err := time.ParseDuration(query.Get("wait"))
	if err != nil || d < 0 || d > maxWait {
		return 0, false, registry.Errorf(registry.CodeInvalid, "query parameter wait is %q; it must be a time from 0s to %s", query.Get("wait"), maxWait)
	}
	return max(d, minWait), true, nil
}

// flag reads a query parameter that is true or false.
func (c *call) flag(name string) (bool, error) {
	switch s := c.URL.Query().Get(name); {
	case s == "true":
		return true, nil
	case s == "false" || !c.URL.Query().Has(name):
		return false, nil
	default:
		return false, registry.Errorf(registry.CodeInvalid, "query parameter %s is %q; it must be true or false", name, s)
	}
}

// logGone tells the oldest position that is there, so that a program need not read it out of a sentence.
func logGone(err error) error {
	e, ok := errors.AsType[*registry.GoneError](err)
	if !ok || registry.CodeOf(err) != registry.CodeGone {
		return err
	}
	r := &refusal{status: http.StatusGone, code: registry.CodeGone, message: registry.MessageOf(err)}
	if e.Oldest > 0 {
		r.header, r.value = "Registry-Oldest-Seq", strconv.FormatInt(e.Oldest, 10)
	}
	return r
}

// pollView is the answer of a long poll. Next is where to go on, also when there are no events.
type pollView struct {
	Store  string      `json:"store"`
	Events []eventView `json:"events"`
	Next   string      `json:"next"`
}

// pollWatch answers with the first events, or with none at the end of the time. The head of the answer goes out at once: a load balancer must not take a
// wait for a slow node. So what ends the watch early is an empty list here, and an error to the next request.
func pollWatch(w http.ResponseWriter, c *call, watch *registry.Watch, who func() (registry.Actor, error), wait time.Duration) error {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(http.StatusOK)
	if c.Method == http.MethodHead {
		return nil
	}
	_ = http.NewResponseController(w).Flush() // who cannot be sent the head cannot be sent the rest
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	defer cancel()
	v := pollView{Store: watch.Store(), Events: []eventView{}}
	events, err := watch.Next(ctx, who)
	if err != nil {
		events = nil
	}
	for _, e := range events {
		v.Events = append(v.Events, viewEvent(e))
	}
	v.Next = watch.Position().String()
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, _ = w.Write(append(body, '\n')) // who does not read it has gone
	return nil
}

// eventWriter writes a stream of server-sent events.
type eventWriter struct {
	w       io.Writer
	control *http.ResponseController
	buffer  bytes.Buffer
}

// stream tells events until the client goes, the watch ends, or the client may not watch any more. The last word says why, and a browser comes back with
// its last position by itself, to another node when this one stops.
func (s *eventWriter) stream(ctx context.Context, watch *registry.Watch, who func() (registry.Actor, error), heartbeat time.Duration) {
	s.buffer.WriteString(retryHint)
	s.position(watch)
	for s.flush() {
		err := s.next(ctx, watch, who, heartbeat)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.end(err)
			s.flush()
			return
		}
	}
}

// next writes the next events, or a heartbeat with the position when there are none for a while.
func (s *eventWriter) next(ctx context.Context, watch *registry.Watch, who func() (registry.Actor, error), heartbeat time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, heartbeat)
	defer cancel()
	events, err := watch.Next(ctx, who)
	if err != nil && ctx.Err() != nil {
		if _, err := who(); err != nil {
			return err
		}
		s.buffer.WriteString(": heartbeat\n")
		s.position(watch)
		return nil
	}
	for _, e := range events {
		body, err := json.Marshal(viewEvent(e))
		if err != nil {
			return err
		}
		s.buffer.WriteString("id: " + e.String() + "\ndata: ")
		s.buffer.Write(body)
		s.buffer.WriteString("\n\n")
	}
	return err
}

// position moves the client's last position without an event: what was not for it need not be read again.
func (s *eventWriter) position(watch *registry.Watch) {
	s.buffer.WriteString("id: " + watch.Position().String() + "\n\n")
}

// end says why the stream ends.
func (s *eventWriter) end(err error) {
	body, _ := json.Marshal(map[string]string{"code": string(registry.CodeOf(err)), "detail": registry.MessageOf(err)}) // strings: cannot fail
	s.buffer.WriteString("event: end\ndata: ")
	s.buffer.Write(body)
	s.buffer.WriteString("\n\n")
}

// flush sends what was written; false when nobody takes it.
func (s *eventWriter) flush() bool {
	_, err := s.w.Write(s.buffer.Bytes())
	s.buffer.Reset()
	return err == nil && s.control.Flush() == nil
}
