package sqlstore

import (
	"context"
	"io/fs"
	"strconv"
	"strings"
)

// Info describes the database, for people.
type Info struct {
	Dialect  string // "sqlite" or "mysql"
	Database string // product and version, as the server tells them
	Location string // file, or host, port and database; never a password
	Schema   int64  // version of the tables that this program knows
}

// Info asks the database who it is. With an error the fields that need no database are filled all the same.
func (s *Store) Info(ctx context.Context) (Info, error) {
	d := s.backend.dialect
	info := Info{Dialect: d.name, Location: s.backend.where, Schema: newest(migrationNumbers(d.migrations()))}
	var version string
	if err := s.read.one(ctx, "info", d.version, nil, &version); err != nil {
		return info, s.fail("ask the database for its version", err)
	}
	info.Database = d.product(version)
	return info, nil
}

// migrationNumbers are those that the migrations' names begin with.
func migrationNumbers(files fs.FS) []int64 {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil // the pattern is a good one
	}
	var numbers []int64
	for _, name := range names {
		digits, _, _ := strings.Cut(name, "_")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// mysqlProduct reads the product out of the version that a server of the MySQL family tells, such as "10.11.6-MariaDB-0+deb12u1".
func mysqlProduct(version string) string {
	number, rest, _ := strings.Cut(version, "-")
	for _, product := range []string{"MariaDB", "TiDB"} {
		if strings.Contains(rest, product) {
			return product + " " + number
		}
	}
	return "MySQL " + number
}
