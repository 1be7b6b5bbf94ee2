// Package wire is TCP as the load balancer's data plane uses it: connections, plain or under TLS, whose waits end in time, whose bytes
// can be moved to another connection without passing through the process, and that know what the other side has certainly not heard.
// It knows nothing of HTTP. It is for Linux: it uses splice(2), MSG_TRUNC and TCP_INFO.
//
// # Parts
//
//   - Watch: one goroutine that ends waits of all its connections. A deadline is a number in memory: no timer, no system call.
//   - Conn: one connection. Reading and writing go straight to the kernel, without an allocation.
//   - Pipes: moves bodies between two plain connections by splice(2).
//
// # Invariants
//
//   - A connection that waits holds no buffer of the caller, if it is read by ReadLazy.
//   - Written never says less than the peer may have seen.
//   - A pipe with bytes of one body in it is never used for another body.
//   - A deadline never ends a wait early by more than a tick, and ends it at most two ticks late.
package wire
