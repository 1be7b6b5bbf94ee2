package e2e

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestCheckHistory_RefusesWhatCannotHaveBeen seeds histories with what a registry must never do.
func TestCheckHistory_RefusesWhatCannotHaveBeen(t *testing.T) {
	one, two := Cell{"x", 1, 1, "one"}, Cell{"x", 2, 2, "two"}
	moved := Cell{"x", 1, 2, "one"}
	put := func(value string) Deed { return Deed{Act: ActPut, Value: value} }
	cas := func(value string, on Cell) Deed { return Deed{Act: ActCAS, Value: value, Match: on.Tag()} }
	get, list, del, move := Deed{Act: ActGet}, Deed{Act: ActList}, Deed{Act: ActDelete}, Deed{Act: ActMove}
	is := func(status int, c ...Cell) Result {
		r := Result{Status: status}
		copy(r.Cells[:], c)
		return r
	}
	// history gives each operation one tick of the clock, one after the other; a return that is set stays.
	history := func(list ...porcupine.Operation) []porcupine.Operation {
		for i := range list {
			list[i].ClientId, list[i].Call = i, int64(10*i)
			if list[i].Return == 0 {
				list[i].Return = list[i].Call + 5
			}
		}
		return list
	}
	op := func(d Deed, r Result) porcupine.Operation { return porcupine.Operation{Input: d, Output: r} }
	long := func(d Deed, r Result) porcupine.Operation {
		return porcupine.Operation{Input: d, Output: r, Return: 1000}
	}
	late := func(d Deed) porcupine.Operation {
		d.Late = true
		return porcupine.Operation{Input: d, Output: Result{}, Return: math.MaxInt64}
	}
	cases := []struct {
		name  string
		legal bool
		ops   []porcupine.Operation
	}{
		{"one after the other", true, history(op(put("one"), is(201, one)), op(put("two"), is(200, two)), op(get, is(200, two)))},
		{"a stale read", false, history(op(put("one"), is(201, one)), op(put("two"), is(200, two)), op(get, is(200, one)))},
		{"a read beside a write may be either", true, history(op(put("one"), is(201, one)), long(put("two"), is(200, two)), op(get, is(200, one)), op(get, is(200, two)))},
		{"but not back again", false, history(op(put("one"), is(201, one)), long(put("two"), is(200, two)), op(get, is(200, two)), op(get, is(200, one)))},
		{"a lost write", false, history(op(put("one"), is(201, one)), op(put("two"), is(200, two)), op(put("three"), is(200, Cell{"x", 2, 2, "three"})))},
		{"a lost creation", false, history(op(put("one"), is(201, one)), op(get, is(404)))},
		{"a write twice", false, history(op(put("one"), is(201, one)), op(put("two"), is(200, Cell{"x", 3, 3, "two"})))},
		{"a content that nobody put", false, history(op(put("one"), is(201, one)), op(get, is(200, Cell{"x", 1, 1, "other"})))},
		{"two who both won", false, history(op(put("one"), is(201, one)), long(cas("two", one), is(200, two)), op(cas("three", one), is(200, Cell{"x", 2, 2, "three"})))},
		{"one who won and one who lost", true, history(op(put("one"), is(201, one)), long(cas("two", one), is(200, two)), op(cas("three", one), is(412)))},
		{"a condition refused that held", false, history(op(put("one"), is(201, one)), op(cas("two", one), is(412)))},
		{"a stale list", false, history(op(put("one"), is(201, one)), op(del, is(204)), op(list, is(200, one)))},
		{"a move", true, history(op(put("one"), is(201, one)), op(move, is(200, moved)), op(list, is(200, Cell{}, moved)))},
		{"a move seen at both ends", false, history(op(put("one"), is(201, one)), long(move, is(200, moved)), op(list, is(200, one, moved)))},
		{"a move seen at neither end", false, history(op(put("one"), is(201, one)), long(move, is(200, moved)), op(list, is(200)))},
		{"a deletion that comes late", true, history(op(put("one"), is(201, one)), late(del), op(get, is(200, one)), op(get, is(404)))},
		{"and then stays away", false, history(op(put("one"), is(201, one)), late(del), op(get, is(404)), op(get, is(200, one)))},
		{"a deletion that never comes", true, history(op(put("one"), is(201, one)), late(del), op(get, is(200, one)))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := checkHistory(c.ops, time.Minute, "", "seeded")
			if c.legal && err != nil || !c.legal && !errors.Is(err, errIllegal) {
				t.Errorf("legal %t: %v", c.legal, err)
			}
		})
	}
}
