package registry

import (
	"context"
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// ExportActivity reads all that matches, newest first, and gives it to each piece by piece, at least once; memory holds one piece. who tells who the
// actor is: it is asked for each piece, so that an export ends with the session. What each fails with counts as a client that has gone.
func (s *Service) ExportActivity(ctx context.Context, who func() (Actor, error), in ActivityInput, each func([]Event) error) error {
	in.Limit = MaxPageSize
	for {
		a, err := who()
		if err != nil {
			return err
		}
		list, err := s.Activity(ctx, a, in)
		if err != nil {
			return err
		}
		if err := each(list.Events); err != nil {
			return &Error{Code: CodeCanceled, Message: "the client went away", Err: err}
		}
		if in.Cursor = list.Next; in.Cursor == "" {
			return nil
		}
	}
}

// ActivityCSV writes events as CSV (RFC 4180), with a row of names before the first.
func ActivityCSV(w io.Writer) func([]Event) error {
	out := csv.NewWriter(w)
	header := []string{
		"seq", "item", "at", "user", "action", "path", "related_path", "subject", "number", "resource_id", "version", "sha256_before", "sha256_after", "request_id", "client", "agent",
	}
	return func(events []Event) error {
		if header != nil {
			_ = out.Write(header) // its error comes again below
			header = nil
		}
		for _, e := range events {
			_ = out.Write([]string{
				strconv.FormatInt(e.Seq, 10), strconv.Itoa(e.Item), e.At.UTC().Format(time.RFC3339Nano), cell(e.User), cell(e.Action), cell(e.Path.String()),
				cell(e.Related.String()), cell(e.Subject), strconv.FormatInt(e.Number, 10), e.Node.String(), strconv.FormatInt(e.Version, 10), hashCell(e.Before), hashCell(e.After), cell(e.RequestID), cell(e.Client), cell(e.Agent),
			})
		}
		out.Flush()
		return out.Error()
	}
}

func hashCell(h Hash) string {
	if h == (Hash{}) {
		return ""
	}
	return h.String()
}

// cell keeps spreadsheets from taking a text for a formula, which could send what is in the sheet elsewhere: such a text gets an apostrophe in front.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
