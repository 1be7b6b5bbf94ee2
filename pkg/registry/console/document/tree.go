package document

// Limits of a tree: what is beyond them is counted, not shown.
const (
	MaxBranches  = 5_000
	maxTreeDepth = 40
	maxTreeText  = 300 // characters of one value
	maxSiblings  = 500 // children of one branch
)

// Branch is a part of a document as a tree shows it.
type Branch struct {
	Name     string // key, element or place in a list; "" at the top of JSON and YAML
	Kind     string // "map", "list", "text", "literal", "null", "element", "attribute", "content"
	Value    string // of a leaf; cut when long
	Line     int
	Count    int // children that the document has here
	Children []*Branch
	Open     bool // it is so near to the top that the tree begins with it open
}

// Left is the number of children that are not shown.
func (b *Branch) Left() int { return b.Count - len(b.Children) }

// treeMaker makes branches until there are enough.
type treeMaker struct{ left int }

// Tree makes a tree of a value of JSON or YAML.
func Tree(v *Value) *Branch {
	m := treeMaker{left: MaxBranches}
	return m.value("", v, 0)
}

func (m *treeMaker) value(name string, v *Value, depth int) *Branch {
	m.left--
	b := &Branch{Name: name, Kind: [...]string{"null", "text", "literal", "list", "map"}[v.Kind], Value: Shorten(v.Text, maxTreeText), Line: v.Line, Count: len(v.Values), Open: depth < 2}
	if v.Kind == Null {
		b.Value = "null"
	}
	if depth >= maxTreeDepth {
		return b
	}
	for i, child := range v.Values {
		if m.left <= 0 || i == maxSiblings {
			break
		}
		key := ""
		if v.Kind == Map {
			key = v.Keys[i]
		}
		b.Children = append(b.Children, m.value(key, child, depth+1))
	}
	return b
}

// ElementTree makes a tree of an XML document.
func ElementTree(e *Element) *Branch {
	m := treeMaker{left: MaxBranches}
	return m.element(e, 0)
}

func (m *treeMaker) element(e *Element, depth int) *Branch {
	m.left--
	b := &Branch{Name: e.Tag(), Kind: "element", Line: e.Line, Count: len(e.Attrs) + len(e.Children), Open: depth < 2}
	text := e.Plain()
	if text != "" && len(e.Attrs)+len(e.Children) == 0 {
		b.Value = Shorten(text, maxTreeText)
		return b
	}
	if depth >= maxTreeDepth {
		return b
	}
	for i, a := range e.Attrs {
		if m.left <= 0 || i == maxSiblings {
			return b
		}
		m.left--
		b.Children = append(b.Children, &Branch{Name: a.Tag(), Kind: "attribute", Value: Shorten(a.Value, maxTreeText), Line: e.Line})
	}
	if text != "" {
		b.Count++
		b.Children = append(b.Children, &Branch{Kind: "content", Value: Shorten(text, maxTreeText), Line: e.Line})
	}
	for i, child := range e.Children {
		if m.left <= 0 || i == maxSiblings {
			break
		}
		b.Children = append(b.Children, m.element(child, depth+1))
	}
	return b
}

// Shorten cuts a text after n characters, with an ellipsis.
func Shorten(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}
