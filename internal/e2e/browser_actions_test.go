package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestBrowser_EveryAction does everything that the console can do by its own forms, in a browser in front of the load balancer of three nodes: as the
// least that somebody must be for it with scripts over HTTPS, and as one who may more without them over plain HTTP. Who may less is offered no button
// for it, and is refused when he sends the same form. What the browser sent is held against the console's URL map, and what pages offered against what
// was pressed: an action that is new has no journey yet, and fails here by name.
func TestBrowser_EveryAction(t *testing.T) {
	slow(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "content from elsewhere") }))
	t.Cleanup(receiver.Close)
	c := e2e.StartCluster(t, e2e.Options{NodeKeys: fmt.Sprintf("fetch_hosts: [%q]\nwebhooks: {allow: [127.0.0.0/8]}\n", strings.TrimPrefix(receiver.URL, "http://"))})
	people(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Expect("the server responded with a status of 403") // what somebody may not open
	// The tab is in a zone of which the server cannot know.
	b.Do("far away", e2e.Command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Pacific/Auckland"}))
	sent := e2e.Record(b, network.RequestWillBeSent)
	questions := b.AcceptDialogs()
	downloads := b.Downloads()

	for _, pass := range []struct {
		name, tree string
		plain      bool
		as         map[string]string // who does what at least somebody of that role may do
	}{
		{"with scripts", siteTree + "/on", false, map[string]string{"reader": "rita", "editor": "ed", "admin": "admin"}},
		{"without scripts", siteTree + "/off", true, map[string]string{"reader": "ed", "editor": "admin", "admin": "admin"}},
	} {
		before := len(sent())
		j := &journey{
			walker: walker{t: t, b: b, console: c.Visitor(!pass.plain).Base + "/console/", plain: pass.plain}, c: c, routes: consoleRoutes(t), downloads: downloads,
			names:   strings.NewReplacer("{t}", pass.tree, "{n}", filepath.Base(pass.tree), "{receiver}", receiver.URL, "{password}", e2e.AdminPassword),
			offered: map[string]map[string]bool{}, pressed: map[string]map[string]bool{}, opened: map[string]map[string]bool{}, nodes: map[string]bool{},
		}
		b.Do(pass.name, e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: pass.plain}))
		j.fill(pass.tree)
		for i, role := range roles {
			j.user = pass.as[role]
			j.press(deed{page: "sign-in", fill: []string{"#user", j.user, "#password", "{password}"}, press: "sign-in", has: "nav.sidebar"})
			if !pass.plain {
				for _, below := range roles[:i] {
					v := c.Visitor(true)
					v.SignIn(pass.as[below], e2e.AdminPassword)
					j.less = append(j.less, lesser{pass.as[below], v})
				}
			}
			for _, d := range deeds {
				if d.who == role && (!d.script || !pass.plain) {
					j.press(d)
				}
			}
			j.less = nil
			if !pass.plain {
				j.visit(role, pass.tree)
			}
			j.press(deed{page: "account", first: []string{"details.user summary"}, press: "sign-out", has: "#password"})
		}
		j.judge(sent()[before:])
	}
	// The browser's own questions, of forms that are left with what was typed, have no text.
	asked := slices.DeleteFunc(questions(), func(text string) bool { return text == "" })
	if want := buttonsThatAsk(t); len(asked) != want {
		t.Errorf("%d buttons of templates ask first, but pages asked %q", want, asked)
	}
}

// buttonsThatAsk is how many buttons of the console's templates ask before they do something.
func buttonsThatAsk(t *testing.T) int {
	t.Helper()
	files, err := filepath.Glob("../../pkg/registry/console/templates/*/*.html")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(text), "data-confirm=")
	}
	return n
}

// roles are who works with a console, each with what those before it may do, and more.
var roles = []string{"reader", "editor", "admin"}

// A deed is something that is done at a page with one of its forms or links.
type deed struct {
	who    string // the least role that may do it
	page   string // where its form is; "" goes on where the deed before ended
	via    string // a link that leads to it from there
	script bool   // it takes scripts
	before func(*journey)
	free   bool     // who may less is offered it, too
	first  []string // what is clicked first: menus, boxes
	fill   []string // selector, value, selector, value…
	types  string   // what is typed into the box in the header
	file   string   // the name of a file to upload
	text   string   // to be written into the code editor, where there is one

	press string // the form by its action without path, and its button where it has several: "rate rating=4"; or the selector of what is no form
	of    string // what the form has in it, where several have that action

	shows string // a text of the page after that
	has   string // an element of the page after that
	stays bool   // with scripts the page is still the same one
	saves string // the beginning of the name of the file that comes
}

// lesser is somebody who may not do what is done.
type lesser struct {
	name string
	*e2e.Visitor
}

// A journey is one pass through all deeds.
type journey struct {
	walker
	c         *e2e.Cluster
	user      string
	less      []lesser
	routes    []route
	names     *strings.Replacer
	downloads string

	offered, pressed map[string]map[string]bool // by user: actions as the script shapes names them, with patterns in place of addresses
	opened           map[string]map[string]bool // by user: pages, by the pattern of their route
	nodes            map[string]bool            // which made pages
}

// fill makes what the deeds are done to.
func (j *journey) fill(tree string) {
	j.t.Helper()
	v := j.c.Visitor(false)
	v.SignIn("admin", e2e.AdminPassword)
	for _, content := range []string{"first words about payments\n", "second words about payments\n"} {
		put(j.t, j.c, tree+"/doc.txt", content)
	}
	put(j.t, j.c, tree+"/kept/note.txt", "kept\n")
	put(j.t, j.c, tree+"/inbox/note.txt", "everybody may put something here\n")
	for _, form := range [][]string{
		{"/console/comment" + tree + "/doc.txt", "text", "An administrator's remark"},
		{"/console/checkpoint" + tree, "checkpoint", "v1", "do", "make"},
		{"/console/permissions" + tree + "/inbox", "write:everyone", "allow"},
	} {
		if p := v.Post(form[0], form[1:]...); p.Status != http.StatusSeeOther {
			j.t.Fatalf("%s: status %d: %s", form[0], p.Status, alertOf(p))
		}
	}
}

// shapes are the actions that a page offers: where forms are sent, and by which button; values are told of buttons named do alone, since others
// have data there.
const shapes = `const shape = (form, button) => {
	const hidden = form.querySelector("input[type=hidden][name=do]");
	const name = button.name === "do" ? "do=" + button.value : [hidden ? "do=" + hidden.value : "", button.name].join(" ").trim();
	return [new URL(form.getAttribute("action"), location).pathname, name].join(" ").trim();
}; `

// look notes what the page offers and which node made it.
func (j *journey) look() {
	j.t.Helper()
	page := e2e.Read(j.b, "what the page offers", chromedp.Evaluate[struct {
		Shapes []string
		Node   string
		Path   string
	}](`(() => { `+shapes+`
	const all = [];
	for (const form of document.querySelectorAll("form[method=post]"))
		for (const button of form.querySelectorAll("button:not([type=button], [formmethod=get])")) all.push(shape(form, button));
	return {Shapes: all, Path: decodeURIComponent(location.pathname), Node: (document.querySelector(".topbar .node") || {innerText: ""}).innerText};
})()`))
	for _, s := range page.Shapes {
		note(j.offered, j.user, j.action(s))
	}
	if r, ok := routeOf(j.routes, http.MethodGet, page.Path); ok {
		note(j.opened, j.user, r.pattern)
	}
	if page.Node != "" {
		j.nodes[strings.TrimSpace(page.Node)] = true
	}
}

// note keeps what a user did or saw.
func note(all map[string]map[string]bool, user, what string) {
	if all[user] == nil {
		all[user] = map[string]bool{}
	}
	all[user][what] = true
}

// action is a shape with the pattern of the route in place of the address.
func (j *journey) action(shape string) string {
	j.t.Helper()
	address, button, _ := strings.Cut(shape, " ")
	r, ok := routeOf(j.routes, http.MethodPost, address)
	if !ok {
		j.t.Errorf("%s has a form for %s, which takes none", j.b.URL(), address)
	}
	return strings.TrimSpace(r.pattern + " " + button)
}

// selector finds the button, or the link, that the deed presses.
func (d deed) selector() string {
	if strings.ContainsAny(d.press, "[.#") {
		return d.press
	}
	action, button, _ := strings.Cut(d.press, " ")
	found := fmt.Sprintf(`form[method=post]:is([action="/console/%[1]s"], [action^="/console/%[1]s/"])`, action)
	if d.of != "" {
		found += ":has(" + d.of + ")"
	}
	found += " button:not([type=button], [formmethod=get], [aria-hidden])"
	if name, value, ok := strings.Cut(button, "="); ok {
		found += fmt.Sprintf(`[name=%q][value=%q]`, name, value)
	} else if name != "" {
		found += fmt.Sprintf(`[name=%q]`, name)
	} else {
		found += ":not([name])"
	}
	return found
}

// press does a deed: the page is opened, the form filled and its button pressed, and the page after that looked at. Before, those who may less try it.
func (j *journey) press(d deed) {
	j.t.Helper()
	for _, s := range []*string{&d.page, &d.via, &d.text, &d.press, &d.of, &d.shows, &d.has, &d.saves} {
		*s = j.names.Replace(*s)
	}
	if d.before != nil {
		d.before(j)
	}
	if d.page != "" || strings.HasPrefix(d.press, "theme") {
		j.open(d.page)
		j.look()
	}
	if d.via != "" {
		j.leave("by "+d.via, chromedp.Click(d.via))
		j.look()
	}
	for _, s := range d.first {
		j.do(s, chromedp.Click(j.names.Replace(s)))
	}
	j.fillIn(d)
	selector := d.selector()
	form := j.form(selector)
	if form.Shape != "" {
		action := j.action(form.Shape)
		note(j.pressed, j.user, action)
		for _, v := range j.less {
			if d.free {
				break
			}
			j.refuses(v, action, form)
		}
	}
	what := fmt.Sprintf("%s: %s at %s", j.user, d.press, d.page)
	switch {
	case d.saves != "":
		// The browser tells of no request when a link is there to download.
		address := e2e.Read(j.b, selector, chromedp.Evaluate[string](fmt.Sprintf(`(document.querySelector(%q).pathname || "")`, selector)))
		j.do(what, chromedp.Click(selector))
		j.await(d.saves)
		if r, ok := routeOf(j.routes, http.MethodGet, address); ok {
			note(j.opened, j.user, r.pattern)
		}
	case d.stays && !j.plain:
		j.do(what, chromedp.Click(selector))
	default:
		j.leave(what, chromedp.Click(selector))
	}
	if d.shows != "" {
		j.b.AwaitText(d.shows)
	}
	if d.has != "" {
		j.do(what, chromedp.WaitVisible(d.has))
	}
	j.look()
}

func (j *journey) fillIn(d deed) {
	j.t.Helper()
	for i := 0; i+1 < len(d.fill); i += 2 {
		filled := e2e.Read(j.b, "fill "+d.fill[i], chromedp.Evaluate[bool](fmt.Sprintf(`(() => {
	const field = document.querySelector(%q), value = %q;
	if (!field || !field.checkVisibility()) return false;
	field.focus();
	field.value = value;
	field.dispatchEvent(new Event("input", {bubbles: true}));
	field.dispatchEvent(new Event("change", {bubbles: true}));
	return field.value === value; // a choice that is not there is not taken
})()`, d.fill[i], j.names.Replace(d.fill[i+1]))))
		if !filled {
			j.t.Fatalf("%s at %s takes no %q", d.fill[i], j.b.URL(), d.fill[i+1])
		}
	}
	if d.types != "" {
		j.b.Paste("#location", j.names.Replace(d.types))
	}
	if d.text != "" {
		j.write(d.text)
	}
	if d.file != "" {
		file := filepath.Join(j.t.TempDir(), d.file)
		if err := os.WriteFile(file, []byte("content of "+d.file+"\n"), 0o600); err != nil {
			j.t.Fatal(err)
		}
		j.do("choose "+d.file, chromedp.SetUploadFiles("#file", []string{file}))
	}
}

// filled is a form as it would be sent.
type filled struct {
	Shape, Action, Name, Value string
	Pairs                      []string
	File                       bool
}

// form reads the form that a button would send; of a link, nothing.
func (j *journey) form(selector string) filled {
	j.t.Helper()
	j.do("the button "+selector, chromedp.WaitVisible(selector))
	return e2e.Read(j.b, selector, chromedp.Evaluate[filled](fmt.Sprintf(`(() => { %s
	const button = document.querySelector(%q), form = button.form, pairs = [];
	button.focus(); // what refreshes itself leaves alone what is at work
	if (!form) return {};
	let file = false;
	for (const [name, value] of new FormData(form, button)) {
		if (typeof value === "string") pairs.push(name, value);
		else file = true;
	}
	return {Shape: shape(form, button), Action: form.getAttribute("action"), Name: button.name, Value: button.value, Pairs: pairs, File: file};
})()`, shapes, selector)))
}

// refuses looks that somebody has no such button at the page, and is refused when sending the form.
func (j *journey) refuses(v lesser, action string, form filled) {
	j.t.Helper()
	here, err := url.Parse(j.b.URL())
	if err != nil {
		j.t.Fatal(err)
	}
	if p := v.Get(here.RequestURI()); p.Status == http.StatusOK {
		if hasButton(j.t, p, form) {
			j.t.Errorf("%s is offered %s at %s", v.name, action, p.Path)
		}
	} else if p.Status != http.StatusForbidden && p.Status != http.StatusMethodNotAllowed { // a page that is the answer to a form
		j.t.Errorf("%s opens %s: status %d: %s", v.name, p.Path, p.Status, alertOf(p))
	}
	send := func() e2e.Page {
		if form.File {
			return v.Upload(form.Action, "theirs.txt", []byte("theirs"), form.Pairs...)
		}
		return v.Post(form.Action, form.Pairs...)
	}
	if p := send(); p.Status != http.StatusForbidden {
		j.t.Errorf("%s sends %s: status %d: %s", v.name, action, p.Status, alertOf(p))
	}
}

func hasButton(t *testing.T, p e2e.Page, form filled) bool {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(string(p.Body)))
	if err != nil {
		t.Fatal(err)
	}
	has := func(n *html.Node, name, value string) bool {
		return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name && a.Val == value })
	}
	for f := range doc.Descendants() {
		if f.Data != "form" || !has(f, "action", form.Action) {
			continue
		}
		for n := range f.Descendants() {
			if n.Data == "button" && (form.Name == "" || has(n, "name", form.Name) && has(n, "value", form.Value)) {
				return true
			}
		}
	}
	return false
}

// await waits for a downloaded file, and removes it.
func (j *journey) await(begins string) {
	j.t.Helper()
	e2e.Await(j.t, 30*time.Second, "a file "+begins+"…", func() error {
		files, err := os.ReadDir(j.downloads)
		if err != nil {
			return err
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil || !strings.HasPrefix(f.Name(), begins) || strings.HasSuffix(f.Name(), ".crdownload") || info.Size() == 0 {
				continue
			}
			return os.Remove(filepath.Join(j.downloads, f.Name()))
		}
		return fmt.Errorf("there are %v", files)
	})
}

// visit opens every page that the user has not seen yet; those that are not for everybody are refused to who may less.
func (j *journey) visit(role, tree string) {
	j.t.Helper()
	admin := j.c.Visitor(false)
	admin.SignIn("admin", e2e.AdminPassword)
	find := func(page, before string) string {
		_, rest, found := strings.Cut(string(admin.Get(page).Body), before)
		if !found {
			j.t.Fatalf("%s has no %s", page, before)
		}
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	queries := map[string]string{
		"/console/go": "?to=" + tree, "/console/restore/{path...}": "?version=1", "/console/diff/{path...}": "?version=2", "/console/restore-tree/{path...}": "?checkpoint=v1",
		"/console/past/{path...}": find("/console/checkpoints"+tree, "/console/past"+tree), "/console/user": "?name=ed", "/console/tagged": "?tag=journey", "/console/search": "?q=payments",
		"/console/edit-comment/{path...}": "?id=" + find("/console/community"+tree+"/doc.txt?", `name="id" value="`), "/console/permissions-of": "?to=" + tree,
	}
	for _, r := range j.routes {
		if r.method != http.MethodGet || seenElsewhere[r.pattern] != "" || j.opened[j.user][r.pattern] {
			continue
		}
		address := strings.TrimSuffix(r.pattern, "{$}")
		if r.takesPath() {
			address = r.prefix() + tree
			if !ofCollections[r.pattern] {
				address += "/doc.txt"
			}
		}
		want := int64(http.StatusOK)
		if least := leastRole[r.pattern]; slices.Index(roles, role) < slices.Index(roles, least) {
			want = http.StatusForbidden
		}
		if got := j.b.Open(strings.TrimSuffix(j.console, "/console/") + address + queries[r.pattern]); got != want {
			j.t.Errorf("%s opens %s: status %d, want %d: %.300s", role, address, got, want, j.b.Text("main"))
		}
		j.look()
	}
}

// judge looks what was done: every action by somebody, nothing offered that was not done, and nobody was offered what takes a higher role.
func (j *journey) judge(sent []network.EventRequestWillBeSent) {
	j.t.Helper()
	used := map[route]int{}
	for _, pages := range j.opened {
		for pattern := range pages {
			used[route{http.MethodGet, pattern}]++
		}
	}
	for _, e := range sent {
		if u, err := url.Parse(e.Request.URL); err == nil {
			r, _ := routeOf(j.routes, e.Request.Method, u.Path)
			used[r]++
		}
	}
	for _, r := range j.routes {
		if used[r] == 0 && (r.method == http.MethodPost || !j.plain) && !(j.plain && byScript[r.pattern]) {
			j.t.Errorf("no journey uses %s %s: write a deed for it", r.method, r.pattern)
		}
	}
	allowed := map[string]bool{}
	for _, user := range []string{"rita", "ed", "admin"} {
		for a := range j.pressed[user] {
			allowed[a] = true
		}
		for a := range j.offered[user] {
			if !j.plain && !allowed[a] {
				j.t.Errorf("%s is offered %s, which takes a higher role or has no deed", user, a)
			}
		}
	}
	done := map[string]bool{}
	for _, actions := range j.pressed {
		for a := range actions {
			done[a] = true
		}
	}
	for user, actions := range j.offered {
		for a := range actions {
			if j.plain && !done[a] {
				j.t.Errorf("%s is offered %s, which no journey does: write a deed for it", user, a)
			}
		}
	}
	if len(j.nodes) != len(j.c.Nodes) {
		j.t.Errorf("the pages came from %v, not from all nodes", j.nodes)
	}
	j.t.Logf("%d requests of the browser, %d actions", len(sent), len(done))
}
