package h1

// Field sections: the lines between a start line and the body, and behind a chunked body.

import "bytes"

// Limits of a message. What goes beyond them is refused with 431, a long target with 414.
const (
	MaxHead     = 64 << 10 // bytes of a whole head: start line, fields, and the empty line
	MaxTarget   = 16 << 10 // bytes of a request target
	MaxFields   = 256      // fields of a head or of a trailer section
	MaxTrailers = 8 << 10  // bytes of a trailer section
	MaxOptions  = 32       // options in all Connection fields of a head
)

// Fields is a field section inside a buffer. It holds offsets alone, so the buffer may move between
// calls. The bytes it gives out are parts of that buffer and live as long. One goroutine at a time.
type Fields struct {
	buf    []byte
	list   []field
	seen   idSet // of the fields in list
	pos    int   // where the line being read begins
	looked int   // there is no LF between pos and here
}

// field is where a field stands, as offsets from the start of the buffer.
type field struct {
	start, colon uint32 // the name is buf[start:colon]
	value, end   uint32 // without white space around it
	id           ID
	plain        bool // the line is exactly "Name: value\r\n"
	hop          bool // it belongs to this connection alone
}

// span is a part of the buffer.
type span struct{ from, to uint32 }

func (s span) of(buf []byte) []byte { return buf[s.from:s.to] }

// span gives a part of the line being read as a part of the buffer.
func (f *Fields) span(from, to int) span { return span{uint32(f.pos + from), uint32(f.pos + to)} }

func (f *Fields) reset() {
	*f = Fields{list: f.list[:0]}
}

// Len gives how many fields there are.
func (f *Fields) Len() int { return len(f.list) }

// ID tells what field i is.
func (f *Fields) ID(i int) ID { return f.list[i].id }

// Name gives the name of field i as it was sent.
func (f *Fields) Name(i int) []byte {
	at := &f.list[i]
	return f.buf[at.start:at.colon]
}

// Value gives the value of field i without the white space around it; it may be empty, and hold bytes
// above 0x7f.
func (f *Fields) Value(i int) []byte {
	at := &f.list[i]
	return f.buf[at.value:at.end]
}

// Line gives field i as it can be sent on, "Name: value\r\n", if it came exactly so; else nil, and
// AppendLine writes it.
func (f *Fields) Line(i int) []byte {
	at := &f.list[i]
	if !at.plain {
		return nil
	}
	return f.buf[at.start : at.end+2]
}

// AppendLine appends field i as "Name: value\r\n".
func (f *Fields) AppendLine(dst []byte, i int) []byte {
	at := &f.list[i]
	if at.plain {
		return append(dst, f.buf[at.start:at.end+2]...)
	}
	dst = append(dst, f.buf[at.start:at.colon]...)
	dst = append(dst, ": "...)
	dst = append(dst, f.buf[at.value:at.end]...)
	return append(dst, "\r\n"...)
}

// First gives the value of the first field with this ID, nil if there is none.
func (f *Fields) First(id ID) []byte {
	if !f.seen.has(id) {
		return nil
	}
	for i := range f.list {
		if f.list[i].id == id {
			return f.Value(i)
		}
	}
	return nil
}

// Count gives how many fields have this ID.
func (f *Fields) Count(id ID) int {
	if !f.seen.has(id) {
		return 0
	}
	n := 0
	for i := range f.list {
		if f.list[i].id == id {
			n++
		}
	}
	return n
}

// Find gives the value of the first field of that name, in any case, nil if there is none. For names with
// an ID, First is the quick way.
func (f *Fields) Find(name string) []byte {
	for i := range f.list {
		if have := f.Name(i); len(have) == len(name) && equalFoldString(have, name) {
			return f.Value(i)
		}
	}
	return nil
}

// Rebase says that the bytes parsed are now at the start of buf.
func (f *Fields) Rebase(buf []byte) { f.buf = buf }

// lineEnd finds the LF of the line that begins at pos, -1 if it has not come yet. It looks at every byte
// once, however often it is called, and at none beyond limit.
func (f *Fields) lineEnd(buf []byte, limit int) int {
	if len(buf) > limit {
		buf = buf[:limit]
	}
	i := bytes.IndexByte(buf[f.looked:], '\n')
	if i < 0 {
		f.looked = len(buf)
		return -1
	}
	return f.looked + i
}

// next moves on to the line behind the LF at lf.
func (f *Fields) next(lf int) { f.pos, f.looked = lf+1, lf+1 }

// add reads the field line that begins at pos and ends with the LF at lf.
func (f *Fields) add(buf []byte, lf int) fault {
	start := f.pos
	if lf == start || buf[lf-1] != '\r' {
		return bareLF
	}
	line := buf[start : lf-1]
	colon := bytes.IndexByte(line, ':')
	if colon < 0 || isSpace(line[0]) {
		return brokenLine(line)
	}
	id, ok := identify(line[:colon])
	if !ok {
		return brokenName(line[:colon])
	}
	if !isText(line[colon+1:]) {
		return badValue
	}
	if len(f.list) == MaxFields {
		return tooManyFields
	}
	value, end := Trim(line, colon+1, len(line))
	f.seen |= 1 << id
	f.list = append(f.list, field{
		start: uint32(start),
		colon: uint32(start + colon),
		value: uint32(start + value),
		end:   uint32(start + end),
		id:    id,
		plain: value == colon+2 && line[colon+1] == ' ' && end == len(line),
		hop:   hops.has(id),
	})
	return fine
}

func brokenLine(line []byte) fault {
	if len(line) > 0 && isSpace(line[0]) {
		return folded
	}
	return noColon
}

func brokenName(name []byte) fault {
	if len(name) > 0 && isSpace(name[len(name)-1]) {
		return spaceBeforeColon
	}
	return badName
}
