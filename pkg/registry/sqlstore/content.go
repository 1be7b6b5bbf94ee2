package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/regent-registry/regent/pkg/registry"
)

// maxCachedBlob is the largest content that memory keeps.
const maxCachedBlob = 64 << 10

// A content of one piece that memory may keep comes with the first statement.
const blobQuery = "SELECT b.size, b.chunks, b.chunk_size, b.small, b.chunk_set, c.data FROM blob_obj b " +
	"LEFT JOIN blob_chunk c ON c.chunk_set = b.chunk_set AND c.i = 0 AND b.chunks = 1 AND b.size <= ? WHERE b.sha = ?"

// Open implements [registry.Store]. Reading a large content holds one piece in memory; its statements run under ctx.
func (s *Store) Open(ctx context.Context, h registry.Hash) (registry.Content, error) {
	data, ok := lookup(s.mem, s.mem.blobs, h)
	s.metrics.looked("blob", ok)
	if ok {
		return newWhole(data), nil
	}
	var size, chunks, chunkSize int64
	var small, set, first []byte
	err := s.retryRead(ctx, func() error {
		return s.read.one(ctx, "blob", blobQuery, []any{int64(maxCachedBlob), h[:]}, &size, &chunks, &chunkSize, &small, &set, &first)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, registry.Errorf(registry.CodeNotFound, "there is no content with the hash %s", h)
	}
	if err != nil {
		return nil, s.fail("open a content", err)
	}
	if chunks > 0 && first == nil {
		return &pieces{store: s, ctx: ctx, set: toID(set), size: size, chunk: chunkSize, index: -1}, nil
	}
	if chunks > 0 {
		small = first
	}
	if int64(len(small)) != size {
		return nil, fmt.Errorf("store %s: content %s has %d bytes instead of %d", s.name, h, len(small), size)
	}
	keep(s.mem, s.mem.blobs, h, small)
	return newWhole(small), nil
}

// whole is a content in memory. Its bytes are shared: it never writes to them.
type whole struct {
	*bytes.Reader
}

func newWhole(data []byte) *whole { return &whole{bytes.NewReader(data)} }

// Size implements [registry.Content].
func (w *whole) Size() int64 { return w.Reader.Size() }

// Close implements [io.Closer].
func (w *whole) Close() error { return nil }

// pieces is a large content, of which one piece at a time is loaded. Not for concurrent use.
type pieces struct {
	store *Store
	ctx   context.Context //nolint:containedctx // the port's Read has none; this is the one of Open
	set   registry.ID
	size  int64
	chunk int64 // bytes of each piece but the last

	pos    int64
	index  int64 // of the loaded piece, -1 for none
	data   []byte
	closed bool
}

// Size implements [registry.Content].
func (c *pieces) Size() int64 { return c.size }

// Seek implements [io.Seeker].
func (c *pieces) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.pos
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d: before the start", offset)
	}
	c.pos = offset
	return offset, nil
}

// Read implements [io.Reader].
func (c *pieces) Read(p []byte) (int, error) {
	if c.closed {
		return 0, errors.New("read of a closed content")
	}
	if c.pos >= c.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if i := c.pos / c.chunk; i != c.index {
		if err := c.load(i); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.data[c.pos-c.index*c.chunk:])
	c.pos += int64(n)
	return n, nil
}

func (c *pieces) load(i int64) error {
	var data []byte
	err := c.store.retryRead(c.ctx, func() error {
		return c.store.read.one(c.ctx, "chunk", "SELECT data FROM blob_chunk WHERE chunk_set = ? AND i = ?", []any{c.set[:], i}, &data)
	})
	if err != nil {
		return c.store.fail("read a piece of a content", err)
	}
	if want := min(c.chunk, c.size-i*c.chunk); int64(len(data)) != want {
		return fmt.Errorf("store %s: piece %d of chunk set %s has %d bytes instead of %d", c.store.name, i, c.set, len(data), want)
	}
	c.index, c.data = i, data
	return nil
}

// Close implements [io.Closer].
func (c *pieces) Close() error {
	c.closed, c.data = true, nil
	return nil
}
