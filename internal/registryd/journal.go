package registryd

import (
	"log/slog"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// consoleJournal is the log of this process as the console shows it; nil when none is kept.
func (n *node) consoleJournal() console.Journal {
	if n.journal == nil {
		return nil
	}
	return shownJournal{n.journal, n.log}
}

// shownJournal is a journal for the console.
type shownJournal struct {
	*daemon.Journal
	log *slog.Logger
}

var _ console.Journal = shownJournal{}

// Records implements [console.Journal].
func (j shownJournal) Records() ([]console.LogRecord, int64) {
	kept, lost := j.Journal.Records()
	list := make([]console.LogRecord, len(kept))
	for i, r := range kept {
		list[i] = console.LogRecord(r)
	}
	return list, lost
}

// SetLevel implements [console.Journal].
func (j shownJournal) SetLevel(l slog.Level) {
	before, _ := j.Level()
	j.Journal.SetLevel(l)
	j.log.Warn("log level changed by an administrator, until the next start", "before", before.String(), "level", l.String())
}
