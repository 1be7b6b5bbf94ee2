package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Event is one thing that happened, as the change log tells it. The JSON is that of the API.
type Event struct {
	ID         string    `json:"id"` // its place in the log of its store; WatchOptions.From takes it
	Seq        int64     `json:"seq"`
	Item       int       `json:"item"`
	At         time.Time `json:"at"`
	User       string    `json:"user"`
	Action     string    `json:"action"`
	Path       string    `json:"path,omitempty"`         // where the thing was then
	Related    string    `json:"related_path,omitempty"` // the other path that it is about
	Subject    string    `json:"subject,omitempty"`      // the tag, label, account, … that it is about
	Number     int64     `json:"number,omitempty"`       // of the comment, or the rating
	ResourceID string    `json:"resource_id,omitempty"`
	Version    int64     `json:"version,omitempty"`
	Before     string    `json:"sha256_before,omitempty"`
	After      string    `json:"sha256_after,omitempty"`
	RequestID  string    `json:"request_id,omitempty"`
	Client     string    `json:"client,omitempty"`
	Agent      string    `json:"agent,omitempty"`
}

// WatchOptions say what to watch.
type WatchOptions struct {
	// From is the position after which to begin: the ID of an event, or a position of the change log ("4711", "shared:4711"). "" begins with what
	// happens next.
	From string
	// Only watches the path alone, not what lies below it.
	Only bool
	// Store chooses a store where several lie below the path; "" is the first of them.
	Store string
	// GiveUp is for how long in a row the registry may be out of reach, once it has been reached; 0 is for ever.
	GiveUp time.Duration
	// Lost, unless nil, is told why a stream ended before the next one is asked for; nothing is missed in between.
	Lost func(error)
}

// Watch gives what happens at a path and below: every event after the position where it began, each once and in order, as far as the caller may read
// it. A stream that breaks off or stands still is taken up again where it was, at whichever node answers. The list ends with its first error, which
// is the context's when that ended; [ErrGone] when the log does not have what follows the position any more, or is another one by now:
// read anew what you follow. Who is slow to take events is slow to be told; nothing is dropped.
func (c *Client) Watch(ctx context.Context, path string, o WatchOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := &watch{client: c, path: path, options: o, last: o.From, store: o.Store, lastGood: time.Now()}
		w.at, _ = parsePosition(o.From) // what is wrong with it the server says
		for {
			more, err := w.stream(ctx, yield)
			if !more {
				return
			}
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else if err = w.rest(ctx, err); err == nil {
				continue
			}
			yield(Event{}, err)
			return
		}
	}
}

// watch is where a watch has come to.
type watch struct {
	client  *Client
	path    string
	options WatchOptions

	last  string   // the position to go on from; "" until one is known
	at    position // of what was given out last
	store string   // that is watched; positions are its own

	begun    bool // a stream was opened before
	failures int  // since something came over a stream
	lastGood time.Time
	retry    time.Duration // that the server asked clients to wait before they come back
}

// finalError is one after which no further stream can be had.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// rest waits before the next stream. It gives the error when there is to be none.
func (w *watch) rest(ctx context.Context, err error) error {
	w.failures++
	if final, ok := errors.AsType[finalError](err); ok {
		return final.error
	}
	if !w.begun && w.failures >= w.client.attempts {
		return err
	}
	if w.begun && w.options.GiveUp > 0 && time.Since(w.lastGood) >= w.options.GiveUp {
		return fmt.Errorf("the registry is out of reach since %s, after position %s: %w", w.lastGood.UTC().Format(time.RFC3339), w.last, err)
	}
	if w.begun && w.options.Lost != nil {
		w.options.Lost(err)
	}
	after := max(w.retry, min(mostWait, firstWait<<min(w.failures-1, 10)))
	if e, ok := errors.AsType[*Error](err); ok && e.RetryAfter > 0 {
		after = min(e.RetryAfter, mostPatience)
	}
	return pause(ctx, 1, after)
}

// stream opens one stream and gives out what comes over it. more is false when nobody wants more.
func (w *watch) stream(ctx context.Context, yield func(Event, error) bool) (more bool, err error) {
	body, err := w.open(ctx)
	if err != nil {
		return true, err
	}
	defer func() { _ = body.Close() }() // nothing more is wanted of it
	w.begun, w.lastGood = true, time.Now()
	in := newEventReader(body)
	for {
		b, err := in.next()
		if err != nil {
			return true, broken(err)
		}
		w.failures, w.lastGood, w.retry = 0, time.Now(), in.retry
		e, told, err := w.take(b)
		if err != nil {
			return true, err
		}
		if told && !yield(e, nil) {
			return false, nil
		}
	}
}

// open asks for a stream from the last position on.
func (w *watch) open(ctx context.Context) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	// A node that is frozen takes a connection and says nothing.
	timer := time.AfterFunc(w.client.patience, func() { cancel(errStalled) })
	res, err := w.ask(ctx)
	if !timer.Stop() && err == nil {
		_ = res.Body.Close() // it came too late
		err = errStalled
	}
	if errors.Is(err, errStalled) {
		err = &lostError{err: errStalled} // no reason to end the watch
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return &patientBody{ReadCloser: res.Body, ctx: ctx, cancel: cancel, patience: w.client.patience}, nil
}

// ask sends the request for a stream.
func (w *watch) ask(ctx context.Context) (*http.Response, error) {
	query := url.Values{}
	if w.last != "" {
		query.Set("from", w.last)
	}
	if w.options.Only {
		query.Set("only", "true")
	}
	if w.store != "" {
		query.Set("store", w.store)
	}
	a := w.client.once(ctx, &call{method: http.MethodGet, operation: "watch", path: w.path, query: query})
	if a.err != nil {
		if e, ok := errors.AsType[*Error](a.err); ok && w.begun && (e.Status >= 500 || e.Status == http.StatusTooManyRequests) {
			return nil, a.err // it will answer again, as it did
		}
		if !a.again || a.after > mostPatience && !w.begun {
			return nil, finalError{a.err}
		}
		return nil, a.err
	}
	if media, _, err := mime.ParseMediaType(a.res.Header.Get("Content-Type")); err != nil || media != "text/event-stream" {
		_ = a.res.Body.Close() // of no use
		return nil, finalError{fmt.Errorf("the answer is not that of a registry (is %s its address?): its media type is %q", w.client.base, a.res.Header.Get("Content-Type"))}
	}
	// A position belongs to its store, and does not name it. Where the watch began is told before its first event.
	if seq := a.res.Header.Get("Registry-Seq"); seq != "" {
		if i := strings.LastIndexByte(seq, ':'); i > 0 {
			w.store = seq[:i]
		}
		if w.last == "" {
			w.last = seq
			w.at, _ = parsePosition(seq)
		}
	}
	return a.res, nil
}

// take reads a block of a stream. told is false for what is no event, or was told before.
func (w *watch) take(b eventBlock) (e Event, told bool, err error) {
	if b.kind == "end" {
		return e, false, endOf(b.data)
	}
	if b.data == "" || b.kind != "" && b.kind != "message" {
		w.move(b.id)
		return e, false, nil
	}
	if err := json.Unmarshal([]byte(b.data), &e); err != nil {
		return e, false, finalError{fmt.Errorf("the event after position %s cannot be read: %w", w.last, err)}
	}
	at, ok := parsePosition(e.ID)
	if !ok || e.ID != b.id {
		return e, false, finalError{fmt.Errorf("the event after position %s has the id %q, and %q in its stream", w.last, e.ID, b.id)}
	}
	if !w.at.before(at) {
		return e, false, nil
	}
	w.move(b.id)
	return e, true, nil
}

// move notes that everything up to a position was given out, or was not for this watch.
func (w *watch) move(id string) {
	if at, ok := parsePosition(id); ok && !at.before(w.at) {
		w.last, w.at = id, at
	}
}

// endOf is why the server ended a stream.
func endOf(data string) error {
	var p struct {
		Code   CodeError `json:"code"`
		Detail string    `json:"detail"`
	}
	if err := json.Unmarshal([]byte(data), &p); err != nil {
		return broken(io.EOF)
	}
	err := &Error{Code: p.Code, Detail: p.Detail}
	if IsCode(err, ErrUnavailable, ErrInternal, ErrThrottled) {
		return err
	}
	return finalError{err} // asked again, the server would say so again
}

// broken is the end of a stream that nobody spoke of.
func broken(err error) error {
	if _, final := errors.AsType[finalError](err); final {
		return err
	}
	return &lostError{err: fmt.Errorf("the stream of events broke off: %w", unexpected(err))}
}

// position is a place in the change log of a store: after an item of an operation, or after its last one.
type position struct {
	seq  int64
	item int64
}

const endOfOperation = 1 << 31

// before tells whether p comes before o in their log.
func (p position) before(o position) bool { return p.seq < o.seq || p.seq == o.seq && p.item < o.item }

// parsePosition reads "<seq>" or "<seq>.<item>.<mark>", perhaps after "<store>:". The mark tells the logs of different databases apart, which is the
// server's business.
func parsePosition(s string) (position, bool) {
	s = s[strings.LastIndexByte(s, ':')+1:]
	seq, rest, more := strings.Cut(s, ".")
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || n < 0 {
		return position{}, false
	}
	item, _, _ := strings.Cut(rest, ".")
	if !more || item == "end" {
		return position{n, endOfOperation}, true
	}
	i, err := strconv.ParseInt(item, 10, 32)
	if err != nil || i < 0 {
		return position{}, false
	}
	return position{n, i}, true
}
