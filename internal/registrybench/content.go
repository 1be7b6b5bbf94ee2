package registrybench

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A content says in its head which resource it is of and which write of the run it is; the rest is words, in a place of the filler that the write chooses.
const headSize = 27 // bytes: resource and write as hexadecimal digits

// fillerSize is no multiple of anything, so that what was cut out or put together wrongly does not look right.
const fillerSize = 65_521

// filler is text as people write it, as far as a search index can tell: a few words often, most seldom.
type filler string

func newFiller() filler {
	random := rand.New(rand.NewPCG(1, 2)) // the same text in each run
	words := make([]string, 2000)
	for i := range words {
		b := make([]byte, 3+random.IntN(8))
		for j := range b {
			b[j] = byte('a' + random.IntN(26))
		}
		words[i] = string(b)
	}
	var text strings.Builder
	for text.Len() < fillerSize {
		text.WriteString(words[int(float64(len(words))*random.Float64()*random.Float64())])
		text.WriteByte(" \n"[random.IntN(12)/11])
	}
	return filler(text.String()[:fillerSize])
}

// content is what one write stores. It is made while it is read, and seeks.
type content struct {
	head string
	text filler
	from int // where in the text it begins
	size int64
	at   int64
}

func (f filler) content(resource int, write uint64, size int64) *content {
	return &content{head: fmt.Sprintf("%08x %016x\n\n", resource, write), text: f, from: int(write * 7919 % fillerSize), size: size}
}

// Read implements [io.Reader].
func (c *content) Read(b []byte) (int, error) {
	if c.at >= c.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), c.size-c.at)]
	n := 0
	if c.at < headSize {
		n = copy(b, c.head[c.at:])
	}
	for n < len(b) {
		place := (int64(c.from) + c.at + int64(n)) % fillerSize
		n += copy(b[n:], c.text[place:])
	}
	c.at += int64(n)
	return n, nil
}

// Seek implements [io.Seeker].
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return c.at, errors.New("seek before the beginning")
	}
	c.at = offset
	return offset, nil
}

// check reads a content, and tells whether it is one that a write, up to the last that was begun, stored in a resource.
func (f filler) check(r io.Reader, resource int, size int64, last uint64) error {
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	of, write, ok := parseHead(head[:n])
	if !ok || of != uint64(resource) || write > last {
		return &wrongError{fmt.Sprintf("the content begins with %q, which no write of this run stored there", head[:n])}
	}
	want := f.content(resource, write, size)
	want.at = headSize
	got, expected := make([]byte, 16<<10), make([]byte, 16<<10)
	for at := int64(headSize); ; {
		n, err := r.Read(got)
		m, _ := io.ReadFull(want, expected[:n])
		if m != n || string(got[:n]) != string(expected[:n]) {
			return &wrongError{fmt.Sprintf("the content is not that of its write from byte %d on, or one close behind", at)}
		}
		at += int64(n)
		switch {
		case errors.Is(err, io.EOF) && at == size:
			return nil
		case errors.Is(err, io.EOF):
			return &wrongError{fmt.Sprintf("the content has %d bytes; %d were stored", at, size)}
		case err != nil:
			return err
		}
	}
}

// parseHead reads the head of a content.
func parseHead(head []byte) (resource, write uint64, ok bool) {
	if len(head) < headSize {
		return 0, 0, false
	}
	resource, err1 := strconv.ParseUint(string(head[:8]), 16, 64)
	write, err2 := strconv.ParseUint(string(head[9:25]), 16, 64)
	return resource, write, err1 == nil && err2 == nil
}

// wrongError is an answer that is not what was stored.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }
