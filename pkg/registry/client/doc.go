// Package client calls the REST API of a registry (/api/v1) from Go programs. It links the standard library alone.
//
//	c, err := client.New(client.Config{URL: "https://registry.example:8243", Credentials: client.Basic("admin", password)})
//	res, err := c.Put(ctx, "/_system/governance/pay.yaml", file, client.PutOptions{})
//	content, err := c.Get(ctx, "/_system/governance/pay.yaml", client.GetOptions{})
//
// Invariants:
//   - Credentials go to the host of Config.URL and nowhere else: redirects are not followed, and over plain HTTP they leave this machine only where
//     Config.InsecureHTTP says so.
//   - A content that was read to its end is what the server said that it is, by SHA-256, and one that was stored is what was sent.
//   - A request is repeated only where that cannot do harm (see below), a bounded number of times. Every call ends with its context.
//
// What is repeated. A read is repeated after 502, 503, 504 and broken connections; a download that breaks off goes on where it was, on the same
// version. A change is repeated after those only when the server can tell a repetition from a new change: with If-Match, If-None-Match or an idempotency
// key, which the client makes itself for a change that has none of them. Any change is repeated when it was
// certainly not carried out: no connection could be made, or the registry itself said that it is not available. A body is repeated only when it can be
// read again, that is, when it is an [io.Seeker] that seeks. When the answer to a change was lost and nobody can say whether it was made, the error is
// [ErrOutcomeUnknown].
//
// Paths are those of resources, with plain names: the client escapes them. What the server does not take as a path it refuses ([ErrInvalid]).
package client
