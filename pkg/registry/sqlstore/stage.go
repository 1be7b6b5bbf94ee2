package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/regent-registry/regent/pkg/registry"
)

// smallContent is the largest content that lies in the row of its hash; larger ones lie in pieces.
const smallContent = 4 << 10

// staged is a content that the store has received. A small one is in memory, and the transaction that names it writes it. The pieces of a
// large one are in the database under a chunk set of their own, made before the hash was known, with a row in the table staged; whoever deletes
// that row owns the pieces: the transaction that names the content, Discard, or the sweeper.
type staged struct {
	store  *Store
	hash   registry.Hash
	size   int64
	small  []byte
	set    registry.ID
	chunks int64

	mu      sync.Mutex
	settled bool // no pieces are left that Discard would have to delete
}

var _ registry.Staged = (*staged)(nil)

// Hash implements [registry.Staged].
func (g *staged) Hash() registry.Hash { return g.hash }

// Size implements [registry.Staged].
func (g *staged) Size() int64 { return g.size }

// settle says that the pieces have an owner, or that there are none.
func (g *staged) settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = true
}

// Discard implements [registry.Staged]. What it cannot delete now the sweeper deletes later.
func (g *staged) Discard() {
	g.mu.Lock()
	settled := g.settled
	g.settled = true
	g.mu.Unlock()
	if settled {
		return
	}
	ctx, cancel := context.WithTimeout(g.store.life, sweepTimeout)
	defer cancel()
	if _, err := g.store.dropPieces(ctx, g.set); err != nil {
		g.store.log.Warn("left an unused content to the sweeper", "chunk_set", g.set.String(), "error", err)
	}
}

// dropPieces deletes a chunk set that no content owns; it tells false when one does, or somebody else deleted it.
func (s *Store) dropPieces(ctx context.Context, set registry.ID) (bool, error) {
	dropped := false
	err := s.bulk.within(ctx, func(t *txn) error {
		n, err := t.exec(ctx, "unstage", "DELETE FROM staged WHERE chunk_set = ?", set[:])
		if err != nil || n == 0 {
			return err
		}
		dropped = true
		_, err = t.exec(ctx, "unstage", "DELETE FROM blob_chunk WHERE chunk_set = ?", set[:])
		return err
	})
	return dropped && err == nil, err
}

// Stage implements [registry.Store]. It holds one piece in memory.
func (s *Store) Stage(ctx context.Context, r io.Reader, limit int64) (registry.Staged, error) {
	if limit < 0 {
		limit = 0
	}
	in := &intake{store: s, in: r, left: limit, limit: limit, sum: sha256.New()}
	first := make([]byte, smallContent+1)
	n, err := in.read(first)
	if err != nil {
		return nil, err
	}
	g := &staged{store: s, settled: true}
	if n <= smallContent {
		g.small = append([]byte{}, first[:n]...)
	} else if err := in.store.stagePieces(ctx, in, first[:n], g); err != nil {
		return nil, err
	}
	g.size = in.got
	in.sum.Sum(g.hash[:0])
	if g.chunks == 0 {
		return g, nil
	}
	has, err := s.hasContent(ctx, g.hash)
	if err != nil {
		g.Discard()
		return nil, s.fail("look for a content", err)
	}
	if has {
		g.Discard()
	}
	return g, nil
}

// stagePieces writes what first begins and in continues with, piece by piece.
func (s *Store) stagePieces(ctx context.Context, in *intake, first []byte, g *staged) error {
	set, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	g.set, g.settled = registry.ID(set), false
	buf, _ := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	if err := s.stageRow(ctx, "INSERT INTO staged (chunk_set) VALUES (?)", g.set[:]); err != nil {
		g.settle()
		return s.fail("stage a content", err)
	}
	fill := copy(*buf, first)
	for {
		n, err := in.read((*buf)[fill:])
		if err != nil {
			g.Discard()
			return err
		}
		if fill+n == 0 {
			return nil
		}
		err = s.stageRow(ctx, "INSERT INTO blob_chunk (chunk_set, i, data) VALUES (?, ?, ?)", g.set[:], g.chunks, (*buf)[:fill+n])
		if err != nil {
			g.Discard()
			return s.fail("stage a content", err)
		}
		g.chunks++
		if fill+n < len(*buf) {
			return nil
		}
		fill = 0
	}
}

// stageRow writes one row of a content that nothing names yet. On a retry after a lost connection the row may be there already, which is a duplicate and so
// looks like an error that passes; the upload then fails as a whole, and its client may send it again.
func (s *Store) stageRow(ctx context.Context, query string, args ...any) error {
	if s.bulk.turn == nil {
		_, err := s.bulk.exec(ctx, "stage", query, args...)
		return err
	}
	return s.bulk.within(ctx, func(t *txn) error {
		_, err := t.exec(ctx, "stage", query, args...)
		return err
	})
}

// hasBlobQuery finds a content that will be there for a while. One that may be swept away soon counts as missing: the pieces that were just received
// then stay until the transaction that names the content has looked for itself.
const hasBlobQuery = "SELECT 1 FROM blob_obj b WHERE b.sha = ? AND NOT EXISTS (SELECT 1 FROM garbage g WHERE g.kind = ? AND g.sha = b.sha)"

func (s *Store) hasContent(ctx context.Context, h registry.Hash) (bool, error) {
	var one int
	err := s.retryRead(ctx, func() error {
		return s.read.one(ctx, "has_blob", hasBlobQuery, []any{h[:], garbageContent}, &one)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// intake reads a body: counted, hashed, and refused as soon as it is over the limit.
type intake struct {
	store *Store
	in    io.Reader
	sum   hash.Hash
	limit int64
	left  int64
	got   int64
}

// read fills p as far as the body goes. Its error is the reader's, wrapped, or CodeTooLarge. Not io.ReadFull: that gives its own
// io.ErrUnexpectedEOF at the end of a body, which cannot be told from the one of a reader whose client went away.
func (t *intake) read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m, err := t.in.Read(p[n:])
		n += m
		if int64(n) > t.left {
			return 0, registry.Errorf(registry.CodeTooLarge, "the content has more bytes than the limit of %d", t.limit)
		}
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("read the content: %w", err)
		}
	}
	t.left -= int64(n)
	t.got += int64(n)
	t.sum.Write(p[:n])
	return n, nil
}

// stagedBefore is the smallest id of version 7 made at or after t: what sorts below it is older.
func stagedBefore(t time.Time) registry.ID {
	ms := t.UnixMilli()
	var id registry.ID
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	return id
}
