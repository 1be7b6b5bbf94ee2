package wso2conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAxis2(t *testing.T) {
	a, problems := ParseAxis2([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?>
<axisconfig name="x">
  <parameter name="domain">outside</parameter>
  <transportReceiver name="http" class="c">
    <parameter name="non-blocking">true</parameter>
    <parameter name="port" locked="false"> 8280
    </parameter>
  </transportReceiver>
  <transportReceiver name="local"/>
  <clustering class="c" enable="true">
    <!-- <parameter name="localMemberHost">127.0.0.9</parameter> -->
    <parameter name="localMemberHost">` + "caf\xe9" + `.example</parameter>
    <parameter
      name="localMemberPort">5000</parameter>
    <parameter name="empty"/>
    <parameter name="properties"><property name="subDomain" value="mgt"/></parameter>
    <members>
      <member><hostName>a &amp; b</hostName><port>4000</port></member>
      <member/>
    </members>
    <groupManagement enable="true"><applicationDomain name="d" port="2222"><parameter name="p">q</parameter></applicationDomain></groupManagement>
  </clustering>
  <clustering enable="false"><parameter name="domain">second</parameter><members><member/></members></clustering>
</axisconfig>`))
	if len(problems) > 0 {
		t.Fatalf("%q", showProblems(problems))
	}
	want := &Axis2{
		Parameters: []Parameter{
			{"class", "c", 10},
			{"enable", "true", 10},
			{"localMemberHost", "café.example", 12},
			{"localMemberPort", "5000", 13},
			{"empty", "", 15},
			{"properties", "", 16},
			{"groupManagement", "true", 21},
		},
		Members:   []Address{{"a & b", "4000", 18}, {"", "", 19}},
		Receivers: []Receiver{{"http", Parameter{"port", "8280", 6}, 4}, {"local", Parameter{}, 9}},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
}

func TestParseAxis2_Faults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no XML":           {"services {\n}\n", ""}, // text outside of elements; that it has no clustering is for the caller to say
		"cut":              {"<a>\n<clustering>\n<parameter name=\"x\">1", `3 fault "a.clustering.parameter" unexpected EOF`},
		"wrong end":        {"<a>\n</b>", `2 fault "a" element <a> closed by </b>`},
		"document type":    {"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<a>&x;</a>", `1 fault "" a document type is refused; leave <!…> out`},
		"unknown entity":   {"<a>\n&x;</a>", `2 fault "a" invalid character entity &x;`},
		"unknown encoding": {"<?xml version=\"1.0\" encoding=\"utf-7\"?><a/>", `1 fault "" xml: opening charset "utf-7": the encoding "utf-7" is not known; write the file in UTF-8`},
		"too deep":         {strings.Repeat("<a>", 40), `1 fault "` + strings.TrimSuffix(strings.Repeat("a.", 32), ".") + `" elements lie more than 32 deep in each other`},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := ParseAxis2([]byte(c.text))
			if got := strings.Join(showProblems(problems), "\n"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzParseAxis2(f *testing.F) {
	for _, seed := range []string{
		`<a><clustering enable="true"><parameter name="domain">d</parameter><members><member><hostName>h</hostName><port>1</port></member></members></clustering></a>`,
		`<a><transportReceiver name="http"><parameter name="port">1</parameter></transportReceiver><groupManagement/></a>`,
		`<a><clustering><members><hostName/></members></clustering>`, `<?xml version="1.0" encoding="latin1"?><a>` + "\xe9", `<!DOCTYPE a>`, `<clustering/>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, problems := ParseAxis2([]byte(text))
		lines := 1 + strings.Count(text, "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || strings.ContainsFunc(p.Key+p.Text, unprintable) {
				t.Fatalf("%+v in %d lines", p, lines)
			}
		}
		for _, p := range a.Parameters {
			if p.Line < 1 || p.Line > lines || strings.ContainsFunc(p.Name+p.Value, unprintable) {
				t.Fatalf("%+v in %d lines", p, lines)
			}
		}
	})
}
