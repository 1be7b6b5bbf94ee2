package h2

// What the tests share: fields, blocks made by another encoder, and decoding them in pieces.

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

type field struct{ name, value string }

// get is a good request, with more fields behind it.
func get(more ...field) []field {
	return append([]field{{":method", "GET"}, {":scheme", "https"}, {":path", "/p"}, {":authority", "a.test"}}, more...)
}

// without drops the field of that name, and replace gives it another value; both leave fields as it was.
func without(fields []field, name string) []field { return edit(fields, name, nil) }

func replace(fields []field, name, value string) []field { return edit(fields, name, &value) }

func edit(fields []field, name string, value *string) []field {
	var out []field
	for _, f := range fields {
		switch {
		case f.name != name:
			out = append(out, f)
		case value != nil:
			out = append(out, field{name, *value})
		}
	}
	return out
}

// encoder makes field blocks the way that x/net does: with the dynamic table and Huffman codes.
type encoder struct {
	buf bytes.Buffer
	enc *hpack.Encoder
}

func newEncoder() *encoder {
	e := &encoder{}
	e.enc = hpack.NewEncoder(&e.buf)
	return e
}

func (e *encoder) block(t testing.TB, fields []field) []byte {
	t.Helper()
	e.buf.Reset()
	for _, f := range fields {
		if err := e.enc.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Clone(e.buf.Bytes())
}

func block(t testing.TB, fields []field) []byte {
	t.Helper()
	return newEncoder().block(t, fields)
}

// decode decodes a head in fragments that end at the given offsets, and at last at the end of the block. Each fragment
// is spoilt when the decoder has seen it.
func decode(d *Decoder, block []byte, ends ...int) (Head, error) {
	d.Begin(nil)
	return finish(d, block, ends...)
}

func decodeTrailers(d *Decoder, block []byte, ends ...int) (Head, error) {
	d.BeginTrailers(nil)
	return finish(d, block, ends...)
}

func finish(d *Decoder, block []byte, ends ...int) (Head, error) {
	from := 0
	for _, end := range append(ends, len(block)) {
		fragment := bytes.Clone(block[from:end])
		if err := d.Write(fragment); err != nil {
			return Head{}, err
		}
		for i := range fragment {
			fragment[i] = '!'
		}
		from = end
	}
	return d.End()
}

// outcome is all that a decoder says of a block, as text.
func outcome(h Head, err error) string {
	var broken *Error
	if errors.As(err, &broken) {
		return fmt.Sprintf("error %v, stream %t", broken, broken.Stream)
	}
	return fmt.Sprintf("%q malformed %q too large %t length %t", h.Text, h.Malformed, h.TooLarge, h.HasLength)
}

// wantError fails unless err is for the connection, or the stream, and has the code.
func wantError(t *testing.T, err error, code Code, stream bool) {
	t.Helper()
	var broken *Error
	if !errors.As(err, &broken) || broken.Code != code || broken.Stream != stream {
		t.Errorf("error %v; want %v, stream %t", err, code, stream)
	}
}

// indexes makes a block of references to the tables.
func indexes(from, to int) []byte {
	var b []byte
	for i := from; i < to; i++ {
		b = appendInt(b, indexed, 7, i)
	}
	return b
}

// literal makes a field without index or Huffman code.
func literal(name, value string) []byte {
	b := appendInt([]byte{0}, 0, 7, len(name))
	b = append(b, name...)
	b = appendInt(b, 0, 7, len(value))
	return append(b, value...)
}

// kept makes the same field and has it put into the table.
func kept(name, value string) []byte {
	b := literal(name, value)
	b[0] = 0x40
	return b
}

func lines(parts ...string) string { return strings.Join(parts, "\r\n") + "\r\n" }

// indexedGet makes the block of get that leaves the dynamic table alone.
func indexedGet() []byte {
	return slices.Concat([]byte{indexed | 2, indexed | 7}, literal(":path", "/p"), literal(":authority", "a.test"))
}
