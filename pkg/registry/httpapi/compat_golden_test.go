package httpapi_test

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/httpapi"
)

// wso2Table is the API of WSO2's registry, row by row.
var wso2Table = []string{
	"GET artifact", "PUT artifact", "DELETE artifact",
	"GET metadata",
	"GET properties", "POST properties",
	"GET property", "POST property", "DELETE property",
	"GET comments",
	"GET comment", "POST comment", "PUT comment", "DELETE comment",
	"GET tags", "POST tags",
	"GET tag", "POST tag", "DELETE tag",
	"GET rating", "DELETE rating",
	"POST rate",
	"GET associations", "POST associations",
	"POST association", "DELETE association",
	"GET revisions",
	"GET revision", "POST revision", "DELETE revision",
	"POST copy", "POST move",
	"GET swagger",
}

// TestCompat_Table plays each row of the table: a file under testdata/compat with requests and the exact answers, on a registry with the contents of
// seedCompat. Begin a new answer with "<<<" alone and run with -update to fill it in.
func TestCompat_Table(t *testing.T) {
	files, err := filepath.Glob("testdata/compat/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			playTranscript(t, file)
		})
	}
}

// Every row of the table is a route, every route of the door is a row, and each has its file.
func TestCompat_TableIsWhole(t *testing.T) {
	var routes []string
	for _, r := range httpapi.CompatRoutes() {
		r = strings.TrimSuffix(strings.Replace(r, "/resource/1.0.0/", "", 1), "/{path}")
		routes = append(routes, r)
	}
	for _, row := range wso2Table {
		if !slices.Contains(routes, row) {
			t.Errorf("the row %q is no route", row)
		}
	}
	for _, r := range routes {
		if !slices.Contains(wso2Table, r) {
			t.Errorf("the route %q is no row of the table", r)
		}
		method, call, _ := strings.Cut(r, " ")
		file := filepath.Join("testdata", "compat", strings.ToLower(method)+"_"+call+".txt")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("the row %q has no file: %v", r, err)
			continue
		}
		pattern := ">>> " + method + " /resource/1.0.0/" + call
		if strings.Count(string(b), pattern) < 2 {
			t.Errorf("%s does not ask for %s, well and badly", file, pattern)
		}
		for _, status := range []string{"<<< 20", "<<< 401"} {
			if !strings.Contains(string(b), status) {
				t.Errorf("%s has no answer that begins with %q", file, status)
			}
		}
	}
}

const compatPay = "/_system/governance/pay"

// seedCompat makes what the transcripts speak of. Numbers that stores choose have names there.
func seedCompat(t *testing.T, d *door) map[string]string {
	t.Helper()
	const api = "/api/v1/"
	names := map[string]string{}
	d.put(t, compatPay, "one", "Content-Type: text/plain")
	d.put(t, compatPay, "two", "Content-Type: text/plain")
	d.put(t, "/_system/governance/bank", "{}", "Content-Type: application/json")
	d.put(t, "/_system/governance/apis/a", "a", "Content-Type: text/plain")
	d.put(t, "/_system/governance/apis/b", "b", "Content-Type: text/plain")
	d.put(t, "/_system/governance/bare/x", "x", "Content-Type: text/plain")
	for _, c := range []struct {
		method, url, body string
		status            int
	}{
		{"PATCH", api + "resource" + compatPay, `{"description": "Payments <&>", "properties": {"owner": ["team-a", "team-b"], "stage": ["test"]}}`, 200},
		{"POST", api + "tags" + compatPay, `{"tags": ["pay", "draft"]}`, 200},
		{"PUT", api + "ratings" + compatPay, `{"rating": 4}`, 200},
		{"POST", api + "associations" + compatPay, `{"type": "depends", "target": "/_system/governance/bank"}`, 201},
		{"POST", api + "associations" + compatPay, `{"type": "documents", "target": "https://example.com/pay"}`, 201},
		{"POST", api + "comments" + compatPay, `{"text": "First"}`, 201},
		{"POST", api + "comments" + compatPay, `{"text": "Second, with \"quotes\" & <angles>"}`, 201},
	} {
		rec := d.do(t, c.method, c.url, c.body, "Content-Type: application/json")
		want(t, rec, c.status, "")
		if _, id, ok := strings.Cut(rec.Header().Get("Location"), "?id="); ok {
			names["comment"+strconv.Itoa(len(names)+1)] = id
		}
	}
	return names
}

// exchange is one request of a transcript, and its answer.
type exchange struct {
	method, url string
	headers     []string
	body        string
	answer      string
}

// parseTranscript reads a transcript: ">>> METHOD URL", headers, an empty line and the body where there are any; then "<<< " and the answer, in the same form.
func parseTranscript(t *testing.T, text string) (comment string, list []exchange) {
	t.Helper()
	comment, rest, _ := strings.Cut("\n"+text, "\n>>> ")
	for part := range strings.SplitSeq(rest, "\n>>> ") {
		request, answer, ok := strings.Cut(part, "\n<<<")
		head, body, _ := strings.Cut(request, "\n\n")
		lines := strings.Split(head, "\n")
		method, url, found := strings.Cut(lines[0], " ")
		if !ok || !found {
			t.Fatalf("not an exchange: %s", part)
		}
		list = append(list, exchange{method, url, lines[1:], body, strings.TrimSpace(answer)})
	}
	return strings.TrimSpace(comment), list
}

func (x exchange) String() string {
	var s strings.Builder
	s.WriteString(">>> " + x.method + " " + x.url + "\n")
	for _, h := range x.headers {
		s.WriteString(h + "\n")
	}
	if x.body != "" {
		s.WriteString("\n" + x.body + "\n")
	}
	return s.String() + "<<< " + x.answer + "\n"
}

// tellingHeaders are those that a transcript has.
var tellingHeaders = []string{
	"Content-Type", "Content-Disposition", "Content-Range", "Location", "Registry-Version", "ETag", "Allow", "Accept", "WWW-Authenticate", "Retry-After",
}

func playTranscript(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := newDoor(t)
	names := seedCompat(t, d)
	comment, list := parseTranscript(t, string(text))
	played := comment + "\n"
	for i, x := range list {
		request := x
		for name, value := range names {
			request.url = strings.ReplaceAll(request.url, "{"+name+"}", value)
		}
		before := d.head(t)
		rec := d.do(t, request.method, request.url, request.body, request.headers...)
		if after := d.head(t); rec.Code >= 400 && after != before {
			t.Errorf("%s %s was refused with %d, and yet stored something: the log went from %v to %v", x.method, x.url, rec.Code, before, after)
		}
		list[i].answer = transcribe(rec, names)
		played += "\n" + list[i].String()
	}
	played = strings.TrimLeft(played, "\n")
	if *update {
		if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(text), played); diff != "" && !*update {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, diff)
	}
}

var (
	idPattern   = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	uuidPattern = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
	etagPattern = regexp.MustCompile(`(<id>(\.[0-9]+)?)\.[0-9]+(\\?")`)
	madePattern = regexp.MustCompile(`comment\?id=([0-9]+)&`)
)

// transcribe writes an answer down, with names for what no two runs have alike.
func transcribe(rec *httptest.ResponseRecorder, names map[string]string) string {
	s := strconv.Itoa(rec.Code) + "\n"
	for _, name := range tellingHeaders {
		if v := rec.Header().Get(name); v != "" {
			s += name + ": " + v + "\n"
		}
	}
	if rec.Body.Len() > 0 && rec.Code != 401 { // how to sign in is another test's business
		body := rec.Body.String()
		if len(body) > 4000 {
			body = fmt.Sprintf("(%s…)", body[:60])
		}
		s += "\n" + body
	}
	s = uuidPattern.ReplaceAllString(idPattern.ReplaceAllString(s, "<id>"), "<uuid>")
	s = etagPattern.ReplaceAllString(s, `$1$3`) // the last number counts changes of the whole store
	names = maps.Clone(names)
	if m := madePattern.FindStringSubmatch(rec.Header().Get("Location")); m != nil {
		names["made"] = m[1]
	}
	for name, value := range names {
		s = regexp.MustCompile(`([=:. ])`+value+`\b`).ReplaceAllString(s, "${1}{"+name+"}")
	}
	return strings.TrimSuffix(s, "\n")
}

// head is where the change log of the store stands.
func (d *door) head(t *testing.T) registry.Seq {
	t.Helper()
	r, err := d.service.Get(t.Context(), registry.Actor{User: "admin"}, "/_system/governance", registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Seq
}
