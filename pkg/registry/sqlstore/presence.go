package sqlstore

import (
	"context"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	// presenceLength is how long a process counts as one that uses the database after its last word.
	presenceLength = time.Minute
	// PresenceEvery is how often it should give word.
	PresenceEvery = presenceLength / 3

	maxPresent     = 1000
	maxPresentText = 255 // bytes of a name; what is longer is cut
)

// Presence is a process that uses a database, as it says of itself. It is for people: nothing is decided by it.
type Presence struct {
	ID      registry.ID // of the process, new with each start
	Domain  string      // of its cluster
	Node    string
	Version string        // of its program
	Skew    time.Duration // how far the clock of the database is ahead of its own; [Store.Announce] finds it
}

// Announce says that a process uses this database, for about a minute. It is no change of the registry: the change log does not have it.
func (s *Store) Announce(ctx context.Context, p Presence) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	skew, _, err := s.skew(ctx)
	if err != nil {
		return s.fail("announce", err)
	}
	d := s.backend.dialect
	row := "INSERT INTO presence (id, domain, node, version, skew_us, until_us) VALUES (?, ?, ?, ?, ?, " + d.nowUS + " + ?)" +
		d.onConflict("id", "domain", "node", "version", "skew_us", "until_us")
	return s.fail("announce", s.bulk.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "presence", row, p.ID[:], presentText(p.Domain), presentText(p.Node), presentText(p.Version), skew.Microseconds(),
			presenceLength.Microseconds())
		return err
	}))
}

func presentText(s string) []byte {
	return []byte(strings.ToValidUTF8(s[:min(len(s), maxPresentText)], ""))
}

// Withdraw takes back what a process announced, and the rows of those that ended without a word.
func (s *Store) Withdraw(ctx context.Context, id registry.ID) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return s.fail("withdraw", s.bulk.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "presence", "DELETE FROM presence WHERE id = ? OR until_us < "+s.backend.dialect.nowUS, id[:])
		return err
	}))
}

// Present gives the processes that use this database now, in order of their ids, at most a thousand. It reads the whole of a table with a row for each.
func (s *Store) Present(ctx context.Context) ([]Presence, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var all []Presence
	query := "SELECT p.id, p.domain, p.node, p.version, p.skew_us FROM presence p WHERE p.until_us >= " + s.backend.dialect.nowUS + " ORDER BY p.id LIMIT ?"
	err := s.read.each(ctx, "presence", query, []any{maxPresent}, func(rows *sqlx.Rows) error {
		var id, domain, node, version []byte
		var skew int64
		err := rows.Scan(&id, &domain, &node, &version, &skew)
		all = append(all, Presence{toID(id), string(domain), string(node), string(version), time.Duration(skew) * time.Microsecond})
		return err
	})
	return all, s.fail("read who uses the database", err)
}
