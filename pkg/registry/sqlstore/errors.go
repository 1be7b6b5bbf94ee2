package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"

	"github.com/regent-registry/regent/pkg/registry"
)

// passing are the errors of servers of the MySQL family after which the same transaction may well succeed, with the reason for the metrics.
var passing = map[uint16]string{
	1213: "deadlock",
	1205: "lock_wait",
	1020: "changed",   // MariaDB: record has changed since last read
	1062: "duplicate", // cannot happen in the write turn; another look decides
	1047: "not_ready", // Galera: the node is not in sync
	3101: "conflict",  // Group Replication
	9007: "conflict",  // TiDB
	8028: "schema",    // TiDB: the schema changed during the transaction
	1053: "shutdown",
	1927: "connection", // MariaDB: connection was killed
	4031: "connection", // MySQL: the client was inactive for too long
	1040: "connections",
}

// The primary result codes of SQLite that matter here.
const (
	sqliteBusy     = 5
	sqliteLocked   = 6
	sqliteReadOnly = 8
	sqliteIOErr    = 10
	sqliteFull     = 13
)

// passingReason tells why a failed transaction may succeed when it is run again; "" when it would not.
func passingReason(err error) string {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return passing[e.Number]
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		if code := e.Code() & 0xff; code == sqliteBusy || code == sqliteLocked {
			return "busy"
		}
		return ""
	}
	if lostConnection(err) {
		return "connection"
	}
	return ""
}

// lostConnection tells whether err is of the connection, not of the statement.
func lostConnection(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(err, context.DeadlineExceeded)
}

func diskFull(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqliteFull || isMySQL(err, 1021) || isMySQL(err, 1114)
}

// ofDatabase tells whether err is of the whole database, whatever the statement writes: its disk is full or fails, or it takes no writes.
func ofDatabase(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && (e.Code()&0xff == sqliteReadOnly || e.Code()&0xff == sqliteIOErr) {
		return true
	}
	return diskFull(err) || isMySQL(err, 1290) || isMySQL(err, 1836) // --read-only; read-only mode
}

func isMySQL(err error, number uint16) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == number
}

// fail makes an error of the database one for callers: what names its own code passes.
func (s *Store) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*registry.Error](err); ok {
		return err
	}
	err = fmt.Errorf("%s: %w", what, err)
	switch {
	case errors.Is(err, context.Canceled):
		return &registry.Error{Code: registry.CodeCanceled, Message: "the request was canceled", Err: err}
	case errors.Is(err, context.DeadlineExceeded), passingReason(err) != "":
		return &registry.Error{Code: registry.CodeUnavailable, Message: "the store " + s.name + " does not answer now; try again", Err: err}
	case diskFull(err):
		return &registry.Error{Code: registry.CodeUnavailable, Message: "the disk of the store " + s.name + " is full; nothing was stored", Err: err}
	case isMySQL(err, 1146):
		return &registry.Error{Code: registry.CodeUnavailable, Message: "the store " + s.name + " has no tables yet", Err: err}
	}
	return fmt.Errorf("store %s: %w", s.name, err)
}

// unreachable says that the database cannot be reached, and what to look at.
func (s *Store) unreachable(err error) error {
	cure := "check that the database runs and that host and port are right"
	switch {
	case isMySQL(err, 1045), isMySQL(err, 1698):
		cure = "check the user name and the password"
	case isMySQL(err, 1044):
		cure = "create the database, or give the user rights on it"
	case isMySQL(err, 1049):
		cure = "create the database first"
	case s.backend.dialect == sqliteDialect:
		cure = "check that the folder exists and that this user may write to it and to the file"
	}
	return &registry.Error{
		Code:    registry.CodeUnavailable,
		Message: fmt.Sprintf("store %s: cannot use the database at %s; %s", s.name, s.backend.where, cure),
		Err:     err,
	}
}
