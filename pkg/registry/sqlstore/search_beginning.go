package sqlstore

import (
	"context"
	"errors"
	"slices"

	"github.com/jmoiron/sqlx"
)

const (
	// prefixRows and prefixBytes bound what is read of the words that begin alike: in all blocks, when there are no more, and else in some.
	prefixRows  = 4_000
	prefixBytes = 4 << 20
	// prefixSearch bounds the rows that one search reads of such words.
	prefixSearch = 40_000
)

// beginning is a lookup of all words that begin so. When they have few rows all of these are read, once; else the rows of some blocks, by the index on
// (block, term).
type beginning struct {
	lookup      int
	first, next []byte // the words are from the one to before the other
	all         map[int64][]termRow
	many        bool
	left        int // rows that may be read
}

// beginnings looks at the lookups that ask for the beginning of a word.
func (f *finder) beginnings(ctx context.Context) ([]*beginning, error) {
	var list []*beginning
	for i, l := range f.query.Lookups() {
		if !l.Prefix {
			continue
		}
		b := &beginning{lookup: i, first: []byte(l.Term), next: successor([]byte(l.Term)), all: map[int64][]termRow{}, left: prefixSearch}
		if b.next == nil {
			b.next = []byte{0xff, 0xff}
		}
		if err := b.readAll(ctx, f); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

// errMany ends a look at the rows of a beginning.
var errMany = errors.New("many rows")

func (b *beginning) readAll(ctx context.Context, f *finder) error {
	rows, bytes := 0, 0
	query := "SELECT block, docs FROM search_term" + f.store.backend.dialect.index("") + " WHERE term >= ? AND term < ? LIMIT ?"
	err := f.q.each(ctx, "search", query, []any{b.first, b.next, prefixRows + 1}, func(r *sqlx.Rows) error {
		var block int64
		var data []byte
		if err := r.Scan(&block, &data); err != nil {
			return err
		}
		if rows, bytes = rows+1, bytes+len(data); rows > prefixRows || bytes > prefixBytes {
			return errMany
		}
		b.all[block] = append(b.all[block], termRow{b.lookup, data})
		return nil
	})
	if errors.Is(err, errMany) {
		b.all, b.many = nil, true
		return nil
	}
	return err
}

// blocks gives those of a span in which one of the words is: among some, sorted, or with nil all.
func (b *beginning) blocks(from, end int64, among []int64) []int64 {
	list := []int64{}
	for n := range b.all {
		_, found := slices.BinarySearch(among, n)
		if n >= from && n < end && (among == nil || found) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// read gives a window the rows that the words have in it.
func (b *beginning) read(ctx context.Context, w *window) error {
	if !b.many {
		for n, rows := range b.all {
			if n < w.from || n >= w.end {
				continue
			}
			for _, row := range rows {
				if err := w.take(row.lookup, n, row.data); err != nil {
					return err
				}
			}
		}
		return nil
	}
	const mostBlocks = 64
	if w.end-w.from > mostBlocks {
		return errWindow
	}
	args := []any{b.first, b.next}
	for n := w.from; n < w.end; n++ {
		if w.scope.docs == nil || w.scope.docs[n] != nil {
			args = append(args, n)
		}
	}
	if len(args) == 2 {
		return nil
	}
	rows := 0
	query := "SELECT block, docs FROM search_term" + w.store.backend.dialect.index("k_block") +
		" WHERE term >= ? AND term < ? AND block IN (" + placeholders(len(args)-2) + ") LIMIT ?"
	err := w.q.each(ctx, "search", query, append(args, b.left+1), func(r *sqlx.Rows) error {
		var block int64
		var data []byte
		if err := r.Scan(&block, &data); err != nil {
			return err
		}
		if rows++; rows > b.left {
			return errMany
		}
		return w.take(b.lookup, block, data)
	})
	if errors.Is(err, errMany) {
		if !w.alone() {
			return errWindow
		}
		// Not all of the words of this block are looked at, and no other block is.
		w.cut, w.found.More, err = true, true, nil
	}
	w.spent[b] = rows
	return err
}
