package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/regent-registry/regent/migrations"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// TestMySQL holds what only a server can show: lost connections, lost answers, a server that restarts.
func TestMySQL(t *testing.T) {
	server := registrytest.StartMySQL(t)
	tests := []struct {
		name string
		run  func(*testing.T, *registrytest.MySQL)
	}{
		{"SettlesLostCommits", testLostCommits},
		{"ReadsOnlyThePage", testHandlerReads},
		{"ReadsOnlyThePageOfWhatIsAttached", testAttachedReads},
		{"PurgesWhatIsAttached", testPurgeOnMySQL},
		{"ReadsOnlyThePageOfTheTrash", testTrashReads},
		{"KeepsTheSearchTablesSmall", testSearchOnMySQL},
		{"AnswersOnceThroughLostCommits", testOnceThroughLostCommits},
		{"ListsWhatWasDeletedBefore", func(t *testing.T, server *registrytest.MySQL) {
			testOldTrash(t, "mysql:"+server.Database(t), migrations.MySQL())
		}},
		{"KeepsTenantsApart", func(t *testing.T, server *registrytest.MySQL) { testTenants(t, "mysql:"+server.Database(t)) }},
		{"KeepsOldAccounts", func(t *testing.T, server *registrytest.MySQL) { testOldAccounts(t, "mysql:"+server.Database(t), true) }},
		{"SendsSeveralStatementsInOneText", testTexts},
		{"ReadsLittleOfThePast", testPastReads},
		{"GivesALeaseToOneAtATime", testLease},
		{"KnowsWhoUsesIt", testPresence},
		{"TakesTheTurnOfAFrozenWriter", testFrozenWriter},
		{"KeepsWhatWasAcknowledgedThroughAKill", testKill},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, server) })
	}
}

// testLostCommits cuts the connection at COMMIT, before or after the server gets it: either way the change must take effect exactly once.
func testLostCommits(t *testing.T, server *registrytest.MySQL) {
	dsn := server.Database(t)
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	proxy := registrytest.StartCutProxy(t, cfg.Addr)
	cfg.Addr = proxy.Addr
	s := testStore(t, Config{DSN: "mysql:" + cfg.FormatDSN()})
	direct := testStore(t, Config{DSN: "mysql:" + dsn})
	mustSet(t, s, "x", "0")
	for i, forward := range []bool{true, false, true, false} {
		before := mustSet(t, direct, "other", fmt.Sprint(i))
		proxy.CutNext(forward)
		text := fmt.Sprintf("change %d, forwarded %t", i, forward)
		seq := mustSet(t, s, "x", text)
		if seq.N != before.N+1 {
			t.Errorf("%s took effect at %d, want %d", text, seq.N, before.N+1)
		}
		if proxy.Armed() {
			t.Errorf("%s: nothing was cut", text)
		}
		wantText(t, direct, "x", text)
		wantText(t, s, "x", text)
		r, err := direct.Get(t.Context(), "/x", registry.Freshness{})
		if err != nil || r.Version != int64(i)+2 {
			t.Errorf("%s made version %d, want %d: %v", text, r.Version, i+2, err)
		}
	}
}

// testHandlerReads counts the rows that the hundredth page of many children makes the server look at.
func testHandlerReads(t *testing.T, server *registrytest.MySQL) {
	s := testStore(t, Config{DSN: "mysql:" + server.Database(t)})
	const page = 100
	many := registrytest.BigTree(t, 12_000)
	name := func(i int) string { return fmt.Sprintf("%06d", i) }
	for made := 0; made < many; made += 1000 {
		_, err := s.Update(t.Context(), registry.Op{At: time.Now()}, func(tx registry.Tx) error {
			root, err := tx.Get("/")
			for i := made; i < min(made+1000, many) && err == nil; i++ {
				_, err = tx.Create(root, name(i), registry.KindCollection, registry.Draft{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read := handlerReads(t, s, page, childrenQuery(mysqlDialect), rootID[:], []byte(name(99*page-1)), page)
	t.Logf("page 100 of %d children read %d rows and entries of indexes", many, read)
	// The index entry, its version and its metadata for each child, and a few to find the start.
	if read > 4*page {
		t.Errorf("a page of %d among %d read %d rows", page, many, read)
	}
}

// handlerReads tells how many rows the server looks at for a query that gives so many.
func handlerReads(t *testing.T, s *Store, want int, query string, args ...any) int64 {
	t.Helper()
	conn, err := s.read.db.Connx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reads := func() (sum int64) {
		rows, err := conn.QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read_%'")
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
	before := reads()
	rows, err := conn.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Close(); err != nil || n != want {
		t.Fatalf("%d rows: %v", n, err)
	}
	return reads() - before
}

// testFrozenWriter leaves a transaction that holds the write turn, as a process that is stopped in its middle does.
func testFrozenWriter(t *testing.T, server *registrytest.MySQL) {
	if testing.Short() {
		t.Skip("waits for the server to give up on a connection")
	}
	dsn := "mysql:" + server.Database(t)
	frozen, other := testStore(t, Config{DSN: dsn}), testStore(t, Config{DSN: dsn})
	q, err := frozen.write.begin(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var head headRow
	if err := q.one(t.Context(), "test", headQuery+mysqlDialect.forUpdate, nil, head.dest()...); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	mustSet(t, other, "x", "1")
	if took := time.Since(start); took < time.Second || took > commitTimeout {
		t.Errorf("the other store waited %v", took)
	}
	if err := q.commit(); err == nil {
		t.Error("the frozen transaction could commit")
	}
	mustSet(t, frozen, "x", "2")
	wantText(t, other, "x", "2")
}

// testKill kills the server under writes and starts it again: nothing acknowledged is lost, and the stores go on by themselves.
func testKill(t *testing.T, server *registrytest.MySQL) {
	if server.Private == nil {
		t.Skip("the server is not ours to kill")
	}
	dsn := "mysql:" + server.Database(t)
	stores := []*Store{testStore(t, Config{DSN: dsn}), testStore(t, Config{DSN: dsn})}
	const writers = 6
	var acknowledged [writers]atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		mustSet(t, stores[0], fmt.Sprint(w), "0")
		wg.Go(func() {
			for v := int64(1); ctx.Err() == nil; v++ {
				if _, err := setText(context.WithoutCancel(ctx), stores[w%2], fmt.Sprint(w), fmt.Sprint(v)); err != nil {
					if registry.CodeOf(err) != registry.CodeUnavailable {
						t.Errorf("writer %d: %v", w, err)
					}
					v-- // it did not happen
					continue
				}
				acknowledged[w].Store(v)
			}
		})
	}
	await(t, func() bool { return acknowledged[0].Load() > 5 && acknowledged[1].Load() > 5 })
	server.Private.Kill()
	if err := server.Private.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	mark := acknowledged[0].Load()
	await(t, func() bool { return acknowledged[0].Load() > mark+5 })
	cancel()
	wg.Wait()
	for w := range writers {
		for _, s := range stores {
			wantText(t, s, fmt.Sprint(w), fmt.Sprint(acknowledged[w].Load()))
			r, err := s.Get(t.Context(), registry.Path("/"+fmt.Sprint(w)), registry.Freshness{})
			if err != nil || r.Version != acknowledged[w].Load()+1 {
				t.Errorf("writer %d made %d changes, the version is %d: %v", w, acknowledged[w].Load(), r.Version, err)
			}
		}
	}
}

// testTexts puts statements off and sends them as one text: in their order, before whatever follows, and with their values as they are.
func testTexts(t *testing.T, server *registrytest.MySQL) {
	s := testStore(t, Config{DSN: "mysql:" + server.Database(t)})
	const insert = "INSERT INTO once (id, request, seq, answer, at_us) VALUES (?,?,?,?,?)"
	values := [][]byte{
		[]byte("plain"),
		{},
		[]byte("'; DROP TABLE once; -- "), []byte(`\'; DELETE FROM once; #`), []byte("?;?"), []byte("/* \x00\x1a\n\r */ \"`"),
		{0xff, 0x5c, 0x27, 0xbf, 0x5c, 0x27},
		bytes.Repeat([]byte{'\'', '\\', 0}, 1000), bytes.Repeat([]byte("x"), maxStatement/2), bytes.Repeat([]byte("y"), maxStatement/2+1),
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v := make([]byte, random.IntN(40))
		for i := range v {
			v[i] = []byte{0, '\'', '"', '\\', ';', '?', '-', 'n', 0x1a, byte(random.IntN(256))}[random.IntN(10)]
		}
		values = append(values, v)
	}
	id := func(i int) []byte { return fmt.Appendf(nil, "%032d", i) }
	q, err := s.write.begin(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.rollback()
	before := s.Statements()
	for i, v := range values {
		if err := q.later(t.Context(), "test", 1, insert, id(i), id(i), int64(i), v, int64(0)); err != nil {
			t.Fatal(err)
		}
	}
	n, err := q.exec(t.Context(), "test", "UPDATE once SET seq = seq + 1000 WHERE seq < 3")
	if err != nil || n != 3 {
		t.Errorf("the statement after those that were put off changed %d rows, want 3: %v", n, err)
	}
	if sent := s.Statements() - before; sent != int64(len(values))+1 {
		t.Errorf("%d statements were counted, want %d", sent, len(values)+1)
	}
	for i, want := range values {
		var got []byte
		if err := q.one(t.Context(), "test", "SELECT answer FROM once WHERE id = ?", []any{id(i)}, &got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("value %d is %.60q, want %.60q: %v", i, got, want, err)
		}
	}
	// A failure in the middle of a text is its error, and what follows is not done.
	for _, i := range []int{90_001, 0, 90_002} {
		if err := q.later(t.Context(), "test", 1, insert, id(i), id(i), int64(i), []byte{}, int64(0)); err != nil {
			t.Fatal(err)
		}
	}
	var rows int
	if err := q.one(t.Context(), "test", "SELECT COUNT(*) FROM once", nil, &rows); !isMySQL(err, 1062) {
		t.Errorf("a duplicate gave %v", err)
	}
	if err := q.one(t.Context(), "test", "SELECT COUNT(*) FROM once WHERE seq = 90002", nil, &rows); err != nil || rows != 0 {
		t.Errorf("%d rows were written after a failure: %v", rows, err)
	}
}

// await polls until done, for at most half a minute.
func await(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// The body of a large content arrives while the connection to the database is cut: the upload fails as a whole, and can be sent again.
func TestStage_GivesUpAsAWhole(t *testing.T) {
	s := testStore(t, Config{DSN: sqliteFile(t), ContentChunk: minContentChunk})
	ctx, cancel := context.WithCancel(t.Context())
	body := io.MultiReader(strings.NewReader(strings.Repeat("x", 3*minContentChunk)), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, io.EOF
	}))
	if _, err := s.Stage(ctx, body, 1<<30); registry.CodeOf(err) != registry.CodeCanceled {
		t.Errorf("a canceled upload gave %v", err)
	}
	var n int
	if err := s.read.one(t.Context(), "test", "SELECT COUNT(*) FROM blob_chunk", nil, &n); err != nil || n != 0 {
		t.Errorf("%d pieces are left: %v", n, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
