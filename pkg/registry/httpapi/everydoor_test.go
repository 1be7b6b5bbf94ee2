package httpapi_test

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

const (
	hiddenTree = "/_system/config/mark-tree"
	hiddenDoc  = hiddenTree + "/mark-doc"
	openDoc    = "/_system/governance/open/doc"
	noID       = "00000000000000000000000000000000"
)

// everyDoor is what to send to each operation of the API, in a form that it would take from who may; PATH stands for a path, ID for the entry of the trash.
// Of those that say "own" everybody who signed in gets an answer: it speaks of nobody else.
var everyDoor = map[string]struct {
	query, body string
	own         bool
}{
	"GET /api/v1/permissions/{path}":         {},
	"PUT /api/v1/permissions/{path}":         {body: `{"entries":[]}`},
	"GET /api/v1/explain/{path}":             {query: "right=read&user=mark-user"},
	"GET /api/v1/users":                      {},
	"POST /api/v1/users":                     {body: `{"name":"eve","password":"` + password + `"}`},
	"GET /api/v1/users/{name}":               {},
	"PATCH /api/v1/users/{name}":             {body: `{"disabled":true}`},
	"DELETE /api/v1/users/{name}":            {},
	"PUT /api/v1/passwords/{name}":           {body: `{"password":"` + password + ` two"}`},
	"POST /api/v1/password":                  {body: `{"old":"wrong","new":"` + password + ` two"}`}, // 403
	"GET /api/v1/roles":                      {own: true},
	"POST /api/v1/roles":                     {body: `{"name":"mine"}`},
	"GET /api/v1/roles/{name}":               {},
	"PATCH /api/v1/roles/{name}":             {body: `{"description":"mine"}`},
	"DELETE /api/v1/roles/{name}":            {},
	"GET /api/v1/webhooks":                   {},
	"POST /api/v1/webhooks":                  {body: `{"name":"mine","url":"https://example.org/"}`},
	"GET /api/v1/webhooks/{id}":              {},
	"PATCH /api/v1/webhooks/{id}":            {body: `{"name":"mine"}`},
	"DELETE /api/v1/webhooks/{id}":           {},
	"POST /api/v1/webhook-secret/{id}":       {},
	"POST /api/v1/webhook-ping/{id}":         {},
	"GET /api/v1/webhook-deliveries/{id}":    {},
	"POST /api/v1/webhook-resend/{id}":       {query: "delivery=" + noID},
	"GET /api/v1/tokens":                     {query: "user=mark-user"},
	"POST /api/v1/tokens":                    {body: `{"name":"mine","rights":["read"],"expires_in":60}`, own: true},
	"DELETE /api/v1/tokens/{id}":             {query: "user=mark-user"},
	"GET /api/v1/sessions":                   {query: "user=mark-user"},
	"DELETE /api/v1/sessions":                {query: "user=mark-user"},
	"DELETE /api/v1/sessions/{id}":           {query: "user=mark-user"},
	"GET /api/v1/content/{path}":             {},
	"PUT /api/v1/content/{path}":             {body: "x"},
	"DELETE /api/v1/content/{path}":          {},
	"GET /api/v1/resource/{path}":            {},
	"PUT /api/v1/resource/{path}":            {body: `{"kind":"collection"}`},
	"PATCH /api/v1/resource/{path}":          {body: `{"description":"mine"}`},
	"DELETE /api/v1/resource/{path}":         {},
	"GET /api/v1/properties/{path}":          {},
	"PUT /api/v1/properties/{path}":          {body: `{}`},
	"GET /api/v1/children/{path}":            {query: "total=true&sort=-updated"},
	"GET /api/v1/versions/{path}":            {},
	"POST /api/v1/restore/{path}":            {body: `{"version":1}`},
	"POST /api/v1/restore-tree/{path}":       {body: `{"at":"1"}`},
	"GET /api/v1/checkpoints/{path}":         {},
	"PUT /api/v1/checkpoints/{path}":         {query: "checkpoint=mine", body: `{}`},
	"DELETE /api/v1/checkpoints/{path}":      {query: "checkpoint=mark-point"},
	"GET /api/v1/diff/{path}":                {query: "from_version=1"},
	"GET /api/v1/retention/{path}":           {},
	"PUT /api/v1/retention/{path}":           {body: `{"keep_last":1}`},
	"DELETE /api/v1/retention/{path}":        {},
	"POST /api/v1/retention/run":             {},
	"GET /api/v1/labels/{path}":              {},
	"PUT /api/v1/labels/{path}":              {query: "label=mine", body: `{"version":1}`},
	"DELETE /api/v1/labels/{path}":           {query: "label=mark-label"},
	"GET /api/v1/activity/{path}":            {},
	"GET /api/v1/watch/{path}":               {query: "wait=1s&from=0"},
	"GET /api/v1/accesses":                   {},
	"GET /api/v1/tags":                       {own: true},
	"GET /api/v1/tags/{path}":                {},
	"POST /api/v1/tags/{path}":               {body: `{"tags":["x"]}`},
	"DELETE /api/v1/tags/{path}":             {query: "tag=mark-tag&all=true"},
	"GET /api/v1/tagged":                     {query: "tag=mark-tag", own: true},
	"GET /api/v1/comments/{path}":            {},
	"POST /api/v1/comments/{path}":           {body: `{"text":"x"}`},
	"GET /api/v1/comment/{path}":             {query: "id=1"},
	"PUT /api/v1/comment/{path}":             {query: "id=1", body: `{"text":"x"}`},
	"DELETE /api/v1/comment/{path}":          {query: "id=1"},
	"GET /api/v1/ratings/{path}":             {},
	"PUT /api/v1/ratings/{path}":             {body: `{"rating":1}`},
	"DELETE /api/v1/ratings/{path}":          {},
	"GET /api/v1/stars":                      {own: true},
	"GET /api/v1/stars/{path}":               {},
	"PUT /api/v1/stars/{path}":               {},
	"DELETE /api/v1/stars/{path}":            {},
	"GET /api/v1/associations/{path}":        {},
	"POST /api/v1/associations/{path}":       {body: `{"type":"docs","target":"` + openDoc + `"}`},
	"DELETE /api/v1/associations/{path}":     {query: "type=depends&target=" + openDoc},
	"GET /api/v1/dependencies/{path}":        {},
	"GET /api/v1/impact/{path}":              {},
	"GET /api/v1/dependents/{path}":          {},
	"POST /api/v1/move/{path}":               {body: `{"to":"/_system/governance/open/moved"}`},
	"POST /api/v1/copy/{path}":               {body: `{"to":"/_system/governance/open/copied"}`},
	"GET /api/v1/link/{path}":                {},
	"PUT /api/v1/link/{path}":                {body: `{"target":"` + openDoc + `"}`},
	"GET /api/v1/trash/{path}":               {},
	"DELETE /api/v1/trash/{path}":            {query: "id=ID"},
	"POST /api/v1/undelete/{path}":           {body: `{"id":"ID"}`},
	"POST /api/v1/batch":                     {body: `{"steps":[{"do":"put","path":"` + hiddenDoc + `","content":"x"}]}`},
	"GET /api/v1/search":                     {query: "q=kind:resource+OR+kind:collection+OR+kind:link+OR+mark", own: true},
	"GET /api/v1/searches":                   {own: true},
	"PUT /api/v1/searches":                   {query: "name=mine", body: `{"query":"x","shared":true}`, own: true},
	"DELETE /api/v1/searches":                {query: "name=none"},
	"GET /api/v1/mounts":                     {},
	"GET /api/v1/doctor":                     {},
	"GET /api/v1/whoami":                     {own: true},
	"GET /api/v1/openapi.json":               {own: true},
	"GET /resource/1.0.0/metadata":           {query: "path=PATH"},
	"GET /resource/1.0.0/properties":         {query: "path=PATH"},
	"POST /resource/1.0.0/properties":        {query: "path=PATH", body: `[{"name":"a","value":["b"]}]`},
	"GET /resource/1.0.0/property":           {query: "path=PATH&name=mark-property"},
	"POST /resource/1.0.0/property":          {query: "path=PATH&name=a&value=b"},
	"DELETE /resource/1.0.0/property":        {query: "path=PATH&name=mark-property"},
	"GET /resource/1.0.0/comments":           {query: "path=PATH"},
	"GET /resource/1.0.0/comment":            {query: "path=PATH&id=1"},
	"POST /resource/1.0.0/comment":           {query: "path=PATH", body: `x`},
	"PUT /resource/1.0.0/comment":            {query: "path=PATH&id=1", body: `x`},
	"DELETE /resource/1.0.0/comment":         {query: "path=PATH&id=1"},
	"GET /resource/1.0.0/tags":               {query: "path=PATH"},
	"POST /resource/1.0.0/tags":              {query: "path=PATH", body: `{"tags":["x"]}`},
	"POST /resource/1.0.0/tag":               {query: "path=PATH&name=x"},
	"DELETE /resource/1.0.0/tag":             {query: "path=PATH&name=mark-tag"},
	"GET /resource/1.0.0/rating":             {query: "path=PATH"},
	"DELETE /resource/1.0.0/rating":          {query: "path=PATH"},
	"POST /resource/1.0.0/rate":              {query: "path=PATH&value=1"},
	"GET /resource/1.0.0/associations":       {query: "path=PATH"},
	"POST /resource/1.0.0/associations":      {query: "path=PATH", body: `[{"type":"docs","target":"` + openDoc + `"}]`},
	"POST /resource/1.0.0/association":       {query: "path=PATH&type=docs&targetPath=" + openDoc},
	"DELETE /resource/1.0.0/association":     {query: "path=PATH&type=depends&targetPath=" + openDoc},
	"GET /resource/1.0.0/revisions":          {query: "path=PATH"},
	"GET /resource/1.0.0/revision":           {query: "path=PATH&id=1"},
	"POST /resource/1.0.0/revision":          {query: "path=PATH"},
	"DELETE /resource/1.0.0/revision":        {query: "path=PATH&id=1"},
	"POST /resource/1.0.0/copy":              {query: "path=PATH&destination=/_system/governance/open/copied"},
	"POST /resource/1.0.0/move":              {query: "path=PATH&destination=/_system/governance/open/moved"},
	"GET /resource/1.0.0/tag":                {query: "name=mark-tag", own: true},
	"GET /resource/1.0.0/swagger":            {own: true},
	"GET /resource/1.0.0/artifact/{path}":    {},
	"PUT /resource/1.0.0/artifact/{path}":    {body: "x"},
	"DELETE /resource/1.0.0/artifact/{path}": {},
	"GET /registry/resource/{path}":          {},
	"HEAD /api/v1/content/{path}":            {},
	"HEAD /api/v1/resource/{path}":           {},
	"HEAD /resource/1.0.0/artifact/{path}":   {},
}

// hide fills a door with what only the administrator gets to see, all of it with "mark-" in its name, and gives the trash entry's id.
func (d *door) hide(t *testing.T) string {
	t.Helper()
	d.put(t, openDoc, "x")
	d.put(t, hiddenDoc, "one")
	d.put(t, hiddenDoc, "two")
	d.put(t, hiddenTree+"/mark-gone", "x")
	want(t, d.do(t, "DELETE", "/api/v1/content"+hiddenTree+"/mark-gone", ""), 204, "")
	gone, _ := field(t, d.do(t, "GET", "/api/v1/trash"+hiddenTree, ""), "entries").([]any)
	entry, _ := gone[0].(map[string]any)
	id, _ := entry["id"].(string)
	for _, c := range []struct{ method, url, body string }{
		{"PATCH", "/api/v1/resource" + hiddenDoc, `{"description":"mark-description","properties":{"mark-property":["mark-value"]}}`},
		{"POST", "/api/v1/tags" + hiddenDoc, `{"tags":["mark-tag"]}`},
		{"POST", "/api/v1/comments" + hiddenDoc, `{"text":"mark-comment"}`},
		{"POST", "/api/v1/associations" + hiddenDoc, `{"type":"depends","target":"` + openDoc + `"}`},
		{"POST", "/api/v1/associations" + openDoc, `{"type":"depends","target":"` + hiddenDoc + `"}`},
		{"PUT", "/api/v1/link/_system/governance/open/link", `{"target":"` + hiddenTree + `"}`},
		{"POST", "/api/v1/roles", `{"name":"mark-role"}`},
		{"PUT", "/api/v1/labels" + hiddenDoc + "?label=mark-label", `{"version":1}`},
		{"PUT", "/api/v1/checkpoints" + hiddenTree + "?checkpoint=mark-point", `{"comment":"mark-comment"}`},
		{"PUT", "/api/v1/retention" + hiddenTree, `{"keep_last":1000}`},
		{"POST", "/api/v1/webhooks", `{"name":"mark-hook","url":"https://mark-receiver.example/","path":"` + hiddenTree + `"}`},
		{"PUT", "/api/v1/searches?name=mark-search", `{"query":"mark-query"}`},
	} {
		if rec := d.do(t, c.method, c.url, c.body, asJSON); rec.Code >= 300 {
			t.Fatalf("%s %s: %d %s", c.method, c.url, rec.Code, rec.Body)
		}
	}
	d.addUser(t, "mark-user", "mark-role")
	d.grant(t, "/", "") // nobody but the administrator may do anything
	return id
}

// somebody is who asks, by the header of the request.
type somebody struct {
	header   string
	nobody   bool // 401 everywhere
	inPerson bool // not by a token
}

// callers makes those who may see nothing of what is hidden.
func (d *door) callers(t *testing.T) map[string]somebody {
	t.Helper()
	d.addUser(t, "joe", "bare")
	token := func(body string) string {
		rec := d.do(t, "POST", "/api/v1/tokens", body, asJSON)
		want(t, rec, 201, "rgt_")
		secret, _ := field(t, rec, "token").(string)
		return "Authorization: Bearer " + secret
	}
	expired := token(`{"name":"expired","rights":["read","write","delete","authorize"],"manage":true,"expires_in":1}`)
	revoked := d.do(t, "POST", "/api/v1/tokens", `{"name":"revoked","rights":["read","write","delete","authorize"],"manage":true,"expires_in":600}`, asJSON)
	secret, _ := field(t, revoked, "token").(string)
	id, _ := field(t, revoked, "id").(string)
	want(t, d.do(t, "DELETE", "/api/v1/tokens/"+id, ""), 204, "")
	for deadline := time.Now().Add(time.Minute); d.do(t, "GET", "/api/v1/whoami", "", expired).Code != 401; {
		if time.Now().After(deadline) {
			t.Fatal("the token does not expire")
		}
	}
	return map[string]somebody{
		"nobody":              {header: "Authorization:", nobody: true},
		"expired token":       {header: expired, nobody: true},
		"revoked token":       {header: "Authorization: Bearer " + secret, nobody: true},
		"user without rights": {header: as("joe"), inPerson: true},
		// The administrator's own, but good for another place, or for nothing that a path has.
		"token for another path": {header: token(`{"name":"else","rights":["read","write","delete","authorize"],"paths":["/_system/governance/else"],"expires_in":600}`)},
		"token to manage":        {header: token(`{"name":"manage","rights":[],"manage":true,"expires_in":600}`)},
	}
}

// At no operation does anybody learn anything of what they may not see: neither by its status, nor a path, a name or a count in an answer.
func TestEveryDoor_TellsNothing(t *testing.T) {
	d := newDoorWith(t, auth.Config{Guesses: 100_000})
	id := d.hide(t)
	callers := d.callers(t)
	before := d.do(t, "GET", "/api/v1/resource"+hiddenDoc, "").Header().Get("ETag")
	var operations []string
	for at, item := range d.doc.Paths.Map() {
		for method := range item.Operations() {
			operations = append(operations, method+" "+at)
			if _, ok := everyDoor[method+" "+at]; !ok {
				t.Errorf("%s %s is not in the table: say what to ask it", method, at)
			}
		}
	}
	for operation := range everyDoor {
		if !slices.Contains(operations, operation) && !strings.HasPrefix(operation, "HEAD ") {
			t.Errorf("%s is no operation", operation)
		}
	}
	for who, caller := range callers {
		for _, operation := range slices.Sorted(maps.Keys(everyDoor)) {
			for _, path := range []string{hiddenDoc, hiddenTree, hiddenTree + "/none", "/", "/_system", "/_system/governance/open/link/mark-doc"} {
				d.probe(t, who, caller, operation, path, id)
			}
		}
	}
	rec := d.do(t, "GET", "/api/v1/resource"+hiddenDoc, "")
	if rec.Header().Get("ETag") != before {
		t.Errorf("it was changed: %s", rec.Body)
	}
	want(t, d.do(t, "GET", "/api/v1/comments"+hiddenDoc, ""), 200, `"text":"mark-comment"`)
	want(t, d.do(t, "GET", "/api/v1/trash"+hiddenTree, ""), 200, id)
}

var marks = regexp.MustCompile(`mark-[a-z]+`)

// probe asks one operation for what is hidden.
func (d *door) probe(t *testing.T, who string, caller somebody, operation, path, id string) {
	t.Helper()
	method, at, _ := strings.Cut(operation, " ")
	ask := everyDoor[operation]
	onPath := strings.Contains(at, "{path}") || strings.Contains(ask.query, "PATH")
	if !onPath && path != hiddenDoc {
		return // once is enough
	}
	manages := who == "token to manage"
	address := strings.NewReplacer("/{path}", path, "{name}", map[bool]string{true: "mark-role", false: "mark-user"}[strings.Contains(at, "roles")], "{id}", noID).Replace(at)
	if query := strings.NewReplacer("ID", id, "PATH", path).Replace(ask.query); query != "" {
		address += "?" + query
	}
	body := strings.ReplaceAll(ask.body, "ID", id)
	headers := []string{caller.header}
	if (strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[")) && !strings.Contains(at, "content") {
		headers = append(headers, asJSON)
	}
	if !onPath && manages && !ask.own {
		return // users, roles and the server are what it is good for
	}
	rec := d.do(t, method, address, body, headers...)
	what := fmt.Sprintf("%s: %s %s", who, method, address)
	switch {
	case caller.nobody && rec.Code != 401, !caller.nobody && !ask.own && rec.Code != 403 && rec.Code != 404:
		t.Errorf("%s: %d %s", what, rec.Code, rec.Body)
	case rec.Code == 404 && onPath:
		// 404 for what is hidden and 403 for what is not there, or the other way round, would tell them apart; 403 comes before either.
		t.Errorf("%s: 404 before the question whether they may", what)
	case ask.own && !caller.nobody && !caller.inPerson && !manages && method != "GET" && rec.Code != 403:
		t.Errorf("%s: a token did what needs the user in person: %d", what, rec.Code)
	}
	unsaid, _ := url.PathUnescape(rec.Body.String())
	for _, said := range []string{path, "mark-user", "mark-role"} { // what the request itself names
		if strings.Contains(address, said) || strings.Contains(body, said) {
			unsaid = strings.ReplaceAll(unsaid, said, "")
		}
	}
	if strings.Contains(body, hiddenDoc) {
		unsaid = strings.ReplaceAll(unsaid, hiddenDoc, "")
	}
	admins := who == "token for another path" || manages // it is the administrator's: their own roles are all
	if found := marks.FindAllString(unsaid, -1); found != nil && !(admins && at == "/api/v1/roles") || strings.Contains(unsaid, hiddenTree) {
		t.Errorf("%s tells %q: %s", what, found, rec.Body)
	}
	for name, values := range rec.Header() {
		if marks.MatchString(strings.Join(values, " ")) || name == "Etag" && !ask.own {
			t.Errorf("%s: the header %s is %q", what, name, values)
		}
	}
}

// Lists of what everybody may read leave out, and do not count, what only some may.
func TestEveryDoor_ListsWithoutWhatIsHidden(t *testing.T) {
	d := newDoor(t)
	id := d.hide(t)
	d.addUser(t, "joe")
	joe := as("joe")
	d.grant(t, "/", `{"role":"everyone","allow":["read"],"deny":[]}`)
	d.grant(t, hiddenTree, `{"role":"everyone","allow":[],"deny":["read"]}`)
	d.put(t, "/_system/config/seen", "x")
	want(t, d.do(t, "POST", "/api/v1/tags/_system/config/seen", `{"tags":["both"]}`, asJSON), 200, "both")
	want(t, d.do(t, "POST", "/api/v1/tags"+hiddenDoc, `{"tags":["both"]}`, asJSON), 200, "both")
	want(t, d.do(t, "DELETE", "/api/v1/resource"+hiddenTree, ""), 204, "") // the denial goes into the trash with it
	want(t, d.do(t, "GET", "/api/v1/trash/_system/config", "", joe), 200, `"entries":[]`)
	gone, _ := field(t, d.do(t, "GET", "/api/v1/trash/_system/config", ""), "entries").([]any)
	tree := ""
	for _, e := range gone {
		if entry, _ := e.(map[string]any); entry["path"] == hiddenTree {
			tree, _ = entry["id"].(string)
		}
	}
	if len(gone) != 2 || tree == "" {
		t.Fatalf("the trash has %v", gone)
	}
	d.grant(t, "/_system/governance", `{"role":"everyone","allow":["read","write","delete"],"deny":[]}`)
	d.grant(t, "/_system/config", `{"role":"everyone","allow":["write","delete"],"deny":[]}`)
	// Who may not read it cannot bring it to another place.
	for _, entry := range []string{tree, id} {
		body := `{"id":"` + entry + `"}`
		want(t, d.do(t, "POST", "/api/v1/undelete/_system/config/elsewhere", body, asJSON, joe), 403, "you may not read")
	}
	undelete := `{"id":"` + tree + `"}`
	want(t, d.do(t, "POST", "/api/v1/undelete"+hiddenTree, undelete, asJSON), 200, "")
	for _, c := range []struct{ url, has string }{
		{"/api/v1/children/_system/config?total=true", `"total":1`},
		{"/api/v1/children/_system/config?total=true&sort=-name", `"total":1`},
		{"/api/v1/children/_system/config?total=true&sort=updated", `"total":1`},
		{"/api/v1/children/_system/config?total=true&sort=-size", `"total":1`},
		{"/api/v1/tags", `"name":"both","resources":1`},
		{"/api/v1/tagged?tag=mark-tag", `"entries":[]`},
		{"/api/v1/tagged?tag=both", `"/_system/config/seen"`},
		{"/api/v1/associations" + openDoc, `"associations":[]`},
		{"/api/v1/associations" + openDoc + "?direction=in", `"associations":[]`},
		{"/api/v1/dependencies" + openDoc, `"edges":[]`},
		{"/api/v1/impact" + openDoc, `"edges":[]`},
		{"/api/v1/dependents" + openDoc, `"incoming":[]`},
	} {
		rec := d.do(t, "GET", c.url, "", joe)
		want(t, rec, 200, c.has)
		text := strings.ReplaceAll(rec.Body.String(), "mark-tag&", "")
		if found := marks.FindString(text); found != "" {
			t.Errorf("%s shows %s: %s", c.url, found, rec.Body)
		}
	}
	// A link leads no further than the right on its target.
	want(t, d.do(t, "GET", "/api/v1/content/_system/governance/open/link/mark-doc", "", joe), 403, "you may not read")
	want(t, d.do(t, "GET", "/api/v1/children/_system/governance/open/link", "", joe), 403, "you may not read")
	// What lies in a tree and may not be read is not copied, nor moved or deleted by who may not delete it.
	want(t, d.do(t, "POST", "/api/v1/copy/_system/config", `{"to":"/_system/governance/stolen"}`, asJSON, joe), 403, "you may not read everything below")
	want(t, d.do(t, "DELETE", "/api/v1/resource"+hiddenTree, "", joe), 204, "") // which nobody denies
	want(t, d.do(t, "DELETE", "/api/v1/trash/_system/config?id="+tree, "", joe), 200, `"purged":1`)
}

// What was hidden stays hidden when it is deleted: its permissions count in the past, in the activity and for restores, too.
func TestEveryDoor_TellsNothingOfThePast(t *testing.T) {
	d := newDoor(t)
	d.hide(t)
	d.addUser(t, "joe")
	joe := as("joe")
	d.grant(t, "/", `{"role":"everyone","allow":["read","write","delete"],"deny":[]}`)
	d.grant(t, hiddenTree, `{"role":"everyone","allow":[],"deny":["read"]}`)
	d.put(t, "/_system/config/seen", "x")
	then := d.do(t, "GET", "/api/v1/resource"+hiddenDoc, "").Header().Get("Registry-Seq")
	check := func(what string) {
		t.Helper()
		for _, c := range []struct {
			url    string
			status int
			has    string
		}{
			{"/api/v1/children/_system/config?at=" + then, 200, `"/_system/config/seen"`},
			{"/api/v1/activity/_system/config", 200, `"/_system/config/seen"`},
			{"/api/v1/activity/_system/config?format=csv", 200, "/_system/config/seen"},
			{"/api/v1/watch/_system/config?wait=1s&from=0", 200, `"/_system/config/seen"`},
			{"/api/v1/trash/_system/config", 200, `"entries":[]`},
		} {
			rec := d.do(t, "GET", c.url, "", joe)
			want(t, rec, c.status, c.has)
			if found := marks.FindString(rec.Body.String()); found != "" {
				t.Errorf("%s: %s shows %s: %s", what, c.url, found, rec.Body)
			}
			want(t, d.do(t, "GET", c.url, ""), c.status, "mark-")
		}
		for _, url := range []string{"/api/v1/content" + hiddenDoc, "/api/v1/resource" + hiddenDoc, "/api/v1/children" + hiddenTree, "/api/v1/diff" + hiddenDoc} {
			param := "?at="
			if strings.Contains(url, "diff") {
				param = "?to_at="
			}
			if rec := d.do(t, "GET", url+param+then, "", joe); rec.Code != 403 && rec.Code != 404 {
				t.Errorf("%s: %s: %d %s", what, url, rec.Code, rec.Body)
			}
		}
	}
	check("while it is there")
	want(t, d.do(t, "DELETE", "/api/v1/resource"+hiddenTree, ""), 204, "")
	check("in the trash")
	want(t, d.do(t, "POST", "/api/v1/restore-tree/_system/config", `{"at":"`+then+`"}`, asJSON, joe), 403, "you may not read")
	want(t, d.do(t, "GET", "/api/v1/resource"+hiddenTree, ""), 404, "")
	want(t, d.do(t, "POST", "/api/v1/restore-tree/_system/config", `{"at":"`+then+`"}`, asJSON), 200, "")
	want(t, d.do(t, "GET", "/api/v1/content"+hiddenDoc, "", joe), 403, "you may not read")
	want(t, d.do(t, "POST", "/api/v1/move"+hiddenTree, `{"to":"/_system/governance/vault"}`, asJSON), 200, "")
	check("elsewhere")
	want(t, d.do(t, "POST", "/api/v1/restore-tree/_system/config", `{"at":"`+then+`"}`, asJSON, joe), 403, "you may not read")
}

// A change tells who may not read the resource nothing of it.
func TestChanges_TellWritersNothing(t *testing.T) {
	d := newDoor(t)
	d.put(t, "/_system/config/box", "mark-content")
	want(t, d.do(t, "PATCH", "/api/v1/resource/_system/config/box", `{"description":"mark-description","properties":{"mark-property":["v"]}}`, asJSON), 200, "")
	d.addUser(t, "joe")
	d.grant(t, "/_system/config", `{"role":"everyone","allow":["write","delete"],"deny":["read"]}`)
	for _, rec := range []*httptest.ResponseRecorder{
		d.do(t, "PATCH", "/api/v1/resource/_system/config/box", `{"media_type":"text/x"}`, asJSON, as("joe")),
		d.do(t, "PATCH", "/api/v1/resource/_system/config/box", `{}`, asJSON, as("joe")),
		d.do(t, "POST", "/api/v1/move/_system/config/box", `{"to":"/_system/config/box2"}`, asJSON, as("joe")),
		d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"meta","path":"/_system/config/box2","media_type":"text/y"}]}`, asJSON, as("joe")),
		d.do(t, "PUT", "/api/v1/content/_system/config/box2", "new", as("joe")),
		d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"meta","path":"/_system/config/box2","media_type":"text/z"}]}`, asJSON, as("joe"), "Idempotency-Key: again"),
		d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"meta","path":"/_system/config/box2","media_type":"text/z"}]}`, asJSON, as("joe"), "Idempotency-Key: again"),
		d.do(t, "POST", "/api/v1/move/_system/config/box2", `{"to":"/_system/config/box3"}`, asJSON, as("joe"), "Idempotency-Key: moved"),
		d.do(t, "POST", "/api/v1/move/_system/config/box2", `{"to":"/_system/config/box3"}`, asJSON, as("joe"), "Idempotency-Key: moved"),
	} {
		if rec.Code != 200 || marks.MatchString(rec.Body.String()) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

// A token for reading changes nothing, not even what needs the right to read alone.
func TestToken_ForReadingOnly(t *testing.T) {
	d := newDoor(t)
	d.put(t, openDoc, "x")
	rec := d.do(t, "POST", "/api/v1/tokens", `{"name":"r","rights":["read"],"expires_in":600}`, asJSON)
	secret, _ := field(t, rec, "token").(string)
	token := "Authorization: Bearer " + secret
	want(t, d.do(t, "GET", "/api/v1/content"+openDoc, "", token), 200, "x")
	for url, body := range map[string]string{"tags": `{"tags":["x"]}`, "comments": `{"text":"x"}`} {
		want(t, d.do(t, "POST", "/api/v1/"+url+openDoc, body, asJSON, token), 403, "not good for write")
	}
	want(t, d.do(t, "PUT", "/api/v1/ratings"+openDoc, `{"rating":1}`, asJSON, token), 403, "not good for write")
	want(t, d.do(t, "POST", "/api/v1/batch", `{"steps":[{"do":"delete","path":"`+openDoc+`"}]}`, asJSON, token), 403, "not good for delete")
}

// What a repeated request gets: what the first one made, but never a secret.
func TestOnce_UsersRolesTokensPermissions(t *testing.T) {
	d := newDoor(t)
	d.put(t, openDoc, "x")
	twice := func(method, url, body, key string, status int) *httptest.ResponseRecorder {
		t.Helper()
		first := d.do(t, method, url, body, asJSON, "Idempotency-Key: "+key)
		want(t, first, status, "")
		second := d.do(t, method, url, body, asJSON, "Idempotency-Key: "+key)
		want(t, second, status, "")
		if first.Body.String() != second.Body.String() {
			t.Errorf("%s %s: first %s, then %s", method, url, first.Body, second.Body)
		}
		return second
	}
	twice("POST", "/api/v1/roles", `{"name":"dev"}`, "1", 201)
	want(t, d.do(t, "POST", "/api/v1/roles", `{"name":"other"}`, asJSON, "Idempotency-Key: 1"), 422, "another request")
	twice("PATCH", "/api/v1/roles/dev", `{"name":"devs"}`, "2", 200)
	twice("POST", "/api/v1/users", `{"name":"ann","password":"`+password+`","roles":["devs"]}`, "3", 201)
	want(t, d.do(t, "POST", "/api/v1/users", `{"name":"bob","password":"`+password+`"}`, asJSON, "Idempotency-Key: 3"), 422, "another request")
	twice("PATCH", "/api/v1/users/ann", `{"full_name":"Ann"}`, "4", 200)
	twice("PUT", "/api/v1/permissions"+openDoc, `{"entries":[{"role":"devs","allow":["write"],"deny":[]}]}`, "5", 200)
	twice("DELETE", "/api/v1/users/ann", "", "6", 204)
	twice("DELETE", "/api/v1/roles/devs", "", "7", 204)
	const token = `{"name":"ci","rights":["read"],"expires_in":600}`
	made := d.do(t, "POST", "/api/v1/tokens", token, asJSON, "Idempotency-Key: 8")
	want(t, made, 201, "rgt_")
	id, _ := field(t, made, "id").(string)
	again := d.do(t, "POST", "/api/v1/tokens", token, asJSON, "Idempotency-Key: 8")
	want(t, again, 409, id)
	if strings.Contains(again.Body.String(), "rgt_") {
		t.Errorf("the secret is kept: %s", again.Body)
	}
	twice("DELETE", "/api/v1/tokens/"+id, "", "9", 204)
	if tokens, err := d.auth.Tokens(t.Context(), registry.Actor{User: "admin"}, ""); err != nil || len(tokens) != 0 {
		t.Errorf("%v: %v", tokens, err)
	}
}

// A token that may manage users is not their passwords: it cannot become the account that it belongs to, nor any other.
func TestToken_ResetsNoPassword(t *testing.T) {
	d := newDoor(t)
	d.addUser(t, "ann")
	rec := d.do(t, "POST", "/api/v1/tokens", `{"name":"m","rights":[],"manage":true,"expires_in":600}`, asJSON)
	secret, _ := field(t, rec, "token").(string)
	const body = `{"password":"` + password + ` two"}`
	for _, name := range []string{"admin", "ann"} {
		want(t, d.do(t, "PUT", "/api/v1/passwords/"+name, body, asJSON, "Authorization: Bearer "+secret), 403, "cannot be done with a token")
	}
	want(t, d.do(t, "PUT", "/api/v1/passwords/admin", body, asJSON), 403, "by means of the old one")
	want(t, d.do(t, "PUT", "/api/v1/passwords/ann", body, asJSON), 204, "")
}
