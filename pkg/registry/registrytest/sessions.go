package registrytest

import (
	"slices"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// testSessionLimit: the oldest sessions of a user end for a new one, at every node, and those of others stay.
func testSessionLimit(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	ctx := t.Context()
	now := time.Now().UTC().Truncate(time.Microsecond)
	var users []registry.User
	for _, name := range []string{"ann", "bob"} {
		u, err := nodes[0].AddUser(ctx, op(), registry.User{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		users = append(users, u)
	}
	signIn := func(user, i, most int) {
		t.Helper()
		x := registry.Session{
			Token: registry.Hash{byte(user), byte(i)}, User: users[user].ID, CreatedAt: now.Add(time.Duration(i) * time.Second), ExpiresAt: now.Add(time.Hour),
		}
		if err := nodes[i%2].CreateSession(ctx, x, users[user].Password, most); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, user int, want ...int) {
		t.Helper()
		for k, n := range nodes {
			var got []int
			for i := range 40 {
				if _, err := n.SessionByToken(ctx, registry.Hash{byte(user), byte(i)}); err == nil {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: store %d has the sessions %v of %s, want %v", what, k, got, users[user].Name, want)
			}
		}
	}
	signIn(1, 0, 3)
	for i := range 3 {
		signIn(0, i, 3)
	}
	expect("as many as may be", 0, 0, 1, 2)
	signIn(0, 3, 3)
	expect("one more", 0, 1, 2, 3)
	signIn(0, 4, 3)
	expect("another", 0, 2, 3, 4)
	for i := 5; i < 35; i++ {
		signIn(0, i, 100)
	}
	signIn(0, 35, 1) // the limit was lowered: they end bit by bit
	signIn(0, 36, 1)
	expect("one at a time", 0, 36)
	expect("somebody else", 1, 0)
}
