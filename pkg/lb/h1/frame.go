package h1

// Writing the chunked coding (RFC 9112 section 7.1).

import "math/bits"

// ChunkRoom is how many bytes FrameChunk needs free before the content: the size of any chunk and CR LF.
// Behind the content it needs two.
const ChunkRoom = 16 + 2

// LastChunk ends a chunked body without trailer fields.
const LastChunk = "0\r\n\r\n"

// FrameChunk makes buf[from:to] a chunk where it stands: the size goes right before it, CR LF behind it.
// The chunk is buf[start:end]. An empty one would end the body, so to > from; ChunkRoom says what must be
// free around.
func FrameChunk(buf []byte, from, to int) (start, end int) {
	const hexDigits = "0123456789abcdef"
	size := uint(to - from)
	start = from - 2
	buf[start], buf[start+1] = '\r', '\n'
	for range (bits.Len(size) + 3) / 4 {
		start--
		buf[start] = hexDigits[size&15]
		size >>= 4
	}
	buf[to], buf[to+1] = '\r', '\n'
	return start, to + 2
}

// AppendLastChunk appends the end of a chunked body: the last chunk, the trailer fields, if trailers is
// not nil, and the empty line.
func AppendLastChunk(dst []byte, trailers *Fields) []byte {
	dst = append(dst, "0\r\n"...)
	if trailers != nil {
		for i := range trailers.Len() {
			dst = trailers.AppendLine(dst, i)
		}
	}
	return append(dst, "\r\n"...)
}
