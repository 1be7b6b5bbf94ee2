package sqlstore

import (
	"context"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

func TestLease_SQLite(t *testing.T) { leaseIsOnes(t, sqliteFile(t)) }

func testLease(t *testing.T, server *registrytest.MySQL) { leaseIsOnes(t, "mysql:"+server.Database(t)) }

// leaseIsOnes: one process at a time has a lease, until it gives it up or the time is over, and a job under it says that another one is at it.
func leaseIsOnes(t *testing.T, dsn string) {
	t.Helper()
	a, b := testStore(t, Config{DSN: dsn}), testStore(t, Config{DSN: dsn})
	ctx := t.Context()
	take := func(s *Store, length time.Duration, want bool) *lease {
		t.Helper()
		l, ok, err := s.takeLease(ctx, retentionLease, length)
		if err != nil || ok != want {
			t.Fatalf("taken: %v, want %v: %v", ok, want, err)
		}
		return l
	}
	run := func(s *Store, busy bool) {
		t.Helper()
		report, err := s.ApplyRetention(ctx, registry.Op{At: time.Now()})
		if err != nil || report.Busy != busy {
			t.Fatalf("the run says %+v: %v", report, err)
		}
	}
	held := take(a, time.Hour, true)
	take(b, time.Hour, false)
	run(b, true)
	run(a, true) // not this process's other holders either
	if ok, err := held.renew(ctx); err != nil || !ok {
		t.Fatalf("renewed: %v, %v", ok, err)
	}
	if err := held.release(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	run(b, false)
	// One that ends by itself is free, and its old holder learns that another has it.
	late := take(a, -time.Second, true)
	take(b, time.Hour, true)
	if ok, err := late.renew(ctx); err != nil || ok {
		t.Fatalf("the old holder renewed: %v, %v", ok, err)
	}
	// A release by the old holder frees nothing.
	if err := late.release(ctx); err != nil {
		t.Fatal(err)
	}
	run(a, true)
}
