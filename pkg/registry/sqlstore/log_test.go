package sqlstore_test

import (
	"context"
	"log/slog"
	"testing"
)

// testLog is a log that fails the test at an error record: nothing in these tests may log one.
func testLog(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(&failingHandler{slog.NewTextHandler(t.Output(), nil), t})
}

type failingHandler struct {
	slog.Handler
	t testing.TB
}

// Handle implements [slog.Handler].
func (h *failingHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		h.t.Errorf("log says %s: %s", r.Level, r.Message)
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h *failingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &failingHandler{h.Handler.WithAttrs(attrs), h.t}
}

// WithGroup implements [slog.Handler].
func (h *failingHandler) WithGroup(name string) slog.Handler {
	return &failingHandler{h.Handler.WithGroup(name), h.t}
}
