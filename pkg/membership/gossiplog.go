package membership

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipLog is the writer behind memberlist's logger: it turns its "[LEVEL] memberlist: text" lines into records of one constant message, and
// counts the refusals that memberlist tells in no other way. Anybody who reaches the port can provoke lines, so all above debug share a budget, and a
// refusal is told once in ten minutes for each address and reason.
type gossipLog struct {
	log    *slog.Logger
	reject func(reason string)

	mu         sync.Mutex
	budget     int // lines that may be written now
	refilled   time.Time
	suppressed int // lines dropped since the last one written
	told       map[refusal]time.Time
}

// refusal is why something was refused, and whose it was. One line tells of it; the counter tells how often.
type refusal struct{ reason, host string }

const (
	gossipLogBurst  = 20
	gossipLogRefill = time.Second      // per line
	gossipLogRepeat = 10 * time.Minute // between two lines of one refusal
	maxTold         = 256              // refusals remembered
)

func newGossipLog(log *slog.Logger, reject func(string)) *gossipLog {
	return &gossipLog{log: log, reject: reject, budget: gossipLogBurst, refilled: time.Now(), told: make(map[refusal]time.Time)}
}

// Write takes one line. It never fails.
func (g *gossipLog) Write(line []byte) (int, error) {
	level, detail := parseGossipLine(string(bytes.TrimSpace(line)))
	reason := rejection(detail)
	if reason != "" {
		g.reject(reason)
	}
	if level > slog.LevelDebug && noisy(detail) {
		level = slog.LevelDebug
	}
	g.write(level, reason, detail)
	return len(line), nil
}

// refuse counts and writes down what the gate dropped.
func (g *gossipLog) refuse(reason, what string, from net.Addr) {
	g.reject(reason)
	g.write(slog.LevelWarn, reason, "refused a "+what+": "+memberlist.LogAddress(from))
}

// write makes one record, if the budget allows.
func (g *gossipLog) write(level slog.Level, reason, detail string) {
	ctx := context.Background()
	if !g.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("detail", detail)}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	if level > slog.LevelDebug {
		ok, dropped := g.spend(refusal{reason, hostIn(detail)}, time.Now())
		if !ok {
			return
		}
		if dropped > 0 {
			attrs = append(attrs, slog.Int("suppressed", dropped))
		}
	}
	g.log.LogAttrs(ctx, level, "gossip", attrs...)
}

// hostIn is the address in a line that ends as memberlist ends its own, "" when there is none.
func hostIn(detail string) string {
	i := strings.LastIndex(detail, "from=")
	if i < 0 {
		return ""
	}
	host, _, err := net.SplitHostPort(detail[i+len("from="):])
	if err != nil {
		return ""
	}
	return host
}

// spend takes a line out of the budget and tells how many were dropped before it. A refusal that was told is dropped like a line over the budget.
func (g *gossipLog) spend(r refusal, now time.Time) (ok bool, dropped int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, told := g.told[r]; told && now.Sub(at) < gossipLogRepeat {
		g.suppressed++
		return false, 0
	}
	if n := int(now.Sub(g.refilled) / gossipLogRefill); n > 0 {
		g.budget = min(g.budget+n, gossipLogBurst)
		g.refilled = g.refilled.Add(time.Duration(n) * gossipLogRefill)
	}
	if g.budget == 0 {
		g.suppressed++
		return false, 0
	}
	g.budget--
	if r.reason != "" && r.host != "" {
		if len(g.told) >= maxTold {
			clear(g.told)
		}
		g.told[r] = now
	}
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
		"ignoring alive message for", // refused by the policy: logged once per member elsewhere
		"failed to receive: " + errGate.Error(),
	} {
		if strings.HasPrefix(detail, part) {
			return true
		}
	}
	return false
}

// rejection tells why memberlist refused a packet or stream, "" when the line is about something else. The texts are memberlist's own, which tells
// it in no other way; tests provoke each of them, so that a version of memberlist that words them otherwise is noticed.
func rejection(detail string) string {
	rest, received := strings.CutPrefix(detail, "failed to receive: ")
	if received && strings.HasPrefix(rest, errGate.Error()) {
		return "" // counted by the gate
	}
	switch {
	case strings.Contains(detail, "with unacceptable label"):
		return rejectLabel
	case strings.HasPrefix(detail, "Decrypt packet failed"),
		received && hasAny(rest, "no installed keys could decrypt", "encryption is configured but", "encryption is not configured", "unsupported encryption version"):
		return rejectKey
	case hasAny(detail, "is larger than limit", "exceeds limit"):
		return rejectOversized
	case strings.HasPrefix(detail, "Failed to decode"), strings.HasPrefix(detail, "Failed to decompress"), strings.HasPrefix(detail, "Failed to read remote state"),
		strings.HasPrefix(detail, "Failed to receive user message"), strings.HasPrefix(detail, "Received invalid msgType"),
		strings.HasPrefix(detail, "Compound request had"), strings.HasPrefix(detail, "Got invalid checksum"), strings.HasPrefix(detail, "missing message type"),
		strings.HasPrefix(detail, "msg type ("), strings.HasPrefix(detail, "UDP packet too short"), strings.HasPrefix(detail, "Ignoring an alive message"),
		hasAny(detail, "cannot decode label", "label header cannot be empty", "because Vsn is not present"),
		received && hasAny(rest, "msgpack", "decompressed message is empty", "cannot decompress", "lzw:"):
		return rejectMalformed
	default:
		return ""
	}
}

func hasAny(s string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
