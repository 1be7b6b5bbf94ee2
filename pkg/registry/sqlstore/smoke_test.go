package sqlstore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	if v := os.Getenv("SMOKE_DSN"); v != "" {
		dsn = v
	}
	s, err := Open(ctx, Config{Name: "x", DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(ctx); err != nil {
		t.Fatal(err)
	}
	mounts, err := registry.NewMounts(registry.Mount{Path: "/", Store: s, Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}})
	a := registry.Actor{User: "bob"}
	for i := range 3 {
		n := s.Statements()
		res, err := svc.Put(ctx, a, registry.PutInput{Path: "/a/b/c.txt", Body: bytes.NewReader([]byte{byte(i)})})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(res.Resource.ETag(), res.Resource.Seq, s.Statements()-n)
		n = s.Statements()
		r, err := svc.Get(ctx, a, "/a/b/c.txt", registry.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r, s.Statements()-n)
	}
	big := make([]byte, 5<<20+17)
	rand.Read(big)
	if _, err := svc.Put(ctx, a, registry.PutInput{Path: "/a/big", Body: bytes.NewReader(big)}); err != nil {
		t.Fatal(err)
	}
	_, _, c, err := svc.Open(ctx, a, "/a/big", 0, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, big) {
		t.Fatal(err, len(got))
	}
	page, err := svc.List(ctx, a, "/a", "", 10, registry.Freshness{})
	t.Log(page, err)
	_, err = svc.Delete(ctx, a, "/a/b", registry.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Get(ctx, a, "/a/b/c.txt", registry.Freshness{}); registry.CodeOf(err) != registry.CodeNotFound {
		t.Fatal(err)
	}
	u, err := s.CreateUser(ctx, registry.User{Name: "bob", Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUser(ctx, registry.User{Name: "bob"}); registry.CodeOf(err) != registry.CodeConflict {
		t.Fatal(err)
	}
	if err := s.CreateSession(ctx, registry.Session{Token: registry.Hash{1}, User: u.ID, ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SessionByToken(ctx, registry.Hash{1}); err != nil {
		t.Fatal(err)
	}
	_ = errors.New
}
