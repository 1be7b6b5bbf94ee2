package registrycli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// mostCompared is how many bytes of a content are compared line by line.
const mostCompared = 16 << 20

// difference is the verb diff: unified, old first. It prints nothing when the contents are the same.
func difference(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		left := args[0]
		right, _, versioned := strings.Cut(left, ";") // what is there now
		switch {
		case len(args) > 1:
			right = args[1]
		case !versioned:
			return usagef("name two paths, or a version: '%s;version:N'", left)
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		older, err := textOf(ctx, c, left)
		if err != nil {
			return err
		}
		newer, err := textOf(ctx, c, right)
		if err != nil {
			return err
		}
		if bytes.Equal(older, newer) {
			return nil
		}
		if isBinary(older) || isBinary(newer) {
			_, err = fmt.Fprintf(s.Out, "%s and %s differ, and are no text\n", s.shown(left), s.shown(right))
			return err
		}
		text := diff.Diff(s.shown(left), older, s.shown(right), newer)
		if _, headed, ok := bytes.Cut(text, []byte("\n")); ok {
			text = headed // without the line "diff LEFT RIGHT": names with blanks in them make it useless
		}
		if _, ok := terminal(s.Out); ok {
			text = visible(text)
		}
		_, err = s.Out.Write(text)
		return err
	}
}

// textOf reads a content that is not too long to compare.
func textOf(ctx context.Context, c *client.Client, p string) ([]byte, error) {
	content, err := c.Get(ctx, p, client.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	defer func() { _ = content.Close() }() // its end was seen, or does not matter
	if content.Info.Size > mostCompared {
		return nil, fmt.Errorf("%s has %d bytes; at most %d are compared", p, content.Info.Size, mostCompared)
	}
	return io.ReadAll(content)
}

func isBinary(b []byte) bool { return bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b) }

// visible is a text with lines as a terminal may show it.
func visible(text []byte) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	for i, line := range lines {
		bare, ended := strings.CutSuffix(line, "\n")
		parts := strings.Split(bare, "\t")
		for j := range parts {
			parts[j] = printable(parts[j])
		}
		lines[i] = strings.Join(parts, "\t")
		if ended {
			lines[i] += "\n"
		}
	}
	return []byte(strings.Join(lines, ""))
}
