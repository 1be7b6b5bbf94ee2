// Package registry is the domain of the governance registry: what a resource, a collection, a version and a mount are, which rules hold for
// them, and the use cases ([Service]) that every door (REST, console, …) calls. It does no I/O of its own: bytes, rows and clocks come
// through the interfaces in ports.go, declared here by their consumer.
//
// Invariants:
//   - A [Path] is absolute, NFC-normalised and within the limits; nothing else reaches a store.
//   - A version is immutable. Every change of content or metadata of a resource makes exactly one new version; putting what is already
//     there makes none.
//   - A use case authorises, then validates, then changes a store in one transaction. What it refused changed nothing.
//   - A read sees every write that was acknowledged, by any node, before the read began ([Freshness] tells how to relax that).
package registry
