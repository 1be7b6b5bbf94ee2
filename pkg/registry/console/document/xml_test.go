package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/console/document"
)

func parseXML(t *testing.T, text []byte) *document.Element {
	t.Helper()
	top, err := document.ParseXML(text)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func sections(title string, all []document.Section) string {
	var text strings.Builder
	for _, s := range all {
		text.WriteString(title + " " + s.Anchor + row(s.Schema, ""))
	}
	return text.String()
}

func xsd(x *document.XSD) string {
	return fmt.Sprintf("%s %v %v %s\n", x.Namespace, x.Facts, x.Imports, x.Description) + sections("element", x.Elements) + sections("type", x.Types) + sections("group", x.Groups)
}

func TestReadXSD(t *testing.T) {
	x, ok := document.ReadXSD(parseXML(t, load(t, "orders.xsd")))
	if !ok {
		t.Fatal("it is no schema")
	}
	checkText(t, xsd(x), `urn:orders [version: 2] [{include  http://127.0.0.1:1/more.xsd}] <p class="prose">What a shop sells.</p>
element schema-1order: Order #schema-3 (may be nil)
element schema-2note: complex type (text between the elements)
  choice : one of (any number)
    o:order: element order #schema-1
    : any element
type schema-3Order: extends Base #schema-4 <p class="prose">An order.</p> (abstract)
  state: State #schema-5 (default open)
  price: Money outside urn:money (optional)
  sequence : in this order (1 to 3)
    line: string
  group o:Parts: Parts #schema-8 (exactly 2)
  attribute id: int required
  attribute size: int (minInclusive 1)
  group o:More: More #schema-9
type schema-4Base: complex type
type schema-5State: string (one of open, paid)
type schema-6Sizes: list of int
type schema-7Any: union of State, string
group schema-8Parts: group of elements
  part: anything
group schema-9More: group of attributes
  : any attribute
`)
}

func TestReadWSDL(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"shop.wsdl", `WSDL 1.1 Shop urn:shop <p class="prose">Sells things & more.</p> [{import urn:far http://127.0.0.1:1/far.wsdl}]
service ShopService <p class="prose">Open at night.</p>
  soap ShopSoap #binding-1 https://shop.example.org/soap SOAP 1.1
  soap12 Other # javascript:alert(1) SOAP 1.2
port type port-type-1 Shop
  order <p class="prose">Places an order.</p>
    in OrderIn
      element body: Order #schema-1
    out OrderOut
      element body: Receipt #schema-2
    fault soldOut (Sorry)
      why: string
  notify
    in Note outside
binding binding-1 ShopSoap of Shop #port-type-1 SOAP 1.1 [policy #secure style: document transport: http://schemas.xmlsoap.org/soap/http]
  order [soapAction: urn:order input use: literal]
urn:orders [elementFormDefault: qualified] [{import urn:money money.xsd}]
element schema-1Order: complex type
  item: Item #schema-3 (1 or more)
element schema-2Receipt: string
type schema-3Item: complex type
  attribute sku: string required
policy secure
  all All of
    assertion TransportBinding
`},
		{"shop20.wsdl", `WSDL 2.0  urn:shop  []
service ShopService
  one ShopSoap #binding-1 https://shop.example.org/
port type port-type-1 Shop
  order
    in In
      element : Order #schema-1
    out
      : none
    fault tns:SoldOut
binding binding-1 ShopSoap of Shop #port-type-1 SOAP []
  order []
urn:shop [] []
element schema-1Order: string
`},
	} {
		w, ok := document.ReadWSDL(parseXML(t, load(t, c.name)))
		if !ok {
			t.Fatal(c.name)
		}
		checkText(t, wsdl(w), strings.ReplaceAll(c.want, "& more", "&amp; more"))
	}
}

func wsdl(w *document.WSDL) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s %v\n", w.Format, w.Name, w.Namespace, w.Description, w.Imports)
	for _, s := range w.Services {
		fmt.Fprintf(&b, "service %s %s\n", s.Name, s.Description)
		for _, p := range s.Ports {
			fmt.Fprintf(&b, "  %s %s #%s %s %s\n", p.Name, p.Binding, p.Ref, p.Address, p.Protocol)
		}
	}
	for _, p := range w.PortTypes {
		fmt.Fprintf(&b, "port type %s %s\n", p.Anchor, p.Name)
		for _, o := range p.Operations {
			fmt.Fprintf(&b, "  %s %s\n", o.Name, o.Description)
			for _, m := range o.Messages {
				fmt.Fprintf(&b, "    %s %s%s\n", m.Role, m.Name, map[bool]string{true: " outside"}[m.Outside])
				for _, part := range m.Parts {
					b.WriteString(row(part, "      "))
				}
			}
		}
	}
	for _, x := range w.Bindings {
		fmt.Fprintf(&b, "binding %s %s of %s #%s %s %v\n", x.Anchor, x.Name, x.PortType, x.Ref, x.Protocol, x.Facts)
		for _, o := range x.Operations {
			fmt.Fprintf(&b, "  %s %v\n", o.Name, o.Facts)
		}
	}
	for _, s := range w.Schemas {
		b.WriteString(xsd(s))
	}
	for _, p := range w.Policies {
		b.WriteString("policy " + p.Name + "\n" + policy(p.Top, "  "))
	}
	return b.String()
}

func policy(b *document.Branch, indent string) string {
	var text strings.Builder
	text.WriteString(indent + b.Kind + " " + b.Name)
	if b.Value != "" {
		text.WriteString(" (" + b.Value + ")")
	}
	text.WriteString("\n")
	for _, c := range b.Children {
		text.WriteString(policy(c, indent+"  "))
	}
	return text.String()
}

func TestReadPolicy(t *testing.T) {
	p, ok := document.ReadPolicy(parseXML(t, load(t, "policy.xml")))
	if !ok || p.Name != "Signed" {
		t.Fatalf("%+v", p)
	}
	checkText(t, policy(p.Top, ""), `one One of
  all All of
    assertion Transport (Optional=true)
      assertion Https (RequireClientCertificate=false)
      assertion Layout
        assertion Lax
  all All of
    assertion Signed (body)
    assertion Fresh
`)
}

func TestReadXML_IsOfNoOtherKind(t *testing.T) {
	top := parseXML(t, []byte(`<definitions xmlns="urn:else"><schema/></definitions>`))
	if _, ok := document.ReadWSDL(top); ok {
		t.Error("a WSDL of another namespace")
	}
	if _, ok := document.ReadXSD(top); ok {
		t.Error("a schema of another name")
	}
	if _, ok := document.ReadPolicy(top); ok {
		t.Error("a policy")
	}
}

func TestReadXML_IsBounded(t *testing.T) {
	var large strings.Builder
	large.WriteString(`<d:definitions xmlns:d="http://schemas.xmlsoap.org/wsdl/" xmlns:x="http://www.w3.org/2001/XMLSchema"><d:types><x:schema>`)
	for i := range 5000 {
		fmt.Fprintf(&large, `<x:element name="e%d"><x:complexType><x:sequence>%s</x:sequence></x:complexType></x:element>`, i, strings.Repeat(`<x:element name="a" type="x:int"/>`, 10))
	}
	large.WriteString(`</x:schema></d:types><d:message name="M">` + strings.Repeat(`<d:part name="p" type="x:int"/>`, 1000) + `</d:message><d:portType name="P">`)
	for i := range 3000 {
		fmt.Fprintf(&large, `<d:operation name="o%d"><d:input message="M"/></d:operation>`, i)
	}
	large.WriteString(`</d:portType></d:definitions>`)
	w, _ := document.ReadWSDL(parseXML(t, []byte(large.String())))
	parts := 0
	for _, o := range w.PortTypes[0].Operations {
		for _, m := range o.Messages {
			parts += len(m.Parts)
		}
	}
	if w.Operations != 3000 || w.Left != 2000 || len(w.PortTypes[0].Operations) != 1000 || w.Schemas[0].Left != 3000 || parts > document.MaxRows {
		t.Errorf("%d operations, %d left, %d schemas left, %d parts", w.Operations, w.Left, w.Schemas[0].Left, parts)
	}
	deep := `<schema xmlns="http://www.w3.org/2001/XMLSchema"><element name="a">` + strings.Repeat(`<complexType><sequence><element name="b">`, 30) +
		strings.Repeat(`</element></sequence></complexType>`, 30) + `</element></schema>`
	x, _ := document.ReadXSD(parseXML(t, []byte(deep)))
	if n := strings.Count(xsd(x), "\n"); n > 20 {
		t.Errorf("%d rows of a schema in itself", n)
	}
}
