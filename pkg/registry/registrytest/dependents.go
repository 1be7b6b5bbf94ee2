package registrytest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testDependents asks what goes with a deletion, and what points there from elsewhere.
func testDependents(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	for _, p := range []registry.Path{"/apis/pay/in", "/apis/pay/deep/er", "/apis/card", "/apis/payments", "/user"} {
		a.put(t, p, "x")
	}
	a.link(t, "/user", "depends", "/apis/pay/deep/er")
	a.link(t, "/apis/payments", "docs", "/apis/pay")       // a name that begins alike is elsewhere
	a.link(t, "/apis/pay/in", "depends", "/apis/pay/deep") // goes, too
	a.link(t, "/apis/pay/in", "depends", "/user")          // the other way
	for from, to := range map[registry.Path]registry.Path{"/way": "/apis/pay/in", "/apis/pay/inner": "/apis/pay", "/other": "/apis/payments"} {
		if _, err := a.svc.Link(ctx, ann, registry.LinkInput{Path: from, Target: to}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(paths ...registry.Path) (registry.Dependents, []string) {
		t.Helper()
		d, err := b.svc.Dependents(ctx, ann, paths, registry.Freshness{})
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, l := range d.Incoming {
			list = append(list, fmt.Sprintf("%s %s %s", l.Source.Path, l.Type, l.Target.Path))
		}
		for _, l := range d.Pointing {
			list = append(list, fmt.Sprintf("%s links %s", l.Path, l.Meta.Link))
		}
		slices.Sort(list)
		return d, list
	}
	d, list := ask("/apis/pay")
	wantLinks(t, list, "/apis/payments docs /apis/pay", "/user depends /apis/pay/deep/er", "/way links /apis/pay/in")
	if d.Collections != 2 || d.Resources != 2 || d.Links != 1 || d.More || d.MoreIncoming || d.MorePointing || !d.Any() {
		t.Errorf("it is %+v", d)
	}
	if _, list = ask("/apis/pay", "/user"); len(list) != 2 {
		t.Errorf("what goes is told: %q", list)
	}
	if d, list = ask("/apis/card", "/apis/none"); len(list) > 0 || d.Count() != 1 || d.Any() {
		t.Errorf("a resource alone: %+v", d)
	}
	if _, err := b.svc.Dependents(ctx, ann, make([]registry.Path, registry.MaxDependentsTops+1), registry.Freshness{}); registry.CodeOf(err) != registry.CodeInvalid {
		t.Error(err)
	}
	// There is more than is looked at, which takes no longer.
	for start := 0; start < 2200; start += 100 {
		var steps []registry.Step
		for i := range 100 {
			steps = append(steps, registry.CollectionStep(registry.CollectionInput{Path: registry.Path(fmt.Sprintf("/many/c%04d", start+i))}))
		}
		if _, _, err := a.svc.Batch(ctx, ann, steps); err != nil {
			t.Fatal(err)
		}
	}
	before := b.Statements()
	d, _ = ask("/many")
	if sent := b.Statements() - before; !d.More || d.Count() < 1000 || d.Count() > 2100 || sent > 250 {
		t.Errorf("of 2201 it counts %d in %d statements: more %t", d.Count(), sent, d.More)
	}
}
