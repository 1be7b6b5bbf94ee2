package daemon

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func journaled(t *testing.T, level string) (*slog.Logger, *Journal, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	log, j, err := (&Document{}).NewJournaledLogger(&out, LogConfig{Format: "json", Level: level})
	if err != nil {
		t.Fatal(err)
	}
	return log, j, &out
}

func TestJournal_KeepsWhatIsWritten(t *testing.T) {
	log, j, out := journaled(t, "info")
	log.Debug("not this")
	log.With("node", "n 1").WithGroup("g").Warn("careful", "level", "high", "dsn", Secret("pa55word"), "msg", "")
	list, lost := j.Records()
	if len(list) != 1 || lost != 0 {
		t.Fatalf("%+v, %d", list, lost)
	}
	r := list[0]
	if r.Message != "careful" || r.Level != slog.LevelWarn || r.At.IsZero() || r.Attrs != `node="n 1" g.level=high g.dsn=*** g.msg=""` {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(out.String(), "careful") || strings.Contains(out.String(), "pa55word") || strings.Contains(out.String(), "not this") {
		t.Errorf("written: %s", out)
	}
}

func TestJournal_ChangesTheLevelOfBoth(t *testing.T) {
	log, j, out := journaled(t, "warn")
	child := log.With("a", 1)
	child.Info("before")
	j.SetLevel(slog.LevelDebug)
	child.Debug("after", "level", "x")
	list, _ := j.Records()
	if now, configured := j.Level(); now != slog.LevelDebug || configured != slog.LevelWarn {
		t.Errorf("level %s, configured %s", now, configured)
	}
	if len(list) != 1 || list[0].Message != "after" || list[0].Attrs != "a=1 level=x" || !strings.Contains(out.String(), "after") || strings.Contains(out.String(), "before") {
		t.Errorf("%+v\n%s", list, out)
	}
}

func TestJournal_IsBounded(t *testing.T) {
	log, j, _ := journaled(t, "info")
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range journalRecords {
				log.Info(fmt.Sprintf("%d %d %s", w, i, strings.Repeat("ä", journalText)), "big", strings.Repeat("x", 10*journalText*(i%100/99*9+1)))
			}
		})
	}
	writers.Wait()
	log.Info("last")
	list, lost := j.Records()
	if len(list) != journalRecords || lost != 3*journalRecords+1 || list[len(list)-1].Message != "last" {
		t.Errorf("%d records, %d lost, the last is %+v", len(list), lost, list[len(list)-1].Message)
	}
	for _, r := range list {
		if len(r.Message) > journalText+4 || len(r.Attrs) > journalText+4 {
			t.Fatalf("a record has %d and %d bytes", len(r.Message), len(r.Attrs))
		}
	}
}

func TestJournal_RefusesAnUnknownLevel(t *testing.T) {
	for _, c := range []LogConfig{{Format: "json", Level: "loud"}, {Format: "xml", Level: "info"}} {
		if _, _, err := (&Document{}).NewJournaledLogger(&bytes.Buffer{}, c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// telling is a value that logs, and looks at the journal, while it is written.
type telling struct {
	log     *slog.Logger
	journal *Journal
}

func (v telling) LogValue() slog.Value {
	v.log.Info("inside")
	kept, _ := v.journal.Records()
	return slog.IntValue(len(kept))
}

func TestJournal_WritesOutsideOfItsLock(t *testing.T) {
	log, j, _ := journaled(t, "info")
	done := make(chan struct{})
	go func() {
		defer close(done)
		log.Info("outside", "kept", telling{log, j}, "level", "x", "msg", "")
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a value that logs while it is written waits for ever")
	}
	list, _ := j.Records()
	var said []string
	for _, r := range list {
		said = append(said, strings.TrimSpace(r.Message+" "+r.Attrs))
	}
	if got := strings.Join(said, "; "); got != `inside; outside kept=1 level=x msg=""; inside` { // it is written once for the journal, once for the log
		t.Errorf("kept %s", got)
	}
	j.texts.Range(func(ticket, _ any) bool {
		t.Errorf("the ticket %v is kept", ticket)
		return true
	})
}
