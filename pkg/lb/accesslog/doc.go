// Package accesslog writes one line for every request that a proxy finished, without making requests wait for it.
//
// Add formats a Record into a buffer in memory; one goroutine writes the buffer out. There are two halves: while one is being written, the
// other is filled. Memory is therefore bounded, and a record that finds no room in either half is dropped and counted: a log that nobody
// reads must not stop the traffic.
//
// # Lines
//
// A line has the look of the program's other log lines: text is "2006-01-02 15:04:05.000 INF request key=value ...", JSON is that of
// slog.JSONHandler. Keys come in a fixed order: request_id, client, method, host, path, proto, tls, status, bytes, bytes_in, service, domain,
// sub_domain, member, attempts, wait, connect, first_byte, duration, failure, no_retry, error. Status, bytes and duration are always
// there; others are left out when they are empty or 0. Durations are Go's duration text, from a millisecond on in whole microseconds; in JSON they are nanoseconds.
//
// # Invariants
//
//   - A record is one line, whatever bytes a client or member put into it: control bytes, what is no UTF-8, and characters that cannot be
//     seen (those that turn the direction of writing, for instance) are escaped. In text, a value with white space, a quote or "=" stands in
//     quotes and reads back by strconv.Unquote.
//   - A value that is longer than its limit (4,096 bytes for a path) is cut, which "..." at its end shows. No client fills the log with one request.
//   - Add never waits for the writer, and allocates nothing but what Error.Error allocates.
//   - What was added before Close is in what Close writes, unless it was counted as dropped. Lines are written in the order of the calls of Add.
//
// # Failure behaviour
//
// When the writer fails, the lines that it did not take are counted as dropped; the next buffer is tried again, on a new line. When it is slow, new
// records are dropped. Either is told by one warning a minute, at most, to Options.Logger, once the write has returned. A Write that never
// returns keeps the goroutine: Close then gives up when its context ends.
package accesslog
