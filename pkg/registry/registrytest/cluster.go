package registrytest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// rounds scales a count: less in short tests, and with the race detector, which slows the database engine of SQLite about tenfold.
func rounds(full int) int {
	if testing.Short() || raceEnabled {
		return full / 10
	}
	return full
}

func testGroups(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/base", "x")
	refusal := errors.New("refused")
	const each = 60
	var wg sync.WaitGroup
	for i := range 3 * each {
		wg.Go(func() {
			name := fmt.Sprintf("n%03d", i)
			seq, err := n.Update(context.Background(), op(), func(tx registry.Tx) error {
				root, err := tx.Get("/")
				if err != nil {
					return err
				}
				if i%3 == 2 {
					return nil // changes nothing
				}
				if _, err := tx.Create(root, name, registry.KindCollection, registry.Draft{}); err != nil {
					return err
				}
				if i%3 == 1 {
					return refusal
				}
				return nil
			})
			switch {
			case i%3 == 1 && !errors.Is(err, refusal):
				t.Errorf("a refused change gave %v", err)
			case i%3 != 1 && (err != nil || seq.N < 1 || seq.Store != n.Name()):
				t.Errorf("change %d: %v, %v", i, seq, err)
			}
			_, err = n.Get(context.Background(), registry.Path("/"+name), registry.Freshness{})
			if i%3 == 0 && err != nil {
				t.Errorf("change %d is not there: %v", i, err)
			} else if i%3 != 0 {
				wantCode(t, err, registry.CodeNotFound)
			}
		})
	}
	wg.Wait()
	if root := n.get(t, "/"); root.Seq.N != each+1 || root.Gen != each+2 {
		t.Errorf("after %d changes the log is at %d and the root's generation is %d", each+1, root.Seq.N, root.Gen)
	}
}

func testPanics(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	_, err := n.Update(t.Context(), op(), func(tx registry.Tx) error {
		root, err := tx.Get("/")
		if err != nil {
			return err
		}
		if _, err := tx.Create(root, "half", registry.KindCollection, registry.Draft{}); err != nil {
			return err
		}
		panic("a bug")
	})
	wantCode(t, err, registry.CodeInternal)
	_, err = n.Get(t.Context(), "/half", registry.Freshness{})
	wantCode(t, err, registry.CodeNotFound)

	// A change that waits behind another is dropped with its caller.
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := n.Update(context.Background(), op(), func(registry.Tx) error {
			once.Do(func() { close(entered) })
			<-release
			return nil
		})
		if err != nil {
			t.Errorf("the change in front: %v", err)
		}
	})
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	ran := atomic.Bool{}
	wg.Go(func() {
		_, err := n.Update(ctx, op(), func(registry.Tx) error { ran.Store(true); return nil })
		wantCode(t, err, registry.CodeCanceled)
		close(release)
	})
	cancel()
	wg.Wait()
	n.put(t, "/after", "x")
	if ran.Load() {
		t.Error("the change of a caller that had left was run")
	}
}

func testAlternation(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	last := registry.Resource{}
	for i := range rounds(10_000) {
		writer, reader := nodes[i%2], nodes[(i+1)%2]
		p := registry.Path(fmt.Sprintf("/alternate/%d", i%7))
		want := writer.put(t, p, fmt.Sprint(i)).Resource
		got := reader.get(t, p)
		if got.ETag() != want.ETag() || got.Seq.N < want.Seq.N || got.Seq.N < last.Seq.N {
			t.Fatalf("round %d: wrote %s at %d, the other store reads %s at %d", i, want.ETag(), want.Seq.N, got.ETag(), got.Seq.N)
		}
		if i%11 == 0 {
			if _, err := reader.svc.Delete(t.Context(), actor, p, registry.Precondition{}); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			_, err := writer.Get(t.Context(), p, registry.Freshness{})
			wantCode(t, err, registry.CodeNotFound)
		}
		last = got
	}
}

// testNoLostUpdate lets clients of three stores increment eight counters by If-Match: every success must be in the end result.
func testNoLostUpdate(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 3)
	const clients, counters = 64, 8
	each := max(rounds(20), 3)
	path := func(i int) registry.Path { return registry.Path(fmt.Sprintf("/counter/%d", i)) }
	for i := range counters {
		nodes[0].put(t, path(i), "0")
	}
	start := nodes[0].get(t, "/").Seq.N
	var won [counters]atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			n, p := nodes[c%len(nodes)], path(c%counters)
			for done := 0; done < each; {
				r, err := n.svc.Get(context.Background(), actor, p, registry.Freshness{})
				if err != nil {
					t.Errorf("get: %v", err)
					return
				}
				_, err = n.svc.Put(context.Background(), actor, registry.PutInput{
					Path: p, Body: strings.NewReader(fmt.Sprint(r.Version)), If: registry.Precondition{Match: []string{r.ETag()}},
				})
				switch registry.CodeOf(err) {
				case "":
					won[c%counters].Add(1)
					done++
				case registry.CodePrecondition:
				default:
					t.Errorf("put: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	total := int64(0)
	for i := range counters {
		n := won[i].Load()
		total += n
		for k, node := range nodes {
			r := node.get(t, path(i))
			if text := node.text(t, path(i), 0); r.Version != n+1 || text != fmt.Sprint(n) {
				t.Errorf("counter %d at store %d: version %d, content %s after %d updates", i, k, r.Version, text, n)
			}
		}
	}
	if end := nodes[1].get(t, "/").Seq.N; end-start != total {
		t.Errorf("the change log grew by %d in %d updates", end-start, total)
	}
}

// testStatements counts what reads at rest cost.
func testStatements(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/hot", "x")
	n.get(t, "/hot")
	const clients = 64
	each := max(rounds(500), 50)
	before := n.Statements()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				if _, err := n.svc.Get(context.Background(), actor, "/hot", registry.Freshness{}); err != nil {
					t.Errorf("get: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if per := float64(n.Statements()-before) / float64(clients*each); per >= 0.2 {
		t.Errorf("a read took %.3f statements with %d clients", per, clients)
	}
}

func testMigrations(t *testing.T, fresh func(testing.TB) Database) {
	const stores = 3
	for range max(rounds(20), 3) {
		db := fresh(t)
		var all [stores]Store
		for i := range all {
			all[i] = db.Open(t)
		}
		errs := make(chan error, stores)
		for _, s := range all {
			go func() {
				err := s.Migrate(context.Background())
				if err == nil {
					_, err = s.Get(context.Background(), "/", registry.Freshness{})
				}
				errs <- err
			}()
		}
		for range all {
			if err := <-errs; err != nil {
				t.Errorf("one of %d that started at once: %v", stores, err)
			}
		}
		for _, s := range all {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func testAccounts(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	_, err := nodes[0].UserByName(ctx, "ann")
	wantCode(t, err, registry.CodeNotFound)
	ann, err := nodes[0].CreateUser(ctx, registry.User{Name: "ann", Password: "hash-1"})
	if err != nil || ann.ID.IsZero() || ann.CreatedAt.IsZero() {
		t.Fatalf("created %+v: %v", ann, err)
	}
	for _, n := range nodes {
		_, err := n.CreateUser(ctx, registry.User{Name: "ann"})
		wantCode(t, err, registry.CodeConflict)
		for range 2 {
			u, err := n.UserByName(ctx, "ann")
			if seen := u.Seq; err != nil || seen.Store != n.Name() || seen.N < 1 {
				t.Errorf("by name: seen at %+v: %v", seen, err)
			}
			ann.Seq = u.Seq
			if !reflect.DeepEqual(u, ann) {
				t.Errorf("by name: %+v, want %+v", u, ann)
			}
			if u, err = n.UserByID(ctx, ann.ID, registry.Freshness{Min: u.Seq}); err != nil || !reflect.DeepEqual(u, ann) {
				t.Errorf("by id: %+v, want %+v: %v", u, ann, err)
			}
		}
		before := n.Statements()
		if _, err := n.UserByName(ctx, "ann"); err != nil || n.Statements()-before > 1 {
			t.Errorf("a known user took %d statements: %v", n.Statements()-before, err)
		}
	}
	_, err = nodes[1].UserByName(ctx, "Ann")
	wantCode(t, err, registry.CodeNotFound)
	if err := nodes[0].SetPassword(ctx, ann.ID, "hash-2"); err != nil {
		t.Fatal(err)
	}
	if u, err := nodes[1].UserByName(ctx, "ann"); err != nil || u.Password != "hash-2" {
		t.Errorf("after a change of password on the other store: %+v, %v", u, err)
	}
	wantCode(t, nodes[0].SetPassword(ctx, registry.ID{9}, "x"), registry.CodeNotFound)

	token := registry.Hash{1, 2, 3}
	now := time.Now().UTC().Truncate(time.Microsecond)
	x := registry.Session{Token: token, User: ann.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := nodes[0].CreateSession(ctx, x, passwordOf(t, nodes[0], x.User), 10); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := nodes[1].SessionByToken(ctx, token)
		if got.Seq.N == 0 {
			t.Errorf("the session says not at which state it was read")
		}
		x.Seq = got.Seq
		if err != nil || got != x {
			t.Errorf("the session is %+v, want %+v: %v", got, x, err)
		}
	}
	if err := nodes[0].DeleteSession(ctx, token); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		_, err := n.SessionByToken(ctx, token)
		wantCode(t, err, registry.CodeNotFound)
		if err := n.DeleteSession(ctx, token); err != nil {
			t.Errorf("a second sign-out: %v", err)
		}
	}
	x.Token, x.ExpiresAt = registry.Hash{4}, now.Add(-time.Second)
	if err := nodes[0].CreateSession(ctx, x, passwordOf(t, nodes[0], x.User), 10); err != nil {
		t.Fatal(err)
	}
	_, err = nodes[1].SessionByToken(ctx, x.Token)
	wantCode(t, err, registry.CodeNotFound)
}

// passwordOf is the PHC string of a user's password.
func passwordOf(t testing.TB, n *node, id registry.ID) string {
	t.Helper()
	u, err := n.UserByID(t.Context(), id, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	return u.Password
}
