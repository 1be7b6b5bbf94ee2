package console

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// Whatever name the registry takes, the archive's is one that leads nowhere else and that no other entry has.
func FuzzArchiveName(f *testing.F) {
	for _, name := range []string{"a.txt", "A.TXT", "con", "LPT1.tar.gz", "dots..", "x:y?", " ", "ä.yaml", ".hidden", "a (2).txt", strings.Repeat("n", 255), "NUL ", "..."} {
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		taken := map[string]bool{}
		seen := map[string]bool{}
		for _, name := range []string{one, two, one, two} {
			p, err := registry.Root.Join(name)
			if err != nil || p.Parent() != registry.Root {
				continue
			}
			safe := archiveName(p.Name())
			free := freeName(taken, safe)
			switch {
			case !fs.ValidPath(free) || free == "." || strings.ContainsAny(free, `/\:?*"<>|`):
				t.Errorf("%q becomes %q, which leads elsewhere or is no name", name, free)
			case strings.HasSuffix(safe, ".") || strings.HasSuffix(safe, " "):
				t.Errorf("%q becomes %q, whose end some systems cut", name, safe)
			case archiveName(safe) != safe:
				t.Errorf("%q becomes %q and then %q", name, safe, archiveName(safe))
			case seen[strings.ToLower(free)]:
				t.Errorf("%q is the name of two", free)
			}
			seen[strings.ToLower(free)] = true
		}
	})
}
