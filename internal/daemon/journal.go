package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

	tickets atomic.Uint64 // the last that was given to a record
	texts   sync.Map      // by ticket: where the attributes go of a record that is being written

	mu   sync.Mutex // held while a record is put into its place, never while one is written: values may take their time, and log themselves
	ring []JournalRecord
	next int   // where in ring the next one goes, once it is full
	lost int64 // records that are not kept any more
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
	text := slog.NewTextHandler(journalTexts{j}, &slog.HandlerOptions{Level: slog.Level(-100), ReplaceAttr: withoutLevel})
	return journalHandler{journal: j, next: next, text: text}
}

// withoutLevel leaves out the level of a record, but no attribute of that name.
func withoutLevel(groups []string, a slog.Attr) slog.Attr {
	if _, isLevel := a.Value.Any().(slog.Level); len(groups) == 0 && a.Key == slog.LevelKey && isLevel {
		return slog.Attr{}
	}
	return a
}

// journalTexts takes what the text handler has written: a line that begins with the record's ticket as its message. The handler writes lines side by side,
// and gives them one at a time.
type journalTexts struct{ journal *Journal }

// Write implements [io.Writer].
func (w journalTexts) Write(line []byte) (int, error) {
	ticket, attrs, _ := strings.Cut(strings.TrimSpace(string(line[:min(len(line), 2*journalText)])), " ")
	if text, ok := w.journal.texts.Load(strings.TrimPrefix(ticket, slog.MessageKey+"=")); ok {
		*text.(*string) = attrs
	}
	return len(line), nil
}

// journalHandler writes the attributes of a record as text for the journal.
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
	var text string
	ticket := strconv.FormatUint(h.journal.tickets.Add(1), 36)
	bare := slog.NewRecord(time.Time{}, r.Level, ticket, 0)
	r.Attrs(func(a slog.Attr) bool {
		bare.AddAttrs(a)
		return true
	})
	h.journal.texts.Store(ticket, &text)
	err := h.text.Handle(ctx, bare)
	h.journal.texts.Delete(ticket)
	h.journal.keep(JournalRecord{At: r.Time, Level: r.Level, Message: shorten(r.Message), Attrs: shorten(text)})
	return errors.Join(err, h.next.Handle(ctx, r))
}

// WithAttrs implements [slog.Handler].
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.journal, h.next.WithAttrs(attrs), h.text.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.journal, h.next.WithGroup(name), h.text.WithGroup(name)}
}

func (j *Journal) keep(r JournalRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.ring) < journalRecords {
		j.ring = append(j.ring, r)
		return
	}
	j.ring[j.next] = r
	j.next = (j.next + 1) % journalRecords
	j.lost++
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
