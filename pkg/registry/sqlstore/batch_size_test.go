package sqlstore

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestNodeParts_BoundsRowsAndContents(t *testing.T) {
	sized := func(n int, size int64) []registry.TreeNode {
		list := make([]registry.TreeNode, n)
		for i := range list {
			list[i].ID, list[i].Size = registry.ID{byte(i >> 8), byte(i)}, size
		}
		return list
	}
	for _, c := range []struct {
		nodes []registry.TreeNode
		parts int
	}{
		{nil, 0},
		{sized(1, 0), 1},
		{sized(copyBatch, 0), 1},
		{sized(copyBatch+1, 0), 2},
		{sized(6, batchContent/2), 3},
		{sized(3, 2*batchContent), 3},
		{sized(1000, batchContent/100), 10},
	} {
		parts := nodeParts(c.nodes)
		if len(parts) != c.parts {
			t.Errorf("%d nodes come in %d parts, want %d", len(c.nodes), len(parts), c.parts)
		}
		i := 0
		for _, part := range parts {
			for _, n := range part {
				if i >= len(c.nodes) || n.ID != c.nodes[i].ID {
					t.Fatalf("node %d of %d is another one", i, len(c.nodes))
				}
				i++
			}
		}
		if i != len(c.nodes) {
			t.Errorf("%d of %d nodes came", i, len(c.nodes))
		}
	}
}

// Where rows are large fewer are asked for, and more again where they are not.
func TestBatchSize_Adapts(t *testing.T) {
	large := batchSize{rows: 3, meta: batchMeta}
	if n := large.next(copyBatch); n != 3 {
		t.Errorf("after 3 large rows %d are asked for", n)
	}
	small := batchSize{rows: 3, meta: 100}
	if n := small.next(3); n != 6 {
		t.Errorf("after 3 small rows %d are asked for", n)
	}
	if n := small.next(copyBatch); n != copyBatch {
		t.Errorf("at most %d are asked for, not %d", copyBatch, n)
	}
	if huge := (batchSize{rows: 1, meta: 10 * batchMeta}); huge.next(1) != 1 || huge.enough(1) != nil || huge.enough(2) == nil {
		t.Error("one huge row is not asked for by itself")
	}
}
