package client_test

import (
	"fmt"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/client"
)

func TestClient_Search(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	ctx := t.Context()
	for i := range 7 {
		put(t, c, fmt.Sprintf(config+"/s/%d.txt", i), fmt.Sprintf("haystack number%d", i))
	}
	found := map[string]bool{}
	for h, err := range c.SearchAll(ctx, "haystack", client.ListOptions{PageSize: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		found[h.Path] = true
	}
	if len(found) != 7 {
		t.Errorf("found %v", found)
	}
	page, err := c.Search(ctx, "number3", "", client.ListOptions{})
	if err != nil || page.Total != 1 || !page.Complete || page.Hits[0].Name != "3.txt" || len(page.Hits[0].Snippet) != 2 || !page.Hits[0].Snippet[1].Match {
		t.Errorf("page %+v, %v", page, err)
	}
	_, err = c.Search(ctx, "(", "", client.ListOptions{})
	wantErr(t, "a query without an end", err, client.ErrInvalid)
	for _, err := range c.SearchAll(ctx, "(", client.ListOptions{}) {
		wantErr(t, "a query without an end", err, client.ErrInvalid)
	}
}

func TestClient_SavedSearches(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	ctx := t.Context()
	saved, err := c.SaveSearch(ctx, "a & b", "haystack", true, client.WriteOptions{IfNoneMatch: "*"})
	if err != nil || saved.Name != "a & b" || !saved.Shared || saved.Owner != "admin" {
		t.Fatalf("saved %+v, %v", saved, err)
	}
	if _, err := c.SaveSearch(ctx, "a & b", "needle", false, client.WriteOptions{IfMatch: saved.ETag}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "forget what has changed", c.ForgetSearch(ctx, "a & b", client.WriteOptions{IfMatch: saved.ETag}), client.ErrPrecondition)
	all, err := c.SavedSearches(ctx)
	if err != nil || len(all) != 1 || all[0].Query != "needle" || all[0].Shared {
		t.Errorf("searches %+v, %v", all, err)
	}
	if err := c.ForgetSearch(ctx, "a & b", client.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "forget nothing", c.ForgetSearch(ctx, "a & b", client.WriteOptions{}), client.ErrNotFound)
}
