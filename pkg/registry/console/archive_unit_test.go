package console

import (
	"archive/zip"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestArchiveName(t *testing.T) {
	for name, want := range map[string]string{
		"a.txt": "a.txt", "con": "_con", "CON .txt": "_CON .txt", "com².tar": "_com².tar", "CONIN$": "_CONIN$", "con1": "con1", "x:y?": "x_y_", "dots..": "dots__", "": "_",
	} {
		if got := archiveName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// A link that leads out of the archive is told of in a text whose name no other entry has.
func TestArchiveLink_TakesNoName(t *testing.T) {
	link := archived{"a", registry.Resource{Kind: registry.KindLink, Path: "/x/a", Meta: registry.Meta{Link: "/elsewhere"}}}
	at := newArchivePlaces([]archived{link, {"A.link.txt", registry.Resource{Path: "/x/A.link.txt"}}})
	h := &zip.FileHeader{Name: link.name}
	if err := archiveLink(zip.NewWriter(io.Discard), h, at, link); err != nil || h.Name != "a.link (2).txt" {
		t.Errorf("%q, %v", h.Name, err)
	}
}

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
