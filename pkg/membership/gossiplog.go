package membership

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// gossipLog is the writer behind memberlist's logger: it turns its "[LEVEL] memberlist: text" lines into records of one constant message, and
// counts the refusals that memberlist tells in no other way. Anybody who reaches the port can provoke lines, so all above debug share a budget.
type gossipLog struct {
	log    *slog.Logger
	reject func(reason string)

	mu         sync.Mutex
	budget     int // lines that may be written now
	refilled   time.Time
	suppressed int // lines dropped since the last one written
}

const (
	gossipLogBurst  = 20
	gossipLogRefill = time.Second // per line
)

func newGossipLog(log *slog.Logger, reject func(string)) *gossipLog {
	return &gossipLog{log: log, reject: reject, budget: gossipLogBurst, refilled: time.Now()}
}

// Write takes one line. It never fails.
func (g *gossipLog) Write(line []byte) (int, error) {
	level, detail := parseGossipLine(string(bytes.TrimSpace(line)))
	if reason := rejection(detail); reason != "" {
		g.reject(reason)
	}
	if level > slog.LevelDebug && noisy(detail) {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !g.log.Enabled(ctx, level) {
		return len(line), nil
	}
	attrs := []slog.Attr{slog.String("detail", detail)}
	if level > slog.LevelDebug {
		ok, dropped := g.spend(time.Now())
		if !ok {
			return len(line), nil
		}
		if dropped > 0 {
			attrs = append(attrs, slog.Int("suppressed", dropped))
		}
	}
	g.log.LogAttrs(ctx, level, "gossip", attrs...)
	return len(line), nil
}

// spend takes a line out of the budget and tells how many were dropped before it.
func (g *gossipLog) spend(now time.Time) (ok bool, dropped int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := int(now.Sub(g.refilled) / gossipLogRefill); n > 0 {
		g.budget = min(g.budget+n, gossipLogBurst)
		g.refilled = g.refilled.Add(time.Duration(n) * gossipLogRefill)
	}
	if g.budget == 0 {
		g.suppressed++
		return false, 0
	}
	g.budget--
	dropped, g.suppressed = g.suppressed, 0
	return true, dropped
}

// parseGossipLine splits level and text. Its errors are warnings to us: none stops the group, and peers that die cause most of them.
func parseGossipLine(line string) (slog.Level, string) {
	level := slog.LevelInfo
	if rest, ok := strings.CutPrefix(line, "["); ok {
		if word, text, ok := strings.Cut(rest, "] "); ok {
			line = text
			switch word {
			case "DEBUG":
				level = slog.LevelDebug
			case "WARN", "ERR", "ERROR":
				level = slog.LevelWarn
			}
		}
	}
	return level, strings.TrimPrefix(line, "memberlist: ")
}

// noisy are lines of ordinary life: peers that are down, and probes meant for the process that had this address before.
func noisy(detail string) bool {
	for _, part := range []string{
		"Got ping for unexpected node",
		"Failed fallback TCP ping",
		"Failed to send UDP ping",
		"Failed to send UDP compound ping",
		"Failed to send indirect",
		"Failed to send gossip",
		"Failed to send ack",
		"Failed to forward ack",
		"Failed to send nack",
		"Push/Pull with",
		"failed to receive and remove the stream label header",
		"Using dynamic bind port",
		"Suspect ",
	} {
		if strings.HasPrefix(detail, part) {
			return true
		}
	}
	return false
}

// rejection tells why memberlist refused a packet or stream, "" when the line is about something else.
func rejection(detail string) string {
	switch {
	case strings.Contains(detail, "with unacceptable label"):
		return rejectLabel
	case strings.HasPrefix(detail, "Decrypt packet failed"),
		strings.HasPrefix(detail, "failed to receive: ") && (strings.Contains(detail, "no installed keys could decrypt") ||
			strings.Contains(detail, "encryption is configured but") || strings.Contains(detail, "encryption is not configured")):
		return rejectKey
	default:
		return ""
	}
}
