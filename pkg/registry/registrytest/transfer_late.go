package registrytest

import (
	"errors"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testLateFaults: a move that was made, and whose end fails, is not told as one that did not happen.
func testLateFaults(t *testing.T, p *pair) {
	n := p.open(t)
	away := registry.Errorf(registry.CodeUnavailable, "the database is away")
	for _, c := range []struct {
		name string
		call string // at which point of which call
		at   int
		err  error
	}{
		{"end", "end", 1, away},
		{"abandon", "abandon", 1, away},
		{"answer", "update", 4, errors.New("it is unknown whether the change took effect")}, // the first one seals, the second one arrives
	} {
		from, to := registry.Path("/a/"+c.name), registry.Path("/b/"+c.name)
		n.put(t, from+"/x", "1")
		x := &tap{at: func(*tap, string, int) error { return nil }}
		svc := pairService(t, &tapped{n.from, x}, &tapped{n.to, x}, transferTimeout)
		passed := 0
		*x = tap{at: func(_ *tap, call string, _ int) error {
			if call != c.call {
				return nil
			}
			if passed++; passed == c.at {
				return c.err
			}
			return nil
		}}
		_, err := svc.Move(t.Context(), actor, registry.MoveInput{From: from, To: to})
		if passed < c.at || registry.CodeOf(err) != registry.CodeInternal {
			t.Errorf("%s: after %d points the answer is %v", c.name, passed, err)
		}
		recoverAll(t, n)
		n.gone(t, from)
		if got := n.text(t, to+"/x", 0); got != "1" {
			t.Errorf("%s: what was moved holds %q", c.name, got)
		}
	}

	// The same request again finds it made.
	n.put(t, "/a/again/x", "1")
	in, a := registry.MoveInput{From: "/a/again", To: "/b/again"}, by("again", "move")
	x := &tap{at: func(*tap, string, int) error { return nil }}
	svc := pairService(t, &tapped{n.from, x}, &tapped{n.to, x}, transferTimeout)
	*x = tap{at: func(_ *tap, call string, _ int) error {
		if call == "end" {
			return away
		}
		return nil
	}}
	for range 2 {
		_, err := svc.Move(t.Context(), a, in)
		wantCode(t, err, registry.CodeInternal)
	}
	if res := must[registry.PutResult](t)(n.svc.Move(t.Context(), a, in)); !res.Changed {
		t.Errorf("the answer is %+v", res)
	}
	wantNothingOpen(t, n)
}
