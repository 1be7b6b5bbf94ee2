// Package tenants tells the ids of tenants, by which a load balancer with tenant ranges chooses the domain of a request. There are two sources: a
// file that lists them (File), and an HTTP server that is asked for each (Remote).
//
// # Invariants
//
//   - An answer comes soon. A File answers from memory. A Remote waits for its server no longer than its timeout, and not at all for a tenant
//     that it has known, or while the server is failing.
//   - What is wrong never replaces what was right: a list with faults, or a server that fails, leaves the ids that were known.
//   - Memory is bounded: by the size of the list, or by the number of remembered answers.
package tenants
