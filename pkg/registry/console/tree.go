package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	treeLevels = 5                        // collections above the current one whose other children are shown
	treeScan   = registry.DefaultPageSize // entries of a collection that are looked through for the collections among them
	treeMore   = registry.MaxPageSize     // of one that is opened, or goes on
)

// treeView is a part of the tree of collections: the children of Path as far as they were read.
type treeView struct {
	Path  registry.Path
	Nodes []treeNode
	More  string // the cursor of the entries that follow, "" when there are none
}

// treeNode is a collection in the tree; Below is what is shown of its children, nil when it is closed.
type treeNode struct {
	registry.Resource

	Current bool
	Below   *treeView
}

// Name is the node's name, as the breadcrumb has it.
func (n treeNode) Name() string { return nameOf(n.Path) }

// Leaf tells of a collection that is known to have none in it.
func (n treeNode) Leaf() bool { return n.Below != nil && len(n.Below.Nodes) == 0 && n.Below.More == "" }

// treeLevel makes a part of the tree of a page of entries.
func treeLevel(page registry.Page) *treeView {
	v := &treeView{Path: page.Parent.Path, More: page.Next}
	for _, e := range page.Entries {
		if e.Kind == registry.KindCollection {
			v.Nodes = append(v.Nodes, treeNode{Resource: e})
		}
	}
	return v
}

// tree shows where a page of a collection lies: the way to it, what else is in the collections just above it, and the collections on the page itself. It
// reads the first entries of at most treeLevels collections. first says that the page is the collection's first one.
func (c *console) tree(r *http.Request, a registry.Actor, page registry.Page, first bool) (*treeView, error) {
	here := treeNode{Resource: page.Parent, Current: true}
	if first {
		here.Below = treeLevel(page)
	}
	for n := 0; !here.Path.IsRoot(); n++ {
		above := here.Path.Parent()
		known := registry.Page{Parent: registry.Resource{Path: above, Kind: registry.KindCollection}}
		if n < treeLevels {
			page, err := c.Service.List(r.Context(), a, above, "", treeScan, registry.Freshness{})
			switch registry.CodeOf(err) {
			case "":
				known = page
			case registry.CodeDenied, registry.CodeNotFound, registry.CodeConflict: // whoever may read a collection need not read what is above it
			default:
				return nil, err
			}
		}
		v := treeLevel(known)
		v.place(here)
		here = treeNode{Resource: known.Parent, Below: v}
	}
	return &treeView{Path: registry.Root, Nodes: []treeNode{here}}, nil
}

// place puts a node where its name belongs, in place of what was read there.
func (v *treeView) place(n treeNode) {
	i, found := slices.BinarySearchFunc(v.Nodes, n.Path.Name(), func(other treeNode, name string) int {
		return strings.Compare(other.Path.Name(), name)
	})
	if found {
		v.Nodes[i] = n
		return
	}
	v.Nodes = slices.Insert(v.Nodes, i, n)
}

// branch is the part of the page that the tree's script puts in place when a collection is opened, or goes on.
func (c *console) branch(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	page, err := c.Service.List(r.Context(), a, p, r.URL.Query().Get("cursor"), treeMore, registry.Freshness{})
	if err != nil {
		return err
	}
	return c.fragment(w, "browse", "tree-level", treeLevel(page))
}
