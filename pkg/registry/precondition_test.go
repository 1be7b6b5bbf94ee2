package registry_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestPrecondition_FollowsRFC9110(t *testing.T) {
	r := registry.Resource{ID: registry.ID{1}, Kind: registry.KindResource, Version: 3, Gen: 3}
	version := registry.Version{Resource: r.ID, Number: 3}.ETag()
	collection := registry.Resource{ID: registry.ID{1}, Kind: registry.KindCollection, Version: 3, Gen: 7}
	other := `"x"`
	tests := []struct {
		name    string
		c       registry.Precondition
		current *registry.Resource
		holds   bool
	}{
		{"nothing asked, nothing there", registry.Precondition{}, nil, true},
		{"nothing asked", registry.Precondition{}, &r, true},
		{"match", registry.Precondition{Match: []string{other, r.ETag()}}, &r, true},
		{"match another", registry.Precondition{Match: []string{other}}, &r, false},
		{"match any", registry.Precondition{Match: []string{"*"}}, &r, true},
		{"match any, nothing there", registry.Precondition{Match: []string{"*"}}, nil, false},
		{"match the current version", registry.Precondition{Match: []string{version}}, &r, true},
		{"match the version before", registry.Precondition{Match: []string{registry.Version{Resource: r.ID, Number: 2}.ETag()}}, &r, false},
		{"match the version of a collection", registry.Precondition{Match: []string{version}}, &collection, false},
		{"match a weak tag", registry.Precondition{Match: []string{"W/" + r.ETag()}}, &r, false},
		{"none match any", registry.Precondition{NoneMatch: []string{"*"}}, &r, false},
		{"none match any, nothing there", registry.Precondition{NoneMatch: []string{"*"}}, nil, true},
		{"none match this", registry.Precondition{NoneMatch: []string{r.ETag()}}, &r, false},
		{"none match another", registry.Precondition{NoneMatch: []string{other}}, &r, true},
	}
	for _, tt := range tests {
		err := tt.c.Check(tt.current)
		if (err == nil) != tt.holds || err != nil && registry.CodeOf(err) != registry.CodePrecondition {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

func TestCodeOf_LooksThroughWrapping(t *testing.T) {
	inner := registry.Errorf(registry.CodeTooLarge, "content has %d bytes", 7)
	wrapped := fmt.Errorf("put: %w", inner)
	if registry.CodeOf(wrapped) != registry.CodeTooLarge || registry.MessageOf(wrapped) != "content has 7 bytes" {
		t.Error("the code or message is lost")
	}
	if registry.CodeOf(errors.New("x")) != registry.CodeInternal || registry.CodeOf(nil) != "" {
		t.Error("the default code is wrong")
	}
	if msg := registry.MessageOf(errors.New("secret detail")); msg == "secret detail" {
		t.Error("an internal text leaves")
	}
}
