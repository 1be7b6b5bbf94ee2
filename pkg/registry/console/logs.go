package console

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// Journal is the log of this process, as far as it is kept in memory. Safe for concurrent use.
type Journal interface {
	// Records are those that are kept, the oldest first, and how many older ones are not kept any more.
	Records() (list []LogRecord, lost int64)
	// Level is the lowest level that is logged now; configured the one to which a restart returns.
	Level() (now, configured slog.Level)
	// SetLevel changes the level until the process ends.
	SetLevel(slog.Level)
}

// LogRecord is one record of a log.
type LogRecord struct {
	At      time.Time
	Level   slog.Level
	Message string
	Attrs   string // "key=value key=value"; "" for none
}

// logsShown is how many records the page shows; the text has all that are kept.
const logsShown = 500

// logLevels are those that can be chosen, the most talkative first.
var logLevels = []string{"debug", "info", "warn", "error"}

// logsView is the newest records of this node that match.
type logsView struct {
	nodeView
	Records []LogRecord
	Matches int   // records that match; Records may be cut
	Kept    int   // records that are kept
	Lost    int64 // older ones that are not
	Missing bool  // this process keeps no log

	Levels          []string
	Level, Text     string // the filters, as they were sent
	Oldest          bool   // first
	Now, Configured string // levels
	Error           string
}

// Cut is how many records match and are not shown.
func (v logsView) Cut() int { return v.Matches - len(v.Records) }

// Query adds the filters to an address.
func (v logsView) Query(address string) (any, error) {
	order := ""
	if v.Oldest {
		order = "oldest"
	}
	return query(address, "level", v.Level, "q", v.Text, "order", order, "node", v.Node)
}

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// levelClass is how a level looks.
func levelClass(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "bad"
	case l >= slog.LevelWarn:
		return "warn"
	case l >= slog.LevelInfo:
		return "ok"
	}
	return ""
}

// logsOf reads the filters of the address, and what matches them, the oldest first.
func (c *console) logsOf(r *http.Request, a registry.Actor) (logsView, error) {
	if _, err := c.Service.ServerView(a); err != nil {
		return logsView{}, err
	}
	q := r.URL.Query()
	v := logsView{
		nodeView: c.nodeOf(r, "logs", "/console/logs"), Levels: logLevels, Level: q.Get("level"), Text: strings.TrimSpace(q.Get("q")), Oldest: q.Get("order") == "oldest",
	}
	lowest := slog.Level(-100)
	if v.Level != "" {
		if !slices.Contains(logLevels, v.Level) {
			return v, registry.Errorf(registry.CodeInvalid, "level is %q; it must be one of %s", v.Level, strings.Join(logLevels, ", "))
		}
		_ = lowest.UnmarshalText([]byte(v.Level)) // one of the four words
	}
	if v.Missing = c.Journal == nil; v.Missing {
		return v, nil
	}
	now, configured := c.Journal.Level()
	v.Now, v.Configured = levelName(now), levelName(configured)
	all, lost := c.Journal.Records()
	v.Kept, v.Lost = len(all), lost
	words := strings.ToLower(v.Text)
	for _, record := range all {
		if record.Level >= lowest && (words == "" || strings.Contains(strings.ToLower(record.Message+" "+record.Attrs), words)) {
			v.Records = append(v.Records, record)
		}
	}
	v.Matches = len(v.Records)
	return v, nil
}

func (c *console) logs(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showLogs(w, r, a, nil)
}

// showLogs renders the page; failed is why a change of the level was refused.
func (c *console) showLogs(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	v, err := c.logsOf(r, a)
	if err != nil || v.retry(w, r) {
		return err
	}
	v.Records = v.Records[max(0, len(v.Records)-logsShown):]
	if !v.Oldest {
		slices.Reverse(v.Records)
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	title := c.say("Logs")
	if c.Node != "" {
		title = c.say("Logs of %s", c.Node)
	}
	f := c.frame(r, a, title)
	f.Section, f.Page = "server", v
	return c.render(w, status, "logs", f)
}

// logsText sends all records that match, the oldest first, a line for each.
func (c *console) logsText(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	v, err := c.logsOf(r, a)
	if err != nil || v.retry(w, r) {
		return err
	}
	if v.Elsewhere() {
		return c.otherNode(v.Asked)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="logs.txt"`)
	out := bufio.NewWriter(w)
	for _, record := range v.Records {
		message := strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(record.Message)
		fmt.Fprintf(out, "%s %-5s %s", record.At.UTC().Format(time.RFC3339Nano), record.Level, message)
		if record.Attrs != "" {
			fmt.Fprintf(out, " %s", record.Attrs)
		}
		fmt.Fprintln(out)
	}
	_ = out.Flush() // fails only when the browser is gone
	return nil
}

// otherNode refuses what is for another node.
func (c *console) otherNode(asked string) error {
	return registry.Errorf(registry.CodeConflict, "this is for the node %s, and the load balancer sent it to %s; nothing was done. Send it again, or open the console of %s itself",
		shorten(asked), c.Node, shorten(asked))
}

// shorten keeps what a form sent from filling a page.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// setLogLevel changes what this node logs, until it restarts. The form names the node that it is for.
func (c *console) setLogLevel(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if _, err := c.Service.ServerView(a); err != nil {
		return err
	}
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	if c.Journal == nil {
		return registry.Errorf(registry.CodeConflict, "this process keeps no log whose level could be changed")
	}
	var level slog.Level
	word := r.PostForm.Get("level")
	if err := level.UnmarshalText([]byte(word)); err != nil || !slices.Contains(logLevels, word) {
		return c.showLogs(w, r, a, registry.Errorf(registry.CodeInvalid, "level is %q; it must be one of %s", shorten(word), strings.Join(logLevels, ", ")))
	}
	if asked := r.PostForm.Get("node"); asked != c.Node { // showLogs tries the load balancer first
		return c.showLogs(w, r, a, c.otherNode(asked))
	}
	if err := c.Service.NoteLogOrder(r.Context(), a, registry.Order{Node: c.Node, What: "log level " + word}); err != nil {
		return err
	}
	c.Journal.SetLevel(level)
	address, err := query("/console/logs", "node", c.Node, "note", "log-level-set")
	if err != nil {
		return err
	}
	redirect(w, string(address))
	return nil
}
