// Package registrycli is the verbs with which people and scripts use a running registry from a terminal: ls, get, put and the others.
//
// Invariants:
//   - Credentials go to the server that they were given for: those that login stored are used for its URL alone.
//   - What a verb prints for programs goes to standard output, all else to standard error. What comes from the network cannot act on a terminal.
//   - The exit status tells the kind of failure (see [Main]).
//   - A file that get was told to write is the whole content, its digest checked, or is not touched.
package registrycli
