package e2e

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// stepLimit is how long one step in the browser may take.
const stepLimit = 30 * time.Second

// Browser is a tab of a Chromium with an empty profile of its own. One goroutine uses it.
type Browser struct {
	ctx   context.Context
	t     testing.TB
	shots int
}

// OpenBrowser starts Chromium with a window of that size. Where it is not installed the test is skipped, or fails when REGISTRY_TEST_REQUIRE has
// chromium. Errors of pages (scripts, blocked content, failed requests) fail the test at its end.
func OpenBrowser(t testing.TB, width, height int) *Browser {
	t.Helper()
	program := findChromium()
	if program == "" {
		if strings.Contains(os.Getenv("REGISTRY_TEST_REQUIRE"), "chromium") {
			t.Fatal("Chromium is not installed: apt-get install chromium")
		}
		t.Skip("Chromium is not installed: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, // of the development CA; the Go client verifies it
		chromedp.WindowSize(width, height),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// Names below localhost are this machine in every browser; nothing else may be asked for.
		chromedp.Flag("host-resolver-rules", "MAP *.localhost 127.0.0.1, EXCLUDE 127.0.0.1, EXCLUDE localhost, MAP * ~NOTFOUND"),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, closeAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	b := &Browser{ctx: ctx, t: t}
	messages := chromedp.Console(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { b.watch(messages) })
	t.Cleanup(func() {
		if t.Failed() {
			b.Shot("failed")
		}
		closeTab()
		closeAll()
		watching.Wait()
	})
	return b
}

// watch fails the test for every error in the browser's console, until the browser is closed.
func (b *Browser) watch(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	for m, err := range messages {
		if err != nil {
			return // the tab is closed
		}
		if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException {
			b.t.Errorf("the browser's console, at %s: %s", m.URL, m.Text)
		}
	}
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	return ""
}

// Do runs steps in the tab, each with a limit; one that fails ends the test.
func (b *Browser) Do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			b.t.Fatalf("browser: %s: %v; the page is %s:\n%s", what, err, b.URL(), b.Text("body"))
		}
	}
}

// Read runs a step that gives a value; one that fails ends the test.
func Read[T any](b *Browser, what string, step chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	value, err := chromedp.Run(ctx, step)
	if err != nil {
		b.t.Fatalf("browser: %s: %v", what, err)
	}
	return value
}

// Command is a command of the browser's protocol as a step.
func Command[P any](command cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, command, params)
		return chromedp.Void{}, err
	}
}

// URL is the address of the page; "" when the tab does not answer.
func (b *Browser) URL() string {
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	url, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return ""
	}
	return url
}

// Text is what the first element of a selector shows, "" when there is none.
func (b *Browser) Text(selector string) string {
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	script := fmt.Sprintf(`(document.querySelector(%q) || {innerText: ""}).innerText`, selector)
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
	if err != nil {
		return ""
	}
	return text
}

// AwaitText waits until the page shows a text.
func (b *Browser) AwaitText(want string) {
	b.t.Helper()
	Await(b.t, stepLimit, fmt.Sprintf("the page shows %q", want), func() error {
		if text := b.Text("body"); !strings.Contains(text, want) {
			return fmt.Errorf("%s shows: %.600s", b.URL(), text)
		}
		return nil
	})
}

// Shot keeps a picture of the whole page in the test's artifacts, numbered in order.
func (b *Browser) Shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Errorf("browser: screenshot %s: %v", name, err)
		return
	}
	b.shots++
	file := filepath.Join(artifactDir(b.t), fmt.Sprintf("%02d-%s.png", b.shots, name))
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		b.t.Error(err)
	}
}
