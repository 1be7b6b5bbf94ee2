package httpapi_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
)

// events reads the events of an answer in short.
func events(t *testing.T, body string) []string {
	t.Helper()
	var page struct {
		Events []struct {
			Seq, Item          int64
			Action, Path, User string
			Client, Agent      string
		}
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	var list []string
	for _, e := range page.Events {
		list = append(list, strings.TrimSpace(e.Action+" "+e.Path+" "+e.Client))
	}
	return list
}

func TestActivity_TellsWhoDidWhat(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/a/f.txt", "one", "User-Agent: =HYPERLINK(\"http://evil\")")
	d.put(t, "/_system/config/a/f.txt", "two")
	d.put(t, "/_system/governance/g", "three")
	want(t, d.do(t, "DELETE", "/api/v1/resource/_system/config/a", ""), 204, "")
	want(t, d.do(t, "PUT", "/api/v1/permissions/_system/governance/g", `{"entries":[]}`, asJSON), 200, "")
	want(t, d.do(t, "PUT", "/api/v1/permissions/_system/governance/g", `{"entries":[{"role":"everyone","allow":[],"deny":["write"]}]}`, asJSON), 200, "")

	for url, wanted := range map[string][]string{
		"/_system/config/a":                             {"delete /_system/config/a 192.0.2.1", "update /_system/config/a/f.txt 192.0.2.1", "create /_system/config/a/f.txt 192.0.2.1", "create /_system/config/a 192.0.2.1"},
		"/_system/config/a?action=delete":               {"delete /_system/config/a 192.0.2.1"},
		"/_system/config/a?user=nobody":                 nil,
		"/_system/config/a?only=true":                   {"delete /_system/config/a 192.0.2.1", "create /_system/config/a 192.0.2.1"},
		"/_system/governance/g?only=true":               {"permissions /_system/governance/g 192.0.2.1", "create /_system/governance/g 192.0.2.1"},
		"/_system/config/a?until=2026-11-22T12:00:00Z":  nil,
		"/_system/config/a?since=2026-11-22T12:00:01Z":  nil,
		"/_system?limit=1":                              {"permissions /_system/governance/g 192.0.2.1"},
		"/?store=shared&action=user":                    {"user", "user"}, // made, and made administrator
		"/_system/governance?format=json&action=create": {"create /_system/governance/g 192.0.2.1", "create /_system/governance"},
	} {
		rec := d.do(t, "GET", "/api/v1/activity"+url, "")
		want(t, rec, 200, "")
		if got := events(t, rec.Body.String()); !slices.Equal(got, wanted) {
			t.Errorf("%s: %q\nwant %q", url, got, wanted)
		}
	}
	for url, text := range map[string]string{
		"/_system?action=dance":    "must be one of associate, checkpoint, comment, copy, create, ",
		"/_system?since=yesterday": "query parameter since is \\\"yesterday\\\"",
		"/_system?since=2026-11-22T12:00:00Z&until=2026-11-22T12:00:00Z": "the first must be before the last",
		"/_system?from=5&to=4":                      "from is 5 and to is 4",
		"/_system?cursor=x":                         "is not one that a page gave",
		"/_system?format=xml":                       "must be json, csv or jsonl",
		"/_system?only=maybe":                       "must be true or false",
		"/_system?limit=1001":                       "from 1 to 1000",
		"/_system?store=other":                      "no store",
		"/_system?user=" + strings.Repeat("u", 256): "the limit is 255",
	} {
		want(t, d.do(t, "GET", "/api/v1/activity"+url, ""), 400, text)
	}
	want(t, d.do(t, "GET", "/api/v1/activity/_system", "", "Authorization:"), 401, "")
	want(t, d.do(t, "GET", "/api/v1/activity/elsewhere", ""), 409, "no store is mounted")
}

func TestActivity_TellsWhereThingsWent(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/a/f.txt", "one")
	want(t, d.do(t, "POST", "/api/v1/move/_system/config/a", `{"to":"/_system/governance/b"}`, "Content-Type: application/json"), 200, "")
	want(t, d.do(t, "POST", "/api/v1/comments/_system/governance/b/f.txt", `{"text":"hello"}`, "Content-Type: application/json"), 201, "")
	for url, wanted := range map[string][]string{
		"/_system/config/a": {
			`"action":"leave","path":"/_system/config/a","related_path":"/_system/governance/b"`, `"action":"create","path":"/_system/config/a/f.txt"`,
		},
		"/_system/governance/b": {
			`"action":"comment","path":"/_system/governance/b/f.txt","number":`, `"action":"move","path":"/_system/governance/b","related_path":"/_system/config/a"`,
		},
	} {
		for _, text := range wanted {
			want(t, d.do(t, "GET", "/api/v1/activity"+url, ""), 200, text)
		}
	}
}

func TestActivity_PagesAndExports(t *testing.T) {
	d := newDoor(t)
	const n = 1100 // more than one page of the export
	for i := range n {
		d.put(t, "/_system/config/f", fmt.Sprint(i), "User-Agent: =cmd")
	}
	var all []string
	for url := "/api/v1/activity/_system/config/f?limit=400"; ; {
		rec := d.do(t, "GET", url, "")
		all = append(all, events(t, rec.Body.String())...)
		var page struct{ Next string }
		if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil || len(all) > n {
			t.Fatalf("%d events: %v", len(all), err)
		}
		if page.Next == "" {
			break
		}
		url = "/api/v1/activity/_system/config/f?limit=400&cursor=" + page.Next
	}
	if len(all) != n {
		t.Errorf("%d events in pages, want %d", len(all), n)
	}
	rec := d.do(t, "GET", "/api/v1/activity/_system/config/f?format=csv", "")
	rows, err := csv.NewReader(rec.Body).ReadAll()
	if err != nil || len(rows) != n+1 || len(rows[1]) != len(rows[0]) {
		t.Fatalf("%d rows of CSV: %v", len(rows), err)
	}
	if last := rows[1]; last[5] != "/_system/config/f" || last[15] != "'=cmd" || last[13] != "test-request" || len(last[11]) != 64 {
		t.Errorf("a row is %q", last)
	}
	wantHeaders(t, rec, map[string]string{"Content-Disposition": `attachment; filename="activity.csv"`})
	openapi3filter.RegisterBodyDecoder("application/jsonl", openapi3filter.FileBodyDecoder)
	rec = d.do(t, "GET", "/api/v1/activity/_system/config/f?format=jsonl", "")
	lines := strings.Split(strings.TrimSpace(rec.Body.String()), "\n")
	if len(lines) != n || !json.Valid([]byte(lines[n-1])) {
		t.Errorf("%d lines of JSON", len(lines))
	}
}

func TestAccesses_TellRefusals(t *testing.T) {
	d := newDoor(t)
	want(t, d.do(t, "GET", "/api/v1/mounts", "", "Authorization:"), 401, "") // no try at all
	for range 3 {
		want(t, d.do(t, "GET", "/api/v1/mounts", "", "Authorization: Basic YW5uOndyb25n"), 401, "") // ann:wrong
	}
	want(t, d.do(t, "PUT", "/api/v1/content/frozen/x", "x"), 403, "")
	want(t, d.do(t, "POST", "/resource/1.0.0/tag?path=/frozen/y&name=t", ""), 403, "")
	want(t, d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"delete","path":"/frozen/z"}]}`, asJSON), 403, "")
	d.service.StoreAccesses()
	rec := d.do(t, "GET", "/api/v1/accesses", "")
	var page struct {
		Accesses []struct {
			Kind, User, Client, Path string
			Times                    int
		}
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(page.Accesses)
	for _, want := range []string{"{denied admin 192.0.2.1 /frozen/x 1}", "{denied admin 192.0.2.1 /frozen/y 1}", "{denied admin 192.0.2.1  1}", "{failed ann 192.0.2.1  3}"} {
		if !strings.Contains(got, want) || len(page.Accesses) != 4 {
			t.Errorf("accesses are %s, without %s", got, want)
		}
	}
	want(t, d.do(t, "GET", "/api/v1/accesses?cursor=zz", ""), 400, "cursor")
	want(t, d.do(t, "GET", "/api/v1/accesses?limit=1", ""), 200, `"next"`)
}
