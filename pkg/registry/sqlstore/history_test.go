package sqlstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// testPastReads counts the rows that looks at the past make the server read, where there is much of it: thousands of versions of one resource,
// thousands of nodes that had one name, thousands of names that are gone, thousands of changes.
func testPastReads(t *testing.T, server *registrytest.MySQL) {
	s := testStore(t, Config{DSN: "mysql:" + server.Database(t), PoolSize: 1})
	const many, middle = 4000, 2000
	x := mustSet(t, s, "x", "first")
	if _, err := s.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error {
		root, err := tx.Get("/")
		if err == nil {
			_, err = tx.Create(root, "c", registry.KindCollection, registry.Draft{})
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	node, err := s.Get(t.Context(), "/x", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Get(t.Context(), "/c", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	_, sum, err := encodeMeta(registry.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(query string, row func(i int) []any) {
		t.Helper()
		for i := 0; i < many; i += 500 {
			var args []any
			for k := range 500 {
				args = append(args, row(i+k)...)
			}
			n := len(args) / 500
			values := strings.TrimSuffix(strings.Repeat("("+placeholders(n)+"),", 500), ",")
			if _, err := s.read.exec(t.Context(), "fill", query+" VALUES "+values, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
	someone := func(i int) []byte { return fmt.Appendf(nil, "%016d", i) }
	zero := registry.Hash{}
	fill("INSERT INTO version (node, n, seq, body, meta, size, author, created_us)", func(i int) []any {
		return []any{node.ID[:], i + 2, x.N + 10 + int64(i), zero[:], sum[:], 0, []byte("a"), i}
	})
	fill("INSERT INTO dirent_hist (parent, name, until_seq, node)", func(i int) []any { return []any{c.ID[:], []byte("busy"), i + 10, someone(i)} })
	fill("INSERT INTO dirent_hist (parent, name, until_seq, node)", func(i int) []any {
		return []any{c.ID[:], fmt.Appendf(nil, "gone%05d", i), i + 10, someone(i)}
	})
	fill("INSERT INTO node (id, parent, name, kind, cur, gen, created_us, created_by)", func(i int) []any {
		return []any{someone(i), trashID[:], someone(i), 2, 1, 1, i, []byte("a")} // none of them had a version by then
	})
	fill("INSERT INTO txn (seq, op_id, tag, actor, at_us, req)", func(i int) []any {
		return []any{i + 10, someone(i), someone(i), []byte("a"), toMicros(time.Now()) + int64(i), []byte{}}
	})
	for _, query := range []string{"ANALYZE TABLE version, dirent_hist, txn", fmt.Sprintf("UPDATE store_head SET seq = %d", many+9)} {
		rows, err := s.read.db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			continue
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}

	for name, look := range map[string]struct {
		most int64
		run  func() (string, error)
		want string
	}{
		"a version": {40, func() (string, error) {
			r, err := s.GetAt(t.Context(), "/x", middle)
			return fmt.Sprint(r.Version), err
		}, fmt.Sprint(middle - x.N - 10 + 2)},
		"a name": {40, func() (string, error) {
			_, err := s.GetAt(t.Context(), "/c/busy", middle)
			return string(registry.CodeOf(err)), nil
		}, string(registry.CodeNotFound)},
		"a page of names": {600, func() (string, error) {
			_, next, err := s.ChildrenAt(t.Context(), c, middle, "gone02000", 50)
			return next, err
		}, "gone02050"},
		"a time": {60, func() (string, error) {
			_, err := s.SeqAt(t.Context(), time.Now())
			return "", err
		}, ""},
	} {
		before := sessionReads(t, s)
		got, err := look.run()
		read := sessionReads(t, s) - before
		if err != nil || got != look.want {
			t.Errorf("%s: %q, want %q: %v", name, got, look.want, err)
		}
		if read > look.most {
			t.Errorf("%s read %d rows, at most %d are needed", name, read, look.most)
		}
		t.Logf("%s read %d rows", name, read)
	}
}

// sessionReads tells how many rows the store's one connection for reads made the server read so far.
func sessionReads(t *testing.T, s *Store) (sum int64) {
	t.Helper()
	rows, err := s.read.db.QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "rnd") { // SHOW itself reads a table in memory
			sum += n
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return sum
}
