package registrycli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// associate is the verb assoc: it lists, adds or removes associations, or follows them.
func associate(f *flag.FlagSet) action {
	var o associateOptions
	f.BoolVar(&o.gone, "d", false, "remove the association that TYPE and TARGET name")
	f.BoolVar(&o.in, "in", false, "list those that lead to PATH, not those that lead from it")
	f.BoolVar(&o.tree, "tree", false, "print what PATH depends on, directly and through others")
	f.BoolVar(&o.impact, "impact", false, "print what depends on PATH, directly and through others")
	f.StringVar(&o.kind, "type", "", "only associations of that `type`; -tree and -impact follow those of the type depends when not given, all with *")
	f.IntVar(&o.depth, "depth", 0, "-tree, -impact: how many `steps`, up to 100; 10 when not given")
	f.IntVar(&o.limit, "n", 0, "-tree, -impact: how `many` resources, up to 2000; 200 when not given")
	return func(ctx context.Context, s *session, args []string) error {
		if err := o.check(args); err != nil {
			return err
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case o.tree || o.impact:
			return o.graph(ctx, s, c, args[0])
		case len(args) == 1:
			return o.list(ctx, s, c, args[0])
		case o.gone:
			if err := c.Dissociate(ctx, args[0], args[1], args[2], client.WriteOptions{}); err != nil {
				return err
			}
			s.say("%s has no association %s to %s any more", args[0], args[1], args[2])
			return nil
		}
		return s.link(ctx, c, args[0], args[1], args[2])
	}
}

type associateOptions struct {
	gone, in, tree, impact bool
	kind                   string
	depth, limit           int
}

func (o associateOptions) check(args []string) error {
	follows := o.tree || o.impact
	lists := o.in || o.kind != "" || follows
	switch {
	case len(args) == 2:
		return usagef("an association has a type and a target")
	case len(args) == 3 && lists:
		return usagef("with TYPE and TARGET there is nothing to list")
	case len(args) == 1 && o.gone:
		return usagef("-d needs TYPE and TARGET")
	case o.tree && o.impact || o.in && follows:
		return usagef("either -in, -tree or -impact")
	case !follows && (o.depth != 0 || o.limit != 0):
		return usagef("-depth and -n go with -tree and -impact")
	case o.depth < 0 || o.limit < 0:
		return usagef("-depth and -n are not negative")
	}
	return nil
}

func (s *session) link(ctx context.Context, c *client.Client, path, kind, target string) error {
	l, made, err := c.Associate(ctx, path, kind, target)
	switch {
	case err != nil:
		return err
	case s.json:
		return s.writeJSON(l)
	case made:
		s.say("%s %s %s", l.Source, l.Type, l.Target)
	default:
		s.say("%s %s %s already", l.Source, l.Type, l.Target)
	}
	return nil
}

// list prints the associations of a path.
func (o associateOptions) list(ctx context.Context, s *session, c *client.Client, path string) error {
	list := c.Associations(ctx, path, client.AssociationOptions{ListOptions: client.ListOptions{PageSize: listPage}, Incoming: o.in, Type: o.kind})
	if s.json {
		return writeList(s, list)
	}
	head, end := "TO", func(l client.Association) client.End { return l.Target }
	if o.in {
		head, end = "FROM", func(l client.Association) client.End { return l.Source }
	}
	t := s.table("TYPE", head, "SINCE", "BY")
	for l, err := range list {
		if err != nil {
			return t.end(err)
		}
		t.row(l.Type, end(l).String(), moment(l.CreatedAt), l.CreatedBy)
	}
	return t.end(nil)
}

// graph prints what a path leads to, or what leads to it, as a tree. What stands in it twice is printed with what is below it once.
func (o associateOptions) graph(ctx context.Context, s *session, c *client.Client, path string) error {
	ask := c.Dependencies
	if o.impact {
		ask = c.Impact
	}
	g, err := ask(ctx, path, client.GraphOptions{Depth: o.depth, Limit: o.limit, Type: o.kind})
	switch {
	case err != nil:
		return err
	case s.json:
		return s.writeJSON(g)
	case len(g.Nodes) == 0:
		return nil
	}
	tree := graphTree{s: s, next: map[string][]client.GraphEdge{}, depth: map[string]int{}, types: o.kind != ""}
	for _, n := range g.Nodes {
		tree.depth[n.String()] = n.Depth
	}
	for _, e := range g.Edges {
		if o.impact {
			e.Source, e.Target = e.Target, e.Source
		}
		tree.next[e.Source] = append(tree.next[e.Source], e)
	}
	start := g.Nodes[0].String()
	tree.text.WriteString(s.shown(start) + "\n")
	tree.below(start, "    ")
	if _, err := io.WriteString(s.Out, tree.text.String()); err != nil {
		return err
	}
	if g.Cut != "" && !s.quiet {
		fmt.Fprintf(s.Err, "there is more; this is up to the %s\n", map[string]string{"depth": "depth (-depth)", "limit": "number (-n)"}[g.Cut])
	}
	return nil
}

// graphTree prints a graph as a tree: each node at the end of one of the shortest ways to it, with what follows it there; elsewhere by its name alone.
type graphTree struct {
	s     *session
	text  strings.Builder
	next  map[string][]client.GraphEdge // by where the way goes on
	depth map[string]int
	types bool // the edges have different ones
}

// below prints what follows a node.
func (t *graphTree) below(node, indent string) {
	edges := t.next[node]
	delete(t.next, node) // printed once
	for _, e := range edges {
		line := e.Target
		if t.types {
			line = e.Type + " " + line
		}
		here := t.depth[e.Target] == t.depth[node]+1 && t.next[e.Target] != nil
		if !here && (t.next[e.Target] != nil || t.depth[e.Target] <= t.depth[node]) {
			line += " (shown elsewhere)"
		}
		t.text.WriteString(indent + t.s.shown(line) + "\n")
		if here {
			t.below(e.Target, indent+"    ")
		}
	}
}
