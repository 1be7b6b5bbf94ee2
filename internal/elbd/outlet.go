package elbd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/regent-registry/regent/pkg/lb/accesslog"
)

// outlet is where the access log is written to: the standard output, or a file that can be another one, or a new one of the same name. It has no lock: who
// waits for a pipe that nobody empties must not hold up a reload, or the stop.
type outlet struct {
	standard io.Writer
	file     atomic.Pointer[os.File] // nil: standard
}

// openLog opens a log file to append to; nil when the name is empty. A pipe needs a reader.
func openLog(name string) (*os.File, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no file is what was asked for
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640) // which means nothing to a file that is no pipe
	if errors.Is(err, syscall.ENXIO) {
		return nil, fmt.Errorf("%s is a pipe that nobody reads", name)
	}
	return file, err
}

// Write implements [io.Writer]. What a file could not take before it was replaced goes to the next one.
func (o *outlet) Write(p []byte) (n int, err error) {
	for {
		file := o.file.Load()
		if file == nil {
			m, err := o.standard.Write(p[n:])
			return n + m, err
		}
		m, err := file.Write(p[n:])
		n += m
		if !errors.Is(err, os.ErrClosed) || o.file.Load() == file {
			return n, err
		}
	}
}

// use writes to another file from now on, nil for the standard output, and closes the old one.
func (o *outlet) use(file *os.File) {
	if old := o.file.Swap(file); old != nil {
		_ = old.Close() // every write to it has told its own error
	}
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
