package sqlstore

import (
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

func TestPresence_SQLite(t *testing.T) { presenceEnds(t, sqliteFile(t)) }

func testPresence(t *testing.T, server *registrytest.MySQL) {
	presenceEnds(t, "mysql:"+server.Database(t))
}

// presenceEnds: all processes of a database see each other, until they withdraw or their time is over, and the change log knows nothing of it.
func presenceEnds(t *testing.T, dsn string) {
	t.Helper()
	a := testStore(t, Config{DSN: dsn})
	b := testStore(t, Config{DSN: dsn, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	ctx := t.Context()
	head := mustSet(t, a, "x", "1")
	check := func(want string) {
		t.Helper()
		for _, s := range []*Store{a, b} {
			var got []string
			list, err := s.Present(ctx)
			for _, p := range list {
				got = append(got, p.Domain+"/"+p.Node+" "+p.Version+" "+p.Skew.Round(time.Minute).String())
			}
			if err != nil || strings.Join(got, ", ") != want {
				t.Errorf("present are %v, want %s: %v", got, want, err)
			}
		}
	}
	announce := func(s *Store, p Presence) {
		t.Helper()
		if err := s.Announce(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	check("")
	announce(a, Presence{ID: registry.ID{1}, Domain: "d", Node: "n1", Version: "1"})
	announce(b, Presence{ID: registry.ID{2}, Domain: strings.Repeat("ä", 1000), Node: "n2"})
	announce(b, Presence{ID: registry.ID{2}, Domain: "e", Node: "n2", Version: "2"})
	check("d/n1 1 0s, e/n2 2 1h0m0s")
	for _, id := range []registry.ID{{1}, {3}} {
		if err := a.Withdraw(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	check("e/n2 2 1h0m0s")
	err := a.bulk.within(ctx, func(q *txn) error {
		_, err := q.exec(ctx, "test", "UPDATE presence SET until_us = until_us - ?", (presenceLength + time.Second).Microseconds())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	check("")
	if err := b.Withdraw(ctx, registry.ID{9}); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := a.read.one(ctx, "test", "SELECT COUNT(*) FROM presence", nil, &n); err != nil || n != 0 {
		t.Errorf("%d rows are left: %v", n, err)
	}
	if next := mustSet(t, a, "x", "2"); next.N != head.N+1 {
		t.Errorf("the change log went from %d to %d", head.N, next.N)
	}
}
