package client_test

import (
	"testing"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// TestLink: a link is made and led elsewhere; lists and Link show it, other reads what it leads to and where that is.
func TestLink(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	put(t, c, config+"/v1", "one")
	put(t, c, config+"/v2", "two")
	made, err := c.PutLink(t.Context(), config+"/latest", config+"/v1", client.WriteOptions{IfNoneMatch: "*"})
	if err != nil || !made.Created || made.Kind != client.KindLink || made.Target != config+"/v1" {
		t.Fatalf("made %+v, %v", made, err)
	}
	wantErr(t, "a second one", second(c.PutLink(t.Context(), config+"/latest", config+"/v2", client.WriteOptions{IfNoneMatch: "*"})), client.ErrPrecondition)
	if moved, err := c.PutLink(t.Context(), config+"/latest", config+"/v2", client.WriteOptions{IfMatch: made.ETag}); err != nil || moved.Created {
		t.Fatalf("moved %+v, %v", moved, err)
	}
	link, err := c.Link(t.Context(), config+"/latest")
	if err != nil || link.Kind != client.KindLink || link.Target != config+"/v2" || link.RealPath != "" {
		t.Errorf("the link is %+v, %v", link, err)
	}
	wantErr(t, "what is no link", second(c.Link(t.Context(), config+"/v1")), client.ErrConflict)
	if r, err := c.Stat(t.Context(), config+"/latest", 0); err != nil || r.Kind != client.KindResource || r.RealPath != config+"/v2" || r.Target != "" {
		t.Errorf("what it leads to is %+v, %v", r, err)
	}
	targets := map[string]string{}
	for r, err := range c.Children(t.Context(), config, client.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		targets[r.Name] = r.Kind + r.Target
	}
	if targets["latest"] != client.KindLink+config+"/v2" || targets["v1"] != client.KindResource {
		t.Errorf("the list has %v", targets)
	}
}
