// Package sqlstore keeps a registry's tree, versions and contents, and its accounts and sessions, in a SQL database: SQLite (one file, shared by
// the processes of one host) or a server of the MySQL family (shared by nodes on many hosts). [Store] implements the Store port of package registry
// and the accounts port of package auth. No SQL exists outside this package and package migrations.
//
// # One order
//
// Every change takes its turn on the row store_head: a write transaction locks it first, and its commit moves it to the next position (seq) of the
// change log with a fresh random tag. So positions are in commit order and without gaps, no update is lost, and writers cannot deadlock. One
// committer goroutine per store gathers the changes that wait into one transaction (commit.go); each of them sees what those before it did, and one
// that fails leaves nothing (unit.go).
//
// # Reads are never stale
//
// What memory holds is exactly the state of the database at the cursor, a position of the change log (memory.go). A read first learns the head, by a
// query that it shares with all reads that arrived before the query was sent (head.go). When the head moved, the log from the cursor on says what to
// evict. When the log does not continue what the cursor saw (the tag differs, the sequence went back, another epoch: a database that lost
// its last commits or was restored) everything is dropped. A row goes into memory only if the snapshot that it was read in is a known point of the
// log and nothing touched the row since, so a slow reader cannot put back what a commit evicted.
//
// # Tenants
//
// A store serves one tenant: names of users and roles are looked up in that tenant alone, and paths begin at its root (tenant.go). It is the super tenant,
// which is known without a look at its row, so requests cost no statement for it. Another tenant is rows (tenant, its root in node and version, its accounts
// and roles) and a store opened for it, with memory of its own; nothing makes either yet. What goes by an id needs no tenant: sessions and tokens hang on the
// account, everything else on a node. What keeps the name of a user (authors, ratings, saved searches, keys of requests) wants names that are unique in
// the whole database: outside the super tenant, a user's name there has to be the one with the domain.
//
// # Failure
//
// A transaction that the database refused for a passing reason (deadlock, lock wait, conflict, busy, lost connection) is run again for ten seconds. An error at
// COMMIT tells nothing; the operation's id in the log does, looked up in a transaction of its own once the head row is free. A writer that freezes in
// a transaction loses its connection on MySQL after five seconds. A database that cannot be reached is CodeUnavailable within seconds.
// Contents stream in before anything names them; sweep.go removes what a dead process left.
package sqlstore
