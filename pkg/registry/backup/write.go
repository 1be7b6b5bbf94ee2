package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Writer writes a backup. It holds one piece in memory. Not for concurrent use.
type Writer struct {
	gz      *gzip.Writer
	tar     *tar.Writer
	created time.Time
	end     End
	table   string
	piece   bytes.Buffer
	pieces  int // of the table
}

// NewWriter begins a backup with its manifest, whose Format and Version it fills in.
func NewWriter(w io.Writer, m Manifest) (*Writer, error) {
	m.Format, m.Version = Format, Version
	if err := m.check(); err != nil {
		return nil, err
	}
	gz := gzip.NewWriter(w)
	x := &Writer{gz: gz, tar: tar.NewWriter(gz), created: m.CreatedAt.Truncate(time.Second), end: End{Rows: map[string]int64{}}}
	for _, t := range m.Tables {
		x.end.Rows[t.Name] = 0
	}
	return x, x.json(manifestName, m)
}

func (x *Writer) json(name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("backup: %s: %w", name, err)
	}
	return x.entry(name, append(b, '\n'))
}

func (x *Writer) entry(name string, data []byte) error {
	sum := sha256.Sum256(data)
	err := x.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600, ModTime: x.created, Format: tar.FormatPAX,
		PAXRecords: map[string]string{sumRecord: hex.EncodeToString(sum[:])},
	})
	if err == nil {
		_, err = x.tar.Write(data)
	}
	if err != nil {
		return fmt.Errorf("backup: write %s: %w", name, err)
	}
	return nil
}

// Row adds a row: int64, []byte and nil, in the order of the table's columns. All rows of a table follow each other.
func (x *Writer) Row(table string, values []any) error {
	if table != x.table {
		if err := x.flush(); err != nil {
			return err
		}
		x.table, x.pieces = table, 0
	}
	b := append(x.piece.AvailableBuffer(), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := v.(type) {
		case nil:
			b = append(b, "null"...)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case []byte:
			b = append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"')
		default:
			return fmt.Errorf("backup: a value of %s is a %T", table, v)
		}
	}
	x.piece.Write(append(b, ']', '\n'))
	x.end.Rows[table]++
	if x.piece.Len() >= pieceSize {
		return x.flush()
	}
	return nil
}

// flush writes the piece.
func (x *Writer) flush() error {
	if x.piece.Len() == 0 {
		return nil
	}
	x.pieces++
	err := x.entry(fmt.Sprintf("rows/%s/%06d.jsonl", x.table, x.pieces), x.piece.Bytes())
	x.piece.Reset()
	return err
}

// Close ends the backup. What is missing that is not a backup.
func (x *Writer) Close() (End, error) {
	if err := x.flush(); err != nil {
		return End{}, err
	}
	if err := x.json(endName, x.end); err != nil {
		return End{}, err
	}
	if err := x.tar.Close(); err != nil {
		return End{}, fmt.Errorf("backup: %w", err)
	}
	if err := x.gz.Close(); err != nil {
		return End{}, fmt.Errorf("backup: %w", err)
	}
	return x.end, nil
}
