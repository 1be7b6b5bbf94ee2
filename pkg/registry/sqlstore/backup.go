package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/backup"
)

// savedTable is a table as a backup has it.
type savedTable struct {
	name string
	// columns are all columns of the table, "#" after those that hold numbers; the others hold bytes. The first keys of them are the primary key, in an order of their own where order names it.
	columns string
	keys    int
	// page is how many rows one statement reads; 500 when 0.
	page int
	// where leaves out rows.
	where string
	// blank are columns that a backup has empty: zero, or no bytes.
	blank []string
	// apart marks what nobody can see while nothing names it: it is restored in transactions of its own, since it may be large.
	apart bool
}

// savedTables are the tables that a backup has, in the order in which they are restored.
func savedTables() []savedTable {
	return []savedTable{
		{name: "blob_chunk", columns: "chunk_set i# data", keys: 2, page: 4, where: "chunk_set NOT IN (SELECT chunk_set FROM staged)", apart: true},
		{name: "tenant", columns: "id# domain root created_us#", keys: 1},
		{name: "blob_obj", columns: "sha size# chunks# chunk_size# small chunk_set", keys: 1},
		{name: "meta_obj", columns: "sha data", keys: 1, page: 50},
		{name: "node", columns: "id parent name kind# cur# gen# created_us# created_by", keys: 1},
		{name: "version", columns: "node n# seq# body meta size# author created_us# comment", keys: 2},
		{name: "trash", columns: "node state# path actor at_us#", keys: 1},
		{name: "trash_parent", columns: "node parent", keys: 1},
		{name: "suspect", columns: "sha mark#", keys: 1},
		{name: "suspect_meta", columns: "sha mark#", keys: 1},
		{name: "tagging", columns: "node tag who at_us#", keys: 3},
		{name: "tag", columns: "node tag uses#", keys: 2},
		{name: "tag_use", columns: "tag uses#", keys: 1},
		{name: "comment", columns: "node thread# n# reply_to# rev# deleted# author created_us# edited_by edited_us# body", keys: 3},
		{name: "star", columns: "node who at_us#", keys: 2},
		{name: "rating", columns: "node who score# at_us#", keys: 2},
		{name: "rating_sum", columns: "node votes# total#", keys: 1},
		{name: "association", columns: "src out_key dst in_key type uri created_us# created_by", keys: 2},
		{name: "label", columns: "node label n# seq# set_by set_us#", keys: 2},
		{name: "dirent_hist", columns: "parent name until_seq# node", keys: 3},
		{name: "gap", columns: "node n# seq#", keys: 2},
		{name: "retention", columns: "node keep_last# keep_days# seq# set_by set_us#", keys: 1},
		{name: "checkpoint", columns: "node name seq# comment set_by set_us#", keys: 2},
		{name: "account", columns: "id name password disabled# created_us# tenant#", keys: 1},
		{name: "profile", columns: "account email full_name", keys: 1},
		{name: "role", columns: "id name description grants# created_us# tenant#", keys: 1},
		{name: "account_role", columns: "account role", keys: 2},
		{name: "acl", columns: "node role allow# deny#", keys: 2},
		{name: "api_token", columns: "hash id account name hint rights# manage# paths created_us# expires_us# used_us#", keys: 1, page: 50},
		{name: "search_saved", columns: "owner name shared# query rev# at_us#", keys: 2},
		// A copy of the registry must not send to the receivers of the first one, and secrets leave the database nowhere.
		{name: "webhook", columns: "id name url store path actions secret enabled# owner owner_name rev# created_us# changed_us#", keys: 1, blank: []string{"secret", "enabled"}},
		{name: "webhook_state", columns: "webhook rev# seq# item# mark# waiting failures# failing_us# next_us#", keys: 1},
		{name: "departure", columns: "id node path home to_store to_path actor at_us# holder until_us#", keys: 1},
		{name: "arrival", columns: "id node state# seq# at_us#", keys: 1},
		{name: "access_event", columns: "id kind# times# actor client agent req path", keys: 1},
		{name: "txn", columns: "seq# op_id tag actor at_us# req client agent", keys: 1},
		{name: "txn_item", columns: "seq# i# act# node n# parent name path related body_before body_after", keys: 2, page: 200},
		{name: "store_head", columns: "id# seq# tag epoch sealed#", keys: 1},
	}
}

// names are the table's columns.
func (t savedTable) names() []string {
	list := strings.Fields(t.columns)
	for i, c := range list {
		list[i] = strings.TrimSuffix(c, "#")
	}
	return list
}

// numbers tells which columns hold numbers.
func (t savedTable) numbers() []bool {
	list := strings.Fields(t.columns)
	numbers := make([]bool, len(list))
	for i, c := range list {
		numbers[i] = strings.HasSuffix(c, "#")
	}
	return numbers
}

// Backup implements [registry.Backuper]. It reads one snapshot, page by page, and holds no lock that a change waits for.
func (s *Store) Backup(ctx context.Context, w io.Writer, n registry.BackupNote) (registry.BackupSummary, error) {
	sum, err := s.backup(ctx, w, n)
	return sum, s.fail("make a backup", err)
}

func (s *Store) backup(ctx context.Context, w io.Writer, n registry.BackupNote) (registry.BackupSummary, error) {
	applied, err := s.applied(ctx)
	if err != nil {
		return registry.BackupSummary{}, err
	}
	t, end, err := s.snapshot(ctx)
	if err != nil {
		return registry.BackupSummary{}, err
	}
	defer end()
	m := backup.Manifest{CreatedAt: s.now().UTC().Truncate(time.Microsecond), By: n.By, Program: n.Program, Store: s.name, Schema: newest(applied)}
	var epoch []byte
	if err := t.one(ctx, "backup", "SELECT seq, epoch FROM store_head WHERE id = 1", nil, &m.Seq, &epoch); err != nil {
		return registry.BackupSummary{}, err
	}
	m.Identity = toID(epoch).String()
	tables := savedTables()
	for _, table := range tables {
		m.Tables = append(m.Tables, backup.Table{Name: table.name, Columns: table.names()})
	}
	out, err := backup.NewWriter(w, m)
	if err != nil {
		return registry.BackupSummary{}, err
	}
	for _, table := range tables {
		if err := s.saveTable(ctx, t, table, out); err != nil {
			return registry.BackupSummary{}, fmt.Errorf("table %s: %w", table.name, err)
		}
	}
	counts, err := out.Close()
	return summaryOf(m, counts), err
}

// summaryOf says what a backup has, in words that people know.
func summaryOf(m backup.Manifest, e backup.End) registry.BackupSummary {
	return registry.BackupSummary{
		Store: m.Store, At: m.CreatedAt, By: m.By, Seq: m.Seq, Resources: max(e.Rows["node"]-2, 0), Versions: e.Rows["version"], Contents: e.Rows["blob_obj"],
		Users: e.Rows["account"], Roles: e.Rows["role"], Operations: e.Rows["txn"],
	}
}

// saveTable writes all rows of a table. Pages are ranges of the primary key, so that no statement stays open while a slow reader takes what was read.
func (s *Store) saveTable(ctx context.Context, t *txn, table savedTable, out *backup.Writer) error {
	names, numbers := table.names(), table.numbers()
	page := table.page
	if page == 0 {
		page = 500
	}
	var last []any // the key of the last row
	for {
		query, args := table.query(names, last, page)
		rows, err := s.readSaved(ctx, t, query, args, numbers)
		if err != nil {
			return err
		}
		for _, row := range rows {
			last = append([]any{}, row[:table.keys]...)
			table.hide(names, numbers, row)
			if err := out.Row(table.name, row); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// query reads the next page after a key.
func (t savedTable) query(names []string, last []any, page int) (string, []any) {
	var conditions []string
	var args []any
	if t.where != "" {
		conditions = append(conditions, t.where)
	}
	if last != nil {
		var ways []string
		same := ""
		for i, name := range names[:t.keys] {
			ways = append(ways, same+name+" > ?")
			args = append(args, last[:i+1]...)
			same = strings.Join(names[:i+1], " = ? AND ") + " = ? AND "
		}
		conditions = append(conditions, "("+strings.Join(ways, " OR ")+")")
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + t.name
	if len(conditions) > 0 {
		query += " WHERE " + strings.Join(conditions, " AND ")
	}
	return query + " ORDER BY " + strings.Join(names[:t.keys], ", ") + " LIMIT ?", append(args, page)
}

// readSaved reads rows as int64, []byte and nil.
func (s *Store) readSaved(ctx context.Context, t *txn, query string, args []any, numbers []bool) ([][]any, error) {
	var list [][]any
	err := t.each(ctx, "backup", query, args, func(rows *sqlx.Rows) error {
		row, dest := make([]any, len(numbers)), make([]any, len(numbers))
		for i, number := range numbers {
			if dest[i] = new(any); number { // any, since SQLite's driver reads no bytes and nothing alike otherwise
				dest[i] = new(sql.NullInt64)
			}
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, d := range dest {
			switch v := d.(type) {
			case *sql.NullInt64:
				if v.Valid {
					row[i] = v.Int64
				}
			case *any:
				row[i] = bytesOf(*v)
			}
		}
		list = append(list, row)
		return nil
	})
	return list, err
}

// bytesOf makes one kind of what drivers give for bytes, and nil of nothing.
func bytesOf(v any) any {
	switch v := v.(type) {
	case []byte:
		return append([]byte{}, v...)
	case string:
		return []byte(v)
	}
	return nil
}

// hide empties the columns that a backup must not have.
func (t savedTable) hide(names []string, numbers []bool, row []any) {
	for i, name := range names {
		for _, b := range t.blank {
			if name != b {
				continue
			}
			if row[i] = any([]byte{}); numbers[i] {
				row[i] = int64(0)
			}
		}
	}
}
