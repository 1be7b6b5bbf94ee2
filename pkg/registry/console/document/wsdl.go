package document

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// WSDL is what a page shows of a WSDL 1.1 or 2.0 document.
type WSDL struct {
	Format      string // "WSDL 1.1"
	Name        string
	Namespace   string
	Description template.HTML
	Imports     []Import
	Services    []Service
	PortTypes   []PortType // interfaces in 2.0
	Bindings    []Binding
	Schemas     []*XSD
	Policies    []*Policy
	Operations  int // that the document has
	Left        int // of them, not shown
}

// Service is where operations are served.
type Service struct {
	Name        string
	Description template.HTML
	Ports       []Port
}

// Port is an address of a service.
type Port struct {
	Name, Binding, Address, Protocol string
	Ref                              string // the anchor of the binding; "" for none in this document
}

// PortType is operations that belong together.
type PortType struct {
	Anchor, Name string
	Description  template.HTML
	Operations   []WSDLOperation
}

// WSDLOperation is an operation with its messages.
type WSDLOperation struct {
	Name        string
	Description template.HTML
	Messages    []Message
}

// Message is what goes in or out, or a fault.
type Message struct {
	Role    string // "in", "out", "fault"
	Name    string
	Parts   []*Schema
	Outside bool // it is described in another document
}

// Binding says how operations of a port type are called.
type Binding struct {
	Anchor, Name, PortType, Ref string // Ref is the anchor of the port type
	Protocol                    string
	Facts                       []string
	Operations                  []BoundOperation
}

// BoundOperation is an operation of a binding.
type BoundOperation struct {
	Name  string
	Facts []string
}

// ReadWSDL reads a WSDL document; false when top is none.
func ReadWSDL(top *Element) (*WSDL, bool) {
	is20 := top.Space == nsWSDL20 && top.Name == "description"
	if !is20 && (top.Space != nsWSDL || top.Name != "definitions") {
		return nil, false
	}
	types := top.First("types", top.Space)
	schemas := types.All("schema", nsXSD)
	r := &wsdlReader{top: top, xsd: newXSDReader(schemas...), messages: map[string]*Element{}, portTypes: map[string]string{}, bindings: map[string]string{}}
	w := &WSDL{Format: "WSDL 1.1", Name: label(top, "name"), Namespace: label(top, "targetNamespace"), Description: r.xsd.said(top)}
	for _, c := range top.All("import", top.Space) {
		w.Imports = append(w.Imports, Import{"import", label(c, "namespace"), label(c, "location")})
	}
	w.Imports = w.Imports[:min(len(w.Imports), maxList)]
	portType := "portType"
	if is20 {
		w.Format, portType = "WSDL 2.0", "interface"
	}
	r.name(portType)
	for _, e := range firstOf(top.All(portType, top.Space)) {
		w.PortTypes = append(w.PortTypes, r.portType(w, e, is20))
	}
	for _, e := range firstOf(top.All("binding", top.Space)) {
		w.Bindings = append(w.Bindings, r.binding(e))
	}
	for _, e := range firstOf(top.All("service", top.Space)) {
		w.Services = append(w.Services, r.service(e))
	}
	for _, s := range firstOf(schemas) {
		w.Schemas = append(w.Schemas, r.xsd.schema(s))
	}
	for _, e := range firstOf(slices.DeleteFunc(slices.Clone(top.Children), func(c *Element) bool { return !isPolicy(c) })) {
		p, _ := ReadPolicy(e)
		w.Policies = append(w.Policies, p)
	}
	return w, true
}

// firstOf are as many elements as a page shows of one list.
func firstOf(all []*Element) []*Element { return all[:min(len(all), maxList)] }

type wsdlReader struct {
	top       *Element
	xsd       *xsdReader
	messages  map[string]*Element
	portTypes map[string]string // anchors by name
	bindings  map[string]string
}

// name finds the messages and gives anchors to what others refer to.
func (r *wsdlReader) name(portType string) {
	for _, e := range r.top.All("message", r.top.Space) {
		r.messages[e.Attr("name")] = e
	}
	for i, e := range r.top.All(portType, r.top.Space) {
		r.portTypes[e.Attr("name")] = fmt.Sprintf("port-type-%d", i+1)
	}
	for i, e := range r.top.All("binding", r.top.Space) {
		r.bindings[e.Attr("name")] = fmt.Sprintf("binding-%d", i+1)
	}
}

func (r *wsdlReader) portType(w *WSDL, e *Element, is20 bool) PortType {
	p := PortType{Anchor: r.portTypes[e.Attr("name")], Name: label(e, "name"), Description: r.xsd.said(e)}
	for _, o := range e.All("operation", r.top.Space) {
		if w.Operations++; w.Operations > MaxOperations {
			w.Left++
			continue
		}
		op := WSDLOperation{Name: label(o, "name"), Description: r.xsd.said(o)}
		for _, m := range o.Children {
			role, known := roles[m.Name]
			if !known || m.Space != r.top.Space || r.xsd.rows <= 0 {
				continue
			}
			r.xsd.rows--
			if is20 {
				op.Messages = append(op.Messages, r.message20(role, m))
			} else {
				op.Messages = append(op.Messages, r.message(role, m))
			}
		}
		p.Operations = append(p.Operations, op)
	}
	return p
}

// roles are what the elements of an operation mean.
var roles = map[string]string{"input": "in", "output": "out", "fault": "fault", "infault": "fault in", "outfault": "fault"}

func (r *wsdlReader) message(role string, e *Element) Message {
	_, name := e.qname(e.Attr("message"))
	m := Message{Role: role, Name: Shorten(name, maxLabel)}
	if fault := label(e, "name"); role == "fault" && fault != "" && fault != m.Name {
		m.Name = fault + " (" + m.Name + ")"
	}
	message := r.messages[name]
	if message == nil {
		m.Outside = true
		return m
	}
	for _, part := range message.All("part", r.top.Space) {
		if r.xsd.rows <= 0 || len(m.Parts) == maxFields {
			break
		}
		r.xsd.rows--
		s := &Schema{Name: label(part, "name"), Type: "anything"}
		if element := part.Attr("element"); element != "" {
			r.xsd.refer(s, part, "element", element)
			s.Mark = "element"
		} else if t := part.Attr("type"); t != "" {
			r.xsd.refer(s, part, "type", t)
		}
		m.Parts = append(m.Parts, s)
	}
	return m
}

func (r *wsdlReader) message20(role string, e *Element) Message {
	m := Message{Role: role, Name: label(e, "messageLabel")}
	if ref := label(e, "ref"); ref != "" {
		m.Name = ref
	}
	if element := e.Attr("element"); strings.HasPrefix(element, "#") {
		m.Parts = []*Schema{{Type: Shorten(strings.TrimPrefix(element, "#"), maxLabel)}}
	} else if element != "" {
		s := &Schema{Mark: "element"}
		r.xsd.refer(s, e, "element", element)
		m.Parts = []*Schema{s}
	}
	return m
}

// binding reads a binding and the extensions in it, whose namespaces tell the protocol.
func (r *wsdlReader) binding(e *Element) Binding {
	name := e.Attr("type") + e.Attr("interface")
	if e.Space == nsWSDL20 {
		name = e.Attr("interface")
	}
	_, local := e.qname(name)
	b := Binding{Anchor: r.bindings[e.Attr("name")], Name: label(e, "name"), PortType: Shorten(local, maxLabel), Ref: r.portTypes[local]}
	if e.Space == nsWSDL20 {
		b.Protocol = protocolOf(e.Attr("type"))
	}
	for _, c := range e.Children {
		switch {
		case c.Name == "operation" && c.Space == r.top.Space:
			if len(b.Operations) < maxList && r.xsd.rows > 0 {
				r.xsd.rows--
				b.Operations = append(b.Operations, boundOperation(c))
			}
		case c.Name == "binding":
			b.Protocol = protocolOf(c.Space)
			b.Facts = append(b.Facts, attrFacts(c, "style", "transport", "verb")...)
		case c.Name == "PolicyReference":
			b.Facts = append(b.Facts, "policy "+label(c, "URI"))
		}
		b.Facts = b.Facts[:min(len(b.Facts), maxTexts)]
	}
	return b
}

func boundOperation(e *Element) BoundOperation {
	o := BoundOperation{Name: label(e, "name")}
	if ref := e.Attr("ref"); o.Name == "" {
		_, local := e.qname(ref)
		o.Name = Shorten(local, maxLabel)
	}
	for _, c := range e.Children {
		if c.Name == "operation" {
			o.Facts = append(o.Facts, attrFacts(c, "soapAction", "style", "location")...)
		}
		for _, body := range c.Children {
			if body.Name == "body" {
				for _, fact := range attrFacts(body, "use") {
					o.Facts = append(o.Facts, c.Name+" "+fact)
				}
			}
		}
		o.Facts = o.Facts[:min(len(o.Facts), maxTexts)]
	}
	return o
}

func attrFacts(e *Element, names ...string) []string {
	var facts []string
	for _, name := range names {
		if v := label(e, name); v != "" {
			facts = append(facts, name+": "+v)
		}
	}
	return facts
}

func (r *wsdlReader) service(e *Element) Service {
	s := Service{Name: label(e, "name"), Description: r.xsd.said(e)}
	for _, c := range e.Children {
		if c.Space != r.top.Space || c.Name != "port" && c.Name != "endpoint" || len(s.Ports) == maxList || r.xsd.rows <= 0 {
			continue
		}
		r.xsd.rows--
		_, binding := c.qname(c.Attr("binding"))
		p := Port{Name: label(c, "name"), Binding: Shorten(binding, maxLabel), Ref: r.bindings[binding], Address: label(c, "address")}
		for _, a := range c.Children {
			switch {
			case a.Name == "address":
				p.Address, p.Protocol = label(a, "location"), protocolOf(a.Space)
			case a.Name == "EndpointReference" && p.Address == "":
				p.Address = Shorten(a.First("Address").Plain(), maxLabel)
			}
		}
		s.Ports = append(s.Ports, p)
	}
	return s
}

// protocolOf names the protocol of an extension's namespace.
func protocolOf(space string) string {
	switch space {
	case "http://schemas.xmlsoap.org/wsdl/soap/":
		return "SOAP 1.1"
	case "http://schemas.xmlsoap.org/wsdl/soap12/":
		return "SOAP 1.2"
	case "http://schemas.xmlsoap.org/wsdl/http/", "http://www.w3.org/ns/wsdl/http":
		return "HTTP"
	case "http://www.w3.org/ns/wsdl/soap":
		return "SOAP"
	}
	return ""
}
