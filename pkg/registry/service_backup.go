package registry

import (
	"context"
	"io"
	"time"
)

// BackupNote is what a backup says of who made it.
type BackupNote struct {
	By      string // user
	Program string // version
}

// BackupSummary is what a backup has.
type BackupSummary struct {
	Store                                                   string
	At                                                      time.Time
	By                                                      string
	Seq                                                     int64
	Resources, Versions, Contents, Users, Roles, Operations int64
}

// Backuper is a store that writes backups of itself.
type Backuper interface {
	Name() string
	// Backup writes all that the store has, as it was at one moment, while changes go on. What was written before an error is no backup.
	Backup(ctx context.Context, w io.Writer, n BackupNote) (BackupSummary, error)
}

// Backups are the names of the stores that can be backed up here. Needs the role admin.
func (s *Service) Backups(a Actor) ([]string, error) {
	if err := mayBackUp(a); err != nil {
		return nil, err
	}
	names := []string{}
	for _, b := range s.backups {
		names = append(names, b.Name())
	}
	return names, nil
}

// Backup writes a backup of a store: everything in it, password hashes too, whoever may read what. Needs the role admin.
func (s *Service) Backup(ctx context.Context, a Actor, store string, w io.Writer, program string) (BackupSummary, error) {
	if err := mayBackUp(a); err != nil {
		return BackupSummary{}, err
	}
	for _, b := range s.backups {
		if b.Name() == store {
			return b.Backup(ctx, w, BackupNote{By: a.User, Program: program})
		}
	}
	return BackupSummary{}, Errorf(CodeNotFound, "no store %q can be backed up here", firstRunes(store, 60))
}

// mayBackUp admits administrators, in person: a backup has what no token is good for.
func mayBackUp(a Actor) error {
	switch {
	case a.User == "":
		return Errorf(CodeUnauthenticated, "sign in first")
	case !a.IsAdmin():
		return Errorf(CodeDenied, "you may not make backups; the role admin may")
	case a.Scope != nil:
		return Errorf(CodeDenied, "backups are for people who sign in, not for tokens")
	}
	return nil
}
