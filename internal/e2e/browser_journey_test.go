package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/regent-registry/regent/internal/e2e"
)

// people makes the users of the journeys: ed writes below siteTree, rita reads.
func people(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	v := c.Visitor(true)
	v.SignIn("admin", e2e.AdminPassword)
	put(t, c, siteDoc, siteOpenAPI)
	for _, form := range [][]string{
		{"/console/roles", "do", "create", "name", "editors"},
		{"/console/users", "name", "ed", "password", e2e.AdminPassword, "role", "editors"},
		{"/console/users", "name", "rita", "password", e2e.AdminPassword},
		{"/console/permissions" + siteTree, "read:everyone", "allow", "write:editors", "allow", "delete:editors", "allow"},
	} {
		if p := v.Post(form[0], form[1:]...); p.Status != http.StatusSeeOther {
			t.Fatalf("%s: status %d: %s", form[0], p.Status, alertOf(p))
		}
	}
}

// walker goes through the console in a browser. After each step it looks whether the page tells of a failure.
type walker struct {
	t       *testing.T
	b       *e2e.Browser
	console string
	plain   bool // without script
}

func (w walker) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	w.b.Do(what, steps...)
	w.b.AwaitPage()
	if w.b.Has(".error-page") || !w.b.Has("main") {
		w.t.Fatalf("%s: %s shows: %.600s", what, w.b.URL(), w.b.Text("body"))
	}
}

// leave is do for steps that lead to another page, which it waits for.
func (w walker) leave(what string, steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	w.b.Leave(what, steps...)
	w.do(what)
}

func (w walker) open(page string) {
	w.t.Helper()
	w.do("open "+page, chromedp.Navigate(w.console+page), chromedp.WaitVisible("main h1"))
}

// submit presses the button of the first form that sends to an action.
func (w walker) submit(action string) {
	w.t.Helper()
	w.leave("send "+action, chromedp.Click(`main form[action^="/console/`+action+`/"] button[type=submit]`))
}

func (w walker) signIn(user string) {
	w.t.Helper()
	w.do("sign in as "+user, chromedp.Navigate(w.console), chromedp.WaitVisible("#password"), chromedp.SendKeys("#user", user), chromedp.SendKeys("#password", e2e.AdminPassword),
		chromedp.Click(`form[action="/console/sign-in"] button`), chromedp.WaitVisible("details.user summary"))
}

func (w walker) signOut() {
	w.t.Helper()
	w.do("sign out", chromedp.Click(`details.user summary`), chromedp.WaitVisible(`form[action="/console/sign-out"] button`), chromedp.Click(`form[action="/console/sign-out"] button`), chromedp.WaitVisible("#password"))
}

// write replaces the text of a form, in the code editor where scripts run.
func (w walker) write(text string) {
	w.t.Helper()
	if w.plain {
		w.do("write", chromedp.SetValue("#text", text))
		return
	}
	typeInEditor(w.b, text)
}

// main is the way of who may write: a text is made, changed, discussed, found, restored, deleted and put back.
func (w walker) main(name string, between func(step int)) {
	w.t.Helper()
	doc := siteTree + "/" + name
	w.open("browse" + siteTree)
	between(1)
	w.open("new-text" + siteTree)
	w.do("name it", chromedp.SendKeys("#name", name))
	w.write("the first words of " + name)
	w.submit("new-text")
	w.b.AwaitText("the first words of " + name)
	between(2)
	w.open("edit" + doc)
	w.write("the second words of " + name)
	w.submit("edit")
	w.b.AwaitText("the second words of " + name)
	between(3)
	w.open("community" + doc)
	w.do("say something", chromedp.SendKeys("#text", "A remark on "+name))
	w.submit("comment")
	w.b.AwaitText("A remark on " + name)
	w.do("tag it", chromedp.SendKeys(`form[action^="/console/tag/"] input[name=tags]`, "journey"))
	w.submit("tag")
	w.b.AwaitText("journey")
	between(4)
	w.open("property" + doc)
	w.do("add a property", chromedp.SendKeys("#name", "owner"), chromedp.SendKeys(`textarea[name=value]`, "team of "+name))
	w.submit("property")
	w.b.AwaitText("team of " + name)
	between(5)
	w.open("versions" + doc)
	w.open("diff" + doc + "?version=2")
	w.b.AwaitText("the first words of " + name)
	w.open("restore" + doc + "?version=1")
	w.submit("restore")
	w.open("resource" + doc)
	w.b.AwaitText("the first words of " + name)
	between(6)
	w.open("search?q=tag:journey")
	w.b.AwaitText(name)
	w.open("activity" + doc)
	w.open("delete" + doc)
	w.submit("delete")
	between(7)
	w.open("trash" + siteTree)
	w.b.AwaitText(name)
	w.submit("undelete")
	w.open("resource" + doc)
	w.b.AwaitText("the first words of " + name)
}

// TestBrowser_Journeys goes through the console as administrator, editor and reader, over HTTP and HTTPS of a load balancer whose three nodes take
// turns. Halfway a node is killed and started again, then another is restarted: nobody notices.
func TestBrowser_Journeys(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	people(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Expect("the server responded with a status of 403") // what a reader may not open
	b.Expect("/console/events/")                          // a stream that a killed node told; the browser asks another
	for i, base := range []string{c.Visitor(false).Base, c.Visitor(true).Base} {
		w := walker{t: t, b: b, console: base + "/console/"}
		for _, user := range []string{"admin", "ed"} {
			before := served(t, c)
			w.signIn(user)
			w.main(fmt.Sprintf("%s-%d.txt", user, i), func(step int) {
				if user != "ed" {
					return
				}
				switch n := c.Nodes[i+1]; step {
				case 2:
					n.Kill()
				case 4:
					n.Start()
					c.AwaitReady()
				case 6:
					c.Nodes[0].Stop()
					c.Nodes[0].Start()
				}
			})
			if user == "admin" {
				for _, page := range []string{"users", "roles", "cluster", "server", "doctor", "permissions" + siteTree, "account", "tags", "activity/"} {
					w.open(page)
				}
				for n, count := range served(t, c) {
					if count-before[n] < 15 {
						t.Errorf("%s served only %v requests of the journey", c.Nodes[n].Name, count-before[n])
					}
				}
			}
			w.signOut()
		}
		c.AwaitReady()
		w.signIn("rita")
		w.reads()
		w.signOut()
	}
}

// reads is the way of who may only read.
func (w walker) reads() {
	w.t.Helper()
	w.open("resource" + siteDoc)
	w.b.AwaitText("Payments")
	for _, change := range []string{"edit", "delete", "upload", "permissions", "describe", "move"} {
		if w.b.Has(`a[href^="/console/` + change + `/"]`) {
			w.t.Errorf("a reader is offered %s", change)
		}
		w.b.Do("try "+change, chromedp.Navigate(w.console+change+siteDoc), chromedp.WaitVisible(".error-page"))
		w.b.AwaitText("Not allowed")
	}
	w.open("community" + siteDoc)
	w.do("say something", chromedp.SendKeys("#text", "A reader's remark"))
	w.submit("comment")
	w.b.AwaitText("A reader's remark")
	w.open("search?q=payments")
	w.b.AwaitText("openapi.yaml")
}

// served is how many requests each node answered.
func served(t *testing.T, c *e2e.Cluster) []float64 {
	t.Helper()
	counts := make([]float64, len(c.Nodes))
	for i, n := range c.Nodes {
		counts[i] = doorRequests(t, n)
	}
	return counts
}

// TestBrowser_JourneyWithoutScript is the main journey with scripts switched off.
func TestBrowser_JourneyWithoutScript(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	people(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Do("no script", e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	w := walker{t: t, b: b, console: c.Visitor(true).Base + "/console/", plain: true}
	w.signIn("ed")
	w.main("plain.txt", func(int) {})
	w.signOut()
}

// TestBrowser_JourneyByKeys signs in, searches, opens, edits, saves, comments and signs out with the keyboard alone.
func TestBrowser_JourneyByKeys(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	people(t, c)
	put(t, c, siteTree+"/keys.txt", "unmistakable\n")
	b := e2e.OpenBrowser(t, 1280, 900)
	w := walker{t: t, b: b, console: c.Visitor(true).Base + "/console/"}
	w.do("open the console", chromedp.Navigate(w.console), chromedp.WaitVisible("#password"))
	w.tabTo("#user")
	w.do("sign in", chromedp.KeyEvent("ed"+kb.Tab+e2e.AdminPassword+kb.Enter), chromedp.WaitVisible("details.user summary"))
	// As the keyboard sends it: a key that a script takes writes no character.
	slash := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/"}
	w.do("search", e2e.Command(input.DispatchKeyEvent, slash), chromedp.KeyEvent("unmistakable"+kb.Enter), chromedp.WaitVisible("ol.hits"))
	w.tabTo(`ol.hits a[href^="/console/resource"]`)
	w.leave("open", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`a[href^="/console/edit/"]`))
	w.tabTo(`a[href^="/console/edit/"]`)
	w.leave("edit", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`form[action^="/console/edit/"]`))
	w.do("the editor", chromedp.WaitReady(".editor[data-ready]"))
	w.tabTo(`.editor, .editor *`) // its parts are in a shadow of their own
	w.do("type", chromedp.KeyEvent("by keys "), chromedp.KeyEvent(kb.Escape))
	w.tabTo(`form[action^="/console/edit/"] button[type=submit]`)
	w.leave("save", chromedp.KeyEvent(kb.Enter))
	b.AwaitText("by keys")
	w.tabTo(`a[href^="/console/community/"]`)
	w.leave("community", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`form[action^="/console/comment/"]`))
	w.tabTo(`form[action^="/console/comment/"] textarea`)
	w.do("comment", chromedp.KeyEvent("Said by keys"))
	w.tabTo(`form[action^="/console/comment/"] button[type=submit]`)
	w.leave("send it", chromedp.KeyEvent(kb.Enter))
	b.AwaitText("Said by keys")
	w.tabTo("details.user summary")
	w.do("the menu", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`form[action="/console/sign-out"] button`))
	w.tabTo(`form[action="/console/sign-out"] button`)
	w.do("sign out", chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("#password"))
	a, err := c.Direct(0).Get(t.Context(), siteTree+"/keys.txt")
	if err != nil || !strings.Contains(string(a.Body), "by keys") {
		t.Errorf("stored: %v, %q", err, a.Body)
	}
}

// tabTo presses Tab until the focus is on an element, and looks that it can be seen there.
func (w walker) tabTo(selector string) {
	w.t.Helper()
	for range 120 {
		if e2e.Read(w.b, "the focus", chromedp.Evaluate[bool](fmt.Sprintf("document.activeElement.matches(%q)", selector))) {
			return
		}
		w.b.Do("tab", chromedp.KeyEvent(kb.Tab))
	}
	w.t.Fatalf("Tab does not lead to %s on %s", selector, w.b.URL())
}

// TestConsole_SignOutEndsTheSessionEverywhere: a session made through the load balancer is good on every node, and after the sign-out on none, to
// whoever kept its cookie. Its cookie is out of reach of scripts, and over HTTPS of plain connections.
func TestConsole_SignOutEndsTheSessionEverywhere(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	secure := c.Visitor(true)
	signed := secure.Post("/console/sign-in", "user", "admin", "password", e2e.AdminPassword)
	if ck := signed.Header.Get("Set-Cookie"); !strings.HasPrefix(ck, "__Host-regent_session=") || !strings.Contains(ck, "; Path=/; HttpOnly; Secure; SameSite=Lax") || strings.Contains(ck, "Domain") {
		t.Errorf("over HTTPS: %s", ck)
	}
	v := c.Visitor(false)
	v.SignIn("admin", e2e.AdminPassword)
	kept := v.Cookies()[0].String()
	everywhere := func(want int) {
		t.Helper()
		for i, n := range c.Nodes {
			a, err := e2e.NewClient(n.HTTPPort).Do(t.Context(), "GET", "/console/account", nil, "Cookie", kept)
			if err != nil || a.Status != want {
				t.Errorf("%s: %v, status %d, want %d", c.Nodes[i].Name, err, a.Status, want)
			}
		}
	}
	everywhere(http.StatusOK)
	if p := v.Get("/console/sign-out"); p.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", p.Status)
	}
	everywhere(http.StatusOK)
	if p := v.Post("/console/sign-out"); p.Status != http.StatusSeeOther {
		t.Errorf("POST: status %d", p.Status)
	}
	everywhere(http.StatusSeeOther)
}
