package sqlstore

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

// The nodes that every database has: the root of the super tenant, which only tenant.go asks for ([Store.root]), and the trash, which no path leads to: it lies
// beside the root, not below it.
var (
	rootID  = registry.ID{15: 1}
	trashID = registry.ID{15: 2}
)

// node is a node of the tree in its current state. Its Path is empty: that depends on how one came to it. Values of Meta are shared by all who
// hold the node; nobody may change them.
type node struct {
	registry.Resource
	parent  registry.ID
	name    string
	metaSum registry.Hash
}

// at is the node as the resource at p, seen at position n of the change log of the store.
func (n node) at(p registry.Path, store string, seq int64) registry.Resource {
	r := n.Resource
	r.Path, r.Seq = p, registry.Seq{Store: store, N: seq}
	return r
}

// dirent is a name in a collection.
type dirent struct {
	parent registry.ID
	name   string
}

// versionKey names an immutable version.
type versionKey struct {
	node registry.ID
	n    int64
}

// nodeColumns are the columns that nodeRow scans, of a node n with its current version v and the metadata m.
const nodeColumns = "n.id, n.parent, n.name, n.kind, n.cur, n.gen, n.created_us, n.created_by, v.body, v.size, v.author, v.created_us, v.comment, v.meta, m.data"

// nodeRow receives nodeColumns; with outer joins all may be NULL.
type nodeRow struct {
	id, parent, name, createdBy, body, author, comment, metaSum, meta []byte
	kind, cur, gen, createdUS, size, updatedUS                        sql.NullInt64
}

func (r *nodeRow) dest() []any {
	return []any{
		&r.id, &r.parent, &r.name, &r.kind, &r.cur, &r.gen, &r.createdUS, &r.createdBy, &r.body, &r.size, &r.author, &r.updatedUS,
		&r.comment, &r.metaSum, &r.meta,
	}
}

// scanNode reads a row of nodeColumns.
func scanNode(rows *sqlx.Rows) (node, error) {
	var row nodeRow
	if err := rows.Scan(row.dest()...); err != nil {
		return node{}, err
	}
	return row.node()
}

func (r *nodeRow) node() (node, error) {
	if r.meta == nil {
		return node{}, fmt.Errorf("node %x: its version %d or its metadata is missing", r.id, r.cur.Int64)
	}
	meta, err := decodeMeta(r.meta)
	if err != nil {
		return node{}, fmt.Errorf("node %x: %w", r.id, err)
	}
	return node{
		Resource: registry.Resource{
			ID: toID(r.id), Kind: registry.Kind(r.kind.Int64), Version: r.cur.Int64, Gen: r.gen.Int64,
			Meta: meta, Size: r.size.Int64, Hash: toHash(r.body),
			CreatedAt: toTime(r.createdUS.Int64), CreatedBy: string(r.createdBy), UpdatedAt: toTime(r.updatedUS.Int64), UpdatedBy: string(r.author),
			Comment: string(r.comment),
		},
		parent: toID(r.parent), name: string(r.name), metaSum: toHash(r.metaSum),
	}, nil
}

// versionColumns are the columns that versionRow scans, of a version v and its metadata m.
const versionColumns = "v.node, v.n, v.body, v.size, v.author, v.created_us, v.comment, m.data"

type versionRow struct {
	node, body, author, comment, meta []byte
	n, size, createdUS                sql.NullInt64
}

func (r *versionRow) dest() []any {
	return []any{&r.node, &r.n, &r.body, &r.size, &r.author, &r.createdUS, &r.comment, &r.meta}
}

func (r *versionRow) version() (registry.Version, error) {
	meta, err := decodeMeta(r.meta)
	if err != nil {
		return registry.Version{}, fmt.Errorf("node %x, version %d: %w", r.node, r.n.Int64, err)
	}
	return registry.Version{
		Resource: toID(r.node), Number: r.n.Int64, Meta: meta, Size: r.size.Int64, Hash: toHash(r.body),
		CreatedAt: toTime(r.createdUS.Int64), CreatedBy: string(r.author), Comment: string(r.comment),
	}, nil
}

// encodeMeta gives the canonical bytes of m and their hash: encoding/json writes fields in order and map keys sorted.
func encodeMeta(m registry.Meta) ([]byte, registry.Hash, error) {
	data, err := json.Marshal(m)
	return data, sha256.Sum256(data), err
}

func decodeMeta(data []byte) (registry.Meta, error) {
	var m registry.Meta
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("metadata: %w", err)
	}
	return m, nil
}

func toID(b []byte) (id registry.ID) {
	copy(id[:], b)
	return id
}

func toHash(b []byte) (h registry.Hash) {
	copy(h[:], b)
	return h
}

// Databases keep microseconds; truncating first makes what a write returns equal what reads return later.
func toMicros(t time.Time) int64 { return t.UnixMicro() }

func toTime(us int64) time.Time { return time.UnixMicro(us).UTC() }
