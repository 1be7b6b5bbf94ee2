package sqlstore

import (
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// attachedTable is a table whose rows belong to nodes and go with them to another store. Its primary key begins with the node.
type attachedTable struct {
	from    string // the table, with what it is joined to
	node    string
	keys    []string // the rest of the primary key: one or two columns, or none
	columns string
	scan    func(*sqlx.Rows, *attachedRow) error
}

// attachedRow is where the rows of a page go.
type attachedRow struct {
	batch   registry.TreeBatch
	empty   bool // nothing is in the batch
	node    registry.ID
	keys    []any // of the last row
	current map[registry.ID]int64
	fits    int       // rows of a page
	size    batchSize // of this page
}

// full tells whether the page takes no more rows; there may be more.
func (r *attachedRow) full() bool { return r.size.rows >= r.fits || r.size.full() }

// got notes the last row.
func (r *attachedRow) got(node []byte, keys ...any) registry.ID {
	r.node, r.keys = toID(node), keys
	return r.node
}

// after is the condition for rows of one node behind the last one, where a node can have several.
func (t attachedTable) after() string {
	if len(t.keys) == 1 {
		return t.keys[0] + " > ?"
	}
	return t.keys[0] + " >= ? AND (" + t.keys[0] + " > ? OR " + t.keys[1] + " > ?)"
}

func (t attachedTable) afterArgs(keys []any) []any {
	if len(t.keys) < 2 {
		return keys
	}
	return []any{keys[0], keys[0], keys[1]}
}

func (t attachedTable) order() string { return strings.Join(append([]string{t.node}, t.keys...), ", ") }

// attachedTables are those tables, but for associations, which have two ends. Checkpoints and the history of names stay behind: they speak of positions of the store's change
// log.
func attachedTables() []attachedTable {
	return []attachedTable{
		{"version v LEFT JOIN meta_obj m ON m.sha = v.meta", "v.node", []string{"v.n"}, versionColumns, func(rows *sqlx.Rows, r *attachedRow) error {
			var row versionRow
			if err := rows.Scan(row.dest()...); err != nil {
				return err
			}
			v, err := row.version()
			if r.got(row.node, row.n.Int64); v.Number != r.current[v.Resource] { // that one came with the node
				r.batch.Versions, r.empty = append(r.batch.Versions, v), false
				r.size.add(v.Meta, v.Size)
			}
			return err
		}},
		{"label l", "l.node", []string{"l.label"}, "l.node, l.label, l.n, l.set_by, l.set_us", func(rows *sqlx.Rows, r *attachedRow) error {
			var node, name, by []byte
			var n, us int64
			err := rows.Scan(&node, &name, &n, &by, &us)
			r.batch.Labels = append(r.batch.Labels, registry.Label{Resource: r.got(node, name), Name: string(name), Version: n, SetBy: string(by), SetAt: toTime(us)})
			r.empty = false
			return err
		}},
		{"retention r", "r.node", nil, "r.node, r.keep_last, r.keep_days, r.set_by, r.set_us", func(rows *sqlx.Rows, r *attachedRow) error {
			var node, by []byte
			var us int64
			var rule registry.Retention
			err := rows.Scan(&node, &rule.KeepLast, &rule.KeepDays, &by, &us)
			rule.Resource, rule.SetBy, rule.SetAt = r.got(node), string(by), toTime(us)
			r.batch.Rules, r.empty = append(r.batch.Rules, rule), false
			return err
		}},
		{"acl a", "a.node", []string{"a.role"}, "a.node, a.role, a.allow, a.deny", func(rows *sqlx.Rows, r *attachedRow) error {
			var node, role []byte
			var allow, deny int64
			err := rows.Scan(&node, &role, &allow, &deny)
			r.batch.Permissions = append(r.batch.Permissions, registry.Permission{Resource: r.got(node, role), Entry: entryOf(role, allow, deny)})
			r.empty = false
			return err
		}},
		{"tagging g", "g.node", []string{"g.tag", "g.who"}, "g.node, g.tag, g.who, g.at_us", func(rows *sqlx.Rows, r *attachedRow) error {
			var node, tag, who []byte
			var us int64
			err := rows.Scan(&node, &tag, &who, &us)
			r.batch.Tags = append(r.batch.Tags, registry.Tagging{Resource: r.got(node, tag, who), Name: string(tag), By: string(who), At: toTime(us)})
			r.empty = false
			return err
		}},
		{"comment c", "c.node", []string{"c.thread", "c.n"}, commentColumns, func(rows *sqlx.Rows, r *attachedRow) error {
			var row commentRow
			err := rows.Scan(row.dest()...)
			r.got(row.node, row.thread, row.n)
			r.batch.Comments, r.empty = append(r.batch.Comments, row.comment()), false
			return err
		}},
		{"rating g", "g.node", []string{"g.who"}, "g.node, g.who, g.score, g.at_us", func(rows *sqlx.Rows, r *attachedRow) error {
			var node, who []byte
			var us int64
			var by registry.RatingBy
			err := rows.Scan(&node, &who, &by.Score, &us)
			by.Resource, by.By, by.At = r.got(node, who), string(who), toTime(us)
			r.batch.Ratings, r.empty = append(r.batch.Ratings, by), false
			return err
		}},
		{"star s", "s.node", []string{"s.who"}, "s.node, s.who, s.at_us", func(rows *sqlx.Rows, r *attachedRow) error {
			var node, who []byte
			var us int64
			err := rows.Scan(&node, &who, &us)
			r.batch.Stars = append(r.batch.Stars, registry.StarBy{Resource: r.got(node, who), By: string(who), At: toTime(us)})
			r.empty = false
			return err
		}},
	}
}
