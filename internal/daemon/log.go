package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"
)

// LogConfig is the log block of a configuration.
type LogConfig struct {
	Format string `yaml:"format"` // text or json
	Level  string `yaml:"level"`  // debug, info, warn or error
}

// Validate tells what is wrong with the block, as faults of the document under key.
func (c LogConfig) Validate(d *Document, key string) []error {
	var faults []error
	if c.Format != "text" && c.Format != "json" {
		faults = append(faults, d.Fault(key+".format", "%q is neither text nor json", c.Format))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		faults = append(faults, d.Fault(key+".level", "%q is none of debug, info, warn, error", c.Level))
	}
	return faults
}

// SetLevel sets a level to the configured one.
func (c LogConfig) SetLevel(level *slog.LevelVar) error {
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return fmt.Errorf("log level %q: %w", c.Level, err)
	}
	return nil
}

// logger makes the program's logger: "json", or "text" with colours when w is a terminal. Its level stays what it is.
func (c LogConfig) logger(w io.Writer, level slog.Leveler) (*slog.Logger, error) {
	switch c.Format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
	case "text":
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: "2006-01-02 15:04:05.000", NoColor: !isTerminal(w)})), nil
	}
	return nil, fmt.Errorf("log format %q is neither text nor json", c.Format)
}

// NewLogger makes the program's logger, and tells by it the warnings and which environment variables set no key.
func (d *Document) NewLogger(w io.Writer, c LogConfig) (*slog.Logger, error) {
	var level slog.LevelVar
	return d.NewLeveledLogger(w, c, &level)
}

// NewLeveledLogger is [Document.NewLogger] with a level that can be changed. It sets the level.
func (d *Document) NewLeveledLogger(w io.Writer, c LogConfig, level *slog.LevelVar) (*slog.Logger, error) {
	if err := c.SetLevel(level); err != nil {
		return nil, err
	}
	log, err := c.logger(w, level)
	if err != nil {
		return nil, err
	}
	d.Tell(log)
	return log, nil
}

// Tell logs the warnings, and which environment variables set no key.
func (d *Document) Tell(log *slog.Logger) {
	for _, w := range d.Warnings() {
		log.Warn("configuration", "warning", w.Error())
	}
	for _, name := range d.unused {
		log.Warn("environment variable sets no key of the configuration", "name", name)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == ""
}
