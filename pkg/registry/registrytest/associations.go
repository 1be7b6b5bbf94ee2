package registrytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// link makes an association and tells whether it was new.
func (n *node) link(t *testing.T, from registry.Path, kind, to string) bool {
	t.Helper()
	_, _, made, err := n.svc.Associate(t.Context(), ann, from, kind, to)
	if err != nil {
		t.Fatalf("%s %s %s: %v", from, kind, to, err)
	}
	return made
}

// links reads all associations of p, by pages of the given length, sorted, as "source type target".
func links(t *testing.T, s *registry.Service, in registry.AssociationsInput) []string {
	t.Helper()
	var list []string
	for {
		page, err := s.Associations(t.Context(), ann, in, registry.Freshness{})
		if err != nil {
			t.Fatalf("associations of %s: %v", in.Path, err)
		}
		for _, l := range page.Associations {
			list = append(list, fmt.Sprintf("%s %s %s%s", l.Source.Path, l.Type, l.Target.Path, l.Target.URI))
		}
		if in.Cursor = page.Next; in.Cursor == "" {
			slices.Sort(list)
			return list
		}
	}
}

func wantLinks(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("associations are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func testAssociations(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	for _, p := range []registry.Path{"/svc/pay", "/svc/card", "/schema/money.xsd"} {
		a.put(t, p, "x")
	}
	longest := "x:" + strings.Repeat("é", registry.MaxAssociationTypeLength-2)
	const uri = "https://example.com/a%20b?c=d&e#f"
	if !a.link(t, "/svc/pay", "depends", "/schema/money.xsd") || !b.link(t, "/svc/pay", " depends ", "/svc/card") || !a.link(t, "/svc/pay", "docs", uri) {
		t.Error("a new association was there already")
	}
	if b.link(t, "/svc/pay", "depends", "/svc/card") || a.link(t, "/svc/pay", "docs", uri) {
		t.Error("an association was made twice")
	}
	b.link(t, "/svc/card", longest, "/schema") // to a collection
	b.link(t, "/schema", "Depends", "/svc/pay")
	for _, n := range nodes {
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/svc/pay"}),
			"/svc/pay depends /schema/money.xsd", "/svc/pay depends /svc/card", "/svc/pay docs "+uri)
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/svc/pay", Type: "docs"}), "/svc/pay docs "+uri)
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/svc/pay", Incoming: true}), "/schema Depends /svc/pay")
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/svc/pay", Incoming: true, Type: "depends"}))
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/schema", Incoming: true, Type: longest}), "/svc/card "+longest+" /schema")
		wantLinks(t, links(t, n.without(t, "/schema"), registry.AssociationsInput{Path: "/svc/pay", Type: "*"}),
			"/svc/pay depends /svc/card", "/svc/pay docs "+uri)
	}
	page, err := b.svc.Associations(ctx, ann, registry.AssociationsInput{Path: "/svc/pay", Type: "depends"}, registry.Freshness{})
	if err != nil || len(page.Associations) != 2 {
		t.Fatalf("%+v: %v", page, err)
	}
	l := page.Associations[0]
	if l.Target.ID != b.get(t, "/schema/money.xsd").ID || l.Target.Kind != registry.KindResource || l.Source.ID != page.Resource.ID || l.CreatedBy != "ann" || l.CreatedAt.IsZero() {
		t.Errorf("the association is %+v", l)
	}
	for name, c := range map[string]struct {
		from         registry.Path
		kind, target string
		code         registry.Code
	}{
		"no source":    {"/none", "depends", "/svc/card", registry.CodeNotFound},
		"no target":    {"/svc/pay", "depends", "/none", registry.CodeNotFound},
		"itself":       {"/svc/pay", "depends", "/svc/pay", registry.CodeInvalid},
		"no type":      {"/svc/pay", " ", "/svc/card", registry.CodeInvalid},
		"all types":    {"/svc/pay", "*", "/svc/card", registry.CodeInvalid},
		"control":      {"/svc/pay", "a\nb", "/svc/card", registry.CodeInvalid},
		"long type":    {"/svc/pay", strings.Repeat("é", registry.MaxAssociationTypeLength+1), "/svc/card", registry.CodeInvalid},
		"empty target": {"/svc/pay", "depends", "", registry.CodeInvalid},
		"relative":     {"/svc/pay", "depends", "svc/card", registry.CodeInvalid},
		"script":       {"/svc/pay", "depends", "JavaScript:alert(1)", registry.CodeInvalid},
		"data":         {"/svc/pay", "depends", "data:text/html,x", registry.CodeInvalid},
		"spaces":       {"/svc/pay", "depends", " https://example.com/", registry.CodeInvalid},
		"space":        {"/svc/pay", "depends", "https://example.com/a b", registry.CodeInvalid},
		"percent":      {"/svc/pay", "depends", "https://example.com/%zz", registry.CodeInvalid},
		"umlaut":       {"/svc/pay", "depends", "https://exämple.com/", registry.CodeInvalid},
		"long URI":     {"/svc/pay", "depends", "urn:" + strings.Repeat("x", registry.MaxURILength), registry.CodeInvalid},
	} {
		if _, _, _, err := a.svc.Associate(ctx, ann, c.from, c.kind, c.target); registry.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, _, _, err = a.without(t, "/schema").Associate(ctx, ann, "/svc/pay", "depends", "/schema/money.xsd")
	wantCode(t, err, registry.CodeDenied)

	if _, err := b.svc.Dissociate(ctx, joe, "/svc/pay", "depends", "/svc/card"); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/svc/card", "/none", "urn:x"} {
		_, err := a.svc.Dissociate(ctx, joe, "/svc/pay", "depends", target)
		wantCode(t, err, registry.CodeNotFound)
	}
	if _, err := b.svc.Dissociate(ctx, joe, "/svc/pay", "docs", uri); err != nil {
		t.Fatal(err)
	}
	wantLinks(t, links(t, a.svc, registry.AssociationsInput{Path: "/svc/pay"}), "/svc/pay depends /schema/money.xsd")
}

func testAssociationPages(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	n.put(t, "/hub", "x")
	const many = 40
	var out, in []string
	for i := range many {
		p := registry.Path(fmt.Sprintf("/%s/%02d", []string{"open", "secret"}[i%2], i))
		kind := fmt.Sprintf("type-%d", i%3)
		n.put(t, p, "x")
		n.link(t, "/hub", kind, string(p))
		n.link(t, p, kind, "/hub")
		out = append(out, fmt.Sprintf("/hub %s %s", kind, p))
		in = append(in, fmt.Sprintf("%s %s /hub", p, kind))
	}
	slices.Sort(out)
	slices.Sort(in)
	only := func(list []string, part string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !strings.Contains(s, part) })
	}
	hidden := n.without(t, "/secret")
	for _, limit := range []int{1, 6, many, many + 1} {
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/hub", Limit: limit}), out...)
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/hub", Incoming: true, Limit: limit}), in...)
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/hub", Type: "type-1", Limit: limit}), only(out, "type-1")...)
		wantLinks(t, links(t, n.svc, registry.AssociationsInput{Path: "/hub", Type: "type-2", Incoming: true, Limit: limit}), only(in, "type-2")...)
		wantLinks(t, links(t, hidden, registry.AssociationsInput{Path: "/hub", Limit: limit}), only(out, "/open")...)
	}
	before := n.Statements()
	if _, err := n.svc.Associations(t.Context(), ann, registry.AssociationsInput{Path: "/hub"}, registry.Freshness{}); err != nil || n.Statements()-before > 3 {
		t.Errorf("a page took %d statements: %v", n.Statements()-before, err)
	}
	_, err := n.svc.Associations(t.Context(), ann, registry.AssociationsInput{Path: "/hub", Cursor: "?"}, registry.Freshness{})
	wantCode(t, err, registry.CodeInvalid)
}

// graph gives what Graph finds: nodes as "depth path", in their order, and edges as "source type target", sorted.
func graph(t *testing.T, s *registry.Service, in registry.GraphInput) (nodes, edges []string, cut string) {
	t.Helper()
	g, err := s.Graph(t.Context(), ann, in, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	name := func(i int) string { return string(g.Nodes[i].Path) + g.Nodes[i].URI }
	for i, n := range g.Nodes {
		nodes = append(nodes, fmt.Sprintf("%d %s", n.Depth, name(i)))
	}
	for _, e := range g.Edges {
		edges = append(edges, fmt.Sprintf("%s %s %s", name(e.From), e.Type, name(e.To)))
	}
	slices.Sort(nodes)
	slices.Sort(edges)
	return nodes, edges, g.Cut
}

func testGraph(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	for _, p := range []registry.Path{"/a", "/b", "/c", "/d", "/e", "/x/secret", "/behind"} {
		n.put(t, p, "x")
	}
	for _, l := range [][3]string{
		{"/a", "depends", "/b"},
		{"/a", "depends", "/c"},
		{"/b", "depends", "/d"},
		{"/c", "depends", "/d"},
		{"/d", "depends", "/a"},
		{"/d", "uses", "/e"},
		{"/d", "depends", "urn:outside"},
		{"/a", "depends", "/x/secret"},
		{"/x/secret", "depends", "/behind"},
	} {
		n.link(t, registry.Path(l[0]), l[1], l[2])
	}
	hidden := n.without(t, "/x")
	for _, c := range []struct {
		name  string
		in    registry.GraphInput
		svc   *registry.Service
		nodes []string
		edges int
		cut   string
	}{
		{
			name: "all it depends on, round a cycle", svc: n.svc, in: registry.GraphInput{Path: "/a"}, edges: 8,
			nodes: []string{"0 /a", "1 /b", "1 /c", "1 /x/secret", "2 /behind", "2 /d", "3 urn:outside"},
		},
		{
			name: "over any type, without what is hidden and behind it", svc: hidden, in: registry.GraphInput{Path: "/a", Type: "*"}, edges: 7,
			nodes: []string{"0 /a", "1 /b", "1 /c", "2 /d", "3 /e", "3 urn:outside"},
		},
		{name: "another type", svc: n.svc, in: registry.GraphInput{Path: "/a", Type: "uses"}, nodes: []string{"0 /a"}},
		{name: "one step", svc: hidden, in: registry.GraphInput{Path: "/a", Depth: 1}, edges: 2, cut: "depth", nodes: []string{"0 /a", "1 /b", "1 /c"}},
		{
			name: "as deep as it is", svc: hidden, in: registry.GraphInput{Path: "/a", Depth: 3}, edges: 6,
			nodes: []string{"0 /a", "1 /b", "1 /c", "2 /d", "3 urn:outside"},
		},
		{name: "impact", svc: n.svc, in: registry.GraphInput{Path: "/d", Impact: true}, edges: 5, nodes: []string{"0 /d", "1 /b", "1 /c", "2 /a"}},
		{
			name: "impact over any type", svc: n.svc, in: registry.GraphInput{Path: "/e", Impact: true, Type: "*"}, edges: 6,
			nodes: []string{"0 /e", "1 /d", "2 /b", "2 /c", "3 /a"},
		},
		{name: "few nodes", svc: hidden, in: registry.GraphInput{Path: "/a", Limit: 2}, edges: 2, cut: "limit", nodes: []string{"0 /a", "1 /b", "1 /c"}},
		{
			name: "as many as there are", svc: hidden, in: registry.GraphInput{Path: "/a", Limit: 4}, edges: 6,
			nodes: []string{"0 /a", "1 /b", "1 /c", "2 /d", "3 urn:outside"},
		},
	} {
		nodes, edges, cut := graph(t, c.svc, c.in)
		if !slices.Equal(nodes, c.nodes) || len(edges) != c.edges || cut != c.cut {
			t.Errorf("%s: cut by %q\nnodes %q\nedges %q\nwant  %q, %d edges, cut by %q", c.name, cut, nodes, edges, c.nodes, c.edges, c.cut)
		}
	}
	_, edges, _ := graph(t, n.svc, registry.GraphInput{Path: "/d", Impact: true})
	if want := []string{"/a depends /b", "/a depends /c", "/b depends /d", "/c depends /d", "/d depends /a"}; !slices.Equal(edges, want) {
		t.Errorf("the edges of the impact are %q", edges)
	}
	for _, in := range []registry.GraphInput{{Depth: 101}, {Depth: -1}, {Limit: 2001}, {Limit: -1}, {Type: "a*"}} {
		in.Path = "/a"
		_, err := n.svc.Graph(t.Context(), ann, in, registry.Freshness{})
		wantCode(t, err, registry.CodeInvalid)
	}
	// A level costs a fixed number of statements, however many nodes it has.
	for i := range 60 {
		p := registry.Path(fmt.Sprintf("/wide/%02d", i))
		n.put(t, p, "x")
		n.link(t, "/e", "depends", string(p))
		n.link(t, p, "depends", "/behind")
	}
	before := n.Statements()
	nodes, _, _ := graph(t, n.svc, registry.GraphInput{Path: "/e"})
	if sent := n.Statements() - before; len(nodes) != 62 || sent > 7 {
		t.Errorf("%d nodes of three levels took %d statements", len(nodes), sent)
	}
}

func testAttachedInTrash(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	a.put(t, "/keep", "x")
	a.put(t, "/gone/in/doc", "x")
	a.link(t, "/keep", "depends", "/gone/in/doc")
	a.link(t, "/gone/in/doc", "depends", "/keep")
	for _, p := range []registry.Path{"/keep", "/gone/in/doc"} {
		if _, err := a.svc.AddTags(ctx, ann, p, []string{"both"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.svc.AddTags(ctx, ann, "/gone/in/doc", []string{"alone"}); err != nil {
		t.Fatal(err)
	}
	see := func() string {
		t.Helper()
		cloud, err := b.svc.TagCloud(ctx, ann, 0)
		if err != nil {
			t.Fatal(err)
		}
		page, err := b.svc.Tagged(ctx, ann, "both", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		out := links(t, b.svc, registry.AssociationsInput{Path: "/keep"})
		in := links(t, b.svc, registry.AssociationsInput{Path: "/keep", Incoming: true})
		impact, _, _ := graph(t, b.svc, registry.GraphInput{Path: "/keep", Impact: true})
		return fmt.Sprintf("%v; %d tagged; out %d, in %d, impact %d", cloud, len(page.Entries), len(out), len(in), len(impact)-1)
	}
	const all = "[{alone 1 false} {both 2 false}]; 2 tagged; out 1, in 1, impact 1"
	if got := see(); got != all {
		t.Errorf("before: %s", got)
	}
	if _, err := a.svc.Delete(ctx, ann, "/gone", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	if got, want := see(), "[{both 1 false}]; 1 tagged; out 0, in 0, impact 0"; got != want {
		t.Errorf("in the trash: %s, want %s", got, want)
	}
	// What takes its place has nothing of it.
	a.put(t, "/gone/in/doc", "x")
	if list, err := b.svc.Tags(ctx, ann, "/gone/in/doc", registry.Freshness{}); err != nil || len(list.Tags) != 0 {
		t.Errorf("a new resource has the tags %v: %v", list.Tags, err)
	}
}
