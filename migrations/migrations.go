// Package migrations holds the schema of a registry store as numbered SQL steps, once for each kind of database.
//
// Both folders have the same numbers and names, and steps are only ever added: a released step never changes, since databases remember it by its
// number alone. The files are in goose's form. Steps for MySQL can run again after they were cut short, because MySQL does not roll back DDL.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed mysql/*.sql sqlite/*.sql
var files embed.FS

// MySQL gives the steps for MySQL and its relatives (MariaDB, Galera, TiDB).
func MySQL() fs.FS { return sub("mysql") }

// SQLite gives the steps for SQLite.
func SQLite() fs.FS { return sub("sqlite") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic("migrations: the folder " + dir + " is not embedded: " + err.Error()) // cannot happen: the name is a constant of this file
	}
	return f
}
