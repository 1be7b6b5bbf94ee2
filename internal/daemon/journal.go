package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// journalRecords is how many records a journal keeps, and journalText how many bytes of a message, and of the attributes, of each: together at most
	// some 4 MiB.
	journalRecords = 2000
	journalText    = 1 << 10
)

// JournalRecord is a log record as a journal keeps it.
type JournalRecord struct {
	At      time.Time
	Level   slog.Level
	Message string // shortened
	Attrs   string // "key=value key=value", shortened; "" for none
}

// Journal keeps the newest records of a program's log in memory, beside where they are written, and has the level of both. Safe for concurrent use.
type Journal struct {
	level      slog.LevelVar
	configured slog.Level

	mu     sync.Mutex
	ring   []JournalRecord
	next   int          // where in ring the next one goes, once it is full
	lost   int64        // records that are not kept any more
	buffer bytes.Buffer // of the attributes that are being written
}

// NewJournaledLogger is [Document.NewLogger] with a journal of what it logs, which can change its level.
func (d *Document) NewJournaledLogger(w io.Writer, c LogConfig) (*slog.Logger, *Journal, error) {
	j := &Journal{}
	if err := c.SetLevel(&j.level); err != nil {
		return nil, nil, err
	}
	j.configured = j.level.Level()
	written, err := c.logger(w, &j.level)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(j.Handler(written.Handler()))
	d.Tell(log)
	return log, j, nil
}

// Handler passes records on to next, and keeps them. What is logged is next's to decide.
func (j *Journal) Handler(next slog.Handler) slog.Handler {
	text := slog.NewTextHandler(&j.buffer, &slog.HandlerOptions{Level: slog.Level(-100), ReplaceAttr: attrsOnly})
	return journalHandler{journal: j, next: next, text: text}
}

// attrsOnly leaves out what a record has besides its attributes.
func attrsOnly(groups []string, a slog.Attr) slog.Attr {
	_, isLevel := a.Value.Any().(slog.Level)
	if len(groups) == 0 && (a.Key == slog.LevelKey && isLevel || a.Key == slog.MessageKey && a.Value.String() == "") {
		return slog.Attr{}
	}
	return a
}

// journalHandler writes the attributes of a record into the journal's buffer, which is guarded by the journal's lock.
type journalHandler struct {
	journal    *Journal
	next, text slog.Handler
}

// Enabled implements [slog.Handler].
func (h journalHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.next.Enabled(ctx, l)
}

// Handle implements [slog.Handler].
func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	bare := slog.NewRecord(time.Time{}, r.Level, "", 0)
	r.Attrs(func(a slog.Attr) bool {
		bare.AddAttrs(a)
		return true
	})
	return errors.Join(h.journal.keep(ctx, h.text, bare, r), h.next.Handle(ctx, r))
}

// WithAttrs implements [slog.Handler].
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.journal, h.next.WithAttrs(attrs), h.text.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.journal, h.next.WithGroup(name), h.text.WithGroup(name)}
}

// keep keeps r; text writes the attributes, which bare has alone.
func (j *Journal) keep(ctx context.Context, text slog.Handler, bare, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buffer.Reset()
	err := text.Handle(ctx, bare)
	kept := JournalRecord{At: r.Time, Level: r.Level, Message: shorten(r.Message), Attrs: shorten(strings.TrimSpace(j.buffer.String()))}
	if j.buffer.Cap() > 64*journalText {
		j.buffer = bytes.Buffer{} // one large record must not cost memory for ever
	}
	if len(j.ring) < journalRecords {
		j.ring = append(j.ring, kept)
		return err
	}
	j.ring[j.next] = kept
	j.next = (j.next + 1) % journalRecords
	j.lost++
	return err
}

func shorten(s string) string {
	if len(s) <= journalText {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s[:journalText], "") + "…"
}

// Records are those that are kept, the oldest first, and how many older ones are not kept any more.
func (j *Journal) Records() (list []JournalRecord, lost int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	list = make([]JournalRecord, 0, len(j.ring))
	return append(append(list, j.ring[j.next:]...), j.ring[:j.next]...), j.lost
}

// Level is the lowest level that is logged now; Configured the one that the configuration says, to which a restart returns.
func (j *Journal) Level() (now, configured slog.Level) { return j.level.Level(), j.configured }

// SetLevel changes the level until the process ends.
func (j *Journal) SetLevel(l slog.Level) { j.level.Set(l) }
