package registrytest

import (
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testOrders: an order is in the log of every node, with who gave it and at no path, and changes nothing that memory holds.
func testOrders(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	long := registry.Order{Node: "n", What: strings.Repeat("é", 400)}
	for _, o := range []registry.Order{{Node: "node1", What: "drain"}, long} {
		if err := nodes[0].NoteOrder(t.Context(), registry.Op{Actor: clerk}, o); err != nil {
			t.Fatal(err)
		}
	}
	for k, n := range nodes {
		page, err := n.Activity(t.Context(), registry.ActivityQuery{Action: "order", Limit: 10})
		if err != nil || len(page.Events) != 2 {
			t.Fatalf("store %d: %v: %+v", k, err, page)
		}
		first, cut := page.Events[1], page.Events[0]
		if first.Subject != "node1: drain" || first.User != clerk.User || first.RequestID != clerk.RequestID || first.Path != "" {
			t.Errorf("store %d tells %+v", k, first)
		}
		if cut.Subject != long.String() || len(cut.Subject) > 255 {
			t.Errorf("store %d has a subject of %d bytes", k, len(cut.Subject))
		}
	}
}
