// Package registrybench puts load on a running registry through its API, and measures how it answers: for the operators of a cluster, on the cluster
// that they have.
//
// What a run does: it makes a collection of its own, stores resources in it, lets clients put, get and list them for a time, and removes the collection,
// also from the trash, whatever happened before.
//
// Invariants:
//   - A path that exists already is refused as the working collection: what is removed at the end is what the run made.
//   - A read counts only when it is right: the bytes are those of a write of this run to that resource, and the version is not older than the newest one that
//     was acknowledged before the read began.
//   - No request is sent again: each failure counts. Failures are no part of the latencies.
//   - With a rate, requests are due at fixed times, and their latency counts from then on: an answer that is late makes those that wait behind it late, too.
//   - Memory does not grow with the duration, the rate or the size of the contents.
package registrybench
