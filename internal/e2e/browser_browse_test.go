package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// dropFiles drops two files onto the page, as a file manager does.
const dropFiles = `(() => {
  const data = new DataTransfer();
  for (const name of ["dropped.txt", "openapi.yaml"]) data.items.add(new File(["content of " + name + "\n"], name));
  document.querySelector("main").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  return true;
})()`

// TestBrowser_Collections works with the entries of a collection: tree, selection, picker, dropped files.
func TestBrowser_Collections(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 2})
	fill(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("https://governance.localhost:%d/console/", c.ELB.HTTPSPort)
	const apis = "browse/_system/governance/apis"
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)

	// Two steps down the tree, without leaving the page.
	const branch = `li[data-tree="/console/tree/_system/governance"]`
	b.Do("open the tree", chromedp.Navigate(console+"browse/_system"), chromedp.Click(branch+" > .tree-toggle"), chromedp.WaitVisible(branch+` li[data-tree$="/apis"]`),
		chromedp.Click(branch+` li[data-tree$="/apis"] > .tree-toggle`), chromedp.WaitVisible(branch+` a[href$="/apis/payments"]`))
	b.Shot("tree")
	b.Do("close it", chromedp.Click(branch+" > .tree-toggle"), chromedp.WaitNotVisible(branch+" > ul"), chromedp.Click(branch+" > .tree-toggle"),
		chromedp.WaitVisible(branch+" > ul"), chromedp.Click(branch+` a[href$="/apis/payments"]`))
	b.AwaitText("fees.json")

	// What is dropped is stored, or says why not; then nothing is left to decide and the list is shown anew.
	b.Do("a file to meet", chromedp.Navigate(console+"browse/_system/governance/apis/accounts"))
	e2e.Read(b, "drop", chromedp.Evaluate[bool](dropFiles))
	b.AwaitText("exists already")
	b.Shot("dropped")
	b.Do("decide", chromedp.Click(".uploads-buttons button:first-child"))
	b.AwaitText("Uploaded.")
	if a, err := c.Direct(1).Get(t.Context(), "/_system/governance/apis/accounts/openapi.yaml"); err != nil || string(a.Body) != "content of openapi.yaml\n" || a.Version() != 2 {
		t.Errorf("the file that was there: %v, version %d: %q", err, a.Version(), a.Body)
	}
	if a, err := c.Direct(0).Get(t.Context(), "/_system/governance/apis/accounts/dropped.txt"); err != nil || string(a.Body) != "content of dropped.txt\n" {
		t.Errorf("the dropped file: %v, %q", err, a.Body)
	}

	// Everything is ticked, less one, and moved to a place that is picked.
	b.Do("tick", chromedp.Navigate(console+apis), chromedp.Click("[data-all]"), chromedp.Click(`input[value="customers"]`))
	b.AwaitText("3 selected:")
	b.Do("move them", chromedp.Click(`button[name=do][value=move]`), chromedp.WaitVisible("#to"), chromedp.Click(`.with-button button[name=pick]`), chromedp.WaitVisible(".picker"),
		chromedp.Click(`.picker-list button[value$="/customers"]`), chromedp.WaitVisible(`.picker-way [aria-current][value$="/customers"]`))
	b.Shot("picker")
	if to := e2e.Read(b, "the place", chromedp.Evaluate[string](`document.querySelector("#to").value`)); to != "/_system/governance/apis/customers" {
		t.Errorf("picked %q", to)
	}
	b.Do("do it", chromedp.Click(`.actions button[name=sure]`), chromedp.WaitVisible(`p.alert.ok[role=status]`))
	b.AwaitText("payments")
	if _, err := c.Direct(0).Get(t.Context(), "/_system/governance/apis/customers/orders/order.xsd"); err != nil {
		t.Errorf("after the move: %v", err)
	}
	b.Do("on a telephone", chromedp.EmulateViewport(390, 844), chromedp.Navigate(console+apis+"/customers"), chromedp.Click(".tree-box summary"), chromedp.WaitVisible(".tree a"))
	b.Shot("tree-narrow")
	if width := e2e.Read(b, "width", chromedp.Evaluate[int]("document.documentElement.scrollWidth")); width > 390 {
		t.Errorf("it is %d wide on a screen of 390", width)
	}
}

// TestBrowser_CollectionsWithoutScript does the same with plain forms.
func TestBrowser_CollectionsWithoutScript(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	fill(t, c)
	b := e2e.OpenBrowser(t, 1280, 900)
	console := fmt.Sprintf("http://governance.localhost:%d/console/", c.ELB.HTTPPort)
	b.Do("no script", e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.Do("open the console", chromedp.Navigate(console), chromedp.WaitVisible("#password"))
	signIn(b)
	var files []string
	for _, name := range []string{"one.txt", "two.txt", "fees.json"} {
		files = append(files, filepath.Join(t.TempDir(), name))
		if err := os.WriteFile(files[len(files)-1], []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.Do("several files", chromedp.Navigate(console+"upload/_system/governance/apis/payments"), chromedp.WaitVisible("#file"), chromedp.SetUploadFiles("#file", files),
		chromedp.Click(`form[enctype] button[type=submit]`))
	b.AwaitText("Uploaded 2 of 3 files")
	b.Shot("uploaded")
	b.Do("copy two of them", chromedp.Navigate(console+"browse/_system/governance/apis/payments"), chromedp.Click(`input[value="one.txt"]`), chromedp.Click(`input[value="two.txt"]`),
		chromedp.Click(`button[name=do][value=copy]`), chromedp.WaitVisible("#to"), chromedp.Click(`.with-button button[name=pick]`), chromedp.WaitVisible(".picker"),
		chromedp.Click(`.picker-way button[value$="/apis"]`), chromedp.WaitVisible(`.picker-list button[value$="/orders"]`), chromedp.Click(`.picker-list button[value$="/orders"]`),
		chromedp.WaitVisible(`.picker-way [aria-current][value$="/orders"]`), chromedp.Click(`.actions button[name=sure]`))
	b.AwaitText("Copied.")
	b.Do("delete what was copied", chromedp.Click(`input[value="one.txt"]`), chromedp.Click(`button[name=do][value=delete]`), chromedp.WaitVisible(".selected"))
	b.AwaitText("Delete 1 entry?")
	b.Shot("selection-delete")
	b.Do("do it", chromedp.Click(`.actions button[name=sure]`))
	b.AwaitText("All of it is in the trash")
	if _, err := c.Direct(0).Get(t.Context(), "/_system/governance/apis/orders/one.txt"); err == nil {
		t.Error("it is still there")
	}
	if a, err := c.Direct(0).Get(t.Context(), "/_system/governance/apis/orders/two.txt"); err != nil || string(a.Body) != "two.txt" {
		t.Errorf("the copy: %v, %q", err, a.Body)
	}
}
