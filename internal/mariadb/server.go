package mariadb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/freeport"
)

const (
	// account is the one that callers get; its rights end at the databases whose names begin with databasePrefix.
	account        = "regent"
	databasePrefix = "regent_"

	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
)

// Server is a running MariaDB. Its methods are safe for concurrent use but for Stop, Kill, Restart, PID, Done and Err, which one goroutine calls at a
// time.
type Server struct {
	dir      string
	port     int
	password string
	flags    []string
	programs programs
	owner    owner
	process  *child.Process
}

// Start makes a data directory in dir where there is none, starts a server on it and waits up to 30 s until it answers. ctx bounds the start
// alone; the server runs until Stop or Kill, or until this process ends. flags are added to the command line of mariadbd and win over the
// ones set here; by default a commit survives the end of the server but not a power loss, and
// "--innodb-flush-log-at-trx-commit=1" makes it survive both. The error is [ErrNotInstalled] where MariaDB is missing.
func Start(ctx context.Context, dir string, flags ...string) (*Server, error) {
	found, err := find("/usr/sbin", "/usr/local/sbin") // where servers lie, and what is often missing in PATH
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	s := &Server{dir: dir, password: randomHex(16), flags: flags, programs: found}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("mariadb in %s: %w", dir, err)
	}
	if s.port, err = freeport.Pick(); err != nil {
		return nil, fmt.Errorf("mariadb: %w", err)
	}
	if err := s.launch(ctx); err != nil {
		return nil, fmt.Errorf("mariadb in %s: %w", dir, err)
	}
	return s, nil
}

// Port is the TCP port on 127.0.0.1; Restart keeps it.
func (s *Server) Port() int { return s.port }

// DSN is what the Go driver of MySQL needs to open a database, which is "" or a name that begins with "regent_". It holds the password.
func (s *Server) DSN(database string) string {
	c := mysql.NewConfig()
	c.User, c.Passwd = account, s.password
	c.Net, c.Addr = "tcp", "127.0.0.1:"+strconv.Itoa(s.port)
	c.DBName = database
	return c.FormatDSN()
}

// CreateDatabase makes an empty database with a name of its own.
func (s *Server) CreateDatabase(ctx context.Context) (name string, err error) {
	name = databasePrefix + randomHex(6)
	return name, s.EnsureDatabase(ctx, name)
}

var databaseName = regexp.MustCompile(`^` + databasePrefix + `[a-z0-9_]{1,50}$`)

// EnsureDatabase makes a database where there is none of that name, which must begin with "regent_".
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	if !databaseName.MatchString(name) {
		return fmt.Errorf("mariadb: database name %q: it must be %q and up to 50 of a-z, 0-9, _", name, databasePrefix)
	}
	return s.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+name+" CHARACTER SET utf8mb4")
}

// DropDatabase removes a database that CreateDatabase or EnsureDatabase made, with its data.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	if !databaseName.MatchString(name) {
		return fmt.Errorf("mariadb: database name %q is none that this server made", name)
	}
	return s.exec(ctx, "DROP DATABASE IF EXISTS "+name)
}

func (s *Server) exec(ctx context.Context, statement string) error {
	db, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return fmt.Errorf("mariadb: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("mariadb: %w", err)
	}
	return nil
}

// RowsRead is how many rows and entries of indexes the server's handlers have read so far, for all of its clients.
func (s *Server) RowsRead(ctx context.Context) (int64, error) {
	db, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return 0, fmt.Errorf("mariadb: %w", err)
	}
	defer db.Close()
	var n int64
	const query = "SELECT CAST(SUM(VARIABLE_VALUE) AS SIGNED) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME LIKE 'HANDLER_READ_%' AND VARIABLE_NAME NOT LIKE 'HANDLER_READ_RND%'"
	if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("mariadb: %w", err)
	}
	return n, nil
}

// Stop ends the server in an orderly way and kills it when that takes more than 30 s, which is then the error.
func (s *Server) Stop() error {
	if err := s.process.Stop(stopTimeout); err != nil {
		return fmt.Errorf("mariadb: %w", err)
	}
	return nil
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() { s.process.Kill() }

// PID is the process id of the server that the last start made.
func (s *Server) PID() int { return s.process.PID() }

// Done is closed when the server that the last start made has ended, by whatever cause.
func (s *Server) Done() <-chan struct{} { return s.process.Done() }

// Err tells how the server of the last start ended; nil while it runs.
func (s *Server) Err() error { return s.process.Err() }

// Restart stops the server, if it runs, and starts it again on the same port with the same accounts and data.
func (s *Server) Restart(ctx context.Context) error {
	if s.process.Running() {
		if err := s.Stop(); err != nil {
			return err
		}
	}
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("mariadb in %s: restart: %w", s.dir, err)
	}
	return nil
}

// launch starts mariadbd and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.writeInitFile(); err != nil {
		return err
	}
	defer os.Remove(s.initFile()) // it holds the password, and has been read when the server answers
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	mark, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	//nolint:gosec,noctx // the program is the one found on this machine; the server outlives ctx
	cmd := exec.Command(s.programs.server, s.arguments()...)
	cmd.Dir = s.dataDir()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = s.owner.attributes()
	started, err := child.Start(cmd)
	if err != nil {
		return err
	}
	s.process = started
	if err := s.awaitAnswer(ctx); err != nil {
		s.process.Kill()
		return fmt.Errorf("%w; its log %s ends:\n%s", err, s.logFile(), tail(s.logFile(), mark))
	}
	return nil
}

// arguments is the command line: everything small and private, nothing from the machine's own configuration.
func (s *Server) arguments() []string {
	args := []string{
		"--no-defaults", // first, or it is refused
		"--datadir=" + s.dataDir(),
		"--tmpdir=" + s.tmpDir(),
		"--init-file=" + s.initFile(),
		// Relative to the data directory: the path of a socket may have 107 bytes, and test directories are longer.
		"--socket=mariadb.sock",
		"--pid-file=mariadb.pid",
		"--bind-address=127.0.0.1",
		"--port=" + strconv.Itoa(s.port),
		"--skip-name-resolve",
		"--skip-log-bin",
		"--performance-schema=OFF",
		"--max-connections=400",
		"--character-set-server=utf8mb4",
		"--innodb-buffer-pool-size=64M",
		"--innodb-log-file-size=16M",
		"--innodb-flush-log-at-trx-commit=2",
		"--key-buffer-size=1M",
		"--aria-pagecache-buffer-size=4M",
	}
	if s.owner.asRoot {
		args = append(args, "--user=root") // mariadbd runs as root only when told so
	}
	return append(args, s.flags...)
}

// writeInitFile writes what the server runs before it listens: the account, with this start's password.
func (s *Server) writeInitFile() error {
	who := "'" + account + "'@'127.0.0.1'"
	text := "CREATE OR REPLACE USER " + who + " IDENTIFIED BY '" + s.password + "';\n" +
		"GRANT ALL PRIVILEGES ON `regent\\_%`.* TO " + who + ";\n"
	if err := os.WriteFile(s.initFile(), []byte(text), 0o600); err != nil {
		return err
	}
	return s.owner.own(s.initFile())
}

// awaitAnswer polls until the server takes a connection, has ended, or ctx is done.
func (s *Server) awaitAnswer(ctx context.Context) error {
	db, err := sql.Open("mysql", s.DSN(""))
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-s.process.Done():
			return fmt.Errorf("mariadbd ended before it answered: %w", cause(s.process.Err()))
		case <-ctx.Done():
			return fmt.Errorf("mariadbd does not answer: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

func cause(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (s *Server) dataDir() string  { return filepath.Join(s.dir, "data") }
func (s *Server) tmpDir() string   { return filepath.Join(s.dir, "tmp") }
func (s *Server) initFile() string { return filepath.Join(s.dir, "init.sql") }
func (s *Server) logFile() string  { return filepath.Join(s.dir, "mariadbd.log") }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // it never fails: see its documentation
	return hex.EncodeToString(b)
}
