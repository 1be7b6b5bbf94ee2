package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// defaultHeartbeat keeps a stream with nothing to tell alive through load balancers, and finds out that its reader is gone or signed out.
	defaultHeartbeat = 15 * time.Second
	// streamRetry is when browsers come back after a stream ended, to the node that the load balancer then chooses.
	streamRetry = "retry: 1000\n"
)

// liveEvent is what a page is told of a change: in words, and where it was.
type liveEvent struct {
	Text   string `json:"text"` // "ann changed openapi.yaml"
	Action string `json:"action"`
	Path   string `json:"path"`
}

// live is the address of the stream for a page about r, from the state that the page shows; "" where no log tells of it.
func live(r registry.Resource) string {
	if r.ID.IsZero() || r.Seq.N == 0 {
		return ""
	}
	only := "true"
	if r.Kind == registry.KindCollection {
		only = ""
	}
	address, err := query(link("events", r.Path), "only", only, "from", r.Seq.Store+":"+formatNumber(r.Seq.N))
	if err != nil {
		return ""
	}
	return string(address)
}

// events tells a page what happens to the thing it shows, as server-sent events: a resource, or a collection with its own entries. How many streams a user
// may have is bounded by the service. A stream ends with the session, and when its node is drained or stops; the browser goes on at another one.
func (c *console) events(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	in := registry.WatchInput{Path: p, Only: r.URL.Query().Get("only") == "true"}
	if from := cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("from")); from != "" {
		at, store, err := registry.ParsePosition(from)
		if err != nil {
			return err
		}
		in.From, in.Store = &at, store
	}
	watch, err := c.Service.Watch(r.Context(), a, in)
	if err != nil {
		return err
	}
	defer watch.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	s := stream{console: c, request: r, w: w, control: http.NewResponseController(w), watch: watch, path: p}
	s.run()
	return nil
}

// stream is one reader of events.
type stream struct {
	console *console
	request *http.Request
	w       http.ResponseWriter
	control *http.ResponseController
	watch   *registry.Watch
	path    registry.Path
	buffer  bytes.Buffer
}

// run tells events until the reader goes or may watch no more. The last word says why, and whether to come back.
func (s *stream) run() {
	s.buffer.WriteString(streamRetry)
	s.position()
	for s.flush() {
		err := s.next()
		switch {
		case s.request.Context().Err() != nil:
			return
		case err != nil:
			s.end(err)
			s.flush()
			return
		}
	}
}

func (s *stream) who() (registry.Actor, error) { return s.console.Auth.Authenticate(s.request) }

// next writes the next events, or the position when there are none for a while.
func (s *stream) next() error {
	ctx, cancel := context.WithTimeout(s.request.Context(), s.console.Heartbeat)
	defer cancel()
	events, err := s.watch.Next(ctx, s.who)
	if err != nil && ctx.Err() != nil {
		if _, err := s.who(); err != nil {
			return err
		}
		s.position()
		return nil
	}
	for _, e := range events {
		if e.Path == s.path || e.Path.Parent() == s.path || e.Moves && e.Path.Covers(s.path) {
			s.tell(e)
		}
	}
	if err == nil {
		s.position()
	}
	return err
}

func (s *stream) tell(e registry.Event) {
	c := s.console
	what := c.nameOf(e.Path)
	if e.Path == s.path {
		what = c.say("this")
	}
	body, _ := json.Marshal(liveEvent{Text: c.say("%s %s %s", e.User, c.say(deed(e.Action)), what), Action: e.Action, Path: e.Path.String()}) // strings: cannot fail
	s.buffer.WriteString("id: " + s.watch.Store() + ":" + e.String() + "\ndata: ")
	s.buffer.Write(body)
	s.buffer.WriteString("\n\n")
}

// position moves the reader's last position without an event: what was not for it need not be read again.
func (s *stream) position() {
	s.buffer.WriteString("id: " + s.watch.Store() + ":" + s.watch.Position().String() + "\n\n")
}

// end says why the stream ends. Only a reader who may not watch any more is told to stay away.
func (s *stream) end(err error) {
	code := registry.CodeOf(err)
	if code == registry.CodeUnavailable {
		return // it goes on elsewhere
	}
	s.buffer.WriteString("event: end\ndata: " + string(code) + "\n\n")
}

// flush sends what was written; false when nobody takes it.
func (s *stream) flush() bool {
	_, err := s.w.Write(s.buffer.Bytes())
	s.buffer.Reset()
	return err == nil && s.control.Flush() == nil
}
