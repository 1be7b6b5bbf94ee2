package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestBrowser_Frame is what is around every page: keys, places, the reader's zone, access given to a team, and the navigation of phones.
func TestBrowser_Frame(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{})
	fill(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("https://governance.localhost:%d/console/", c.ELB.HTTPSPort)
	b.Do("far away", e2e.Command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Pacific/Auckland"}),
		chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	goByKeys(t, b, console)
	giveAccessInBrowser(b, console)
	foldsOnPhones(b, console)
}

// goByKeys goes through the console without a mouse.
func goByKeys(t *testing.T, b *e2e.Browser, console string) {
	t.Helper()
	b.Do("a resource", chromedp.Navigate(console+"resource/_system/governance/apis/payments/notes.md"))
	b.AwaitTrue("times in the reader's zone", `[...document.querySelectorAll("time")].some((time) => time.title.includes("Pacific/Auckland"))`)
	b.Do("star it", chromedp.KeyEvent("s"), chromedp.WaitVisible(`.star[aria-pressed="true"]`))
	b.Do("its actions", chromedp.KeyEvent("."))
	b.AwaitTrue("the menu has the focus", `document.activeElement.closest("details.menu[open]") !== null`)
	b.Do("close them", chromedp.KeyEvent(kb.Escape))
	b.AwaitTrue("the menu is closed", `document.querySelector("details.menu[open]") === null`)
	b.Do("up", chromedp.KeyEvent("u"))
	b.AwaitTrue("the collection", `location.pathname.endsWith("/browse/_system/governance/apis/payments")`)
	b.Do("the first entry", chromedp.KeyEvent("j"), chromedp.KeyEvent(kb.Enter))
	b.AwaitTrue("an entry", `location.pathname.includes("/_system/governance/apis/payments/")`)
	b.Do("the help", chromedp.KeyEvent("?"), chromedp.WaitVisible("dialog.shortcuts-dialog kbd"), chromedp.KeyEvent(kb.Escape))
	b.AwaitTrue("the help is closed", `!document.querySelector("dialog.shortcuts-dialog").open`)

	b.Do("what is starred", chromedp.KeyEvent("gs"))
	b.AwaitTrue("the stars", `location.pathname === "/console/starred"`)
	b.AwaitText("/_system/governance/apis/payments/notes.md")
	b.Do("the overview", chromedp.KeyEvent("gh"), chromedp.WaitVisible("[data-recents] a"))
	if got := b.Text("[data-recents]"); !strings.Contains(got, "/_system/governance/apis/payments/notes.md") {
		t.Errorf("the places looked at lately are %q", got)
	}
	b.Do("the search box suggests them", chromedp.KeyEvent("/"), chromedp.WaitVisible(".suggestions li"), chromedp.KeyEvent("gs"))
	b.AwaitTrue("typing goes nowhere", `location.pathname === "/console/" && document.getElementById("location").value.endsWith("gs")`)

	b.Do("no keys", chromedp.Navigate(console+"account"), chromedp.Click("#keys"), chromedp.Click(`form[action="/console/account/display"] button`))
	b.AwaitText("Display saved")
	b.Do("a key", chromedp.KeyEvent("?"), chromedp.KeyEvent("gs"))
	b.AwaitTrue("which does nothing", `location.pathname === "/console/account" && document.querySelector("dialog") === null`)
	b.Do("keys again", chromedp.Click("#keys"), chromedp.Click(`form[action="/console/account/display"] button`))
	b.AwaitTrue("they do something again", `document.documentElement.dataset.keys === undefined`)
}

// giveAccessInBrowser gives a team write access to a collection, and nobody else.
func giveAccessInBrowser(b *e2e.Browser, console string) {
	b.Do("a team", chromedp.Navigate(console+"roles"), chromedp.SendKeys("#name", "payments"), chromedp.Click(`button[value="create"]`))
	b.AwaitText("Role created")
	b.Do("where", chromedp.Navigate(console+"browse/_system/governance/apis/payments"), chromedp.Click(`.tabs a[href*="/permissions/"]`), chromedp.WaitVisible("#grant-role"))
	b.Do("who", chromedp.SetValue("#grant-role", "payments"), chromedp.SetValue("#grant-level", "write"), chromedp.SetValue("#grant-others", "read"), chromedp.Click(`button[value="grant"]`))
	b.AwaitText("Permissions saved")
	b.AwaitTrue("the team may write", `document.querySelector('select[name="write:payments"]').value === "allow"`)
	b.Shot("permissions")
}

// foldsOnPhones opens the navigation of a phone, which needs no script.
func foldsOnPhones(b *e2e.Browser, console string) {
	b.Do("a phone", chromedp.EmulateViewport(360, 740), e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}),
		chromedp.Navigate(console), chromedp.WaitNotVisible(".sidebar"))
	b.Do("unfold", chromedp.Click(".nav-toggle"), chromedp.WaitVisible(".sidebar"))
	b.Shot("phone-navigation")
	b.Do("go on", chromedp.Click(`.sidebar a[href="/console/tags"]`), chromedp.WaitVisible("h1"))
	b.AwaitText("Tags")
	b.Do("with script again", e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false}), chromedp.EmulateViewport(1280, 900))
}
