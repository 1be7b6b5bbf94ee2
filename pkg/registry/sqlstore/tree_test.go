package sqlstore

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/regent-registry/regent/migrations"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// SQLite must take the index for a page, from the right place on and in its order.
func TestPages_AreOneRangeOfTheIndex(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	for _, c := range []struct {
		query string
		args  []any
		index string
	}{
		{childrenQuery(sqliteDialect), []any{rootID[:], []byte("x"), 10}, "u_name (parent=? AND name>?)"},
		{childrenBeforeQuery(sqliteDialect), []any{rootID[:], []byte("x"), 10}, "u_name (parent=? AND name<?)"},
		{guardedQuery(sqliteDialect), []any{rootID[:], []byte("x"), 10}, "u_name (parent=? AND name>?)"},
		{trashQuery(sqliteDialect), []any{1, 1, rootID[:], 10}, "k_trash (state=? AND at_us<?)"},
		{forgetAnswersQuery, []any{1, 10}, "k_once (at_us<?)"},
		{placesHead + "?" + placesTail + "?) LIMIT ?", []any{rootID[:], rootID[:], 10}, "k_left (node=?)"},
	} {
		rows, err := s.read.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+c.query, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(detail + "\n")
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if p := strings.ReplaceAll(plan.String(), "SCAN old", ""); !strings.Contains(p, c.index) || strings.Contains(p, "TEMP B-TREE") || strings.Contains(p, "SCAN") {
			t.Errorf("the plan of %s is:\n%s", c.query, p)
		}
	}
}

// testTrashReads counts the rows that pages in the middle of much make the server look at.
func testTrashReads(t *testing.T, server *registrytest.MySQL) {
	s := testStore(t, Config{DSN: "mysql:" + server.Database(t)})
	const many, page = 2000, 50
	start := time.Now()
	for i := range 20 {
		_, err := s.Update(t.Context(), registry.Op{At: start.Add(time.Duration(i) * time.Second)}, func(tx registry.Tx) error {
			root, err := tx.Get("/")
			for i := 0; i < many/20 && err == nil; i++ {
				var r registry.Resource
				if r, err = tx.Create(root, fmt.Sprintf("%05d", i), registry.KindCollection, registry.Draft{}); err == nil {
					err = tx.Trash(r)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The index entry, its row, and node, version and metadata for each entry, and a few to find the start.
	middle := toMicros(start.Add(10 * time.Second))
	if read := handlerReads(t, s, page, trashQuery(mysqlDialect), middle, middle, rootID[:], page); read > 5*page+10 {
		t.Errorf("a page of %d in the middle of a trash of %d read %d rows", page, many, read)
	}
	if read := handlerReads(t, s, page, childrenBeforeQuery(mysqlDialect), trashID[:], []byte{0xff}, page); read > 4*page {
		t.Errorf("a page of %d at the end of %d children read %d rows", page, many, read)
	}
}

// testOnceThroughLostCommits cuts the connection at COMMIT of a change with an idempotency key: the answer is the same at every node and every time.
func testOnceThroughLostCommits(t *testing.T, server *registrytest.MySQL) {
	dsn := server.Database(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	proxy := registrytest.StartCutProxy(t, cfg.Addr)
	cfg.Addr = proxy.Addr
	var services []*registry.Service
	for _, dsn := range []string{cfg.FormatDSN(), dsn} {
		mounts, err := registry.NewMounts(registry.Mount{Path: "/", Store: testStore(t, Config{DSN: "mysql:" + dsn}), Target: "/"})
		if err != nil {
			t.Fatal(err)
		}
		services = append(services, registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}}))
	}
	for i, forward := range []bool{true, false, true, false} {
		a := registry.Actor{User: "tester"}
		a.Once = registry.NewOnce(a.User, fmt.Sprint(i), "put")
		var first registry.Resource
		for time := range 3 {
			if time == 0 {
				proxy.CutNext(forward)
			}
			res, err := services[time%2].Put(t.Context(), a, registry.PutInput{Path: "/x", Body: strings.NewReader(fmt.Sprint(i))})
			if err != nil {
				t.Fatal(err)
			}
			if time == 0 {
				first = res.Resource
			}
			if r := res.Resource; r.ETag() != first.ETag() || r.Seq != first.Seq || r.Version != int64(i)+1 || res.Created != (i == 0) {
				t.Errorf("round %d, time %d: %+v, the first was %+v", i, time, res, first)
			}
		}
		if proxy.Armed() {
			t.Errorf("round %d: nothing was cut", i)
		}
	}
}

// A content that a version names only since the collector has read the versions is found in the change log, however long that is by then.
func TestCollect_CatchesUpWithTheLog(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t)})
	put := func(name, text string) registry.Hash {
		g, err := s.Stage(t.Context(), strings.NewReader(text), 100)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error {
			root, err := tx.Get("/")
			if err == nil {
				_, err = tx.Create(root, name, registry.KindResource, registry.Draft{Hash: g.Hash(), Size: g.Size(), Staged: g})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return g.Hash()
	}
	early, late, never := put("early", "early"), put("late", "late"), put("never", "never")
	if _, err := s.update(t.Context(), s.systemOp(), func(o *operation) error {
		if err := o.suspect("n = 1"); err != nil {
			return err
		}
		_, err := o.tx.exec(o.ctx, "test", "DELETE FROM version WHERE body IN (?, ?, ?)", early[:], late[:], never[:])
		o.touch(item{act: actRemove})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	suspects, start, err := s.suspects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(suspects, func(b blob, _ suspicion) bool { return b.meta }) // others name it
	if len(suspects) != 3 {
		t.Fatalf("%d suspects", len(suspects))
	}
	if err := s.clearNamed(t.Context(), suspects); err != nil {
		t.Fatal(err)
	}
	put("early again", "early")
	var wg sync.WaitGroup
	for i := range collectTail + collectTail/4 {
		wg.Go(func() { mustSet(t, s, fmt.Sprintf("noise%d", i%10), fmt.Sprint(i)) })
	}
	wg.Wait()
	put("late again", "late")
	began := start
	if start, err = s.catchUp(t.Context(), suspects, start); err != nil {
		t.Fatal(err)
	}
	for sha, named := range map[registry.Hash]bool{early: true, late: false, never: false} {
		if suspects[blob{sha: sha}].named != named {
			t.Errorf("the content %s is named: %t, want %t", sha, !named, named)
		}
	}
	if _, err := s.update(t.Context(), s.systemOp(), func(o *operation) error {
		n, _, err := o.dropBlobs([]blob{{sha: early}, {sha: late}, {sha: never}}, suspects, start)
		if n != 1 {
			t.Errorf("dropped %d contents", n)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for sha, there := range map[registry.Hash]bool{early: true, late: true, never: false} {
		var n int
		if err := s.read.one(t.Context(), "test", "SELECT COUNT(*) FROM blob_obj WHERE sha = ?", []any{sha[:]}, &n); err != nil || (n == 1) != there {
			t.Errorf("%d rows of the content %s: %v", n, sha, err)
		}
	}
	// Where a part of the log is gone nobody knows which versions came since.
	if n, err := s.purgeLog(t.Context(), time.Now().Add(time.Hour), 0); err != nil || n != purgeBatch {
		t.Fatalf("%d operations removed: %v", n, err)
	}
	if _, err := s.catchUp(t.Context(), suspects, began); registry.CodeOf(err) != registry.CodeUnavailable {
		t.Errorf("with a part of the log removed: %v", err)
	}
}

func TestTrash_ListsWhatWasDeletedBefore(t *testing.T) {
	testOldTrash(t, sqliteFile(t), migrations.SQLite())
}

// testOldTrash runs the last statement of the migration on a trash that has no rows yet, as those of older programs have.
func testOldTrash(t *testing.T, dsn string, files fs.FS) {
	t.Helper()
	s := testStore(t, Config{DSN: dsn})
	mustSet(t, s, "old", "x")
	_, err := s.Update(t.Context(), registry.Op{Actor: registry.Actor{User: "then"}, At: time.Now()}, func(tx registry.Tx) error {
		r, err := tx.Get("/old")
		if err != nil {
			return err
		}
		return tx.Trash(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := fs.ReadFile(files, "0002_tree.sql")
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(text), "INSERT")
	err = s.write.within(t.Context(), func(q *txn) error {
		if _, err := q.exec(t.Context(), "test", "DELETE FROM trash"); err != nil {
			return err
		}
		for range 2 { // it may run again
			if _, err := q.exec(t.Context(), "test", strings.TrimSuffix(strings.TrimSpace(string(text[i:])), ";")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Trash(t.Context(), registry.TrashMark{}, 10)
	if err != nil || len(list) != 1 || list[0].Path != "/old" || list[0].By != "then" || list[0].Meta.Description != "x" {
		t.Errorf("the trash has %+v: %v", list, err)
	}
}
