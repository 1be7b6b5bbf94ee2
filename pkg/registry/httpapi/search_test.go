package httpapi_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestSearch(t *testing.T) {
	d := newDoor(t)
	d.put(t, payPath, "title: Payments <script>alert(1)</script>\ninfo: the quick payment")
	d.put(t, cardPath, "title: Cards")
	d.othersWrote(t)
	find := func(query string) string { return "/api/v1/search?q=" + url.QueryEscape(query) }
	golden(t, "search", d.do(t, "GET", find("payment* type:yaml owner:admin updated:>2020-01-01"), ""))
	golden(t, "search_none", d.do(t, "GET", find("nothing"), ""))
	first := d.do(t, "GET", find("title")+"&limit=1", "")
	want(t, first, 200, `"total":2`)
	next, _ := field(t, first, "next").(string)
	second := d.do(t, "GET", find("title")+"&limit=1&cursor="+url.QueryEscape(next), "")
	if second.Code != 200 || field(t, second, "next") != nil || strings.Contains(second.Body.String(), "cards") == strings.Contains(first.Body.String(), "apis/card") {
		t.Errorf("the second page: %s", second.Body)
	}
	for _, c := range []struct {
		method, url string
		status      int
		text        string
	}{
		{"GET", "/api/v1/search", 400, "query, character 1: a word or a condition is missing here"},
		{"GET", find(`say "what`), 400, "query, character 5: the text in quotes has no end"},
		{"GET", find("tipe:wsdl"), 400, `there is no field \"tipe\"; there are name`},
		{"GET", find("updated:>soon"), 400, "a date is written 2026-01-31"},
		{"GET", find(strings.Repeat("a", 1001)), 400, "query has 1001 characters; the limit is 1000"},
		{"GET", find("a") + "&limit=101", 400, "limit"},
		{"GET", find("a") + "&cursor=x", 400, "cursor"},
		{"GET", find("a") + "&query=b", 400, "not known"},
		{"POST", "/api/v1/search", 405, "GET, HEAD"},
	} {
		want(t, d.do(t, c.method, c.url, ""), c.status, c.text)
	}
	want(t, d.do(t, "GET", find("a"), "", "Authorization:"), 401, "")
}

func TestSavedSearches(t *testing.T) {
	d := newDoor(t)
	const all, one = "/api/v1/searches", "/api/v1/searches?name=My%20APIs"
	rec := d.do(t, "PUT", one, `{"query":"type:wsdl tag:pay"}`, jsonBody, "If-None-Match: *")
	want(t, rec, 201, `"name":"My APIs","query":"type:wsdl tag:pay","shared":false`)
	tag := rec.Header().Get("ETag")
	if rec.Header().Get("Location") != "/api/v1/search?q=type%3Awsdl+tag%3Apay" || rec.Header().Get("Registry-Seq") == "" {
		t.Errorf("headers %v", rec.Header())
	}
	want(t, d.do(t, "PUT", one, `{"query":"x"}`, jsonBody, "If-None-Match: *"), 412, "")
	same := d.do(t, "PUT", one, `{"query":"type:wsdl tag:pay"}`, jsonBody)
	if want(t, same, 200, ""); same.Header().Get("ETag") != tag {
		t.Errorf("saving the same changed the entity tag from %s to %s", tag, same.Header().Get("ETag"))
	}
	want(t, d.do(t, "PUT", one, `{"query":"y","shared":true}`, jsonBody, "If-Match: "+tag), 200, `"shared":true`)
	want(t, d.do(t, "PUT", one, `{"query":"z"}`, jsonBody, "If-Match: "+tag), 412, "")
	joe := registry.Actor{User: "joe"}
	for name, shared := range map[string]bool{"joe's": true, "private": false} {
		if _, _, _, err := d.service.SaveSearch(t.Context(), joe, registry.SavedSearch{Name: name, Query: "joe", Shared: shared}, registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "searches", d.do(t, "GET", all, ""))
	want(t, d.do(t, "DELETE", "/api/v1/searches?name=joe%27s", ""), 404, `admin has no saved search`)
	want(t, d.do(t, "DELETE", one, "", "If-Match: "+tag), 412, "")
	want(t, d.do(t, "DELETE", one, ""), 204, "")
	want(t, d.do(t, "DELETE", one, ""), 404, "")
	const key = "Idempotency-Key: k1"
	first := d.do(t, "PUT", one, `{"query":"again"}`, jsonBody, key)
	again := d.do(t, "PUT", one, `{"query":"again"}`, jsonBody, key)
	if want(t, again, 201, ""); again.Body.String() != first.Body.String() || again.Header().Get("Registry-Seq") != first.Header().Get("Registry-Seq") {
		t.Errorf("%s, then %s", first.Body, again.Body)
	}
	want(t, d.do(t, "PUT", one, `{"query":"other"}`, jsonBody, key), 422, "")
	for range 2 {
		want(t, d.do(t, "DELETE", one, "", "Idempotency-Key: k2"), 204, "")
	}
	for _, c := range []struct {
		url, body string
		status    int
		text      string
	}{
		{all, `{"query":"a"}`, 400, "name of the saved search is empty"},
		{all + "?name=" + strings.Repeat("x", 256), `{"query":"a"}`, 400, "has 256 characters; the limit is 255"},
		{one, `{"query":"("}`, 400, "query, character 2"},
		{one, `{"q":"a"}`, 400, "q"},
	} {
		want(t, d.do(t, "PUT", c.url, c.body, jsonBody), c.status, c.text)
	}
	want(t, d.do(t, "GET", all, "", "Authorization:"), 401, "")
}
