package client_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/registry/client"
)

func stringReader(s string) io.Reader { return strings.NewReader(s) }

func TestClient_PutGetVersionsRestoreDelete(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	ctx := t.Context()
	const path = config + "/apis/pay.yaml"

	first := put(t, c, path, "one")
	if !first.Created || first.Version != 1 || first.MediaType != "application/yaml" || first.Path != path {
		t.Errorf("first put: %+v", first)
	}
	second, err := c.Put(ctx, path, stringReader("two!"), client.PutOptions{MediaType: "text/x-own", WriteOptions: client.WriteOptions{IfMatch: first.ETag}})
	if err != nil || second.Created || second.Version != 2 || second.MediaType != "text/x-own" {
		t.Fatalf("second put: %+v, %v", second, err)
	}
	if again := put(t, c, path, "two!"); again.Version != 2 {
		t.Errorf("the same content made version %d", again.Version)
	}
	_, err = c.Put(ctx, path, stringReader("three"), client.PutOptions{WriteOptions: client.WriteOptions{IfMatch: first.ETag}})
	wantErr(t, "put with an old tag", err, client.ErrPrecondition)
	_, err = c.Put(ctx, path, stringReader("three"), client.PutOptions{WriteOptions: client.WriteOptions{IfNoneMatch: "*"}})
	wantErr(t, "create what is there", err, client.ErrPrecondition)
	if errors.Is(err, client.ErrOutcomeUnknown) {
		t.Error("a refusal of the first attempt leaves nothing unknown")
	}

	content, err := c.Get(ctx, path, client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(content)
	if string(b) != "two!" || err != nil || content.Close() != nil {
		t.Errorf("read %q, %v", b, err)
	}
	if i := content.Info; i.Size != 4 || i.Version != 2 || i.ETag != second.ETag || i.SHA256 != second.SHA256 || i.MediaType != "text/x-own" || i.LastModified.IsZero() {
		t.Errorf("info %+v", i)
	}
	head, err := c.Head(ctx, path, client.GetOptions{})
	if diff := cmp.Diff(content.Info, head); diff != "" || err != nil {
		t.Errorf("head differs from get, %v:\n%s", err, diff)
	}
	_, err = c.Get(ctx, path, client.GetOptions{IfNoneMatch: second.ETag})
	wantErr(t, "get with the tag that it has", err, client.ErrNotModified)
	if got := get(t, c, path+";version:1"); got != "one" {
		t.Errorf("version 1 by path is %q", got)
	}
	old, err := c.Stat(ctx, path, 1)
	if err != nil || old.Version != 1 || old.CurrentVersion != 2 || old.MediaType != "application/yaml" {
		t.Errorf("stat of version 1: %+v, %v", old, err)
	}

	restored, err := c.Restore(ctx, path, 1, client.WriteOptions{IfMatch: second.ETag})
	if err != nil || restored.Version != 3 || restored.SHA256 != first.SHA256 {
		t.Errorf("restore: %+v, %v", restored, err)
	}
	var numbers []int64
	for v, err := range c.Versions(ctx, path, client.ListOptions{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, v.Version)
	}
	if diff := cmp.Diff([]int64{3, 2, 1}, numbers); diff != "" {
		t.Errorf("versions:\n%s", diff)
	}
	wantErr(t, "delete with an old tag", c.DeleteContent(ctx, path, client.WriteOptions{IfMatch: first.ETag}), client.ErrPrecondition)
	if err := c.DeleteContent(ctx, path, client.WriteOptions{IfMatch: restored.ETag}); err != nil {
		t.Error(err)
	}
	wantErr(t, "delete what is gone", c.Delete(ctx, path, client.WriteOptions{}), client.ErrNotFound)
	if c.Seq("shared") == 0 {
		t.Error("no position of the change log was learnt")
	}
}

func TestClient_CollectionsAndMetadata(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	ctx := t.Context()
	text := "Card APIs"
	made, err := c.PutCollection(ctx, config+"/cards", client.Collection{Description: &text, Properties: client.Properties{"a": {"1"}, "b": {"2"}}}, client.WriteOptions{})
	if err != nil || !made.Created || made.Kind != client.KindCollection {
		t.Fatalf("%+v, %v", made, err)
	}
	for _, name := range []string{"c", "a", "b", "d", "e"} {
		put(t, c, config+"/cards/"+name, name)
	}
	put(t, c, config+"/cards/sub/x", "x")
	var names []string
	for r, err := range c.Children(ctx, config+"/cards", client.ListOptions{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e", "sub"}, names); diff != "" {
		t.Errorf("children:\n%s", diff)
	}
	names = nil
	for r, err := range c.Walk(ctx, config, client.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if names = append(names, strings.TrimPrefix(r.Path, config)); r.Name == "sub" {
			continue
		}
	}
	if diff := cmp.Diff([]string{"/cards", "/cards/a", "/cards/b", "/cards/c", "/cards/d", "/cards/e", "/cards/sub", "/cards/sub/x"}, names); diff != "" {
		t.Errorf("walk:\n%s", diff)
	}

	patched, err := c.Patch(ctx, config+"/cards", client.Patch{Description: new(string), Properties: client.Properties{"a": nil, "c": {"3", "4"}}}, client.WriteOptions{})
	if err != nil || patched.Description != "" || patched.Version != 2 {
		t.Errorf("patch: %+v, %v", patched, err)
	}
	properties, err := c.Properties(ctx, config+"/cards", 0)
	if diff := cmp.Diff(client.Properties{"b": {"2"}, "c": {"3", "4"}}, properties); diff != "" || err != nil {
		t.Errorf("properties, %v:\n%s", err, diff)
	}
	if left, err := c.PutProperties(ctx, config+"/cards", nil, client.WriteOptions{}); err != nil || len(left) != 0 {
		t.Errorf("after all were taken away: %v, %v", left, err)
	}

	for _, err := range c.Children(ctx, config+"/cards/a", client.ListOptions{}) {
		wantErr(t, "children of a resource", err, client.ErrConflict)
	}
	wantErr(t, "content of a collection", second(c.Get(ctx, config+"/cards", client.GetOptions{})), client.ErrConflict)
	wantErr(t, "delete a collection as a content", c.DeleteContent(ctx, config+"/cards", client.WriteOptions{}), client.ErrConflict)
	wantErr(t, "put into a read-only mount", second(c.Put(ctx, "/frozen/x", stringReader("x"), client.PutOptions{})), client.ErrDenied)
	wantErr(t, "stat of nothing", second(c.Stat(ctx, config+"/none", 0)), client.ErrNotFound)
	wantErr(t, "too large", second(c.Put(ctx, config+"/big", bytes.NewReader(make([]byte, contentLimit+1)), client.PutOptions{})), client.ErrTooLarge)
	wantErr(t, "range beyond the end", second(c.Get(ctx, config+"/cards/a", client.GetOptions{Offset: 7})), client.ErrRange)
	if err := c.Delete(ctx, config+"/cards", client.WriteOptions{}); err != nil {
		t.Error(err)
	}

	mounts, err := c.Mounts(ctx)
	if err != nil || len(mounts) != 2 || mounts[1] != (client.Mount{Path: "/frozen", Store: "shared", TargetPath: "/frozen", ReadOnly: true}) {
		t.Errorf("mounts %v, %v", mounts, err)
	}
	if who, err := c.Whoami(ctx); who.Name != "admin" || who.ID == "" || err != nil {
		t.Errorf("whoami %v, %v", who, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestClient_ErrorsSayWhatTheServerSaid(t *testing.T) {
	s := newServer(t)
	_, err := s.dial(t).Stat(t.Context(), config+"/none", 0)
	e, ok := errors.AsType[*client.Error](err)
	want := client.Error{Method: "GET", Path: config + "/none", Status: 404, Code: client.ErrNotFound, Detail: "nothing is at " + config + "/none", RequestID: "test-request"}
	if !ok || *e != want {
		t.Errorf("error %#v, want %#v", err, want)
	}
	_, err = s.dial(t, func(c *client.Config) { c.Credentials = client.Basic("admin", "wrong") }).Whoami(t.Context())
	wantErr(t, "wrong password", err, client.ErrUnauthenticated)
	_, err = s.dial(t, func(c *client.Config) { c.Credentials = nil }).Whoami(t.Context())
	wantErr(t, "no credentials", err, client.ErrUnauthenticated)
}

// TestClient_HostileNames: what the registry takes comes back under the same name; what it does not take is refused as it is, and nothing else is touched.
func TestClient_HostileNames(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	ctx := t.Context()
	good := []string{
		"a b", " leading", "trailing ", "ä", "日本語", "🙂", "a:b", "a?b", "[x]", "(x)", "$x", "a&b", "-rf", "...", "a..b", "a`b", "\u00a0",
		strings.Repeat("ü", 255),
	}
	for _, name := range good {
		path := config + "/names/" + name
		if res, err := c.Put(ctx, path, stringReader(name), client.PutOptions{}); err != nil || res.Path != path {
			t.Errorf("put %q: %q, %v", name, res.Path, err)
			continue
		}
		if got := get(t, c, path); got != name {
			t.Errorf("%q gave %q", name, got)
		}
	}
	found := map[string]bool{}
	for r, err := range c.Children(ctx, config+"/names", client.ListOptions{PageSize: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		found[r.Name] = true
		if err := c.DeleteContent(ctx, r.Path, client.WriteOptions{IfMatch: r.ETag}); err != nil {
			t.Errorf("delete %q: %v", r.Path, err)
		}
	}
	if len(found) != len(good) {
		t.Errorf("%d names are listed of %d: %v", len(found), len(good), found)
	}
	for _, name := range []string{
		"%", "%2f", "a%2Fb", "%252f", "a#b", "a;b", "a;version:1", "..", ".", "../../etc", "a//b", "/a", "a\\b", "a\nb", "a\r\nX-Evil: 1", "a\x00b", "<a>", "\"a\"",
		".meta", "\xff", strings.Repeat("x", 256),
	} {
		_, err := c.Put(ctx, config+"/names/"+name, stringReader("x"), client.PutOptions{})
		wantErr(t, name, err, client.ErrInvalid)
	}
	_, err := c.Put(ctx, config+"/x", stringReader("x"), client.PutOptions{WriteOptions: client.WriteOptions{IfMatch: "\"a\"\r\nX-Evil: 1"}})
	if err == nil {
		t.Error("a header with a line break was sent")
	}
	for r, err := range c.Children(ctx, config, client.ListOptions{}) {
		if err != nil || r.Name != "names" {
			t.Errorf("there is %v, %v", r, err)
		}
	}
}

func TestNew_RefusesWhatWouldLeakOrCannotWork(t *testing.T) {
	basic := client.Basic("admin", "s3cret")
	bad := []client.Config{
		{URL: ""},
		{URL: "registry.example:8280"},
		{URL: "ftp://registry.example"},
		{URL: "https://"},
		{URL: "https://admin:s3cret@registry.example"},
		{URL: "https://registry.example/?x=1"},
		{URL: "http://admin:s3cret@[bad"},
		{URL: "http://registry.example", Credentials: basic},
		{URL: "http://10.0.0.1:9763", Credentials: basic},
		{URL: "http://localhost.example:9763", Credentials: basic},
		{URL: "http://x.localhost", Credentials: basic, HTTP: &http.Client{}}, // whose resolver may be anybody's
		{URL: "https://registry.example", CAFile: filepath.Join(t.TempDir(), "missing.pem")},
		{URL: "https://registry.example", CAFile: os.Args[0]},
	}
	for _, c := range bad {
		_, err := client.New(c)
		if err == nil {
			t.Errorf("%s was taken", c.URL)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
	for _, c := range []client.Config{
		{URL: "http://registry.example"}, // nothing to leak
		{URL: "http://registry.example", Credentials: basic, InsecureHTTP: true},
		{URL: "http://127.0.0.1:9763", Credentials: basic},
		{URL: "http://[::1]:9763/", Credentials: basic},
		{URL: "http://governance.localhost:8280", Credentials: basic},
		{URL: "https://registry.example/behind/here/", Credentials: basic},
	} {
		if _, err := client.New(c); err != nil {
			t.Errorf("%s: %v", c.URL, err)
		}
	}
}

func TestClient_TrustsTheCAFileAlone(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"user":"`+r.Host+`"}`)
	}))
	s.Config.ErrorLog = log.New(t.Output(), "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		file string
		ok   bool
	}{{file, true}, {"", false}} {
		c, err := client.New(client.Config{URL: s.URL, CAFile: tt.file})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Whoami(t.Context())
		if (err == nil) != tt.ok || err != nil && !strings.Contains(err.Error(), "certificate") {
			t.Errorf("CA file %q: %v", tt.file, err)
		}
		c.CloseIdle()
	}
}

// TestClient_CredentialsDoNotFollowRedirects: a server that sends on gets no request sent to where it points.
func TestClient_CredentialsDoNotFollowRedirects(t *testing.T) {
	var reached []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = append(reached, r.Header.Get("Authorization"))
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := newServer(t)
		s.once(9, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+r.URL.Path, status) })
		c := s.dial(t, func(c *client.Config) {
			c.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return nil } // must have no effect
		})
		_, err := c.Whoami(t.Context())
		if err == nil || !strings.Contains(err.Error(), other.URL) {
			t.Errorf("%d: error %v does not name where it led", status, err)
		}
		_, err = c.Put(t.Context(), config+"/x", stringReader("secret"), client.PutOptions{})
		if err == nil || s.asked.Load() != 2 {
			t.Errorf("%d: put: %v after %d requests", status, err, s.asked.Load())
		}
	}
	if len(reached) > 0 {
		t.Errorf("the other host was asked, with %q", reached)
	}
}
