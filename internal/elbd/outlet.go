package elbd

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
)

// outlet is where the access log is written to: the standard output, or a file that can be another one, or a new one of the same name.
type outlet struct {
	standard io.Writer

	mu   sync.Mutex
	file *os.File // nil: standard
}

// openLog opens a log file to append to; nil when the name is empty.
func openLog(name string) (*os.File, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no file is what was asked for
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
}

// Write implements [io.Writer].
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		return o.file.Write(p)
	}
	return o.standard.Write(p)
}

// use writes to another file from now on, nil for the standard output, and closes the old one.
func (o *outlet) use(file *os.File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		_ = o.file.Close() // every write to it has told its own error
	}
	o.file = file
}

// accessLog gives the access log, which is made when it is first wanted; nil when the configuration wants none. On the standard output it is a part of the log,
// for which the log's level counts.
func (b *balancer) accessLog(c Config) (*accesslog.Log, error) {
	tells := b.process.Log.Enabled(context.Background(), slog.LevelInfo)
	if b.process.Level != nil {
		var level slog.LevelVar
		if err := c.Log.SetLevel(&level); err != nil {
			return nil, err
		}
		tells = level.Level() <= slog.LevelInfo
	}
	if !c.AccessLog || !tells && c.AccessLogFile == "" {
		return nil, nil //nolint:nilnil // no log is what was asked for
	}
	if b.access != nil {
		return b.access, nil
	}
	format := accesslog.Text
	if c.Log.Format == "json" {
		format = accesslog.JSON
	}
	var err error
	b.access, err = accesslog.New(b.outlet, format, accesslog.Options{Logger: b.log, Registerer: b.metrics})
	return b.access, err
}
