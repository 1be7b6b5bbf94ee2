package e2e

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// What clients of the registry did to pairs of paths, and whether that can have been: each operation took effect at once, at some moment between its
// call and its return. Moves stay within a pair, and a list is one of a pair, so that each pair is judged by itself.

// Act is a kind of operation.
type Act string

// The acts of a history.
const (
	ActGet    Act = "get"
	ActList   Act = "list"
	ActPut    Act = "put"
	ActCAS    Act = "cas" // a put with If-Match
	ActDelete Act = "delete"
	ActMove   Act = "move" // from one path of the pair to the other
	actBegin  Act = "begin"
)

// Deed is an operation as its client asked for it.
type Deed struct {
	Act       Act
	Side      int    // 0 or 1: the path of the pair; of a move the one that it leaves
	Value     string // digest of what is put
	Match     string // entity tag for If-Match, "" for none
	Overwrite bool   // of a move
	// Late says that this was an attempt whose outcome nobody learnt, and that another attempt was refused: it may take effect at any time after
	// its call, or never.
	Late bool
}

// Cell is what is at a path; zero for nothing.
type Cell struct {
	ID           string
	Version, Gen int64
	Value        string // digest of the content
}

// Tag is the entity tag.
func (c Cell) Tag() string { return fmt.Sprintf(`"%s.%d.%d"`, c.ID, c.Version, c.Gen) }

// Result is an answer: its status, and what it says of the path, or of both paths for a list.
type Result struct {
	Status int
	Cells  [2]Cell // the first alone is used but by lists
}

// pairState is what is at the two paths of a pair.
type pairState [2]Cell

// apply tells what a deed makes of the state and whether it can have had that result.
func (s pairState) apply(d Deed, r Result) (pairState, bool) {
	at, other := s[d.Side], s[1-d.Side]
	there := at.ID != ""
	matches := d.Match == "" || there && at.Tag() == d.Match
	refused := func(status int) (pairState, bool) { return s, r.Status == status }
	next := s
	switch d.Act {
	case actBegin:
		return r.Cells, true
	case ActGet:
		if !there {
			return refused(404)
		}
		return s, r.Status == 200 && r.Cells[0] == at
	case ActList:
		return s, r.Status == 200 && r.Cells == s
	case ActPut, ActCAS:
		switch {
		case !matches:
			return refused(412)
		case !there:
			next[d.Side] = r.Cells[0] // the id is new
			return next, r.Status == 201 && r.Cells[0] == Cell{r.Cells[0].ID, 1, 1, d.Value} && r.Cells[0].ID != ""
		}
		next[d.Side] = Cell{at.ID, at.Version + 1, at.Gen + 1, d.Value}
		return next, r.Status == 200 && r.Cells[0] == next[d.Side]
	case ActDelete:
		switch {
		case !there:
			return refused(404)
		case !matches:
			return refused(412)
		}
		next[d.Side] = Cell{}
		return next, r.Status == 204
	case ActMove:
		switch {
		case !there:
			return refused(404)
		case !matches:
			return refused(412)
		case other.ID != "" && !d.Overwrite:
			return refused(409)
		}
		next[d.Side], next[1-d.Side] = Cell{}, Cell{at.ID, at.Version, at.Gen + 1, at.Value}
		return next, r.Status == 200 && r.Cells[0] == next[1-d.Side]
	}
	return s, false
}

// late gives what a deed makes of the state if it is done: a deed that is refused changes nothing.
func (s pairState) late(d Deed) pairState {
	for _, status := range []int{204, 200} {
		r := Result{Status: status}
		if at := s[d.Side]; d.Act == ActMove {
			r.Cells[0] = Cell{at.ID, at.Version, at.Gen + 1, at.Value}
		}
		if next, ok := s.apply(d, r); ok {
			return next
		}
	}
	return s
}

func pairModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return pairState{} },
		Step: func(state, input, output any) (bool, any) {
			s, d := state.(pairState), input.(Deed)
			if d.Late {
				return true, s.late(d)
			}
			next, ok := s.apply(d, output.(Result))
			return ok, next
		},
		DescribeOperation: func(input, output any) string { return describeDeed(input.(Deed), output.(Result)) },
		DescribeState: func(state any) string {
			s := state.(pairState)
			return fmt.Sprintf("a: %s, b: %s", s[0], s[1])
		},
	}
}

func describeDeed(d Deed, r Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %c", d.Act, "ab"[d.Side])
	if d.Value != "" {
		fmt.Fprintf(&b, " %s", d.Value)
	}
	if d.Match != "" {
		fmt.Fprintf(&b, " if %s", d.Match)
	}
	if d.Overwrite {
		b.WriteString(" overwrite")
	}
	if d.Late {
		return b.String() + ": perhaps, later"
	}
	fmt.Fprintf(&b, ": %d %s", r.Status, r.Cells[0])
	if d.Act == ActList {
		fmt.Fprintf(&b, ", %s", r.Cells[1])
	}
	return b.String()
}

// String names a cell by the end of its id, which differs most.
func (c Cell) String() string {
	if c.ID == "" {
		return "-"
	}
	return fmt.Sprintf("…%s v%d g%d %s", c.ID[max(0, len(c.ID)-6):], c.Version, c.Gen, c.Value)
}

// errIllegal says that no order of the operations explains their results.
var errIllegal = errors.New("the history is not linearizable")

// errUndecided says that the checker ran out of time.
var errUndecided = errors.New("the checker did not decide in time")

// checkHistory judges the history of one pair. When it is refused and dir is not "", a picture of it is written there.
func checkHistory(history []porcupine.Operation, limit time.Duration, dir, name string) error {
	model := pairModel()
	switch porcupine.CheckOperationsTimeout(model, history, limit) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("%s, %d operations: %w", name, len(history), errUndecided)
	case porcupine.Illegal:
	}
	err := fmt.Errorf("%s, %d operations: %w", name, len(history), errIllegal)
	if dir == "" {
		return err
	}
	_, info := porcupine.CheckOperationsVerbose(model, history, limit)
	picture := filepath.Join(dir, name+".html")
	return errors.Join(err, fmt.Errorf("see %s", picture), porcupine.VisualizePath(model, info, picture))
}

// checkHistories judges the histories of several pairs.
func checkHistories(histories [][]porcupine.Operation, limit time.Duration, dir, name string) error {
	errs := make([]error, len(histories))
	var all sync.WaitGroup
	for i, h := range histories {
		all.Go(func() { errs[i] = checkHistory(h, limit, dir, fmt.Sprintf("%s-pair%d", name, i)) })
	}
	all.Wait()
	return errors.Join(errs...)
}
