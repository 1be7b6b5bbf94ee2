package h1

// Decoding the chunked coding (RFC 9112 section 7.1).

import "bytes"

const (
	maxExtension = 256      // bytes of the extensions of one chunk
	maxOverhead  = 16 << 10 // bytes of size lines beyond what the data excuses
	maxHexDigits = 16       // leading zeros included
	maxChunk     = 1<<60 - 1
)

// chunkState is what the next byte belongs to.
type chunkState uint8

const (
	atSize      chunkState = iota // the first digit of a size
	inSize                        // a further digit, or what ends them
	inExt                         // extensions; extState says where in them
	atSizeLF                      // the LF of a size line
	inData                        // content
	atDataCR                      // the CR behind content
	atDataLF                      // the LF behind content
	atTrailer                     // the first byte of a trailer line
	inTrailer                     // a further byte of it
	atFinalLF                     // the LF of the empty line at the end
	chunksEnded                   // nothing more
)

// Chunks decodes a chunked body as it comes, in place. The zero value is ready for a first body. One
// goroutine at a time.
type Chunks struct {
	state    chunkState
	ext      extState
	hex      uint8 // digits of the size so far
	line     int   // bytes of the extensions so far
	left     int64 // size so far, then data still to come
	overhead int64
	tail     []byte // the trailer lines
	trailers Fields
}

// Reset makes c ready for the next body and keeps its memory.
func (c *Chunks) Reset() {
	c.trailers.reset()
	*c = Chunks{tail: c.tail[:0], trailers: c.trailers}
}

// Decode takes the next raw bytes of a body in buf and moves the content in them to the front, so that
// buf[:n] is content. used is how many raw bytes belong to the body: all of them, unless done says that
// the body has ended; what follows is left where it was. err is an *Error with status 400; n bytes of
// content came before it, and only Reset makes c usable again.
func (c *Chunks) Decode(buf []byte) (n, used int, done bool, err error) {
	for used < len(buf) && c.state != chunksEnded {
		var broken *Error
		switch c.state {
		case inData:
			k := int(min(c.left, int64(len(buf)-used)))
			n += copy(buf[n:], buf[used:used+k])
			used += k
			if c.left -= int64(k); c.left == 0 {
				c.state = atDataCR
			}
			continue
		case inTrailer:
			var k int
			k, broken = c.trailerLine(buf[used:])
			used += k
		default:
			broken = c.step(buf[used])
			if c.state != inTrailer {
				used++ // the first byte of a trailer line is read again with the line
			}
		}
		if broken != nil {
			return n, used, false, broken
		}
	}
	return n, used, c.state == chunksEnded, nil
}

// Trailers gives the trailer fields when the body has ended. Those that may not be trailers (RFC 9110
// section 6.5.1) are not among them. They live until Reset.
func (c *Chunks) Trailers() *Fields { return &c.trailers }

// step takes one byte that is neither content nor part of a trailer line.
func (c *Chunks) step(b byte) *Error {
	switch c.state {
	case atSize, inSize:
		return c.sizeByte(b)
	case inExt:
		return c.extByte(b)
	case atSizeLF:
		if b != '\n' {
			return errChunkSize
		}
		return c.sizeEnd()
	case atDataCR:
		if b != '\r' {
			return errChunkEnd
		}
		c.state = atDataLF
	case atDataLF:
		if b != '\n' {
			return errChunkEnd
		}
		c.state, c.hex, c.line = atSize, 0, 0
	case atTrailer:
		if c.state = inTrailer; b == '\r' {
			c.state = atFinalLF
		}
	case atFinalLF:
		if b != '\n' {
			return errChunkEnd
		}
		c.state = chunksEnded
	default:
	}
	return nil
}

// sizeByte takes a byte of a size, or the one that ends it.
func (c *Chunks) sizeByte(b byte) *Error {
	digit := unhex[b]
	switch {
	case digit != noHex:
		if c.hex++; c.hex > maxHexDigits || c.left > maxChunk>>4 {
			return errChunkSize
		}
		c.left = c.left<<4 | int64(digit)
		c.state = inSize
	case c.state == atSize:
		return errChunkSize
	case b == '\r':
		c.state = atSizeLF
	case b == ';':
		c.state, c.ext, c.line = inExt, atExtName, 1
	default:
		return errChunkSize
	}
	return nil
}

// sizeEnd weighs a size line: what it takes on the wire, beside what the data excuses, adds up. A body of
// tiny chunks passes, one of long extensions around tiny chunks does not (CVE-2023-39326).
func (c *Chunks) sizeEnd() *Error {
	c.overhead += int64(c.hex) + int64(c.line) + 4 // two line ends
	c.overhead = max(0, c.overhead-16-2*min(c.left, maxOverhead))
	switch {
	case c.overhead > maxOverhead:
		return errChunkOverhead
	case c.left == 0:
		c.state = atTrailer
	default:
		c.state = inData
	}
	return nil
}

// trailerLine takes bytes of a trailer line up to its end, and gives how many it took.
func (c *Chunks) trailerLine(buf []byte) (used int, err *Error) {
	lf := bytes.IndexByte(buf, '\n')
	used = lf + 1
	if lf < 0 {
		used = len(buf)
	}
	if len(c.tail)+used > MaxTrailers {
		return used, errTrailersLarge
	}
	c.tail = append(c.tail, buf[:used]...)
	if lf < 0 {
		return used, nil
	}
	t := &c.trailers
	t.buf = c.tail
	if f := t.add(c.tail, len(c.tail)-1); f != fine {
		return used, trailerErrors[f]
	}
	if at := t.list[len(t.list)-1]; !isTrailer(at.id, t.Name(len(t.list)-1)) {
		t.list = t.list[:len(t.list)-1]
	}
	t.next(len(c.tail) - 1)
	c.state = atTrailer
	return used, nil
}
