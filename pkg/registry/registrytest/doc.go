// Package registrytest is the contract of a store as tests: what registry.Store and the accounts port promise, run against any implementation with
// [RunStoreTests]. It also starts the MySQL-family server that such tests need ([StartMySQL]).
//
// Only test files import it.
package registrytest
