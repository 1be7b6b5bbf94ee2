package registryd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// loadTexts reads a translation of the console. The error names the file.
func loadTexts(file string) (*texts.Catalogue, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		var fault *fs.PathError
		if errors.As(err, &fault) {
			err = fault.Err
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	c, err := texts.Load(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// consoleTexts are what the console says; nil, which is English, without a file.
func (c *Config) consoleTexts() (*texts.Catalogue, error) {
	if c.ConsoleTexts == "" {
		return nil, nil //nolint:nilnil // see above
	}
	return loadTexts(c.ConsoleTexts)
}

// tellTexts prints the catalogue that translations begin with, or how far one is.
func tellTexts(_ context.Context, in daemon.Invocation) error {
	if len(in.Args) == 0 {
		_, err := in.Stdout.Write(texts.English)
		return err
	}
	c, err := loadTexts(in.Args[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(in.Stdout, "language: %s\nstill English: %d\n", c.Language(), len(c.Missing()))
	for _, key := range c.Missing() {
		fmt.Fprintf(in.Stdout, "not translated: %q\n", key)
	}
	for _, key := range c.Unknown() {
		fmt.Fprintf(in.Stdout, "not said any more: %q\n", key)
	}
	return nil
}
