package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
)

// Read reads a backup from its beginning to its end, and checks it: manifest may refuse it, and rows gets the rows, piece by piece, as int64, []byte and nil. Either
// may be nil. What is damaged is a [DamageError]; what manifest and rows fail with comes back as it is. Only when Read gives no error the backup is whole: who must change nothing else reads it twice.
func Read(r io.Reader, manifest func(Manifest) error, rows func(t Table, rows [][]any) error) (Manifest, End, error) {
	x := &reader{in: &counter{r: r}, manifest: manifest, rows: rows, at: "its beginning", counted: End{Rows: map[string]int64{}}}
	err := x.read()
	return x.m, x.end, err
}

type reader struct {
	in       *counter
	manifest func(Manifest) error
	rows     func(Table, [][]any) error

	m       Manifest
	end     End
	counted End
	at      string // the entry
	table   int    // of the manifest's, that rows are of
	piece   int
	ended   bool
}

// counter counts what was read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (x *reader) damaged(format string, args ...any) error {
	return &DamageError{Entry: x.at, Byte: x.in.n, Why: fmt.Sprintf(format, args...)}
}

func (x *reader) read() error {
	gz, err := gzip.NewReader(x.in)
	if err != nil {
		return x.damaged("it is not compressed with gzip: %v", err)
	}
	archive := tar.NewReader(gz)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return x.damaged("after that entry: %v", err)
		}
		if err := x.entry(h, archive); err != nil {
			return err
		}
	}
	if !x.ended {
		return x.damaged("the file ends after that entry; %s is missing", endName)
	}
	// What follows the archive inside the compression is padding; reading it checks the sum of all.
	if _, err := io.Copy(io.Discard, gz); err != nil { //nolint:gosec // it is thrown away; it costs time, to who asked for it
		return x.damaged("after that entry: %v", err)
	}
	return nil
}

// entry reads one entry, checks its sum, and uses it.
func (x *reader) entry(h *tar.Header, content io.Reader) error {
	x.at = fmt.Sprintf("%.100q", h.Name)
	switch {
	case x.ended:
		return x.damaged("something follows %s", endName)
	case h.Typeflag != tar.TypeReg || h.Size > mostPiece:
		return x.damaged("no entry of a backup is like that")
	}
	data, err := io.ReadAll(io.LimitReader(content, mostPiece))
	if err != nil {
		return x.damaged("%v", err)
	}
	if sum := sha256.Sum256(data); h.PAXRecords[sumRecord] != hex.EncodeToString(sum[:]) {
		return x.damaged("its SHA-256 is not the one that was written")
	}
	switch {
	case x.m.Format == "":
		return x.first(h.Name, data)
	case h.Name == endName:
		return x.last(data)
	}
	return x.part(h.Name, data)
}

func (x *reader) first(name string, data []byte) error {
	if name != manifestName {
		return x.damaged("the first entry must be %s", manifestName)
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return x.damaged("%v", err)
	}
	if err := m.check(); err != nil {
		return err
	}
	x.m = m
	for _, t := range m.Tables {
		x.counted.Rows[t.Name] = 0
	}
	if x.manifest == nil {
		return nil
	}
	return x.manifest(m)
}

func (x *reader) last(data []byte) error {
	if err := json.Unmarshal(data, &x.end); err != nil {
		return x.damaged("%v", err)
	}
	for name, n := range x.end.Rows {
		if x.counted.Rows[name] != n {
			return x.damaged("the table %.40q has %d rows; %d were written", name, x.counted.Rows[name], n)
		}
	}
	if !maps.Equal(x.end.Rows, x.counted.Rows) {
		return x.damaged("it does not count all tables")
	}
	x.ended = true
	return nil
}

// part reads rows. Tables come in the order of the manifest, and their pieces in order.
func (x *reader) part(name string, data []byte) error {
	table, _, _ := strings.Cut(strings.TrimPrefix(name, "rows/"), "/")
	for x.m.Tables[x.table].Name != table {
		x.table, x.piece = x.table+1, 0
		if x.table == len(x.m.Tables) {
			x.table--
			return x.damaged("it is not the place of that table")
		}
	}
	x.piece++
	if want := fmt.Sprintf("rows/%s/%06d.jsonl", table, x.piece); name != want {
		return x.damaged("%s is missing before it", want)
	}
	t := x.m.Tables[x.table]
	var rows [][]any
	for line := range bytes.Lines(data) {
		row, err := parseRow(line, len(t.Columns))
		if err != nil {
			return x.damaged("line %d: %v", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
	x.counted.Rows[table] += int64(len(rows))
	if x.rows == nil {
		return nil
	}
	return x.rows(t, rows)
}

func parseRow(line []byte, columns int) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var row []any
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if len(row) != columns {
		return nil, fmt.Errorf("it has %d values; the table has %d columns", len(row), columns)
	}
	for i, v := range row {
		switch v := v.(type) {
		case nil:
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				return nil, fmt.Errorf("value %d is no whole number", i+1)
			}
			row[i] = n
		case string:
			b, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				return nil, fmt.Errorf("value %d is not base64", i+1)
			}
			row[i] = b
		default:
			return nil, fmt.Errorf("value %d is of no kind that a row has", i+1)
		}
	}
	return row, nil
}
