package registry

import (
	"slices"
	"strings"
	"testing"
)

func TestRights_NamesAreParsedBack(t *testing.T) {
	for s := range AllRights + 1 {
		back, err := ParseRights(s.Names())
		if err != nil || back != s {
			t.Errorf("%v: %v, %v", s.Names(), back, err)
		}
	}
	for g := range AllGrants + 1 {
		back, err := ParseGrants(g.Names())
		if err != nil || back != g {
			t.Errorf("%v: %v, %v", g.Names(), back, err)
		}
	}
	for _, name := range []string{"", "Read", "read ", "admin"} {
		if _, err := ParseRight(name); CodeOf(err) != CodeInvalid {
			t.Errorf("right %q: %v", name, err)
		}
		if _, err := ParseGrants([]string{name}); CodeOf(err) != CodeInvalid {
			t.Errorf("administrative right %q: %v", name, err)
		}
	}
}

// The id that stands for a path in a store never changes: stores have it. It cannot be that of a node, whose version is 7.
func TestPathID_IsFixed(t *testing.T) {
	if got := PathID(Root).String(); got != "56b21a89bcc381b0a1685d218641ade0" {
		t.Errorf("the root has the id %s; the migrations know another", got)
	}
	seen := map[ID]bool{}
	for _, p := range []Path{"/", "/_system", "/_system/a", "/a"} {
		id := PathID(p)
		if seen[id] || id[6]>>4 != 8 {
			t.Errorf("%s has the id %s", p, id)
		}
		seen[id] = true
	}
}

func TestScope_AdmitsBelowItsPaths(t *testing.T) {
	s := &Scope{Rights: RightsOf(RightRead), Paths: []Path{"/a/b", "/c"}}
	for p, want := range map[Path]bool{"/a/b": true, "/a/b/x": true, "/c": true, "/a": false, "/": false, "/a/bc": false, "/cc": false} {
		if got := s.admits(RightRead, p); got != want {
			t.Errorf("%s: %v", p, got)
		}
		if s.admits(RightWrite, p) {
			t.Errorf("%s may be written", p)
		}
	}
	var all *Scope
	if !all.admits(RightDelete, "/") || !(&Scope{Rights: AllRights}).admits(RightDelete, "/") {
		t.Error("no scope, or one without paths, holds back")
	}
}

// For every combination of entries of two roles on three nodes, what permits and what explains agree, and with the rule as it is written.
func TestExplain_AgreesWithTheDecision(t *testing.T) {
	roles := []Role{{ID: ID{10}, Name: "a"}, {ID: ID{11}, Name: "b"}}
	actor := Actor{User: "u", Roles: []ID{{10}, {11}}}
	read := RightsOf(RightRead)
	entry := func(role ID, choice int) []Entry {
		switch choice {
		case 1:
			return []Entry{{Role: role, Allow: read}}
		case 2:
			return []Entry{{Role: role, Deny: read}}
		}
		return nil
	}
	for n := range 3 * 3 * 3 * 3 * 3 * 3 {
		choices, rest := [6]int{}, n
		for i := range choices {
			choices[i], rest = rest%3, rest/3
		}
		var way []Bound // from the top down
		want := false
		for role := range 2 {
			for depth := 2; depth >= 0; depth-- {
				if c := choices[depth*2+role]; c != 0 {
					want = want || c == 1
					break
				}
			}
		}
		for depth := range 3 {
			entries := slices.Concat(entry(ID{10}, choices[depth*2]), entry(ID{11}, choices[depth*2+1]))
			if len(entries) > 0 {
				way = append(way, Bound{depth, entries})
			}
		}
		for cut := range len(way) + 1 { // wherever a mount divides the way
			if got := (ways{way[cut:], way[:cut]}).permit(actor, RightRead); got != want {
				t.Fatalf("%v cut at %d: %v, want %v", choices, cut, got, want)
			}
		}
		up := slices.Clone(way)
		slices.Reverse(up)
		x := explain(User{Name: "u", Roles: actor.Roles}, "/x/y", RightRead, roles, up, nil)
		if x.Allowed != want || want != strings.Contains(x.Reason, "is allowed to read at") {
			t.Fatalf("%v: %+v, want %v", choices, x, want)
		}
	}
}
