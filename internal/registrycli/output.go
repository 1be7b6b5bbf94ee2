package registrycli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printable replaces what a terminal would act upon or hide: texts come from the network.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// shown is a text of the network as a line of the output: to a program as it is but for line breaks and their like, which would make two lines of it.
func (s *session) shown(text string) string {
	if _, ok := terminal(s.Out); ok {
		return printable(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// writeJSON prints one value.
func (s *session) writeJSON(v any) error {
	e := json.NewEncoder(s.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeList prints a JSON array while it comes in. What came before an error is printed, and the array is left open, so that nobody takes it for whole.
func writeList[T any](s *session, list iter.Seq2[T, error]) error {
	separator := "[\n"
	for v, err := range list {
		if err != nil {
			return err
		}
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return err
		}
		if _, err := io.WriteString(s.Out, separator+strings.TrimSuffix(b.String(), "\n")); err != nil {
			return err
		}
		separator = ",\n"
	}
	end := "\n]\n"
	if separator == "[\n" {
		end = "[]\n"
	}
	_, err := io.WriteString(s.Out, end)
	return err
}

// table lines up cells.
type table struct {
	s *session
	w *tabwriter.Writer
}

func (s *session) table(header ...string) table {
	t := table{s, tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)}
	t.row(header...)
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = t.s.shown(cell)
		if cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// end prints the table, and gives the error that ended it early.
func (t table) end(err error) error { return errors.Join(err, t.w.Flush()) }

// moment is a time to the second.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
