package client_test

import (
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
