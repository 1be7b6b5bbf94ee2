package registrycli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

const (
	versionUsage = "the `number` of an older version; PATH;version:N says the same"
	atUsage      = "what was there at a `moment`: a position of the change log such as shared:4711, or a time such as 2026-01-31T12:00:00Z"
)

// stateFlags defines the flags that choose a state of a content.
func stateFlags(f *flag.FlagSet) *client.GetOptions {
	var o client.GetOptions
	f.Int64Var(&o.Version, "version", 0, versionUsage)
	f.StringVar(&o.Label, "label", "", "the version that a `label` points at")
	f.StringVar(&o.At, "at", "", atUsage)
	return &o
}

// cat prints contents one after the other.
func cat(f *flag.FlagSet) action {
	state := stateFlags(f)
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		for _, p := range args {
			if err := s.copyOut(ctx, c, p, *state, s.Out); err != nil {
				return err
			}
		}
		return nil
	}
}

// get prints a content, or writes it to a file, or into a folder under its own name.
func get(f *flag.FlagSet) action {
	state := stateFlags(f)
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		if len(args) == 1 || args[1] == "-" {
			return s.copyOut(ctx, c, args[0], *state, s.Out)
		}
		file := args[1]
		if info, err := os.Stat(file); err == nil && info.IsDir() || strings.HasSuffix(file, string(filepath.Separator)) {
			name, _, _ := strings.Cut(path.Base(args[0]), ";")
			if name == "/" || name == "." || name == ".." {
				return usagef("%s has no name for a file in %s", args[0], file)
			}
			file = filepath.Join(file, name)
		}
		return replaceFile(file, func(w io.Writer) error { return s.copyOut(ctx, c, args[0], *state, w) })
	}
}

// copyOut writes a content. At its end its digest has been checked.
func (s *session) copyOut(ctx context.Context, c *client.Client, p string, o client.GetOptions, w io.Writer) error {
	content, err := c.Get(ctx, p, o)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // its end was seen, or does not matter
	m := s.meter(p, content.Info.Size)
	defer m.end()
	_, err = io.Copy(w, m.reader(content))
	return err
}

// replaceFile gives a file new bytes, whole or not at all: they are written beside it first. What is no regular file is written to as it is.
func replaceFile(file string, write func(io.Writer) error) error {
	mode := fs.FileMode(0o666) // less the umask
	info, err := os.Stat(file)
	switch {
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(file, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	case err == nil:
		mode = info.Mode().Perm()
		if file, err = filepath.EvalSymlinks(file); err != nil { // a link stays one
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temporary := filepath.Join(filepath.Dir(file), fmt.Sprintf(".%.100s.%016x.part", filepath.Base(file), rand.Uint64()))
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		_ = os.Remove(temporary) // the failure before it is the one to tell
		return err
	}
	if err := os.Rename(temporary, file); err != nil {
		_ = os.Remove(temporary) // the failure before it is the one to tell
		return err
	}
	return nil
}
