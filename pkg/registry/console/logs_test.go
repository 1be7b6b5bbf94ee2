package console_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// journal is a log with records that tests choose.
type journal struct {
	mu      sync.Mutex
	records []console.LogRecord
	level   slog.Level
}

func newJournal(now time.Time) *journal {
	return &journal{records: []console.LogRecord{
		{At: now.Add(-3 * time.Minute), Level: slog.LevelInfo, Message: "node is ready", Attrs: "node=node-1"},
		{At: now.Add(-2 * time.Minute), Level: slog.LevelWarn, Message: "the store is slow <b>", Attrs: `store=shared took=2s`},
		{At: now.Add(-time.Minute), Level: slog.LevelError, Message: "two\nlines", Attrs: "error=\"disk <i>\""},
	}}
}

func (j *journal) Records() ([]console.LogRecord, int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]console.LogRecord(nil), j.records...), 7
}

func (j *journal) Level() (now, configured slog.Level) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.level, slog.LevelInfo
}

func (j *journal) SetLevel(l slog.Level) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.level = l
}

func TestLogs_FiltersAndOrder(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for query, want := range map[string][]string{
		"":                       {"two lines", "the store is slow <b>", "node is ready"},
		"?order=oldest":          {"node is ready", "the store is slow <b>", "two lines"},
		"?level=warn":            {"two lines", "the store is slow <b>"},
		"?level=error":           {"two lines"},
		"?q=TOOK%3D2s":           {"the store is slow <b>"},
		"?q=node-1&level=error":  nil,
		"?q=++slow++&level=info": {"the store is slow <b>"},
	} {
		text := b.get("/console/logs" + query).wantStatus(http.StatusOK).text()
		at := -1
		for _, message := range want {
			next := strings.Index(text, message)
			if next <= at {
				t.Errorf("%q: %q is not in its place in %s", query, message, text)
			}
			at = next
		}
		for _, message := range []string{"two lines", "the store is slow <b>", "node is ready"} {
			shown := strings.Contains(text, message)
			if wanted := strings.Contains(strings.Join(want, "|"), message); shown != wanted {
				t.Errorf("%q shows %q: %t", query, message, shown)
			}
		}
	}
	b.get("/console/logs?level=loud").wantStatus(http.StatusBadRequest).wantText("Level is \"loud\"")
	text := b.get("/console/logs-text?level=warn").wantStatus(http.StatusOK)
	if want := "2026-11-22T11:58:00Z WARN  the store is slow <b> store=shared took=2s\n2026-11-22T11:59:00Z ERROR two\\nlines error=\"disk <i>\"\n"; text.body != want {
		t.Errorf("the download is\n%s\nwant\n%s", text.body, want)
	}
	if got := text.Header.Get("Content-Type") + text.Header.Get("Content-Disposition"); got != "text/plain; charset=utf-8"+`attachment; filename="logs.txt"` {
		t.Error(got)
	}
	for i := range 600 {
		s.journal.records = append(s.journal.records, console.LogRecord{At: s.clock.Now(), Message: fmt.Sprintf("record-%d.", i)})
	}
	page := b.get("/console/logs").wantText("record-599.", "103 more records match", "7 older records are not kept any more")
	page.wantNoText("record-99.")
	if n := strings.Count(b.get("/console/logs-text").body, "\n"); n != 603 {
		t.Errorf("the download has %d lines", n)
	}
}

// Through the load balancer a page or a form may come to another node than the one that its reader means.
func TestLogs_SayWhoseTheyAre(t *testing.T) {
	s := newSite(t)
	s.members = []console.Member{
		{ID: "01A", Name: "node-1", Host: "127.0.0.1", HTTPSPort: 9444, State: "active", Self: true},
		{ID: "01B", Name: "node-2", Host: "127.0.0.1", HTTPSPort: 9445, State: "active"},
		{ID: "01C", Name: "elb", Host: "127.0.0.1", HTTPSPort: 8243, Balancer: true},
	}
	b := s.signedIn()
	const warning = "You asked for node-2, and the load balancer sent you to node-1"
	page := b.get("/console/logs").wantText("Logs of node-1", "This is node-1, which answered this time").wantNoText("You asked for")
	if !page.hasLink(selfHTTPS+"/console/logs") || !page.hasLink("https://127.0.0.1:9445/console/logs") || strings.Contains(page.body, ":8243/console/logs") {
		t.Error("the page does not lead to the consoles of the nodes")
	}
	b.get("/console/logs?node=node-1").wantNoText("You asked for")
	const last = "&try=8"
	b.get("/console/logs?node=node-2" + last).wantText(warning)
	b.get("/console/logs-text?node=node-2" + last).wantStatus(http.StatusConflict).wantText("This is for the node node-2, and the load balancer sent it to node-1")

	// The load balancer is asked for the other node some times before.
	sent := b.get("/console/logs?q=x&node=node-2").wantStatus(http.StatusTemporaryRedirect)
	if to := sent.Header.Get("Location"); to != "/console/logs?node=node-2&q=x&try=1" {
		t.Errorf("sent to %s", to)
	}
	sent = b.post("/console/log-level?try=7", "node", "node-2", "level", "debug").wantStatus(http.StatusTemporaryRedirect)
	if to := sent.Header.Get("Location"); to != "/console/log-level?try=8" {
		t.Errorf("sent to %s", to)
	}
	for _, of := range []string{"node-9", "elb"} { // nobody would be found
		b.get("/console/logs?node=" + of).wantStatus(http.StatusOK).wantText("You asked for " + of)
	}
	b.get("/console/logs?node=node-2&try=-1").wantStatus(http.StatusOK)

	refused := b.post("/console/log-level?try=8", "node", "node-2", "level", "debug").wantStatus(http.StatusConflict)
	refused.wantText("This is for the node node-2, and the load balancer sent it to node-1; nothing was done.", warning)
	b.post("/console/log-level", "level", "debug").wantStatus(http.StatusConflict)
	if now, _ := s.journal.Level(); now != slog.LevelInfo {
		t.Errorf("the level is %s", now)
	}
	b.header.Set("X-Test-Host", selfHost)
	b.get("/console/logs").wantNoText("which answered this time")
	b.get("/console/logs?node=node-2").wantText(warning)
}

func TestLogs_ChangeOfTheLevelIsAudited(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	b.post("/console/log-level", "node", "node-1", "level", "loud").wantStatus(http.StatusBadRequest).wantText("Level is \"loud\"")
	b.post("/console/log-level", "node", "node-1", "level", "debug").wantRedirect("/console/logs?node=node-1&note=log-level-set")
	b.get("/console/logs?node=node-1&note=log-level-set").wantText("until it restarts", "level debug", "configured: info")
	if now, _ := s.journal.Level(); now != slog.LevelDebug {
		t.Errorf("the level is %s", now)
	}
	list, err := s.service.Activity(t.Context(), s.admin, registry.ActivityInput{Path: registry.Root, Store: "shared", Action: "order"})
	must(t, err)
	if len(list.Events) != 1 || list.Events[0].Subject != "node-1: log level debug" || list.Events[0].User != adminName || list.Events[0].RequestID != testRequestID {
		t.Errorf("the activity has %+v", list.Events)
	}
}

func TestLogs_WithoutAJournal(t *testing.T) {
	s := newSite(t)
	var err error
	s.handler, err = console.New(console.Config{Service: s.service, Auth: s.auth, Now: s.clock.Now})
	must(t, err)
	b := s.signedIn()
	b.get("/console/logs").wantStatus(http.StatusOK).wantText("No log is kept here")
	b.post("/console/log-level", "level", "debug").wantStatus(http.StatusConflict)
}
