package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/regent-registry/regent/pkg/registry"
)

// backend is one database as the driver sees it: how to connect, and what to call it in messages.
type backend struct {
	dialect *dialect
	where   string     // "host:port" or a file, for people
	turn    *writeTurn // taken around each write transaction; nil where the database's own locks suffice
	clear   bool       // it lies on another host, and what is sent there is not encrypted
	// open makes a pool whose connections are meant for reads or for the committer's transactions.
	open func(kind poolKind, size int) (*sql.DB, error)
}

// poolKind is what the connections of a pool are for.
type poolKind string

const (
	poolRead   poolKind = "read"
	poolWrite  poolKind = "write"
	poolSchema poolKind = "schema"
)

const (
	// writerIdle is how long the server lets a connection of the committer say nothing. In a transaction it holds the write turn of all
	// nodes, so a frozen process must lose it soon; writerKeep makes sure that a healthy one is not cut off between transactions.
	writerIdle = 5 * time.Second
	writerKeep = 3 * time.Second
	// The maintainers of the driver ask for a bounded lifetime: servers and proxies close old connections silently.
	connLifetime = 3 * time.Minute
)

// mysqlBackend completes the configuration of the driver with what the store relies on.
func mysqlBackend(c Config, cfg *mysql.Config) (*backend, error) {
	cfg.ParseTime, cfg.Loc = true, time.UTC // goose reads times
	cfg.InterpolateParams = true            // saves the prepare round trip of each statement
	cfg.MaxAllowedPacket = 0                // ask the server
	cfg.RejectReadOnly = true               // after a failover, leave the old primary
	cfg.CheckConnLiveness = true
	cfg.MultiStatements = false
	cfg.ClientFoundRows = false
	cfg.Timeout = orDefault(cfg.Timeout, 5*time.Second)
	cfg.ReadTimeout = orDefault(cfg.ReadTimeout, 30*time.Second)
	cfg.WriteTimeout = orDefault(cfg.WriteTimeout, 30*time.Second)
	cfg.Logger = driverLog{c.Logger}
	base, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, registry.Errorf(registry.CodeInvalid, "store %s: database address: %v", c.Name, err)
	}
	// The committer alone sends several statements in one text: fixed ones, whose values the driver escapes.
	writing := cfg.Clone()
	writing.MultiStatements = true
	writer, err := mysql.NewConnector(writing)
	if err != nil {
		return nil, registry.Errorf(registry.CodeInvalid, "store %s: database address: %v", c.Name, err)
	}
	return &backend{
		dialect: mysqlDialect,
		where:   cfg.Addr + " (database " + cfg.DBName + ")",
		clear:   cfg.Net == "tcp" && !onThisHost(cfg.Addr) && (cfg.TLSConfig == "" || cfg.TLSConfig == "false" || cfg.TLSConfig == "preferred"),
		open: func(kind poolKind, size int) (*sql.DB, error) {
			connector := base
			if kind == poolWrite {
				connector = writer
			}
			db := sql.OpenDB(&mysqlConnector{connector, kind})
			db.SetMaxOpenConns(size)
			db.SetMaxIdleConns(size)
			db.SetConnMaxLifetime(connLifetime)
			if kind == poolWrite {
				db.SetConnMaxIdleTime(writerKeep)
			}
			return db, nil
		},
	}, nil
}

// onThisHost tells whether an address does not leave the host.
func onThisHost(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// mysqlConnector prepares each new connection by statements, since the names of the variables differ between servers.
type mysqlConnector struct {
	driver.Connector
	kind poolKind
}

// Connect implements [driver.Connector].
func (m *mysqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := m.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	exec, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connection takes no statements"), conn.Close())
	}
	for _, statement := range m.greeting() {
		if _, err := exec.ExecContext(ctx, statement.text, nil); err != nil && !isMySQL(err, statement.mayFail) {
			return nil, errors.Join(fmt.Errorf("prepare a connection: %s: %w", statement.text, err), conn.Close())
		}
	}
	return conn, nil
}

type greeting struct {
	text    string
	mayFail uint16
}

func (m *mysqlConnector) greeting() []greeting {
	list := []greeting{
		{text: "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"},
		// A server that cuts values which are too long would lose data without a word.
		// In the server's own time zone an hour comes twice when clocks are put back; the time of leases would go back with it.
		{text: "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00'"},
		// On a Galera node: read what the other nodes have committed. 1193, unknown variable: this is none.
		{text: "SET SESSION wsrep_sync_wait = 7", mayFail: 1193},
	}
	if m.kind == poolWrite {
		list = append(list, greeting{text: fmt.Sprintf("SET SESSION wait_timeout = %d", int(writerIdle.Seconds()))})
	}
	return list
}

// driverLog passes what the driver has to say on connections to the store's log.
type driverLog struct{ log *slog.Logger }

// Print implements [mysql.Logger].
func (d driverLog) Print(v ...any) {
	d.log.Debug("database driver", "text", fmt.Sprint(v...))
}
