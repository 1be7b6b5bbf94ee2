package registrytest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// large are properties of about half the size that a resource may have.
func large(seed int) registry.Properties {
	values := make([]string, 500)
	for i := range values {
		values[i] = fmt.Sprint(seed, i) + strings.Repeat("v", registry.MaxPropertyValueLength-20)
	}
	return registry.Properties{"p": values}
}

func metaBytes(m registry.Meta) (sum int) {
	for _, list := range m.Properties {
		for _, v := range list {
			sum += len(v)
		}
	}
	return sum
}

// testLargeBatches: what is brought to the other store in one turn is bounded, also where a few resources are as large as many.
func testLargeBatches(t *testing.T, p *pair) {
	n, ctx := p.open(t), t.Context()
	const nodes, versions, one = 9, 7, 500 * registry.MaxPropertyValueLength
	put := func(p registry.Path, seed int) {
		t.Helper()
		must[registry.PutResult](t)(n.svc.Put(ctx, actor, registry.PutInput{Path: p, Body: strings.NewReader("x"), Properties: large(seed)}))
	}
	for i := range nodes {
		put(registry.Path(fmt.Sprintf("/a/t/in/n%d", i)), i)
	}
	for i := range versions {
		put("/a/t/in/n4", 100+i)
	}
	for i := range 20 {
		n.put(t, registry.Path(fmt.Sprintf("/a/t/in/small%02d", i)), "x")
	}
	want := portrait(t, n.svc, "/a/t", true)
	in := registry.TreeImport{ID: registry.ID{1}, Keep: true, Open: n.from.Open}
	before, batches, seen := head(t, n.to), int64(0), map[string]int{}
	err := n.from.ExportTree(ctx, registry.TreeExport{Path: "/in/a/t", Whole: true}, func(b registry.TreeBatch) error {
		batches++
		size := 0
		for _, n := range b.Nodes {
			size += metaBytes(n.Meta)
			seen[fmt.Sprint(n.ID, n.Version)]++
		}
		for _, v := range b.Versions {
			size += metaBytes(v.Meta)
			seen[fmt.Sprint(v.Resource, v.Number)]++
		}
		if size > 1<<20+one {
			t.Errorf("batch %d has %d bytes of properties", batches, size)
		}
		return n.to.ImportTree(ctx, op(), in, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if total := nodes + versions + 20 + 2; len(seen) != total {
		t.Errorf("%d versions came, of %d", len(seen), total)
	}
	for k, times := range seen {
		if times != 1 {
			t.Errorf("%s came %d times", k, times)
		}
	}
	if turns := head(t, n.to) - before; turns != batches || turns < (nodes+versions)/4 {
		t.Errorf("%d batches took %d turns", batches, turns)
	}
	if _, err := n.to.AbandonArrival(ctx, op(), in.ID); err != nil {
		t.Fatal(err)
	}
	if err := n.to.ClearArrivals(ctx, in.ID); err != nil {
		t.Fatal(err)
	}
	must[registry.PutResult](t)(n.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t", To: "/b/t"}))
	sameTree(t, portrait(t, n.svc, "/b/t", true), want)
}

// head is where the change log of a store ends.
func head(t testing.TB, s Store) int64 {
	t.Helper()
	at, err := s.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return at.Seq
}
