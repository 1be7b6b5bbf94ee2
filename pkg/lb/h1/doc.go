// Package h1 reads and writes the messages of HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112) in place: heads of
// requests and responses, and the chunked coding. It does no I/O, and knows nothing of net/http; whoever
// uses it brings the bytes and keeps the buffer.
//
//	bytes -> Request.Parse  -> accessors, AppendLine -> bytes
//	bytes -> Response.Parse -> accessors, AppendLine -> bytes
//	bytes -> Chunks.Decode  -> content, Trailers
//	content -> FrameChunk, AppendLastChunk -> bytes
//
// # Invariants
//
//   - Nothing is copied and nothing is allocated per message once a Request, Response or Chunks is warm.
//     Fields are offsets into the caller's buffer, so it may grow or move between calls; Rebase says where
//     the bytes are now. Errors are made beforehand.
//   - A message in pieces gives the same as in one piece, errors included, wherever it is cut.
//   - The work is linear in the bytes of a message however it is cut: no byte of an unfinished line is
//     looked at again before the line ends, except a few dozen times in a target near its limit. What is
//     compared pair by pair (Connection options with field names) is bounded by MaxOptions and MaxFields.
//   - What is taken is taken by net/http too and means the same there; fuzz targets hold this up.
//   - No value that is given out holds CR, LF or NUL, so what is written from it frames as it was read.
//
// # Where it is stricter than the RFCs
//
// Two readers of one stream must agree on where each message ends, and on whom it is for. Wherever a
// recipient MAY be lenient, and servers are known to differ, this package refuses:
//
//   - Lines end with CR LF; a bare LF is no line end (RFC 9112 section 2.2 allows it). Folded fields, and
//     control characters in values, are refused, not replaced (section 5.2, RFC 9110 section 5.5).
//   - Transfer-Encoding is one field with the value "chunked", and never stands in HTTP/1.0, nor beside
//     Content-Length, which section 6.3 lets it override.
//   - Content-Length is one field with one number of at most 18 digits. In a response the field may be
//     repeated to the letter; a list in one field may not. 1xx and 204 carry neither (a 204 of length 0 passes without it). No tab stands around
//     either value.
//   - A request line has exactly two spaces. The version is 1.0 or 1.1. Methods have at most 32 bytes.
//   - Host is a name of letters, digits, '-', '.', '_' and '~', or an address, with a port or without; never
//     empty, no escapes, no empty port. If the target names an authority, Host repeats it, but for case.
//   - A target in absolute form is http or https, without userinfo, and with a path if it has a query. A %
//     in a path begins an escape.
//   - A Connection field holds tokens, and cannot name Host or Content-Length: dropping these would give the
//     message another meaning.
//   - A Trailer field cannot name Host, Content-Length, Transfer-Encoding or Trailer. Fields that may not be
//     trailers (RFC 9110 section 6.5.1) are dropped from a trailer section.
//   - Chunk sizes are below 2^60, in at most 16 digits, without white space around; extensions follow the
//     grammar without "bad" white space, and are bounded, as is what all size lines take beside the data
//     (CVE-2023-39326).
//   - A name that differs from a known one in punctuation alone (Content_Length) is a Twin, which Hop keeps
//     from going on, or Forwarding: CGI-like servers cannot tell the two.
//
// It is laxer in one thing: a status line may end right behind the code, as many servers leave out the
// space before an empty reason.
package h1
