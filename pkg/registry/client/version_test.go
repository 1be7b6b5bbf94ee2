package client_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// TestVersionInPath: each call that speaks of one state takes "path;version:N".
func TestVersionInPath(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	const path = config + "/v.txt"
	for _, text := range []string{"one", "two", "three"} {
		put(t, c, path, text)
	}
	const at = path + ";version:2"
	if got := get(t, c, at); got != "two" {
		t.Errorf("Get gives %q", got)
	}
	if info, err := c.Head(t.Context(), at, client.GetOptions{}); err != nil || info.Version != 2 || info.Size != 3 {
		t.Errorf("Head gives %+v, %v", info, err)
	}
	if r, err := c.Stat(t.Context(), at, 0); err != nil || r.Version != 2 || r.CurrentVersion != 3 || r.Path != path {
		t.Errorf("Stat gives %+v, %v", r, err)
	}
	if _, err := c.Properties(t.Context(), at, 0); err != nil {
		t.Errorf("Properties: %v", err)
	}
	var versions []int64
	for v, err := range c.Versions(t.Context(), at, client.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, v.Version)
	}
	if len(versions) != 2 || versions[0] != 2 {
		t.Errorf("Versions gives %v, want those from 2 on", versions)
	}
	_, err := c.Stat(t.Context(), at, 3)
	wantErr(t, "another version than the path's", err, client.ErrInvalid)
	_, err = c.Stat(t.Context(), path+";version:9", 0)
	wantErr(t, "a version that is not there", err, client.ErrNotFound)
	_, err = c.Stat(t.Context(), path+";version:abc", 0)
	wantErr(t, "no version", err, client.ErrInvalid)
	if r, err := c.Restore(t.Context(), at, 0, client.WriteOptions{}); err != nil || r.Version != 4 {
		t.Errorf("Restore gives %+v, %v", r, err)
	}
	if got := get(t, c, path); got != "two" {
		t.Errorf("after the restore it holds %q", got)
	}
	wantErr(t, "a change of an old version", c.Delete(t.Context(), at, client.WriteOptions{}), client.ErrInvalid)
}

// TestGet_ByLabelAndMoment: a label names a version, a moment what a path meant then.
func TestGet_ByLabelAndMoment(t *testing.T) {
	s := newServer(t)
	c, ctx := s.dial(t), t.Context()
	const path = config + "/x"
	res, err := c.Put(ctx, path, stringReader("first"), client.PutOptions{WriteOptions: client.WriteOptions{Comment: "how it began"}})
	if err != nil {
		t.Fatal(err)
	}
	then := fmt.Sprintf("shared:%d", c.Seq("shared"))
	put(t, c, path, "second")
	if _, err := c.SetLabel(ctx, path, "old", res.Version, client.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if versions := all(t, c.Versions(ctx, path, onePage)); len(versions) != 2 || versions[1].Comment != "how it began" || len(versions[1].Labels) != 1 {
		t.Errorf("versions %+v", versions)
	}
	if err := c.DeleteContent(ctx, path, client.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	put(t, c, path, "another one")
	for name, o := range map[string]client.GetOptions{"at": {At: then}, "version of another": {Version: 1}} {
		content, err := c.Get(ctx, path, o)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(content)
		want := map[string]string{"at": "first", "version of another": "another one"}[name]
		if got := string(b); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		_ = content.Close()
	}
	if names := all(t, c.Children(ctx, config, client.ListOptions{At: then})); len(names) != 1 || names[0].Version != 1 {
		t.Errorf("children then: %+v", names)
	}
	_, err = c.Get(ctx, path, client.GetOptions{Label: "old"})
	wantErr(t, "a label of what was deleted", err, client.ErrNotFound)
}

// TestGet_GoesOnWithTheSameState: what a download was of when it broke off it is of afterwards.
func TestGet_GoesOnWithTheSameState(t *testing.T) {
	const digest = "Repr-Digest: sha-256=:hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=:" // of 0123456789
	for want, o := range map[string]client.GetOptions{"at=4711": {At: "4711"}, "version=3": {Label: "prod"}} {
		var asked []string
		begin := func(r *http.Request) *http.Response {
			asked = append(asked, r.URL.RawQuery)
			res := answer(200, "0123", digest, "Registry-Version: 3")(r)
			res.ContentLength = 10
			return res
		}
		end := func(r *http.Request) *http.Response {
			asked = append(asked, r.URL.RawQuery)
			return answer(206, "456789", digest, "Content-Range: bytes 4-9/10", "Registry-Version: 3")(r)
		}
		a := &answers{serve: []func(*http.Request) *http.Response{begin, end}}
		content, err := a.dial(t).Get(t.Context(), "/x", o)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(content); string(b) != "0123456789" || err != nil || len(asked) != 2 || asked[1] != want {
			t.Errorf("read %q, %v by %q; want the second to be %s", b, err, asked, want)
		}
		_ = content.Close()
	}
}
