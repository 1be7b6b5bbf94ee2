package registrytest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// find gives the paths of the hits, sorted.
func (n *node) find(t testing.TB, a registry.Actor, query string) []string {
	t.Helper()
	page, err := n.svc.Search(context.Background(), a, registry.SearchInput{Query: query, Limit: registry.MaxSearchPage})
	if err != nil {
		t.Fatalf("search %s: %v", query, err)
	}
	if !page.Complete {
		t.Errorf("search %s is not complete", query)
	}
	paths := []string{}
	for _, h := range page.Hits {
		paths = append(paths, h.Path.String())
	}
	slices.Sort(paths)
	if page.Total != len(paths) || page.AtLeast {
		t.Errorf("search %s: %d hits, total %d (at least: %t)", query, len(paths), page.Total, page.AtLeast)
	}
	return paths
}

// wantFound checks what a query finds, through all nodes.
func wantFound(t testing.TB, nodes []*node, query string, want ...string) {
	t.Helper()
	slices.Sort(want)
	for i, n := range nodes {
		if got := n.find(t, actor, query); !slices.Equal(got, want) {
			t.Errorf("node %d: %s finds %q, want %q", i, query, got, want)
		}
	}
}

// putAs stores text with a media type and properties.
func (n *node) putAs(t testing.TB, p registry.Path, mediaType, text string, props registry.Properties) {
	t.Helper()
	_, err := n.svc.Put(context.Background(), actor, registry.PutInput{Path: p, Body: strings.NewReader(text), MediaType: mediaType, Properties: props})
	if err != nil {
		t.Fatalf("put %s: %v", p, err)
	}
}

func (n *node) index(t testing.TB) {
	t.Helper()
	if _, err := n.IndexSearch(context.Background()); err != nil {
		t.Fatalf("index: %v", err)
	}
}

func testSearch(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	a.putAs(t, "/apis/PaymentService.wsdl", "", `<definitions name="Pay"><!DOCTYPE x [<!ENTITY e "boom">]><operation name="getQuote">Zahlung für alle &e; &amp; Ümläute</operation></definitions>`, nil)
	b.putAs(t, "/apis/order.json", "", `{"title":"the order\nof \u00e9clairs"}`, registry.Properties{"stage": {"gold", "pre prod"}, "load": {"42"}, "since": {"2026-03-01"}, "registry.secret": {"hidden"}})
	a.putAs(t, "/apis/notes.md", "", "# exact words of a payment\n\nwords exact, of course; 支付服务", nil)
	b.putAs(t, "/apis/big.txt", "", strings.Repeat("filler text ", 3000)+"needle", nil)
	a.putAs(t, "/apis/picture.png", "", "needle", nil)
	if _, err := a.svc.AddTags(ctx, ann, "/apis/order.json", []string{"Pay later", "beta"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.svc.AddComment(ctx, joe, "/apis/notes.md", "reviewed by legal", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.svc.Rate(ctx, joe, "/apis/notes.md", 4); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := a.svc.Associate(ctx, ann, "/apis/order.json", "depends", "/apis/notes.md"); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		const wsdl, order, notes, big = "/apis/PaymentService.wsdl", "/apis/order.json", "/apis/notes.md", "/apis/big.txt"
		for query, want := range map[string][]string{
			"payment": {wsdl, notes}, "PAYMENT": {wsdl, notes}, "paymentservice": {wsdl}, "pay*": {wsdl, order, notes}, "pay": {wsdl, order},
			"zahlung fur umlaute": {wsdl}, "getquote": {wsdl}, "quote": {wsdl}, "boom": {}, "eclairs": {order}, "needle": {big}, "服务": {notes}, "务服": {},
			`"exact words"`: {notes}, `"words exact of course"`: {notes}, `"exact course"`: {}, `"words of a pay"*`: {notes}, "words -payment": {}, "filler -payment": {big},
			"type:wsdl": {wsdl}, "type:application/json": {order}, "type:text/*": {notes, big}, "tag:beta": {order}, `tag:"pay later"`: {order}, "tag:pay": {}, "tag:pay*": {order},
			"legal": {notes}, "comment:legal": {notes}, "name:legal": {}, "owner:tester type:markdown": {notes}, "owner:ann": {}, "author:tester name:notes": {notes},
			"assoc:depends": {order}, "rating:>=4": {notes}, "rating:<4": {}, "prop.stage:gold": {order}, `prop.stage:"pre prod"`: {order}, "prop.stage:prod": {order}, "prop.stage:silver": {},
			"prop.load:>41": {order}, "prop.load:>42": {}, "prop.load:40..42": {order}, "prop.since:>=2026-02": {order}, "prop.none:*": {}, "prop.stage:*": {order}, "hidden": {},
			"size:>20k": {big}, "size:..100 type:markdown OR needle": {notes, big}, "kind:collection": {"/apis"}, "path:/apis kind:resource -(needle OR payment)": {order, "/apis/picture.png"},
			"updated:>2020-01-01 payment": {wsdl, notes}, "updated:<2020 payment": {}, "created:2020..2099 -kind:resource": {"/apis"}, "png": {"/apis/picture.png"},
			"path:/apis/order.json": {order}, "path:/none": {}, "NOT kind:resource": {"/apis"}, "(eclairs OR legal) -type:json": {notes},
		} {
			wantFound(t, nodes, query, want...)
		}
	}
	check()
	b.index(t)
	check()
	a.putAs(t, "/apis/notes.md", "", "something else", nil)
	if _, err := b.svc.RemoveTag(ctx, ann, "/apis/order.json", "beta", false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wantFound(t, nodes, "payment", "/apis/PaymentService.wsdl")
		wantFound(t, nodes, "else", "/apis/notes.md")
		wantFound(t, nodes, "tag:beta")
		a.index(t)
	}
	for query, part := range map[string]string{"": "character 1", "a )": "character 3", `"a`: "character 1", "x tipe:wsdl": `character 3: there is no field "tipe"`, "size:big": "character 6", "- a": "character 2"} {
		_, err := a.svc.Search(ctx, actor, registry.SearchInput{Query: query})
		if registry.CodeOf(err) != registry.CodeInvalid || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v, want %q", query, err, part)
		}
	}
	_, err := a.svc.Search(ctx, registry.Actor{}, registry.SearchInput{Query: "a"})
	wantCode(t, err, registry.CodeUnauthenticated)
	_, err = a.svc.Search(ctx, actor, registry.SearchInput{Query: "a", Limit: registry.MaxSearchPage + 1})
	wantCode(t, err, registry.CodeInvalid)
	_, err = a.svc.Search(ctx, actor, registry.SearchInput{Query: "a", Cursor: "x"})
	wantCode(t, err, registry.CodeInvalid)
}

// testSearchModel compares searches with a plain look at all texts, while resources come, change and go and the index takes them up now and then.
func testSearchModel(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"red", "green", "blue", "one", "two", "three"}
	texts := map[string]string{}
	for round := range 12 {
		for range 25 {
			p := fmt.Sprintf("/m/%02d.txt", random.IntN(40))
			n := nodes[random.IntN(2)]
			if _, ok := texts[p]; ok && random.IntN(4) == 0 {
				if _, err := n.svc.Delete(t.Context(), actor, registry.Path(p), registry.Precondition{}); err != nil {
					t.Fatal(err)
				}
				delete(texts, p)
				continue
			}
			var text []string
			for range 1 + random.IntN(6) {
				text = append(text, words[random.IntN(len(words))])
			}
			texts[p] = strings.Join(text, " ")
			n.put(t, registry.Path(p), texts[p])
		}
		if round%3 == 1 {
			nodes[random.IntN(2)].index(t)
		}
		for range 12 {
			x, y, z := words[random.IntN(len(words))], words[random.IntN(len(words))], words[random.IntN(len(words))]
			has := func(text, word string) bool { return strings.Contains(" "+text+" ", " "+word+" ") }
			for query, match := range map[string]func(string) bool{
				x + " " + y:                   func(s string) bool { return has(s, x) && has(s, y) },
				x + " OR " + y:                func(s string) bool { return has(s, x) || has(s, y) },
				x + " -" + y:                  func(s string) bool { return has(s, x) && !has(s, y) },
				"-" + x + " kind:resource":    func(s string) bool { return !has(s, x) },
				`"` + x + " " + y + `"`:       func(s string) bool { return has(s, x+" "+y) },
				`-"` + x + " " + y + `" ` + z: func(s string) bool { return !has(s, x+" "+y) && has(s, z) },
				x[:2] + "* -(" + y + " " + z + ")": func(s string) bool {
					return strings.Contains(" "+s, " "+x[:2]) && (!has(s, y) || !has(s, z))
				},
			} {
				var want []string
				for p, text := range texts {
					if match(text) {
						want = append(want, p)
					}
				}
				wantFound(t, nodes[round%2:round%2+1], query, want...)
			}
		}
	}
}

func testSearchTree(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	a, b := nodes[0], nodes[1]
	ctx := t.Context()
	for i := range 5 {
		a.put(t, registry.Path(fmt.Sprintf("/old/deep/r%d.txt", i)), "haystack")
	}
	want := func(query, form string, which ...int) {
		t.Helper()
		var paths []string
		for _, i := range which {
			paths = append(paths, fmt.Sprintf(form, i))
		}
		wantFound(t, nodes, query, paths...)
	}
	all := []int{0, 1, 2, 3, 4}
	for _, indexed := range []bool{false, true} {
		if indexed {
			a.index(t)
		}
		want("haystack", "/old/deep/r%d.txt", all...)
		before := b.RowsWritten()
		if _, err := b.svc.Move(ctx, actor, registry.MoveInput{From: "/old", To: "/new"}); err != nil {
			t.Fatal(err)
		}
		if n := b.RowsWritten() - before; n > 12 {
			t.Errorf("a move wrote %d rows", n)
		}
		want("haystack", "/new/deep/r%d.txt", all...)
		want("haystack path:/new/deep", "/new/deep/r%d.txt", all...)
		want("haystack path:/old -kind:collection", "")
		wantFound(t, nodes, "name:new", "/new")
		wantFound(t, nodes, "name:old")
		if _, err := a.svc.Copy(ctx, actor, registry.MoveInput{From: "/new/deep", To: "/copy"}); err != nil {
			t.Fatal(err)
		}
		want("haystack path:/copy", "/copy/r%d.txt", all...)
		if _, err := a.svc.Delete(ctx, actor, "/new/deep", registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
		want("haystack", "/copy/r%d.txt", all...)
		wantFound(t, nodes, "name:deep")
		if indexed {
			b.index(t)
		}
		page, err := b.svc.Trash(ctx, actor, "/", "", 10)
		if err != nil || len(page.Entries) == 0 {
			t.Fatalf("trash: %+v, %v", page, err)
		}
		if _, err := b.svc.Undelete(ctx, actor, page.Entries[0].ID, "/old/deep"); err != nil {
			t.Fatal(err)
		}
		want("haystack path:/old", "/old/deep/r%d.txt", all...)
		wantFound(t, nodes, "name:deep", "/old/deep")
		if _, err := b.svc.Delete(ctx, actor, "/copy", registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.svc.Delete(ctx, actor, "/new", registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
	}
}

func testSearchPages(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	const many = 700 // more than a batch of the index
	for i := range many {
		_, err := n.svc.Put(t.Context(), actor, registry.PutInput{
			Path: registry.Path(fmt.Sprintf("/p%d/r%03d.txt", i%3, i)), Body: bytes.NewReader(fmt.Appendf(nil, "common word number%d", i%7)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		seen := map[registry.Path]bool{}
		cursor := ""
		for {
			page, err := n.svc.Search(t.Context(), actor, registry.SearchInput{Query: "common number3", Limit: 30, Cursor: cursor})
			if err != nil || page.Total != many/7 || !page.Complete {
				t.Fatalf("total %d, complete %t: %v", page.Total, page.Complete, err)
			}
			for _, h := range page.Hits {
				if seen[h.Path] {
					t.Errorf("%s stands on two pages", h.Path)
				}
				seen[h.Path] = true
				if s := snippet(h); s != "[common] word [number3]" {
					t.Errorf("the snippet is %q", s)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(seen) != many/7 {
			t.Errorf("%d hits, want %d", len(seen), many/7)
		}
		n.index(t)
	}
	page, err := n.svc.Search(t.Context(), actor, registry.SearchInput{Query: "number3 OR name:r010"})
	if err != nil || page.Hits[0].Path != "/p1/r010.txt" {
		t.Errorf("the resource with the word in its name is not the first: %+v, %v", page.Hits[0], err)
	}
}

// snippet writes the snippet of a hit, with brackets around what was searched for.
func snippet(h registry.SearchHit) string {
	var b strings.Builder
	for _, p := range h.Snippet {
		if p.Match {
			b.WriteString("[" + p.Text + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	return b.String()
}
