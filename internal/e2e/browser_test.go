package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestBrowser_Console is a person's way through the console, by the load balancer's HTTPS port, so that any node may serve any step.
func TestBrowser_Console(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	fill(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("https://governance.localhost:%d/console/", c.ELB.HTTPSPort)

	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	b.Shot("sign-in")
	signIn(b)
	b.Do("browse", chromedp.Navigate(console+"browse/_system/governance/apis"))
	b.AwaitText("payments")
	b.Shot("browse")

	uploadInBrowser(t, b, console)
	editInBrowser(b)
	b.Do("the versions", chromedp.Navigate(console+"versions/_system/governance/apis/payments/openapi.yaml"))
	b.AwaitText("Restore")
	b.Shot("versions")
	restoreInBrowser(t, b, c)
	propertyInBrowser(b, console)

	searchInBrowser(b)

	b.Do("the cluster", chromedp.Navigate(console+"cluster"))
	for _, n := range c.Nodes {
		b.AwaitText(n.Name)
	}
	b.Shot("cluster")
	suggested := `ul.suggestions li[data-href="/console/browse/_system/governance/apis/payments"]` // before it, where the user was last is suggested
	b.Paste("#location", "/_system/governance/apis/pay")
	b.Do("a suggestion", chromedp.WaitVisible(suggested))
	b.Shot("suggestions")
	b.Do("take the suggestion", chromedp.Click(suggested))
	b.AwaitText("fees.json")
	b.Do("the overview", chromedp.Navigate(console))
	b.AwaitText("What changed lately")
	b.Shot("overview")
	b.Do("the server", chromedp.Navigate(console+"server"))
	b.AwaitText("/_system/governance")
	b.Shot("server")

	deleteInBrowser(b, console)
	signOutInBrowser(b, console)
	if url := b.URL(); !strings.HasPrefix(url, console) {
		t.Errorf("the browser ended at %s, outside of the load balancer's %s", url, console)
	}
}

func fill(t *testing.T, c *e2e.Cluster) {
	t.Helper()
	elb := c.ThroughELB()
	for _, name := range []string{"accounts/openapi.yaml", "payments/notes.md", "payments/fees.json", "orders/order.xsd", "customers/customer.wsdl"} {
		if _, err := elb.Put(t.Context(), "/_system/governance/apis/"+name, []byte("content of "+name+"\n")); err != nil {
			t.Fatal(err)
		}
	}
}

// signIn fills in the form; who is in has a menu of their own, on any screen.
func signIn(b *e2e.Browser) {
	b.Do("sign in", chromedp.SendKeys("#user", "admin"), chromedp.SendKeys("#password", e2e.AdminPassword),
		chromedp.Click(`form[action="/console/sign-in"] button`), chromedp.WaitVisible("details.user summary"))
}

// searchInBrowser searches from the box in the header, keeps the search and narrows it.
func searchInBrowser(b *e2e.Browser) {
	b.Do("search", chromedp.SetValue("#location", "content OR payments"), chromedp.Submit("#location"), chromedp.WaitVisible("ol.hits"))
	b.AwaitText("best first")
	b.Do("keep the search", chromedp.SendKeys("#name", "About payments"), chromedp.Click(`form[action="/console/save-search"] button`), chromedp.WaitVisible("ul.saved"))
	b.AwaitText("About payments")
	b.Shot("search")
	b.Do("narrow it", chromedp.Click(`.facets section:first-child li:last-child a`), chromedp.WaitVisible("ol.hits"))
	b.AwaitText("1 hit")
}

func uploadInBrowser(t *testing.T, b *e2e.Browser, console string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(file, []byte(openapi), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Do("upload", chromedp.Navigate(console+"upload/_system/governance/apis/payments"), chromedp.WaitVisible("#file"),
		chromedp.SetUploadFiles("#file", []string{file}), chromedp.Click(`form[enctype] button[type=submit]`))
	b.AwaitText("OpenAPI 3.1.0")
	b.Shot("resource")
}

func editInBrowser(b *e2e.Browser) {
	b.Do("edit", chromedp.Click(`a[href^="/console/edit/"]`))
	typeInEditor(b, strings.Replace(openapi, "1.0.0", "2.0.0", 1))
	b.Shot("edit")
	b.Do("save", chromedp.Click(`form[action^="/console/edit/"] button[type=submit]`))
	b.AwaitText("2.0.0")
}

func restoreInBrowser(t *testing.T, b *e2e.Browser, c *e2e.Cluster) {
	t.Helper()
	b.Do("restore", chromedp.Click(`a[href^="/console/restore/"]`), chromedp.WaitVisible(`form[action^="/console/restore/"]`))
	b.Shot("restore")
	b.Do("restore it", chromedp.Click(`form[action^="/console/restore/"] button[type=submit]`), chromedp.WaitVisible(`p.alert.ok[role=status]`))
	for i, n := range c.Nodes {
		a, err := c.Direct(i).Get(t.Context(), "/_system/governance/apis/payments/openapi.yaml")
		if err != nil || string(a.Body) != openapi || a.Version() != 3 {
			t.Errorf("%s after the restore: %v, version %d: %s", n.Name, err, a.Version(), a.Body)
		}
	}
}

func propertyInBrowser(b *e2e.Browser, console string) {
	b.Do("add a property", chromedp.Navigate(console+"property/_system/governance/apis/payments/openapi.yaml"), chromedp.WaitVisible("#name"),
		chromedp.SendKeys("#name", "owner"), chromedp.SendKeys(`textarea[name=value]`, "team-payments"),
		chromedp.Click(`.actions button[type=submit]`))
	b.AwaitText("team-payments")
	b.Shot("properties")
}

func deleteInBrowser(b *e2e.Browser, console string) {
	b.Do("delete", chromedp.Navigate(console+"delete/_system/governance/apis/orders"), chromedp.WaitVisible(`form[action^="/console/delete/"]`))
	b.Shot("delete")
	b.Do("confirm", chromedp.Click(`form[action^="/console/delete/"] button[type=submit]`))
	b.AwaitText("customers")
	b.Do("it is gone", chromedp.WaitNotPresent(`a[href="/console/browse/_system/governance/apis/orders"]`))
}

func signOutInBrowser(b *e2e.Browser, console string) {
	b.Do("sign out", chromedp.Click(`details.user summary`), chromedp.WaitVisible(`form[action="/console/sign-out"] button`),
		chromedp.Click(`form[action="/console/sign-out"] button`), chromedp.WaitVisible("#password"))
	b.Do("a page after that", chromedp.Navigate(console+"cluster"), chromedp.WaitVisible("#password"))
}

// TestBrowser_DarkAndNarrow looks at the same pages in the dark theme on a small screen: nothing may be wider than the screen.
func TestBrowser_DarkAndNarrow(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	fill(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
	b.Do("dark", e2e.Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark}))
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	for _, page := range []string{"browse/_system/governance/apis", "resource/_system/governance/apis/accounts/openapi.yaml", "cluster", "server"} {
		b.Do(page, chromedp.ResetViewport(), chromedp.Navigate(console+page), chromedp.WaitVisible("main h1"))
		b.Shot("dark-" + strings.ReplaceAll(page, "/", "-"))
		b.Do("narrow", chromedp.EmulateViewport(390, 844))
		b.Shot("narrow-" + strings.ReplaceAll(page, "/", "-"))
		if width := e2e.Read(b, "width", chromedp.Evaluate[int]("document.documentElement.scrollWidth")); width > 390 {
			t.Errorf("%s is %d wide on a screen of 390", page, width)
		}
	}
}

// TestBrowser_WithoutScript signs in, browses and edits with scripts switched off.
func TestBrowser_WithoutScript(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	b.Do("no script", e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	b.Do("a text", chromedp.Navigate(console+"new-text/_system/governance"), chromedp.WaitVisible("#name"),
		chromedp.SendKeys("#name", "plain.txt"), chromedp.SendKeys("#text", "no script was needed"),
		chromedp.Click(`.actions button[type=submit]`))
	b.AwaitText("no script was needed")
	a, err := c.Direct(0).Get(t.Context(), "/_system/governance/plain.txt")
	if err != nil || strings.TrimSpace(string(a.Body)) != "no script was needed" {
		t.Errorf("stored: %v, %q", err, a.Body)
	}
}
