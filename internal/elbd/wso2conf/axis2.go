package wso2conf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding/charmap"
)

// Axis2 is what the axis2.xml of a load balancer says of its group and its ports.
type Axis2 struct {
	Parameters []Parameter // of the element clustering, and its attributes, in the order of the file
	Members    []Address   // well-known members
	Receivers  []Receiver  // transports that requests come by
}

// Parameter is a value with a name. Line is where it stands.
type Parameter struct {
	Name, Value string
	Line        int
}

// Address is a well-known member as it stands in the file; any part may be empty.
type Address struct {
	Host, Port string
	Line       int
}

// Receiver is a transportReceiver.
type Receiver struct {
	Name string
	Port Parameter
	Line int
}

const maxXMLDepth = 32

// ParseAxis2 reads an axis2.xml. A document type, and with it every entity, is refused. What it gives is never nil: after a fault it holds what
// came before.
func ParseAxis2(text []byte) (*Axis2, []Problem) {
	p := &axis2Parser{decoder: xml.NewDecoder(bytes.NewReader(text)), result: &Axis2{}}
	p.decoder.CharsetReader = charset
	if err := p.run(); err != nil {
		line, _ := p.decoder.InputPos()
		if e, ok := errors.AsType[*xml.SyntaxError](err); ok {
			line, err = e.Line, errors.New(e.Msg)
		}
		return p.result, []Problem{{Line: max(line, 1), Key: p.path(), Text: printable(err.Error())}}
	}
	return p.result, nil
}

// charset reads the encodings, besides UTF-8, that such files are written in.
func charset(name string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "iso-8859-1", "us-ascii", "ascii", "latin1":
		return charmap.ISO8859_1.NewDecoder().Reader(in), nil
	case "windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(in), nil
	}
	return nil, fmt.Errorf("the encoding %q is not known; write the file in UTF-8", name)
}

// axis2Parser walks over the elements once.
type axis2Parser struct {
	decoder   *xml.Decoder
	result    *Axis2
	open      []element
	clustered bool // the element clustering was there; a second one does not count
}

// element is one that is not closed yet.
type element struct {
	name, title string // title is its attribute name
	text        []byte
	line        int
}

func (p *axis2Parser) run() error {
	for {
		line, _ := p.decoder.InputPos()
		token, err := p.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.Directive:
			return errors.New("a document type is refused; leave <!…> out")
		case xml.StartElement:
			if len(p.open) == maxXMLDepth {
				return fmt.Errorf("elements lie more than %d deep in each other", maxXMLDepth)
			}
			p.start(t, line)
		case xml.EndElement:
			p.end()
			p.open = p.open[:len(p.open)-1]
		case xml.CharData:
			if len(p.open) > 0 {
				e := &p.open[len(p.open)-1]
				e.text = append(e.text, t...)
			}
		}
	}
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return clean(a.Value)
		}
	}
	return ""
}

// clean is a value on one line, without what cannot be printed.
func clean(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }

func (p *axis2Parser) start(t xml.StartElement, line int) {
	p.open = append(p.open, element{name: printable(t.Name.Local), title: attribute(t, "name"), line: line})
	if p.clustered && p.inside("clustering") {
		return
	}
	switch {
	case p.is("clustering"):
		for _, a := range t.Attr {
			p.result.Parameters = append(p.result.Parameters, Parameter{printable(a.Name.Local), clean(a.Value), line})
		}
	case p.is("clustering", "groupManagement"):
		p.result.Parameters = append(p.result.Parameters, Parameter{"groupManagement", attribute(t, "enable"), line})
	case p.is("clustering", "members", "member"):
		p.result.Members = append(p.result.Members, Address{Line: line})
	case p.is("transportReceiver"):
		p.result.Receivers = append(p.result.Receivers, Receiver{Name: attribute(t, "name"), Line: line})
	}
}

// end takes the text of the element that ends here.
func (p *axis2Parser) end() {
	e := &p.open[len(p.open)-1]
	value := clean(string(e.text))
	if p.clustered && p.inside("clustering") {
		return
	}
	switch {
	case p.is("clustering"):
		p.clustered = true
	case p.is("clustering", "parameter"):
		p.result.Parameters = append(p.result.Parameters, Parameter{e.title, value, e.line})
	case p.is("clustering", "members", "member", "hostName"):
		p.result.Members[len(p.result.Members)-1].Host = value
	case p.is("clustering", "members", "member", "port"):
		p.result.Members[len(p.result.Members)-1].Port = value
	case p.is("transportReceiver", "parameter") && e.title == "port":
		p.result.Receivers[len(p.result.Receivers)-1].Port = Parameter{e.title, value, e.line}
	}
}

// is tells whether the open elements, the root apart, have these names.
func (p *axis2Parser) is(names ...string) bool {
	return len(p.open) == len(names)+1 && slices.EqualFunc(p.open[1:], names, func(e element, name string) bool { return e.name == name })
}

func (p *axis2Parser) inside(name string) bool { return len(p.open) > 1 && p.open[1].name == name }

// path is the names of the open elements, with dots between.
func (p *axis2Parser) path() string {
	var names []string
	for i := range p.open {
		names = append(names, p.open[i].name)
	}
	return strings.Join(names, ".")
}
