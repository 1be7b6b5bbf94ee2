// Package mariadb runs a private MariaDB server on loopback: for the tests that need a real database, and for `make run-mysql`.
//
// [Start] makes the data directory where there is none, starts mariadbd with small buffers and returns when it answers. Data stays in the
// directory after Stop, Kill and Restart; a later Start in the same directory finds it. The server listens on 127.0.0.1 alone and has one
// account for TCP, "regent", with a fresh random password at each Start and rights on the databases named regent_… only.
//
// As root the server runs as the user "mysql" (or as root where that user cannot enter the directory). On Linux it dies with the process
// that started it. A server that does not come up is an error that holds the end of its log.
package mariadb
