package e2e_test

// The table of payloads: testdata/smuggling/*.txt, in the form that testdata/smuggling/README.md describes.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// payload is bytes that a client sends, and all that may come of them.
type payload struct {
	name string // file/name
	from string // where the idea is from: an RFC's section, a CVE, a paper
	idea string // what the sender hopes for
	send []step
	want []outcome // one for each answer, in order
}

// step is bytes to send. A step but the first is sent after an answer to the one before it.
type step struct {
	bytes string
	after int // the interim status to wait for before; 0: a final answer
}

// kind says who answers, and what the member may see.
type kind string

const (
	passed   kind = "passed"   // the member answers a request; it is exactly the one in the table
	refused  kind = "refused"  // the load balancer answers and closes the connection; the member sees not one byte
	own      kind = "own"      // the load balancer answers; the member sees nothing; the connection may go on
	cut      kind = "cut"      // the load balancer answers and closes; the member sees at most a beginning of the request, and never its end
	switched kind = "switched" // the member answers 101 and gets the bytes that follow
)

// outcome is one answer and what the member saw for it.
type outcome struct {
	kind    kind
	status  []int   // any of these
	closed  bool    // the connection ends after it
	request message // passed, switched, cut; fields without those that the load balancer sets itself
}

// loadPayloads reads the table.
func loadPayloads(t testing.TB) []payload {
	t.Helper()
	files, err := filepath.Glob("testdata/smuggling/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no payloads: %v", err)
	}
	var all []payload
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		group := strings.TrimSuffix(filepath.Base(file), ".txt")
		parser := tableParser{group: group}
		for i, line := range strings.Split(string(text), "\n") {
			if err := parser.line(line); err != nil {
				t.Fatalf("%s:%d: %v", file, i+1, err)
			}
		}
		all = append(all, parser.all...)
	}
	return all
}

type tableParser struct {
	group string
	all   []payload
}

// line reads one line of a file.
func (p *tableParser) line(line string) error {
	mark, rest, _ := strings.Cut(line, " ")
	if mark == "==" {
		p.all = append(p.all, payload{name: p.group + "/" + rest})
		return nil
	}
	if line == "" || mark == ";" {
		return nil
	}
	if len(p.all) == 0 {
		return fmt.Errorf("%q stands before the first payload", line)
	}
	now := &p.all[len(p.all)-1]
	switch {
	case mark == "from:":
		now.from = rest
	case mark == "idea:":
		now.idea = rest
	case mark == ">":
		return now.bytes(rest)
	case mark == "~":
		after, err := strconv.Atoi(rest)
		if err != nil && rest != "answer" {
			return fmt.Errorf("%q: wait for what?", line)
		}
		now.send = append(now.send, step{after: after})
	case mark == "=":
		return now.outcome(strings.Fields(rest))
	case strings.HasPrefix(line, "  ") && len(now.want) > 0:
		return now.want[len(now.want)-1].request.add(line[2:])
	default:
		return fmt.Errorf("%q is of no known kind", line)
	}
	return nil
}

// bytes adds a line to what is sent.
func (p *payload) bytes(text string) error {
	text, unended := strings.CutSuffix(text, `\`)
	if !unended {
		text += `\r\n`
	}
	bytes, err := unescape(text)
	if len(p.send) == 0 {
		p.send = []step{{}}
	}
	p.send[len(p.send)-1].bytes += bytes
	return err
}

// outcome reads "passed", "passed 426 closed", "refused 400", ….
func (p *payload) outcome(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("what is the outcome?")
	}
	o := outcome{kind: kind(words[0])}
	switch o.kind {
	case refused, cut:
		o.closed = true
	case passed, own, switched:
	default:
		return fmt.Errorf("unknown outcome %q", words[0])
	}
	for _, w := range words[1:] {
		status, err := strconv.Atoi(w)
		switch {
		case err == nil:
			o.status = append(o.status, status)
		case w == "closed":
			o.closed = true
		default:
			return fmt.Errorf("unknown word %q", w)
		}
	}
	switch {
	case len(o.status) > 0:
	case o.kind == passed:
		o.status = []int{200}
	case o.kind == switched:
		o.status = []int{101}
	default:
		return fmt.Errorf("%s with which status?", o.kind)
	}
	p.want = append(p.want, o)
	return nil
}

// add reads a line about the request that the member sees: the request line, "Name: value", "| body" or "^ Name: value" for a trailer.
func (m *message) add(line string) error {
	if m.method == "" {
		text, err := unescape(line)
		m.method, m.target, _ = strings.Cut(text, " ")
		return err
	}
	if text, ok := strings.CutPrefix(line, "| "); ok {
		body, err := unescape(text)
		m.body += body
		return err
	}
	text, trailer := strings.CutPrefix(line, "^ ")
	text, err := unescape(text)
	name, value, ok := strings.Cut(text, ":")
	if err != nil || !ok {
		return fmt.Errorf("%q is no field: %w", line, err)
	}
	f := field{name, strings.TrimPrefix(value, " ")}
	if trailer {
		m.trailers = append(m.trailers, f)
	} else {
		m.fields = append(m.fields, f)
	}
	return nil
}

var repeats = regexp.MustCompile(`\{\{(\d+)\*(.*?)\}\}`)

// unescape reads \r \n \t \\ and \xNN, and {{N*text}} as N times text.
func unescape(text string) (string, error) {
	text = repeats.ReplaceAllStringFunc(text, func(s string) string {
		part := repeats.FindStringSubmatch(s)
		n, err := strconv.Atoi(part[1])
		if err != nil {
			n = 0
		}
		return strings.Repeat(part[2], n)
	})
	return strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
}

// minPayloads is how many the table must have at least.
const minPayloads = 80

// TestSmuggling_TableIsWhole keeps the table readable and complete: each payload has its source, and says what may come of it.
func TestSmuggling_TableIsWhole(t *testing.T) {
	t.Parallel()
	all := loadPayloads(t)
	if len(all) < minPayloads {
		t.Errorf("%d payloads; at least %d are wanted", len(all), minPayloads)
	}
	source := regexp.MustCompile(`RFC \d+|CVE-\d{4}-\d+|GHSA-|golang/go#\d+|PortSwigger 20|Linhart|T-Reqs|Egorov|Bishop Fox|Davison|Nowotarski`)
	names, sent := map[string]bool{}, map[string]string{}
	for _, p := range all {
		var bytes strings.Builder
		for _, s := range p.send {
			fmt.Fprintf(&bytes, "%s%d", s.bytes, s.after)
		}
		switch {
		case names[p.name]:
			t.Errorf("%s: the name is taken", p.name)
		case sent[bytes.String()] != "":
			t.Errorf("%s sends the same as %s", p.name, sent[bytes.String()])
		case !source.MatchString(p.from):
			t.Errorf("%s: %q is no source", p.name, p.from)
		case p.idea == "" || len(p.send) == 0 || len(p.want) == 0:
			t.Errorf("%s lacks its idea, its bytes or its outcome", p.name)
		}
		names[p.name], sent[bytes.String()] = true, p.name
		for i, o := range p.want {
			request := o.request.method != ""
			if request != (o.kind == passed || o.kind == switched || o.kind == cut) {
				t.Errorf("%s: outcome %d (%s) says wrongly what the member sees", p.name, i+1, o.kind)
			}
			if o.closed && i+1 < len(p.want) {
				t.Errorf("%s: outcome %d closes the connection, and another one follows", p.name, i+1)
			}
		}
	}
}
