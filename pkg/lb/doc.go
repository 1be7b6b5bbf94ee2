// Package lb is the load balancer's request path: it decides which member answers a request, sends the
// request there, and puts the answer, or an honest error, in the client's hands.
//
// One request goes one way:
//
//	listener -> screen -> route (host) -> pool -> pick -> forward -> (retry) -> log and metrics
//
// # Parts
//
//   - Routes: what the operator configured, host -> pool; compiled once.
//   - Table: Routes plus the members known now. It is immutable, built aside by the pure function
//     NewTable and swapped atomically, so requests never lock and never see half a change.
//   - Pool: the members of one (domain, sub-domain). A Balancer chooses among them.
//   - Forwarder: the engine that carries one request to one member. Everything else (routing, picking,
//     retrying, headers, answers, metrics) stays outside, so that an engine can be replaced.
//   - Discovery: turns snapshots of gossip groups into tables, and says in the log who came and went.
//
// # Invariants
//
//   - A client cannot add to, fake or remove what the proxy says about it (X-Forwarded-*, Forwarded),
//     unless its address is a trusted proxy. It may name its request (X-Request-Id), in harmless characters.
//   - A request is sent a second time only if nothing of it was sent, or if its method is idempotent and
//     its body is still there; and never to the same member while another one is eligible. No header makes an
//     exception, and nothing below the Forwarder repeats a request of which something was sent.
//   - An answer that breaks off after its head went to the client is never ended cleanly.
//   - Label values of metrics come from the configuration and the member table alone.
//
// # Failure behaviour
//
// A refused connection ejects the member here at once, without waiting for gossip, for one second and
// doubling up to thirty; the last usable member is never ejected. With all members gone the answer is 503
// with Retry-After; a member that cannot be reached or breaks off gives 502, one that is too slow 504.
package lb
