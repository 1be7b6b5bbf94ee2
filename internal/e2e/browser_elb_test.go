package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestBrowser_ELB is what a person on call sees on the admin page of an ELB: all is well, one drains, a member was killed.
func TestBrowser_ELB(t *testing.T) {
	slow(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("a token that only this test knows\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := e2e.StartCluster(t, e2e.Options{ELBKeys: fmt.Sprintf("admin_token_file: %s\n", token)})
	b := e2e.OpenBrowser(t, 1280, 900)
	askThrough(t, c, 60)
	b.Do("open the page", chromedp.Navigate(adminURL(c)), chromedp.WaitVisible("section.pool table"))
	b.AwaitText("All 3 members are up.")
	for _, n := range c.Nodes {
		b.AwaitText(n.Name)
	}
	b.Shot("healthy")
	looks(t, b, "healthy")

	b.Do("where a request goes", chromedp.SendKeys("form.route input[name=host]", "governance.localhost"), chromedp.Click("form.route button"))
	b.AwaitText("candidate")
	b.Shot("route")
	b.Do("back", chromedp.Click("footer a"), chromedp.WaitVisible("section.pool table"))

	// Drained by an operator, with the id that the page shows; the page itself changes without being loaded anew.
	id := memberID(t, c, "node3")
	verb(t, c, id, "drain")
	b.AwaitText("an operator drained it at this ELB")
	b.AwaitText("No member is in trouble; some are not in use")
	b.Shot("draining")
	verb(t, c, id, "undrain")
	b.AwaitText("All 3 members are up.")

	c.Nodes[1].Kill()
	b.AwaitText("1 member is in trouble")
	if alarm := b.Text("section.troubles"); !strings.Contains(alarm, "node2") || !strings.Contains(alarm, "down") || !strings.Contains(alarm, "connection refused") || !strings.Contains(alarm, "since") {
		t.Errorf("the alarm does not say who, since when and why: %s", alarm)
	}
	b.Shot("killed")
	looks(t, b, "killed")
	c.AwaitActive(2) // gossip has found out, so it is in no table any more
	b.AwaitText("it went without a word")
	b.AwaitText("lost")
	b.Shot("lost")
	c.Nodes[1].Start()
	c.AwaitReady()
	b.AwaitText("All 3 members are up.")
}

// TestBrowser_ELBWithoutScript: the same page, and it loads itself again. The member goes, and the ELB is isolated.
func TestBrowser_ELBWithoutScript(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Do("no script", e2e.Command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.Do("open the page", chromedp.Navigate(adminURL(c)), chromedp.WaitVisible("section.pool table"))
	b.AwaitText("The only member is up.")
	c.Nodes[0].Kill()
	b.AwaitText("1 member is in trouble")
	b.Shot("without-script")
	b.AwaitText("Isolated:") // the only member is gone without a word: it may be this ELB that is cut off
	b.AwaitText("it went without a word")
	b.Shot("isolated")
	if title := e2e.Read(b, "the title", chromedp.Title()); !strings.HasPrefix(title, "(1) ") {
		t.Errorf("the title is %q", title)
	}
}

// TestBrowser_ELBNoAnswer: a page that shows old figures says so.
func TestBrowser_ELBNoAnswer(t *testing.T) {
	slow(t)
	c := e2e.StartCluster(t, e2e.Options{Nodes: 1})
	b := e2e.OpenBrowser(t, 1280, 900)
	b.Do("open the page", chromedp.Navigate(adminURL(c)), chromedp.WaitVisible("section.pool table"))
	c.ELB.Freeze()
	b.AwaitText("This ELB does not answer any more.")
	b.Shot("no-answer")
	c.ELB.Thaw()
	e2e.Await(t, time.Minute, "the warning goes", func() error {
		if e2e.Read(b, "the warning", chromedp.Evaluate[bool](`document.getElementById("stale").hidden`)) {
			return nil
		}
		return errors.New("it is still there")
	})
}

func adminURL(c *e2e.Cluster) string { return fmt.Sprintf("http://127.0.0.1:%d/", c.ELB.AdminPort) }

// askThrough sends some requests, so that there are figures to show.
func askThrough(t *testing.T, c *e2e.Cluster, n int) {
	t.Helper()
	elb := c.ThroughELB()
	for range n {
		if a, err := elb.Do(t.Context(), "GET", "/readyz", nil); err != nil || a.Status != 200 {
			t.Fatalf("%v, %d", err, a.Status)
		}
	}
}

func memberID(t *testing.T, c *e2e.Cluster, name string) string {
	t.Helper()
	members, err := c.Members()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Name == name {
			return m.ID
		}
	}
	t.Fatalf("no member %s in %+v", name, members)
	return ""
}

func verb(t *testing.T, c *e2e.Cluster, id, what string) {
	t.Helper()
	a, err := e2e.NewClient(c.ELB.AdminPort).Do(t.Context(), "POST", "/members/"+id+"/"+what, nil, "Authorization", "Bearer a token that only this test knows")
	if err != nil || a.Status != 204 {
		t.Fatalf("%s: %v, %d: %s", what, err, a.Status, a.Body)
	}
}

// looks takes the page in the dark theme and on a small screen as well: nothing may be wider than the screen.
func looks(t *testing.T, b *e2e.Browser, name string) {
	t.Helper()
	dark := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}
	b.Do("dark", e2e.Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: dark}))
	b.Shot(name + "-dark")
	b.Do("narrow", chromedp.EmulateViewport(390, 844))
	b.Shot(name + "-narrow")
	if width := e2e.Read(b, "width", chromedp.Evaluate[int]("document.documentElement.scrollWidth")); width > 390 {
		t.Errorf("%s is %d wide on a screen of 390", name, width)
	}
	b.Do("back", chromedp.EmulateViewport(1280, 900), e2e.Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}))
}
