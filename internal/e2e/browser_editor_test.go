package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/regent-registry/regent/internal/e2e"
)

// inEditor is a script about the content element of the page's code editor.
func inEditor(script string) string {
	return `document.querySelector(".editor").shadowRoot.querySelector(".cm-content")` + script
}

// typeInEditor puts a text in the place of all that the code editor has, as somebody would with the keyboard.
func typeInEditor(b *e2e.Browser, text string) {
	b.Do("the editor", chromedp.WaitReady(".editor[data-ready]"), run(inEditor(`.focus()`)), chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		e2e.Command(input.InsertText, input.InsertTextParams{Text: text}))
}

func run(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script)
}

// awaitScript waits until a script gives true.
func awaitScript(t *testing.T, b *e2e.Browser, what, script string) {
	t.Helper()
	e2e.Await(t, 15*time.Second, what, func() error {
		if !e2e.Read(b, what, chromedp.Evaluate[bool](script)) {
			return errors.New("not yet")
		}
		return nil
	})
}

// TestBrowser_Editor writes, searches and saves in the code editor, with the keyboard alone. The page's policy must stand: what the browser blocks fails
// the test.
func TestBrowser_Editor(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	fill(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)

	const page = "edit/_system/governance/apis/payments/fees.json"
	b.Do("edit", chromedp.Navigate(console+page), chromedp.WaitReady(".editor[data-ready]"))
	typeInEditor(b, "{\n  \"fee\": 1,\n  broken\n}\n")
	awaitScript(t, b, "the mistake is marked", inEditor(`.querySelector(".cm-lintRange-error, .cm-lintPoint-error") !== null`))
	b.Shot("editor-mistake")
	typeInEditor(b, "{\n  \"fee\": 1\n}\n")
	b.Do("search", chromedp.KeyEvent("f", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	awaitScript(t, b, "the search panel", `document.querySelector(".editor").shadowRoot.querySelector(".cm-search") !== null`)
	b.Shot("editor-search")
	b.Do("a slash stays in the text", chromedp.KeyEvent(kb.Escape), run(inEditor(`.focus()`)), chromedp.KeyEvent("/"), chromedp.KeyEvent(kb.Backspace))
	b.Do("leave it by keyboard", chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent(kb.Tab))
	if at := e2e.Read(b, "focus", chromedp.Evaluate[string](`document.activeElement.id`)); at != "comment" {
		t.Errorf("Escape and Tab lead to %q, not to the next field", at)
	}
	awaitScript(t, b, "the text in the field", `document.getElementById("text").value === "{\n  \"fee\": 1\n}\n"`)
	b.Do("save", run(inEditor(`.focus()`)), chromedp.KeyEvent("s", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible(`p.alert.ok[role=status]`))
	a, err := c.Direct(0).Get(t.Context(), "/_system/governance/apis/payments/fees.json")
	if err != nil || strings.TrimSpace(string(a.Body)) != "{\n  \"fee\": 1\n}" {
		t.Errorf("stored: %v, %q", err, a.Body)
	}
}

// TestBrowser_Conflict is somebody who saves after somebody else did, and then looks at what changed, on wide and narrow screens in both themes.
func TestBrowser_Conflict(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	elb := c.ThroughELB()
	const path = "/_system/governance/apis/payments/openapi.yaml"
	text := "openapi: 3.1.0\ninfo:\n  title: Payments\n  summary: money\n  version: 1.0.0\n" + strings.Repeat("# a line that nobody changes\n", 12) + "servers:\n  - url: /pay\npaths: {}\n"
	put := func(text string) {
		t.Helper()
		if _, err := elb.Put(t.Context(), path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	put(text)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	b.Do("edit", chromedp.Navigate(console+"edit"+path), chromedp.WaitReady(".editor[data-ready]"))
	typeInEditor(b, strings.NewReplacer("Payments", "Payments and fees", "/pay", "/mine").Replace(text))
	put(strings.NewReplacer("1.0.0", "2.0.0", "/pay", "/theirs").Replace(text))
	b.Expect("status of 412")
	b.Do("save", run(inEditor(`.focus()`)), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible(".merge-conflict"))
	shots(t, b, "conflict")
	b.Do("choose theirs", chromedp.Click(`input[value="theirs"]`))
	b.Do("save the merge", chromedp.Click(`button[value="merge"]`), chromedp.WaitVisible(`p.alert.ok[role=status]`))
	a, err := c.Direct(0).Get(t.Context(), path)
	if want := strings.NewReplacer("1.0.0", "2.0.0", "/pay", "/theirs", "Payments", "Payments and fees").Replace(text); err != nil || string(a.Body) != want {
		t.Errorf("stored: %v, %q", err, a.Body)
	}
	for _, page := range []string{"diff" + path + "?from=1", "diff" + path + "?from=1&view=inline", "edit" + path, "new-text/_system/governance"} {
		b.Do(page, chromedp.Navigate(console+page), chromedp.WaitVisible("main h1"))
		shots(t, b, strings.NewReplacer("/", "-", "?", "-").Replace(page))
	}
}

// shots looks at a page wide and narrow, light and dark: nothing may be wider than the screen.
func shots(t *testing.T, b *e2e.Browser, name string) {
	t.Helper()
	for _, theme := range []string{"light", "dark"} {
		features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
		b.Do("wide", chromedp.EmulateViewport(1280, 900))
		b.Do(theme, e2e.Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}))
		b.Shot(name + "-" + theme)
		b.Do("narrow", chromedp.EmulateViewport(390, 844))
		b.Shot(name + "-" + theme + "-narrow")
		if width := e2e.Read(b, "width", chromedp.Evaluate[int]("document.documentElement.scrollWidth")); width > 390 {
			t.Errorf("%s is %d wide on a screen of 390", name, width)
		}
	}
}

// TestBrowser_SessionEndsMeanwhile is somebody whose session is ended elsewhere while they write: what they wrote waits until they have signed in in another tab.
func TestBrowser_SessionEndsMeanwhile(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	const path, first, written = "/_system/governance/draft.txt", "first\n", "what I wrote <b>\n"
	if _, err := c.ThroughELB().Put(t.Context(), path, []byte(first)); err != nil {
		t.Fatal(err)
	}
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("https://governance.localhost:%d/console/", c.ELB.HTTPSPort)
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	b.Do("edit", chromedp.Navigate(console+"edit"+path), chromedp.WaitReady(".editor[data-ready]"))
	typeInEditor(b, written)

	elsewhere := c.Visitor(true)
	elsewhere.SignIn("admin", e2e.AdminPassword)
	if p := elsewhere.Post("/console/account/end-session", "all", "1"); p.Status != http.StatusSeeOther {
		t.Fatalf("ending the sessions: status %d", p.Status)
	}
	b.Expect("status of 401")
	b.Do("save", run(inEditor(`.focus()`)), chromedp.KeyEvent("s", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.WaitVisible(`a[target="_blank"][href="/console/sign-in"]`))
	b.AwaitText("nothing is lost")
	if got := e2e.Read(b, "the text", chromedp.Evaluate[string](`document.getElementById("text").value`)); got != written {
		t.Errorf("the page has %q", got)
	}
	if a, err := c.Direct(0).Get(t.Context(), path); err != nil || string(a.Body) != first {
		t.Errorf("without a session this was stored: %v, %q", err, a.Body)
	}
	b.Shot("session-ended")

	// The other tab has the same cookies.
	b.Do("sign in in another tab", run(fmt.Sprintf(`fetch("/console/sign-in", {method: "POST", redirect: "manual", body: new URLSearchParams({user: "admin", password: %q})})
		.then(() => { document.body.dataset.signedIn = ""; })`, e2e.AdminPassword)), chromedp.WaitReady("body[data-signed-in]"))
	b.Do("send again", chromedp.Click(`main form button[type="submit"]`), chromedp.WaitVisible(`p.alert.ok[role=status]`))
	if a, err := c.Direct(0).Get(t.Context(), path); err != nil || string(a.Body) != written {
		t.Errorf("stored: %v, %q", err, a.Body)
	}
}

// TestBrowser_LongText edits the longest text that the editor takes: a key must not take long, and what is over the limit is not sent.
func TestBrowser_LongText(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	const path = "/_system/governance/long.json"
	row := `{"name": "somebody", "number": 12345, "on": true},` + "\n"
	long := "[\n" + strings.Repeat(row, (1<<20)/len(row)-2) + "{}\n]\n"
	if _, err := c.ThroughELB().Put(t.Context(), path, []byte(long)); err != nil {
		t.Fatal(err)
	}
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	b.Do("edit", chromedp.Navigate(console+"edit"+path), chromedp.WaitReady(".editor[data-ready]"), run(inEditor(`.focus()`)))
	start := time.Now()
	const keys = 20
	for range keys {
		b.Do("type", chromedp.KeyEvent(" "))
	}
	b.Do("go to the end", chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(" "))
	took := time.Since(start)
	t.Logf("%d keys in a text of %d bytes took %v", keys, len(long), took)
	if took > 10*time.Second {
		t.Errorf("%d keys took %v", keys, took)
	}
	b.Do("too much", e2e.Command(input.InsertText, input.InsertTextParams{Text: strings.Repeat("x", 4096)}), chromedp.KeyEvent("s", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.AwaitText("This text is too large to store from here; the limit is 1 MiB.")
	a, err := c.Direct(0).Get(t.Context(), path)
	if err != nil || string(a.Body) != long {
		t.Errorf("stored: %v, %d bytes", err, len(a.Body))
	}
}
