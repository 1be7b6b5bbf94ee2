package arch_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/elbd"
	"github.com/regent-registry/regent/internal/registryd"
)

// TestExampleConfigs_NameEveryKey: the commented examples are the reference of the keys, so a key that they lack is one that nobody can know of.
func TestExampleConfigs_NameEveryKey(t *testing.T) {
	for file, config := range map[string]any{"elb.yaml": elbd.Config{}, "registry.yaml": registryd.Config{}} {
		text, err := os.ReadFile(filepath.Join("../../configs/example", file))
		if err != nil {
			t.Fatal(err)
		}
		for key := range keysOf(reflect.TypeOf(config)) {
			if !strings.Contains(string(text), key+":") {
				t.Errorf("configs/example/%s does not name the key %s", file, key)
			}
		}
	}
}

// TestExampleConfigs_ShowTheDefaults: what the examples say of single values is what holds without a file. Lists and blocks by name are examples.
func TestExampleConfigs_ShowTheDefaults(t *testing.T) {
	t.Chdir("../..")
	elbShown, _, err1 := elbd.LoadConfig("configs/example/elb.yaml", nil)
	elbDefault, _, err2 := elbd.LoadConfig(noKeys(t), nil)
	nodeShown, _, err3 := registryd.LoadConfig("configs/example/registry.yaml", nil)
	nodeDefault, _, err4 := registryd.LoadConfig("", nil)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	compareValues(t, "elb.yaml", reflect.ValueOf(elbShown), reflect.ValueOf(elbDefault))
	compareValues(t, "registry.yaml", reflect.ValueOf(nodeShown), reflect.ValueOf(nodeDefault))
}

// noKeys is the smallest file that the load balancer takes: it needs one service.
func noKeys(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "elb.yaml")
	text := "services: {a: {hosts: [a.localhost], domains: {a.domain: {members: [\"http://127.0.0.1:9001\"]}}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func compareValues(t *testing.T, where string, shown, standard reflect.Value) {
	t.Helper()
	switch shown.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
	case reflect.Struct:
		for i := range shown.NumField() {
			name, _, _ := strings.Cut(shown.Type().Field(i).Tag.Get("yaml"), ",")
			compareValues(t, where+": "+name, shown.Field(i), standard.Field(i))
		}
	default:
		if !shown.Equal(standard) {
			t.Errorf("configs/example/%s is %v; the default is %v", where, shown, standard)
		}
	}
}

// keysOf collects the YAML names in a configuration, at every depth.
func keysOf(t reflect.Type) map[string]bool {
	keys := map[string]bool{}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysOf(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			keys[name] = true
			for inner := range keysOf(field.Type) {
				keys[inner] = true
			}
		}
	default: // a value
	}
	return keys
}

// TestConfigs_AreAccepted: a shipped file that its own program refuses is worse than none.
func TestConfigs_AreAccepted(t *testing.T) {
	t.Chdir("../..")
	for _, file := range glob(t, "configs/*/elb*.yaml") {
		if _, _, err := elbd.LoadConfig(file, nil); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, file := range append(glob(t, "configs/*/registry*.yaml"), glob(t, "configs/*/node*.yaml")...) {
		if _, _, err := registryd.LoadConfig(file, nil); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %d files", pattern, err, len(files))
	}
	return files
}
