package httpapi_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// contract remembers which operations of the API's description were answered with which status, by all tests together.
var contract = &answers{seen: map[string]map[int]bool{}, bodies: map[string]map[string]json.RawMessage{}}

type answers struct {
	mu     sync.Mutex
	doc    *openapi3.T
	seen   map[string]map[int]bool
	bodies map[string]map[string]json.RawMessage // JSON by operation and status, or "takes": examples
}

func (a *answers) note(doc *openapi3.T, operation string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.doc = doc
	if a.seen[operation] == nil {
		a.seen[operation] = map[int]bool{}
	}
	a.seen[operation][status] = true
}

// keep remembers a good exchange as an example.
func (a *answers) keep(op *openapi3.Operation, request, answer string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bodies[op.OperationID] == nil {
		a.bodies[op.OperationID] = map[string]json.RawMessage{}
	}
	for name, text := range map[string]string{"takes": request, strconv.Itoa(status): answer} {
		kept, has := a.bodies[op.OperationID][name]
		if len(text) > 0 && len(text) < 3000 && json.Valid([]byte(text)) && (!has || len(text) > len(kept) && len(text) < 1000) {
			a.bodies[op.OperationID][name] = json.RawMessage(text)
		}
	}
}

// writeExamples adds to the file of examples what the description has none for.
func (a *answers) writeExamples() error {
	const file = "openapi_examples.json"
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var examples map[string]map[string]json.RawMessage
	if err := json.Unmarshal(b, &examples); err != nil {
		return err
	}
	add := func(op *openapi3.Operation, name string, content openapi3.Content) {
		for kind, m := range content {
			text := a.bodies[op.OperationID][name]
			if strings.HasSuffix(kind, "json") && text != nil && m.Example == nil && m.Examples == nil && len(m.Schema.Value.Examples) == 0 {
				if examples[op.OperationID] == nil {
					examples[op.OperationID] = map[string]json.RawMessage{}
				}
				examples[op.OperationID][name] = text
			}
		}
	}
	for _, item := range a.doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil {
				add(op, "takes", op.RequestBody.Value.Content)
			}
			for code, r := range op.Responses.Map() {
				add(op, code, r.Value.Content)
			}
		}
	}
	if b, err = json.MarshalIndent(examples, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// unanswered are answers that the description promises and that no test makes, each with the reason.
var unanswered = map[string]string{
	"GET /resource/1.0.0/revision 410": "a revision without a checkpoint is found by its time, and the clock of these tests stands still",
}

// gaps lists the promises of the description that nothing has kept: for each operation a good answer, each status that it names, and one to nobody.
func (a *answers) gaps() []string {
	var gaps []string
	for url, item := range a.doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + url
			seen := a.seen[name]
			good := func(status int) bool { return status < 300 }
			if !slices.ContainsFunc(slices.Collect(maps.Keys(seen)), good) {
				gaps = append(gaps, name+" was never answered well")
			}
			for code := range op.Responses.Map() {
				status, err := strconv.Atoi(code)
				if err == nil && !seen[status] && unanswered[name+" "+code] == "" {
					gaps = append(gaps, name+" was never answered with "+code)
				}
			}
			if open := op.Security != nil && len(*op.Security) == 0; !seen[401] && !open {
				gaps = append(gaps, name+" was never asked by nobody")
			}
		}
	}
	slices.Sort(gaps)
	return gaps
}

// TestMain runs the tests and then, when all of them ran, holds what they saw against the whole description.
func TestMain(m *testing.M) {
	code := m.Run()
	whole := !testing.Short()
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			whole = false
		}
	}
	if *update && whole && contract.doc != nil {
		if err := contract.writeExamples(); err != nil {
			fmt.Fprintln(os.Stderr, "write examples:", err)
			code = 1
		}
	}
	if code == 0 && whole && contract.doc != nil {
		for _, gap := range contract.gaps() {
			fmt.Fprintln(os.Stderr, "contract:", gap)
			code = 1
		}
	}
	os.Exit(code)
}

// freeHeaders may be on any answer.
var freeHeaders = []string{
	"Accept-Ranges", "Cache-Control", "Content-Length", "Content-Security-Policy", "Content-Type", "Vary", "X-Content-Type-Options",
}

// checkHeaders holds the headers of an answer against those that the description names: no other one may be there.
func checkHeaders(t *testing.T, what string, op *openapi3.Operation, rec *httptest.ResponseRecorder) {
	t.Helper()
	described := op.Responses.Status(rec.Code)
	if described == nil {
		described = op.Responses.Default()
	}
	if described == nil {
		t.Errorf("%s: openapi.yaml has no answer with the status %d", what, rec.Code)
		return
	}
	for name := range rec.Header() {
		if slices.Contains(freeHeaders, name) {
			continue
		}
		found := false
		for known := range described.Value.Headers {
			found = found || strings.EqualFold(known, name)
		}
		if !found {
			t.Errorf("%s: the answer has the header %s, which openapi.yaml does not know of a %d", what, name, rec.Code)
		}
	}
}

// checkUndescribed holds an answer to what is no operation against what the description says of all errors.
func checkUndescribed(t *testing.T, what, path string, rec *httptest.ResponseRecorder) {
	t.Helper()
	if rec.Code < 400 || rec.Body.Len() == 0 {
		return
	}
	kind := rec.Header().Get("Content-Type")
	if strings.HasPrefix(path, "/resource/1.0.0/") {
		if kind != "text/plain; charset=utf-8" {
			t.Errorf("%s: an error is %s", what, kind)
		}
		return
	}
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
		RequestID                 string `json:"request_id"`
	}
	d := json.NewDecoder(strings.NewReader(rec.Body.String()))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || kind != "application/problem+json" || p.Status != rec.Code || p.Detail == "" || p.Code == "" {
		t.Errorf("%s: an error is %s with %s: %v", what, kind, rec.Body, err)
	}
}

// Every operation, asked by nobody, says no more than that.
func TestContract_NobodyLearnsAnything(t *testing.T) {
	d := newDoor(t)
	for url, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Security != nil && len(*op.Security) == 0 {
				continue // open to everybody
			}
			rec := d.do(t, method, strings.Replace(url, "{path}", "_system/governance", 1), "", "Authorization:")
			if rec.Code != 401 || rec.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s by nobody: %d %s", method, url, rec.Code, rec.Body)
			}
		}
	}
}

// formless are the operations whose answers are descriptions: OpenAPI itself says what they look like.
var formless = map[string]bool{"getDocument": true, "wso2Swagger": true}

// Objects are closed: a field that the description does not have makes an answer wrong, and a reader of the description knows all there is.
func TestContract_SchemasAreClosed(t *testing.T) {
	d := newDoor(t)
	var walk func(where string, s *openapi3.SchemaRef)
	seen := map[*openapi3.Schema]bool{}
	walk = func(where string, s *openapi3.SchemaRef) {
		if s == nil || s.Value == nil || seen[s.Value] {
			return
		}
		seen[s.Value] = true
		v := s.Value
		if v.Type.Includes("object") && v.AdditionalProperties.Has == nil && v.AdditionalProperties.Schema == nil {
			t.Errorf("%s: an object does not say whether it may have other fields", where)
		}
		walk(where+"[]", v.Items)
		walk(where+".*", v.AdditionalProperties.Schema)
		for name, p := range v.Properties {
			walk(where+"."+name, p)
		}
		for _, list := range []openapi3.SchemaRefs{v.OneOf, v.AnyOf, v.AllOf} {
			for _, p := range list {
				walk(where, p)
			}
		}
	}
	for url, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if formless[op.OperationID] {
				continue
			}
			where := method + " " + url
			if op.RequestBody != nil {
				for _, m := range op.RequestBody.Value.Content {
					walk(where, m.Schema)
				}
			}
			for code, r := range op.Responses.Map() {
				for _, m := range r.Value.Content {
					walk(where+" "+code, m.Schema)
				}
			}
		}
	}
}

// Every operation says how it fails, and shows what its JSON looks like.
func TestContract_IsDocumented(t *testing.T) {
	d := newDoor(t)
	for url, item := range d.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if formless[op.OperationID] {
				continue
			}
			where := method + " " + url
			if op.Responses.Default() == nil {
				t.Errorf("%s does not say what its errors look like", where)
			}
			if op.RequestBody != nil {
				for kind, m := range op.RequestBody.Value.Content {
					checkExample(t, where+" takes", kind, m)
				}
			}
			for code, r := range op.Responses.Map() {
				for kind, m := range r.Value.Content {
					checkExample(t, where+" "+code, kind, m)
				}
			}
		}
	}
}

func checkExample(t *testing.T, where, kind string, m *openapi3.MediaType) {
	t.Helper()
	if !strings.HasSuffix(kind, "json") {
		return
	}
	examples := slices.Clone(m.Schema.Value.Examples)
	if m.Example != nil {
		examples = append(examples, m.Example)
	}
	for _, e := range m.Examples {
		examples = append(examples, e.Value.Value)
	}
	if len(examples) == 0 {
		t.Errorf("%s: %s without an example", where, kind)
	}
	for _, e := range examples {
		if err := m.Schema.Value.VisitJSON(e); err != nil {
			t.Errorf("%s: the example of %s is not what the schema says: %v", where, kind, err)
		}
	}
}
