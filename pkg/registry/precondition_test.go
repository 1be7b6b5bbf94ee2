package registry_test

import (
	"cmp"
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

func TestMessageIn(t *testing.T) {
	german := map[string]string{
		"you may not %s %s": "%[2]s: %[1]s ist Ihnen nicht erlaubt", "read": "Lesen", "sign in first": "erst zu 100 % anmelden",
		"an internal error happened; the server's log has it under this request id": "ein Fehler hier", "read-only": "nie",
	}
	translated := func(english string) string { return cmp.Or(german[english], english) }
	for _, tc := range []struct {
		err  error
		want string
	}{
		{registry.Errorf(registry.CodeDenied, "you may not %s %s", registry.RightRead, "read-only"), "read-only: Lesen ist Ihnen nicht erlaubt"}, // data is left alone
		{fmt.Errorf("door: %w", &registry.Error{Code: registry.CodeInvalid, Message: "sign in first", Err: errors.New("secret")}), "erst zu 100 % anmelden"},
		{registry.Errorf(registry.CodeInvalid, "sign in first"), "erst zu 100 % anmelden"},
		{registry.Errorf(registry.CodeInvalid, "an encoded slash (%%2F)"), "an encoded slash (%2F)"},
		{errors.New("secret"), "ein Fehler hier"},
		{registry.Errorf(registry.CodeInternal, "sign in first"), "ein Fehler hier"},
	} {
		if got := registry.MessageIn(tc.err, translated); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
