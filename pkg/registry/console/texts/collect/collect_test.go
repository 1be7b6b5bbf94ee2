package main

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// The catalogue has what the code says today.
func TestCatalogue_IsOfThisCode(t *testing.T) {
	t.Parallel()
	got, err := collected("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, texts.English) {
		t.Error("en.yaml is not what the code says; run go generate ./pkg/registry/console/texts")
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	const code = `package x
var a = mark("A " + "b\"")
func f() {
	fmt.Errorf("not this %s", x)
	registry.Errorf(registry.CodeInvalid, "that %s", x)
	c.say("said")
	c.say(dynamic)
	c.count(n, "cat", "cats")
	c.countOf(n, counted("mouse", "mice"))
	_ = &registry.Error{Code: x, Message: "wrong", Err: err}
	_ = Other{Message: "not that"}
}
`
	var c catalogue
	if err := c.files(fstest.MapFS{
		"a.go": {Data: []byte(code)}, "a_test.go": {Data: []byte("package x\nvar b = mark(\"no\")\n")},
		"b.html": {Data: []byte(`<p>said</p><p>{{plural .N "dog" "dogs"}} here</p>`)}, "c.js": {Data: []byte(`say("script {1}", 2)`)}, "no/d.js": {Data: []byte(`say("no")`)},
	}, func(name string) bool { return name == "no" }); err != nil {
		t.Fatal(err)
	}
	_, list, _ := bytes.Cut(c.yaml(), []byte("texts:\n"))
	const want = `  # a.go
  "A b\"": "A b\""
  "that %s": "that %s"
  "said": "said"
  "wrong": "wrong"
  # b.html
  "{1} here": "{1} here"
  # c.js
  "script {1}": "script {1}"
counts:
  # a.go
  "cat | cats": {one: "{n} cat", other: "{n} cats"}
  "mouse | mice": {one: "{n} mouse", other: "{n} mice"}
  # b.html
  "dog | dogs": {one: "{n} dog", other: "{n} dogs"}
`
	if string(list) != want {
		t.Errorf("got\n%s", list)
	}
}
