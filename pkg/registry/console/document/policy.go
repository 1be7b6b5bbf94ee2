package document

import "strings"

// Policy is a policy of WS-Policy as a tree.
type Policy struct {
	Name string // or id; "" without one
	Top  *Branch
}

// nsPolicies are the namespaces of WS-Policy's editions.
var nsPolicies = map[string]bool{
	"http://schemas.xmlsoap.org/ws/2004/09/policy": true, "http://schemas.xmlsoap.org/ws/2002/12/policy": true,
	"http://www.w3.org/ns/ws-policy": true, "http://www.w3.org/2006/07/ws-policy": true,
}

func isPolicy(e *Element) bool { return nsPolicies[e.Space] && e.Name == "Policy" }

// ReadPolicy reads a policy; false when top is none. Its branches are of kind "all", "one" (alternatives) and "assertion".
func ReadPolicy(top *Element) (*Policy, bool) {
	if !isPolicy(top) {
		return nil, false
	}
	p := &Policy{}
	for _, a := range top.Attrs {
		if a.Name == "Name" || a.Name == "Id" || a.Name == "id" {
			p.Name = Shorten(a.Value, maxLabel)
		}
	}
	m := treeMaker{left: MaxBranches}
	p.Top = m.policy(top, 0)
	return p, true
}

// policy makes a branch of an operator or an assertion. A policy within an assertion, and an operator with one part, stand for their parts.
func (m *treeMaker) policy(e *Element, depth int) *Branch {
	m.left--
	b := &Branch{Kind: "assertion", Name: Shorten(e.Name, maxLabel), Line: e.Line, Open: true}
	if nsPolicies[e.Space] {
		switch e.Name {
		case "Policy", "All":
			b.Kind, b.Name = "all", "All of"
		case "ExactlyOne", "OneOrMore":
			b.Kind, b.Name = "one", "One of"
		}
	}
	var facts []string
	if b.Kind == "assertion" {
		for _, a := range e.Attrs {
			if len(facts) < maxTexts {
				facts = append(facts, Shorten(a.Name+"="+a.Value, maxLabel))
			}
		}
		if text := e.Plain(); text != "" {
			facts = append(facts, Shorten(text, maxTreeText))
		}
	}
	b.Value = strings.Join(facts, " · ")
	b.Count = len(e.Children)
	if depth >= maxTreeDepth {
		return b
	}
	for i, c := range e.Children {
		if m.left <= 0 || i == maxSiblings {
			return b
		}
		child := m.policy(c, depth+1)
		if child.Kind == "all" && b.Kind != "one" && child.Left() == 0 { // all of all is all
			b.Count += child.Count - 1
			b.Children = append(b.Children, child.Children...)
			continue
		}
		b.Children = append(b.Children, child)
	}
	if b.Kind != "assertion" && len(b.Children) == 1 && b.Children[0].Kind != "assertion" && b.Left() == 0 {
		return b.Children[0] // of one alternative, or of one operator
	}
	return b
}
