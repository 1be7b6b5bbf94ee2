package registry_test

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// namedStore is a store that is only told apart from others.
type namedStore struct {
	registry.Store
	name string
}

func (s namedStore) Name() string { return s.name }

func TestMounts_ResolveToTheLongestPath(t *testing.T) {
	top, config, local := namedStore{name: "top"}, namedStore{name: "config"}, namedStore{name: "local"}
	mounts, err := registry.NewMounts(
		registry.Mount{Path: "/", Store: top, Target: "/all"},
		registry.Mount{Path: "/_system/config", Store: config, Target: "/_system/config"},
		registry.Mount{Path: "/_system/local", Store: local, Target: "/"},
	)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path, target registry.Path
		store        string
	}{
		{"/", "/all", "top"},
		{"/x/y", "/all/x/y", "top"},
		{"/_system", "/all/_system", "top"},
		{"/_system/configs", "/all/_system/configs", "top"},
		{"/_system/config", "/_system/config", "config"},
		{"/_system/config/a", "/_system/config/a", "config"},
		{"/_system/local", "/", "local"},
		{"/_system/local/a/b", "/a/b", "local"},
	}
	for _, tt := range tests {
		m, target, ok := mounts.Resolve(tt.path)
		if !ok || m.Store.Name() != tt.store || target != tt.target {
			t.Errorf("Resolve(%s) = %s in %s, want %s in %s", tt.path, target, m.Store.Name(), tt.target, tt.store)
		}
	}
	outer, at, ok := mounts.Around("/_system/config")
	if !ok || outer.Store.Name() != "top" || at != "/all/_system/config" {
		t.Errorf("Around gave %v, %s", outer, at)
	}
}

func TestMounts_UncoveredPathsHaveNoStore(t *testing.T) {
	mounts, err := registry.NewMounts(registry.Mount{Path: "/_system/config", Store: namedStore{name: "a"}, Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []registry.Path{"/", "/_system", "/_system/other", "/x"} {
		if _, _, ok := mounts.Resolve(p); ok {
			t.Errorf("%s resolves", p)
		}
	}
}

func TestNewMounts_RefusesTwoOnOnePath(t *testing.T) {
	_, err := registry.NewMounts(registry.Mount{Path: "/a"}, registry.Mount{Path: "/a"})
	if registry.CodeOf(err) != registry.CodeInvalid {
		t.Errorf("error %v", err)
	}
}
