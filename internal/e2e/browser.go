package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// stepLimit is how long one step in the browser may take.
const stepLimit = 30 * time.Second

// Browser is a tab of a Chromium with an empty profile of its own. One goroutine uses it.
type Browser struct {
	ctx   context.Context
	t     testing.TB
	shots int

	watching sync.WaitGroup // for the goroutines that read events

	mu       sync.Mutex
	expected []string
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
	b.watching.Go(func() { b.watch(messages) })
	t.Cleanup(func() {
		if t.Failed() {
			b.Shot("failed")
		}
		closeTab()
		closeAll()
		b.watching.Wait()
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
			if said := m.URL + ": " + m.Text; !b.expects(said) {
				b.t.Errorf("the browser's console, at %s", said)
			}
		}
	}
}

// Expect lets errors in the browser's console pass that contain a text, in what they say or in the address that they are about.
func (b *Browser) Expect(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, text)
}

func (b *Browser) expects(said string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.ContainsFunc(b.expected, func(e string) bool { return strings.Contains(said, e) })
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
		if err := b.try(step); err != nil {
			b.t.Fatalf("browser: %s: %v; the page is %s:\n%s", what, err, b.URL(), b.Text("body"))
		}
	}
}

// try runs a step with its limit. A page may put a new element in the place of the one that the step found, before the step did anything to it: then it is
// tried again, as a person would.
func (b *Browser) try(step chromedp.Action[chromedp.Void]) (err error) {
	b.t.Helper()
	for range 10 {
		b.AwaitPage()
		ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
		err = chromedp.Do(ctx, step)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "Could not find node with given id") {
			break
		}
	}
	return err
}

// AwaitPage waits until the page is loaded: elements found before that belong to a document that the browser may replace.
func (b *Browser) AwaitPage() {
	b.t.Helper()
	Await(b.t, stepLimit, "a loaded page", func() error {
		ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
		defer cancel()
		state, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState"))
		if err == nil && state != "complete" {
			err = fmt.Errorf("%s is %s", b.URL(), state)
		}
		return err
	})
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

// Record keeps the events of one kind in the tab from now on; the function that it gives tells those until then.
func Record[E any](b *Browser, kind cdp.Event[E]) func() []E {
	var mu sync.Mutex
	var all []E
	events := chromedp.Events(b.ctx, kind)
	b.watching.Go(func() {
		for e, err := range events {
			if err != nil {
				return // the tab is closed
			}
			mu.Lock()
			all = append(all, e)
			mu.Unlock()
		}
	})
	return func() []E {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

// AcceptDialogs answers every question of a page's script with yes, from now on; the function that it gives tells those until then.
func (b *Browser) AcceptDialogs() func() []string {
	var mu sync.Mutex
	var asked []string
	dialogs := chromedp.Events(b.ctx, page.JavascriptDialogOpening)
	b.watching.Go(func() {
		for e, err := range dialogs {
			if err != nil {
				return // the tab is closed
			}
			mu.Lock()
			asked = append(asked, e.Message)
			mu.Unlock()
			if err := chromedp.Do(b.ctx, Command(page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})); err != nil && b.ctx.Err() == nil {
				b.t.Errorf("browser: yes to %q: %v", e.Message, err)
			}
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(asked)
	}
}

// Downloads lets the browser store what it downloads, and gives the folder where it does.
func (b *Browser) Downloads() string {
	b.t.Helper()
	dir := b.t.TempDir()
	b.Do("downloads", Command(browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir}))
	return dir
}

// Open goes to an address and gives the status of the answer.
func (b *Browser) Open(address string) int64 {
	b.t.Helper()
	b.AwaitPage()
	return Read(b, "open "+address, chromedp.NavigateResponse(address)).Status
}

// Theme is what the browser's user prefers: "light" or "dark", and that nothing moves, so that colours change at once.
func (b *Browser) Theme(name string) {
	b.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	b.Do("theme "+name, Command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}))
}

// Paste puts a text into a field at once. Typed letter by letter, what a script shows below the field may be replaced between the looking and the click.
func (b *Browser) Paste(field, text string) {
	b.t.Helper()
	b.Do("paste into "+field, chromedp.Focus(field), Command(input.InsertText, input.InsertTextParams{Text: text}))
}

// PostForm sends a form to an address of the page's own origin, as a page with that form would, and waits for the answer, whose status it gives.
func (b *Browser) PostForm(address string, pairs ...string) int64 {
	b.t.Helper()
	b.AwaitPage()
	fields, err := json.Marshal(pairs)
	if err != nil {
		b.t.Fatal(err)
	}
	script := fmt.Sprintf(`{
		const form = document.createElement("form"), pairs = %s;
		form.method = "post";
		form.action = %q;
		for (let i = 0; i < pairs.length; i += 2) {
			const field = document.createElement("input");
			field.type = "hidden";
			field.name = pairs[i];
			field.value = pairs[i + 1];
			form.append(field);
		}
		document.body.append(form);
		form.submit();
	}`, fields, address)
	ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, chromedp.Evaluate[chromedp.Void](script))
	if err != nil {
		b.t.Fatalf("browser: form to %s: %v", address, err)
	}
	return response.Status
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

// Leave runs steps that lead to another page and waits until that is loaded.
func (b *Browser) Leave(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.AwaitPage()
	Read(b, what, chromedp.Evaluate[bool](`window.isOld = true`))
	b.Do(what, steps...)
	Await(b.t, stepLimit, "another page after "+what, func() error {
		ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
		defer cancel()
		loaded, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!("isOld" in window) && document.readyState === "complete"`))
		if err == nil && !loaded {
			err = fmt.Errorf("still at %s", b.URL())
		}
		return err
	})
}

// Has tells whether the page has an element.
func (b *Browser) Has(selector string) bool {
	b.t.Helper()
	return Read(b, selector, chromedp.Evaluate[bool](fmt.Sprintf("document.querySelector(%q) !== null", selector)))
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

// Keep writes a text into the test's artifacts.
func (b *Browser) Keep(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(artifactDir(b.t), name), []byte(text), 0o600); err != nil {
		b.t.Error(err)
	}
}

// AwaitTrue waits until an expression of the page's script is true, on this page or one that follows.
func (b *Browser) AwaitTrue(what, expression string) {
	b.t.Helper()
	Await(b.t, stepLimit, what, func() error {
		ctx, cancel := context.WithTimeout(b.ctx, stepLimit)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && !is {
			err = fmt.Errorf("not so at %s", b.URL())
		}
		return err
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
