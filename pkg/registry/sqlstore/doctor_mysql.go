package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// largestMeta is about the most bytes of one row of metadata in a statement: all property values at their limit, each character escaped twice.
	largestMeta = 8 << 20
	// packetSlack is what stands around the values of a statement.
	packetSlack = 64 << 10
	// spareConnections are left to others: backups, monitoring, people.
	spareConnections = 10
)

// mysqlVariables are the settings that the checks look at. Their names differ between the servers of the family; those that a server does not have are left out.
var mysqlVariables = []any{
	"transaction_isolation", "tx_isolation", "sql_mode", "time_zone", "character_set_client", "wsrep_on", "wsrep_sync_wait",
	"innodb_flush_log_at_trx_commit", "innodb_doublewrite", "log_bin", "sync_binlog", "binlog_format", "max_allowed_packet",
	"max_connections", "max_user_connections", "read_only", "super_read_only", "innodb_read_only",
}

// variables are settings as one connection has them.
type variables map[string]string

func (v variables) on(name string) bool { return v[name] == "ON" || v[name] == "1" }

// number gives a setting that is a number; -1 where there is none.
func (v variables) number(name string) int64 {
	n, err := strconv.ParseInt(v[name], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (v variables) isolation() string {
	if s, ok := v["transaction_isolation"]; ok {
		return s
	}
	return v["tx_isolation"]
}

// mysqlSettings are the settings that a connection of each kind has: a proxy or the server's init_connect may have changed what the store asked for.
type mysqlSettings struct {
	reader, writer variables
	chunk          int  // bytes of a piece of a content
	connections    int  // that one node may open
	nodes          int  // that use the database
	clear          bool // what is sent to another host is not encrypted
}

// mysqlChecks are the checks of servers of the MySQL family; all of them look at the same settings, read once.
func (e *examiner) mysqlChecks() []registry.Check {
	check := func(name string, look func(mysqlSettings) registry.Finding) registry.Check {
		return registry.Check{Name: name, Run: func(ctx context.Context) []registry.Finding {
			e.once.Do(func() { e.settings, e.failed = e.store.mysqlSettings(ctx, e.around) })
			if e.failed != nil {
				return nil
			}
			return one(look(e.settings))
		}}
	}
	return []registry.Check{
		check(checkIsolation, mysqlSettings.isolation),
		check(checkDurability, mysqlSettings.durability),
		check(checkValues, mysqlSettings.values),
		check(checkPacket, mysqlSettings.packet),
		check(checkWrites, mysqlSettings.writes),
		check("connections", mysqlSettings.connectionsLeft),
		check("time_zone", mysqlSettings.timeZone),
		check("encryption", mysqlSettings.encryption),
	}
}

// mysqlSettings asks a connection of each kind.
func (s *Store) mysqlSettings(ctx context.Context, around Surroundings) (m mysqlSettings, err error) {
	m.chunk, m.nodes, m.clear = s.chunk, max(around.Nodes, 1), s.backend.clear
	// The committer, the indexer and, at a start, those that migrate have some beside the pool.
	m.connections = s.read.db.Stats().MaxOpenConnections + 2
	if m.reader, err = s.read.variables(ctx); err != nil {
		return m, err
	}
	m.writer, err = s.write.variables(ctx)
	return m, err
}

func (p *pool) variables(ctx context.Context) (variables, error) {
	v := variables{}
	query := "SHOW SESSION VARIABLES WHERE Variable_name IN (" + placeholders(len(mysqlVariables)) + ")"
	err := p.each(ctx, "doctor", query, mysqlVariables, func(rows *sqlx.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		v[strings.ToLower(name)] = value
		return err
	})
	return v, err
}

// both gives the kinds of connections, with the word for each.
func (m mysqlSettings) both() map[string]variables {
	return map[string]variables{"read": m.reader, "write": m.writer}
}

func (m mysqlSettings) isolation() registry.Finding {
	for word, v := range m.both() {
		if v.isolation() != "READ-COMMITTED" {
			return registry.Finding{
				Severity: registry.SeverityError, What: fmt.Sprintf("transactions that %s run at the isolation level %s, though READ COMMITTED was asked for", word, v.isolation()),
				Why: "they would go on seeing an old state, so answers would be stale and changes built on it",
				Do:  "look for a proxy between node and database that keeps SET SESSION from it, and take it out or configure it",
			}
		}
		if v.on("wsrep_on") && v.number("wsrep_sync_wait")&1 == 0 {
			return registry.Finding{
				Severity: registry.SeverityError, What: fmt.Sprintf("wsrep_sync_wait is %s on connections that %s", v["wsrep_sync_wait"], word),
				Why: "a Galera node would answer before it has what other ones committed, so answers would be stale",
				Do:  "look for a proxy between node and database that keeps SET SESSION from it",
			}
		}
	}
	return registry.Fine("transactions run at READ COMMITTED")
}

func (m mysqlSettings) durability() registry.Finding {
	v := m.reader
	cluster := v.on("wsrep_on") // other nodes of the database have each commit, too
	flush, sync := v.number("innodb_flush_log_at_trx_commit"), v.number("sync_binlog")
	f := registry.Finding{Severity: registry.SeverityWarning}
	switch {
	case flush == 0 && !cluster:
		f.Severity = registry.SeverityError
		f.What, f.Why = "innodb_flush_log_at_trx_commit is 0", "a crash of the database loses changes of the last second or more that were acknowledged"
		f.Do = "set innodb_flush_log_at_trx_commit = 1 in the server's configuration"
	case flush == 0 || flush == 2:
		f.What = fmt.Sprintf("innodb_flush_log_at_trx_commit is %d", flush)
		f.Why = "a power loss of the database's host loses changes of the last second or more that were acknowledged"
		f.Do = "set innodb_flush_log_at_trx_commit = 1 in the server's configuration; one commit takes many changes here, so it costs little"
	case v.on("log_bin") && sync >= 0 && sync != 1:
		f.What = fmt.Sprintf("sync_binlog is %d with the binary log on", sync)
		f.Why = "after a power loss the server may take back commits that are missing in the binary log, and replicas differ from it"
		f.Do = "set sync_binlog = 1 in the server's configuration"
	case strings.EqualFold(v["innodb_doublewrite"], "OFF"):
		f.What, f.Why = "innodb_doublewrite is OFF", "a page that a power loss cut in half cannot be repaired, unless the file system writes pages whole"
		f.Do = "set innodb_doublewrite = ON in the server's configuration"
	default:
		return registry.Fine("what is committed is on the disk")
	}
	return f
}

// values looks whether the server keeps values as they are sent.
func (m mysqlSettings) values() registry.Finding {
	for _, v := range m.both() {
		if !strings.Contains(v["sql_mode"], "STRICT_ALL_TABLES") {
			return registry.Finding{
				Severity: registry.SeverityError, What: fmt.Sprintf("sql_mode is %q, though STRICT_ALL_TABLES was asked for", v["sql_mode"]),
				Why: "values that are too long would be cut without an error", Do: "look for a proxy between node and database that keeps SET SESSION from it",
			}
		}
		switch c := v["character_set_client"]; c {
		case "big5", "cp932", "gb2312", "gbk", "sjis", "gb18030", "eucjpms", "euckr", "ujis":
			return registry.Finding{
				Severity: registry.SeverityError, What: "character_set_client is " + c,
				Why: "the server would read values that were sent as UTF-8 as other characters, and quotes among them wrongly",
				Do:  "take SET NAMES out of the server's init_connect, and charset out of the dsn",
			}
		}
	}
	return registry.Fine("values are kept as they are sent; names are bytes, so the collation does not matter")
}

func (m mysqlSettings) packet() registry.Finding {
	have := min(m.reader.number("max_allowed_packet"), m.writer.number("max_allowed_packet"))
	least := int64(2*max(m.chunk, maxStatement) + packetSlack) // escaped, values may double
	f := registry.Finding{
		What: fmt.Sprintf("max_allowed_packet is %d bytes", have), Do: "set max_allowed_packet = 16M, or more, in the server's configuration",
	}
	switch {
	case have < 0:
		return registry.Fine("the server does not tell its max_allowed_packet")
	case have < least:
		f.Severity, f.Why = registry.SeverityError, fmt.Sprintf("pieces of contents and groups of changes need up to %d, so uploads and changes would fail", least)
	case have < largestMeta:
		f.Severity, f.Why = registry.SeverityWarning, fmt.Sprintf("a resource with very many long properties needs up to %d, so it could not be stored", largestMeta)
	default:
		return registry.Fine("max_allowed_packet is %d bytes; the longest statement has %d, since contents are sent in pieces", have, max(least, largestMeta))
	}
	return f
}

// writes looks whether the server takes changes.
func (m mysqlSettings) writes() registry.Finding {
	v := m.writer
	for _, name := range []string{"read_only", "super_read_only", "innodb_read_only"} {
		if v.on(name) {
			return registry.Finding{
				Severity: registry.SeverityError, What: name + " is ON",
				Why: "the server takes no changes; it may be a replica, whose answers are behind those of its source", Do: "give the address of the server that takes changes in the dsn",
			}
		}
	}
	if v.on("log_bin") && v["binlog_format"] == "STATEMENT" {
		return registry.Finding{
			Severity: registry.SeverityError, What: "binlog_format is STATEMENT", Why: "with it the server refuses changes at READ COMMITTED",
			Do: "set binlog_format = ROW in the server's configuration",
		}
	}
	return registry.Fine("the server takes changes")
}

func (m mysqlSettings) connectionsLeft() registry.Finding {
	limit, name := m.reader.number("max_connections"), "max_connections"
	if n := m.reader.number("max_user_connections"); n > 0 && n < limit {
		limit, name = n, "max_user_connections"
	}
	need := int64(m.nodes * m.connections)
	if limit >= 0 && limit < need+spareConnections {
		return registry.Finding{
			Severity: registry.SeverityWarning, What: fmt.Sprintf("%s is %d; %d nodes with up to %d connections each need %d, and %d should be left to others", name, limit, m.nodes, m.connections, need, spareConnections),
			Why: "under load nodes wait for connections, or are refused one and answer 503", Do: fmt.Sprintf("set %s to at least %d", name, need+spareConnections),
		}
	}
	return registry.Fine("%s is %d; %d nodes need up to %d", name, limit, m.nodes, need)
}

func (m mysqlSettings) timeZone() registry.Finding {
	for word, v := range m.both() {
		if z := v["time_zone"]; z != "+00:00" {
			return registry.Finding{
				Severity: registry.SeverityWarning, What: fmt.Sprintf("connections that %s have the time zone %s, though +00:00 was asked for", word, z),
				Why: "when clocks are put back, leases of jobs last an hour too long", Do: "look for a proxy between node and database that keeps SET SESSION from it",
			}
		}
	}
	return registry.Fine("connections have the time zone UTC, whatever the server's is")
}

func (m mysqlSettings) encryption() registry.Finding {
	if m.clear {
		return registry.Finding{
			Severity: registry.SeverityNote, What: "the connection to the database on another host is not encrypted",
			Why: "whoever can listen on the network reads contents and hashes of passwords", Do: "add ?tls=true to the dsn, with a certificate at the server that this host trusts",
		}
	}
	return registry.Fine("what is sent to the database cannot be listened to on the network")
}
