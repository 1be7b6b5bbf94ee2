package mariadb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind_LooksInPathAndFolders(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	folder := t.TempDir()
	_, err := find(folder)
	if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "apt-get install mariadb-server") {
		t.Fatalf("error %v; want one that names the package to install", err)
	}
	for _, name := range []string{"mysqld", "mariadb-install-db"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	got, err := find(folder)
	if want := (programs{server: filepath.Join(folder, "mysqld"), install: filepath.Join(folder, "mariadb-install-db")}); err != nil || got != want {
		t.Errorf("found %+v, %v; want %+v", got, err, want)
	}
}

func TestChooseOwner_ClosedDirectoryIsRunByOurselves(t *testing.T) {
	if got := chooseOwner("/nonexistent/directory"); got.name != "" {
		t.Errorf("the user %s was chosen for a directory that nobody can enter", got.name)
	}
}
