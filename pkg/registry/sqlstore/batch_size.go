package sqlstore

import (
	"errors"

	"github.com/regent-registry/regent/pkg/registry"
)

// What one batch of a tree that goes to another store has at most, but for its last row: a batch is held in memory, and written in one turn.
const (
	batchMeta    = 1 << 20  // bytes of metadata
	batchContent = 64 << 20 // bytes of contents, which are brought over before that turn
)

// errEnough ends a look at rows of which no more are wanted.
var errEnough = errors.New("enough")

// batchSize is what a batch has.
type batchSize struct {
	rows          int
	meta, content int64
}

func (s *batchSize) add(m registry.Meta, content int64) {
	s.rows++
	s.meta += metaWeight(m)
	s.content += content
}

func (s *batchSize) full() bool {
	return s.rows >= copyBatch || s.meta >= batchMeta || s.content >= batchContent
}

// enough is errEnough when the batch is full before all rows that were asked for have come.
func (s *batchSize) enough(asked int) error {
	if s.full() && s.rows < asked {
		return errEnough
	}
	return nil
}

// next tells how many rows to ask for after a page for which so many were asked: about as many as fit.
func (s *batchSize) next(asked int) int {
	switch {
	case s.rows < asked && s.full():
		return max(s.rows, 1)
	case s.full():
		return asked
	}
	return min(2*asked, copyBatch)
}

// nodeParts divides nodes into batches.
func nodeParts(nodes []registry.TreeNode) [][]registry.TreeNode {
	var parts [][]registry.TreeNode
	var size batchSize
	from := 0
	for i, n := range nodes {
		size.add(n.Meta, n.Size)
		if size.full() || i == len(nodes)-1 {
			parts = append(parts, nodes[from:i+1])
			from, size = i+1, batchSize{}
		}
	}
	return parts
}
