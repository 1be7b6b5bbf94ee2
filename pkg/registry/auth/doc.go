// Package auth tells who is asking: it checks passwords, keeps browser sessions and turns an HTTP request into a [registry.Actor].
// What the actor may do is the registry's question, not this package's.
//
// Invariants:
//   - Every answer follows the accounts as they are now: a changed password, a disabled user or an ended session counts on the next request
//     at every node, since [Accounts] is never stale and nothing here outlives it.
//   - A wrong user name and a wrong password cost the same work and give the same answer.
//   - Passwords, session tokens and their encodings are never logged, nor put into an error.
//
// Hashing a password is slow by design, so it is bounded: two hashes at a time, the same credentials hashed once however many requests wait
// for them, and verified credentials remembered in memory under a keyed hash. When too many wait, callers get [registry.CodeUnavailable].
package auth
