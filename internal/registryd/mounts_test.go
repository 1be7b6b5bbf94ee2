package registryd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

var someone = registry.Actor{User: "someone"}

// mountNode is a node with the stores a, b and c, whose files are in dir, and mounts as in the text. The error is that of the mounts.
func mountNode(t *testing.T, dir, mounts string) (*node, error) {
	t.Helper()
	dsn := func(name string) string { return "sqlite:" + filepath.Join(dir, name+".db") }
	text := fmt.Sprintf("state_dir: %q\nuser_store: a\nstores:\n  a: {dsn: %q}\n  b: {dsn: %q}\n  c: {dsn: %q}\nmounts:\n", filepath.Join(dir, "state"), dsn("a"), dsn("b"), dsn("c"))
	file := filepath.Join(dir, "registry.yaml")
	if err := os.WriteFile(file, []byte(text+mounts), 0o600); err != nil {
		t.Fatal(err)
	}
	c, doc, err := LoadConfig(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{config: c, doc: doc, stores: map[string]*sqlstore.Store{}}
	for _, name := range []string{"a", "b", "c"} {
		s, err := openStore(t.Context(), c, doc, name, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.stores[name] = s
	}
	table, err := n.mounts(t.Context())
	if err != nil {
		return n, err
	}
	n.service = registry.NewService(registry.Config{Mounts: table, Authorizer: registry.SignedIn{}})
	return n, n.service.EnsureMounts(t.Context())
}

func putText(t *testing.T, s *registry.Service, p registry.Path) {
	t.Helper()
	if _, err := s.Put(t.Context(), someone, registry.PutInput{Path: p, Body: strings.NewReader(p.String())}); err != nil {
		t.Fatalf("put %s: %v", p, err)
	}
}

// storeOf tells in which store the thing at p is, "" for nothing there.
func storeOf(t *testing.T, s *registry.Service, p registry.Path) string {
	t.Helper()
	r, err := s.Get(t.Context(), someone, p, registry.Freshness{})
	if registry.CodeOf(err) == registry.CodeNotFound {
		return ""
	}
	if err != nil {
		t.Fatalf("get %s: %v", p, err)
	}
	return r.Seq.Store
}

func TestMounts_CoverWhatOverwriteAllows(t *testing.T) {
	fill := map[string]func(*testing.T, *registry.Service){
		"nothing":    func(*testing.T, *registry.Service) {},
		"collection": func(t *testing.T, s *registry.Service) { t.Helper(); putText(t, s, "/m/under") },
		"resource":   func(t *testing.T, s *registry.Service) { t.Helper(); putText(t, s, "/m") },
		"link": func(t *testing.T, s *registry.Service) {
			t.Helper()
			if _, err := s.Link(t.Context(), someone, registry.LinkInput{Path: "/m", Target: "/else"}); err != nil {
				t.Fatal(err)
			}
		},
	}
	for _, tt := range []struct{ there, overwrite, want string }{
		{"nothing", "false", ""},
		{"nothing", "virtual", ""},
		{"nothing", "true", ""},
		{"collection", "false", "mounts[1].path: the mount / has something at /m already"},
		{"collection", "virtual", ""},
		{"collection", "true", ""},
		{"resource", "false", "mounts[1].path: the mount / has something at /m already"},
		{"resource", "virtual", "registry.yaml:9: mounts[1].overwrite: the mount / has a resource at /m, and virtual covers a collection only"},
		{"resource", "true", ""},
		{"link", "virtual", "has a link at /m"},
		{"link", "true", ""},
	} {
		t.Run(tt.there+" "+tt.overwrite, func(t *testing.T) {
			dir := t.TempDir()
			outer := "  - {path: /, store: a}\n"
			before, err := mountNode(t, dir, outer)
			if err != nil {
				t.Fatal(err)
			}
			fill[tt.there](t, before.service)
			n, err := mountNode(t, dir, outer+"  - {path: /m, store: b, target_path: /there, overwrite: "+tt.overwrite+"}\n")
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want it to contain %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			putText(t, n.service, "/m/new")
			if got := storeOf(t, n.service, "/m/under"); got != "" {
				t.Errorf("what is covered is in sight, in %s", got)
			}
			if _, err := n.stores["b"].Get(t.Context(), "/there/new", registry.Freshness{}); err != nil {
				t.Errorf("at the target: %v", err)
			}
			// Without the mount all is as it was.
			for p, want := range map[registry.Path]string{"/m": "a", "/m/under": "a", "/m/new": ""} {
				if p == "/m" && tt.there != "collection" && tt.there != "resource" || p == "/m/under" && tt.there != "collection" {
					want = ""
				}
				if tt.there == "link" && p == "/m" {
					continue // it leads to nothing
				}
				if got := storeOf(t, before.service, p); got != want {
					t.Errorf("without the mount %s is in %q, want %q", p, got, want)
				}
			}
		})
	}
}

func TestMounts_LieInsideEachOther(t *testing.T) {
	n, err := mountNode(t, t.TempDir(), `  - {path: /, store: a}
  - {path: /one, store: b, target_path: /deep/in/b}
  - {path: /one/two/three, store: c, target_path: /}
  - {path: /one/two/three/four, store: a, target_path: /back}
`)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[registry.Path]string{
		"/x": "a", "/one/x": "b", "/one/two/x": "b", "/one/two/three/x": "c", "/one/two/three/four/x": "a", "/one/two/threes": "b", "/back/y": "a",
	} {
		putText(t, n.service, p)
		if got := storeOf(t, n.service, p); got != want {
			t.Errorf("%s is in the store %s, want %s", p, got, want)
		}
	}
	if got := storeOf(t, n.service, "/one/two/three/four/y"); got != "a" {
		t.Errorf("two mounts of one place show different things: %q", got)
	}
	for p, want := range map[registry.Path]string{
		"/": "/back /one /x", "/one": "/one/two /one/x", "/one/two": "/one/two/three /one/two/threes /one/two/x",
		"/one/two/three": "/one/two/three/four /one/two/three/x", "/one/two/three/four": "/one/two/three/four/x /one/two/three/four/y",
	} {
		page, err := n.service.List(t.Context(), someone, p, "", 100, registry.Freshness{})
		var got []string
		for _, e := range page.Entries {
			got = append(got, e.Path.String())
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s lists %v, want %s: %v", p, got, want, err)
		}
	}
	for _, p := range []registry.Path{"/one", "/one/two", "/one/two/three"} {
		_, err := n.service.Move(t.Context(), someone, registry.MoveInput{From: p, To: "/y"})
		if registry.CodeOf(err) != registry.CodeConflict {
			t.Errorf("move of %s, which holds mounts: %v", p, err)
		}
		if _, err := n.service.Delete(t.Context(), someone, p, registry.Precondition{}); registry.CodeOf(err) != registry.CodeConflict {
			t.Errorf("delete of %s, which holds mounts: %v", p, err)
		}
	}
	if entries, err := n.service.PurgeOlder(t.Context(), someone, "/one/two/three", time.Now()); err != nil || entries != 0 {
		t.Errorf("purge in the trash of c: %d, %v", entries, err)
	}
}
