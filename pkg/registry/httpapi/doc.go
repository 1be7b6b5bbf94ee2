// Package httpapi is the registry's door for programs: the REST API under /api/v1/, the calls of WSO2's registry under /resource/1.0.0/ and
// raw contents under /registry/resource/.
//
// Invariants:
//   - Nobody learns anything before signing in, not even whether a URL exists.
//   - A URL means exactly what it says: its path is taken as the client sent it, decoded once, and refused when it is not in the one form
//     that a path has. Nothing is cleaned up or redirected.
//   - If-Match, If-None-Match, entity tags and Registry-Seq mean the same at all three.
//   - Bytes that users stored cannot act as the registry in a browser: they come with a sandbox, without sniffing, and as a download unless
//     their type is harmless.
//   - A body is streamed; a refused or cut-off one has changed nothing.
//
// Every handler returns its error; one place ([handler.fail]) turns it into the answer and logs what is our fault, once. Answers are
// application/problem+json (RFC 9457), but text/plain at /resource/1.0.0/, whose clients know no other.
package httpapi
