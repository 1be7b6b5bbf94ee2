package arch_test

import (
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

// keysOf collects the YAML names in a configuration, at every depth.
func keysOf(t reflect.Type) map[string]bool {
	keys := map[string]bool{}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysOf(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			keys[name] = true
			for inner := range keysOf(t.Field(i).Type) {
				keys[inner] = true
			}
		}
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
