package mariadb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrNotInstalled is the error of [Start] on a machine without MariaDB.
var ErrNotInstalled = errors.New("MariaDB is not installed (mariadbd or mariadb-install-db is missing): apt-get install mariadb-server")

// programs are the files of MariaDB that we run.
type programs struct {
	server  string // mariadbd
	install string // mariadb-install-db: makes a data directory
}

// find looks in PATH, then in folders.
func find(folders ...string) (programs, error) {
	p := programs{server: look(folders, "mariadbd", "mysqld"), install: look(folders, "mariadb-install-db", "mysql_install_db")}
	if p.server == "" || p.install == "" {
		return programs{}, ErrNotInstalled
	}
	return p, nil
}

// look gives the first program of one of the names, "" when there is none.
func look(folders []string, names ...string) string {
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
		for _, folder := range folders {
			if found, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
				return found
			}
		}
	}
	return ""
}

// owner is the user that the server runs as and that its files belong to. The zero value is the user of this process.
type owner struct {
	name     string // "" for the user of this process
	uid, gid int
	asRoot   bool
}

// attributes makes a command run as o.
func (o owner) attributes() *syscall.SysProcAttr {
	if o.name == "" {
		return &syscall.SysProcAttr{}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}}
}

// own gives a file to o.
func (o owner) own(file string) error {
	if o.name == "" {
		return nil
	}
	return os.Chown(file, o.uid, o.gid)
}

// chooseOwner tells who runs a server in dir: mysql when we are root and that user can get there, else ourselves.
func chooseOwner(dir string) owner {
	if os.Geteuid() != 0 {
		return owner{}
	}
	u, err := user.Lookup("mysql")
	if err != nil || !reachable(dir) {
		return owner{asRoot: true}
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	if errUID != nil || errGID != nil {
		return owner{asRoot: true}
	}
	return owner{name: u.Username, uid: uid, gid: gid}
}

// reachable tells whether every user may enter dir. Directories of root's own below the temporary directory are opened for that (entering, not
// reading): a test's directory is closed to others by default.
func reachable(dir string) bool {
	temp := filepath.Clean(os.TempDir()) + string(filepath.Separator)
	for d := dir; ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil {
			return false
		}
		if info.Mode().Perm()&0o001 == 0 {
			if !strings.HasPrefix(d, temp) || os.Chmod(d, info.Mode().Perm()|0o111) != nil {
				return false
			}
		}
		if d == filepath.Dir(d) {
			return true
		}
	}
}

// prepare makes the directories and, where the data directory is new, the system tables.
func (s *Server) prepare(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o711); err != nil { // the server's user passes through
		return err
	}
	s.owner = chooseOwner(s.dir)
	for _, d := range []string{s.dataDir(), s.tmpDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
		if err := s.owner.own(d); err != nil {
			return err
		}
	}
	// The marker is written last: a directory without it is one that a killed install left half made.
	marker := filepath.Join(s.dir, "installed")
	if _, err := os.Stat(marker); err == nil {
		return nil
	}
	if err := s.install(ctx); err != nil {
		return err
	}
	return os.WriteFile(marker, nil, 0o600)
}

// install makes the system tables in an empty data directory. The only accounts are those of the owner and of root, through the socket.
func (s *Server) install(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := emptyDirectory(s.dataDir()); err != nil {
		return err
	}
	me := s.owner.name
	if me == "" {
		u, err := user.Current()
		if err != nil {
			return err
		}
		me = u.Username
	}
	args := []string{
		"--no-defaults", "--datadir=" + s.dataDir(), "--tmpdir=" + s.tmpDir(), "--skip-test-db", "--innodb-log-file-size=16M",
		"--auth-root-authentication-method=socket", "--auth-root-socket-user=" + me,
	}
	if s.owner.asRoot {
		args = append(args, "--user=root")
	}
	cmd := exec.CommandContext(ctx, s.programs.install, args...) //nolint:gosec // the program is the one found on this machine
	cmd.Dir = s.dataDir()
	cmd.SysProcAttr = s.owner.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w; it said:\n%s", err, lastBytes(out))
	}
	return nil
}

func emptyDirectory(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// tail gives the end of a log, of what was written from offset on.
func tail(file string, offset int64) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return lastBytes(text[min(offset, int64(len(text))):])
}

func lastBytes(text []byte) string {
	const most = 3000
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}
