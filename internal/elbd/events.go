package elbd

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// event is something that happened to members, groups or the configuration, as the admin page shows it.
type event struct {
	At      time.Time `json:"at"`    // the last time
	Times   int       `json:"times"` // how often, since the same happens again and again
	Level   string    `json:"level"` // info, warn or error
	Message string    `json:"message"`
	Member  string    `json:"member,omitempty"` // its name, or its id if it has none
	Domain  string    `json:"domain,omitempty"`
	Detail  string    `json:"detail,omitempty"` // what else the record said: key=value, …
}

const (
	eventsMost = 200 // kept in memory
	// eventsAlike is how many of the newest events are looked through for one that says the same.
	eventsAlike  = 8
	detailLength = 300
)

// eventLog keeps the newest events: the log's warnings and errors about members, groups and the configuration, and the good news of them. So what the
// page shows and what the log says never differ. Safe for concurrent use.
type eventLog struct {
	mu   sync.Mutex
	list []event // the oldest first
}

// newest gives a copy, the newest first.
func (l *eventLog) newest() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.list)
	slices.Reverse(list)
	return list
}

func (l *eventLog) add(e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.list) - 1; i >= max(0, len(l.list)-eventsAlike); i-- {
		old := l.list[i]
		if old.Message == e.Message && old.Member == e.Member && old.Domain == e.Domain {
			e.Times += old.Times
			l.list = append(slices.Delete(l.list, i, i+1), e)
			return
		}
	}
	if len(l.list) == eventsMost {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, e)
}

// isEvent chooses the log records that are events. Records of requests are none: a bad minute would push everything else out.
func isEvent(level slog.Level, message string) bool {
	switch message {
	case "request failed", "request", "gossip":
		return false
	case "Member joined", "Member left", "Member changed state", "member passed its first check", "member is up", "member recovered",
		"member put back by an operator", "joined group", "left group", "ELB is ready", "stopping", "certificate reloaded", "configuration reloaded", "another ELB has the same configuration again", "list of tenants read", "tenants can be looked up again":
		return true
	}
	return level >= slog.LevelWarn
}

// handler gives a log handler that keeps events and passes everything on. What the level of the log leaves out is kept all the same.
func (l *eventLog) handler(next slog.Handler) slog.Handler { return &eventHandler{log: l, next: next} }

type eventHandler struct {
	log     *eventLog
	next    slog.Handler
	attrs   []slog.Attr
	grouped bool // attributes of records belong to a group; those are not looked at
}

// Enabled implements slog.Handler.
func (h *eventHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h *eventHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.next = h.next.WithAttrs(attrs)
	if !h.grouped {
		with.attrs = slices.Concat(h.attrs, attrs)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *eventHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.next, with.grouped = h.next.WithGroup(name), true
	return &with
}

// Handle implements slog.Handler.
func (h *eventHandler) Handle(ctx context.Context, r slog.Record) error {
	if isEvent(r.Level, r.Message) {
		h.log.add(h.event(r))
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h *eventHandler) event(r slog.Record) event {
	e := event{At: r.Time.UTC(), Times: 1, Level: strings.ToLower(r.Level.String()), Message: r.Message}
	var id string
	var detail []string
	take := func(a slog.Attr) bool {
		value := a.Value.Resolve()
		switch a.Key {
		case "id":
			id = value.String()
		case "name":
			e.Member = value.String()
		case "domain":
			e.Domain = value.String()
		case "member", "node", "active", "remote_host", "version":
			// said by the others, or of no interest here
		default:
			if text := value.String(); text != "" && text != "<nil>" && text != "0" {
				detail = append(detail, fmt.Sprintf("%s=%s", a.Key, text))
			}
		}
		return true
	}
	for _, a := range h.attrs {
		take(a)
	}
	if !h.grouped {
		r.Attrs(take)
	}
	if e.Member == "" {
		e.Member = id
	}
	e.Detail = strings.Join(detail, ", ")
	if len(e.Detail) > detailLength {
		e.Detail = strings.ToValidUTF8(e.Detail[:detailLength], "") + "…"
	}
	return e
}
