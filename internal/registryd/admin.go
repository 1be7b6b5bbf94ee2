package registryd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
)

// adminPasswordFile is where the random password of the first administrator is kept, in the state folder of the node that made it.
const adminPasswordFile = "admin-password"

// ensureAdmin makes the administrator at the first start of a store. Where a store of a version without roles has the user already, that user becomes
// administrator when nobody is one.
func (n *node) ensureAdmin(ctx context.Context) error {
	if err := n.makeAdmin(ctx); err != nil {
		return err
	}
	promoted, err := n.auth.PromoteAdmin(ctx, n.config.AdminUser)
	if promoted {
		n.log.InfoContext(ctx, "gave the role admin, which nobody had", "user", n.config.AdminUser)
	}
	return err
}

// makeAdmin makes the administrator at the first start of a store. Its password is the configured one, or a random one, which is printed once
// and kept in a file only the node's user can read. The file is written before the account exists, so that no crash loses the password.
func (n *node) makeAdmin(ctx context.Context) error {
	if n.config.AdminPassword != "" {
		created, err := n.auth.EnsureAdmin(ctx, n.config.AdminUser, n.config.AdminPassword.Reveal())
		if created {
			n.log.InfoContext(ctx, "made the administrator with the configured password", "user", n.config.AdminUser)
		}
		if err != nil {
			return n.doc.Fault("admin_password", "%s", err)
		}
		return nil
	}
	_, err := n.stores[n.config.UserStore].UserByName(ctx, n.config.AdminUser)
	if registry.CodeOf(err) != registry.CodeNotFound {
		return err // nil: there is one
	}
	file := filepath.Join(n.config.StateDir, adminPasswordFile)
	password, err := daemon.ReadSecretFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && password == "" {
		password = daemon.Secret(rand.Text())
		err = daemon.WriteFileAtomic(file, []byte(password.Reveal()+"\n"), 0o600)
	}
	if err != nil {
		return fmt.Errorf("administrator's password: %w", err)
	}
	created, err := n.auth.EnsureAdmin(ctx, n.config.AdminUser, password.Reveal())
	if err != nil {
		return fmt.Errorf("administrator: %w", err)
	}
	if !created {
		return os.Remove(file) // another node was first; its file has the password
	}
	fmt.Fprintf(n.stdout, "The administrator is %q with the password %s (shown this once; it is kept in %s).\n", n.config.AdminUser, password.Reveal(), file)
	return nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
