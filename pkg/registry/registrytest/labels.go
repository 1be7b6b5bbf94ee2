package registrytest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testVersionComments: each version keeps what its author said of it, and a change that makes no version keeps nothing.
func testVersionComments(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	longest := strings.Repeat("𝄞", registry.MaxVersionComment) // four bytes each
	put := func(text, comment string) (registry.PutResult, error) {
		return nodes[0].svc.Put(t.Context(), actor, registry.PutInput{Path: "/c", Body: bytes.NewReader([]byte(text)), Comment: comment})
	}
	for i, c := range []struct {
		change  func() (registry.PutResult, error)
		version int64
	}{
		{func() (registry.PutResult, error) { return put("1", "first") }, 1},
		{func() (registry.PutResult, error) { return put("2", "") }, 2},
		{func() (registry.PutResult, error) { return put("2", "the same again") }, 2},
		{func() (registry.PutResult, error) {
			return nodes[0].svc.UpdateMeta(t.Context(), actor, registry.MetaInput{Path: "/c", Description: new("d"), Comment: longest})
		}, 3},
		{func() (registry.PutResult, error) {
			return nodes[0].svc.RestoreVersion(t.Context(), actor, registry.RestoreInput{Path: "/c", Version: 1, Comment: "back\tto\nthe first"})
		}, 4},
		{func() (registry.PutResult, error) {
			return nodes[0].svc.CreateCollection(t.Context(), actor, registry.CollectionInput{Path: "/d", Comment: "a place"})
		}, 1},
	} {
		if res, err := c.change(); err != nil || res.Resource.Version != c.version {
			t.Errorf("change %d made version %d, want %d: %v", i, res.Resource.Version, c.version, err)
		}
	}
	page, err := nodes[1].svc.Versions(t.Context(), actor, "/c", 0, 0, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"back\tto\nthe first", longest, "", "first"} {
		v := page.Versions[i]
		if v.Comment != want {
			t.Errorf("version %d has the comment %.40q, want %.40q", v.Number, v.Comment, want)
		}
		if one, err := nodes[1].Version(t.Context(), v.Resource, v.Number); err != nil || one.Comment != want {
			t.Errorf("version %d, read alone, has the comment %.40q: %v", v.Number, one.Comment, err)
		}
	}
	if c, d := nodes[1].get(t, "/c"), nodes[1].get(t, "/d"); c.Comment != "back\tto\nthe first" || d.Comment != "a place" {
		t.Errorf("the current comments are %q and %q", c.Comment, d.Comment)
	}
	_, err = put("3", longest+"x")
	wantCode(t, err, registry.CodeInvalid)
	if err == nil || !strings.Contains(err.Error(), "version comment has 501 characters; the limit is 500") {
		t.Errorf("the refusal is %v", err)
	}
	_, err = put("3", "a\x00b")
	wantCode(t, err, registry.CodeInvalid)
	_, err = put("3", "\xff")
	wantCode(t, err, registry.CodeInvalid)
	if got := nodes[1].get(t, "/c").Version; got != 4 {
		t.Errorf("what was refused made version %d", got)
	}
}

func testLabels(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	for i := range 7 {
		nodes[0].put(t, "/l", fmt.Sprint(i+1))
	}
	before := nodes[1].get(t, "/l")
	set := func(name string, version int64, c registry.Precondition) (registry.LabelResult, error) {
		return nodes[0].svc.SetLabel(t.Context(), actor, registry.LabelInput{Path: "/l", Name: name, Version: version, If: c})
	}
	read := func(name string) string {
		_, v, err := nodes[1].svc.GetPick(t.Context(), actor, "/l", registry.Pick{Label: name}, registry.Freshness{})
		if err != nil {
			return string(registry.CodeOf(err))
		}
		return nodes[1].text(t, "/l", v.Number)
	}
	first, err := set("prod", 3, registry.Precondition{NoneMatch: []string{"*"}})
	if err != nil || !first.Created || !first.Changed || first.Label.Seq != first.Seq || read("prod") != "3" {
		t.Fatalf("the first label is %+v and shows %q: %v", first, read("prod"), err)
	}
	_, err = set("prod", 4, registry.Precondition{NoneMatch: []string{"*"}})
	wantCode(t, err, registry.CodePrecondition)
	_, err = set("prod", 4, registry.Precondition{Match: []string{`"x"`}})
	wantCode(t, err, registry.CodePrecondition)
	same, err := set("prod", 3, registry.Precondition{})
	if err != nil || same.Changed || same.Label.ETag() != first.Label.ETag() {
		t.Errorf("the same again gave %+v: %v", same, err)
	}
	moved, err := set("prod", 7, registry.Precondition{Match: []string{first.Label.ETag()}})
	if err != nil || moved.Created || !moved.Changed || read("prod") != "7" {
		t.Errorf("the label moved to %+v and shows %q: %v", moved, read("prod"), err)
	}
	// Names are exact but for normalisation, and there may be several.
	if _, err := set("Prod", 1, registry.Precondition{}); err != nil || read("Prod") != "1" || read("prod") != "7" {
		t.Errorf("Prod shows %q, prod %q: %v", read("Prod"), read("prod"), err)
	}
	if _, err := set("e\u0301", 2, registry.Precondition{}); err != nil || read("\u00e9") != "2" {
		t.Errorf("é in two forms shows %q: %v", read("\u00e9"), err)
	}
	_, list, err := nodes[1].svc.Labels(t.Context(), actor, "/l", registry.Freshness{})
	var got []string
	for _, l := range list {
		got = append(got, fmt.Sprint(l.Name, l.Version, l.SetBy))
	}
	if want := "Prod1tester prod7tester \u00e92tester"; strings.Join(got, " ") != want {
		t.Errorf("the labels are %q, want %s: %v", got, want, err)
	}
	for name, version := range map[string]int64{"": 1, "12": 1, "a b": 1, "a/b": 1, strings.Repeat("x", registry.MaxLabelLength+1): 1} {
		_, err := set(name, version, registry.Precondition{})
		wantCode(t, err, registry.CodeInvalid)
	}
	_, err = set("new", 8, registry.Precondition{})
	wantCode(t, err, registry.CodeNotFound)
	if got := read("none"); got != string(registry.CodeNotFound) {
		t.Errorf("a label that is not there shows %q", got)
	}
	if _, err := nodes[0].svc.RestoreVersion(t.Context(), actor, registry.RestoreInput{Path: "/l", Label: "Prod"}); err != nil || nodes[1].text(t, "/l", 0) != "1" {
		t.Errorf("a restore by label: %v", err)
	}
	remove := func(c registry.Precondition) error {
		_, err := nodes[1].svc.RemoveLabel(t.Context(), actor, registry.LabelInput{Path: "/l", Name: "prod", If: c})
		return err
	}
	wantCode(t, remove(registry.Precondition{Match: []string{first.Label.ETag()}}), registry.CodePrecondition)
	if err := remove(registry.Precondition{Match: []string{moved.Label.ETag()}}); err != nil || read("prod") != string(registry.CodeNotFound) {
		t.Errorf("after the removal the label shows %q: %v", read("prod"), err)
	}
	wantCode(t, remove(registry.Precondition{}), registry.CodeNotFound)
	if after := nodes[1].get(t, "/l"); after.Version != 8 || after.Gen != before.Gen+1 {
		t.Errorf("labels changed the resource from %s to %s", before.ETag(), after.ETag())
	}
	for i := range registry.MaxLabels - 2 {
		if _, err := set(fmt.Sprintf("l%d", i), 1, registry.Precondition{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = set("one-more", 1, registry.Precondition{})
	wantCode(t, err, registry.CodeConflict)
}

// testLabelRaces: of those who move a label from one state only one succeeds, at whichever node, and a refused change leaves nothing.
func testLabelRaces(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	for i := range 9 {
		nodes[0].put(t, "/race", fmt.Sprint(i))
	}
	set := func(n *node, version int64, c registry.Precondition) (registry.LabelResult, error) {
		return n.svc.SetLabel(context.Background(), actor, registry.LabelInput{Path: "/race", Name: "prod", Version: version, If: c})
	}
	at, err := set(nodes[0], 1, registry.Precondition{})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		var wg sync.WaitGroup
		results := make([]registry.LabelResult, 16)
		for i := range results {
			wg.Go(func() {
				version := int64(i%8) + 2
				if at.Label.Version == version {
					version = 1
				}
				var err error
				results[i], err = set(nodes[i%2], version, registry.Precondition{Match: []string{at.Label.ETag()}})
				if code := registry.CodeOf(err); code != "" && code != registry.CodePrecondition {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		won := 0
		for _, r := range results {
			if r.Changed {
				won, at = won+1, r
			}
		}
		if won != 1 {
			t.Fatalf("%d of those who moved the label from one state succeeded", won)
		}
	}
	list, err := nodes[0].Labels(t.Context(), at.Label.Resource)
	if err != nil || len(list) != 1 || list[0].ETag() != at.Label.ETag() {
		t.Errorf("the label is %+v, want %+v: %v", list, at.Label, err)
	}
}
