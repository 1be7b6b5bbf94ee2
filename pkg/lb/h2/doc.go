// Package h2 reads and writes what HTTP/2 (RFC 9113) is made of, for a server: frames, and field blocks in the
// compression of HPACK (RFC 7541). It does no I/O, has no goroutines and keeps no streams; whoever uses it brings
// the bytes, and knows which streams there are and what their windows hold.
//
//	9 bytes -> ParseFrame -> Check -> Content, Fragment, EachSetting … of the payload
//	fragments -> Decoder -> a head in the words of HTTP/1 -> package h1
//	answer -> AppendStatus, AppendField -> a field block -> frames
//
// # A request becomes text
//
// A Decoder writes a request's head as HTTP/1 would, so that one parser decides what is a good request and
// nothing gets further that HTTP/1 could not say. What it takes cannot be read in two ways: each field becomes
// one line (cookies share one, and a host that repeats :authority has none), and none of their bytes can end it.
//
// # Invariants
//
//   - Nothing is allocated for a frame, for an answer's fields, or for a request whose fields are all in the tables of
//     HPACK. A literal costs the string that the decompressor makes of it. Errors are made beforehand.
//   - A field block in pieces gives the same as in one piece, wherever it is cut.
//   - The decompressor sees every block to its end, whatever is wrong with the request in it: its table has to
//     stay in step with the client's. What it costs is bounded by the bytes that came, not by what they expand to.
//   - Text that is given out parses in package h1 as the fields that were sent and no others, or is refused there.
//
// # Where it is stricter than the RFCs
//
//   - The scheme is http or https, in lower case. An authority has letters, digits and -._~:[] alone.
//   - A frame that is too long ends the connection, even where RFC 9113 section 4.2 would let the stream alone end.
//   - A host field beside :authority repeats it, but for case, and is there once.
//   - Control characters are refused in values, all but tabs inside, where RFC 9113 section 8.2.1 names three of them.
//   - Field names are tokens: section 8.2.1 has a minimum, which lets through what RFC 9110 section 5.1 does not.
package h2
