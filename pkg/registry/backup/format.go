package backup

import (
	"fmt"
	"time"
)

// The names of this format.
const (
	Format       = "regent-backup"
	Version      = 1
	manifestName = "manifest.json"
	endName      = "end.json"
	sumRecord    = "REGENT.sha256"
)

const (
	pieceSize = 4 << 20  // bytes after which a piece is complete
	mostPiece = 64 << 20 // of a piece that is read: a row has at most 4 MiB of bytes, and a third more in base64
	mostTable = 200      // tables, and columns of one
)

// Manifest says what a backup holds.
type Manifest struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	By        string    `json:"by"`       // who made it
	Program   string    `json:"program"`  // the version of the program
	Store     string    `json:"store"`    // its name
	Identity  string    `json:"identity"` // of the store, 32 hexadecimal digits
	Schema    int64     `json:"schema"`   // the number of the last migration
	Seq       int64     `json:"seq"`      // the position of the change log
	Tables    []Table   `json:"tables"`   // in the order in which their rows follow
}

// Table is a table of a backup.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// End is what the last entry says.
type End struct {
	Rows map[string]int64 `json:"rows"` // of each table
}

func (m Manifest) check() error {
	switch {
	case m.Format != Format:
		return fmt.Errorf("it is no backup of a registry: its format is %.40q", m.Format)
	case m.Version != Version:
		return fmt.Errorf("it has version %d of the format, and this program reads version %d; use a newer program", m.Version, Version)
	case len(m.Tables) == 0 || len(m.Tables) > mostTable:
		return fmt.Errorf("it names %d tables", len(m.Tables))
	}
	seen := map[string]bool{}
	for _, t := range m.Tables {
		if t.Name == "" || seen[t.Name] || len(t.Columns) == 0 || len(t.Columns) > mostTable {
			return fmt.Errorf("the table %.40q is there twice, or has no name or no columns", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

// DamageError says where a backup is not what was written.
type DamageError struct {
	Entry string // the entry that was read, or the one before when there is no telling
	Byte  int64  // how far the file was read, about
	Why   string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("the backup is damaged at %s, near byte %d: %s", e.Entry, e.Byte, e.Why)
}
