package registry

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// searchMark is the hit that a page ends with. It says nothing that was not on the page: a score would tell of words in what the reader may not see.
type searchMark struct {
	order   int
	id      ID
	updated int64 // microseconds
	nth     int
	set     bool
}

func (c searchCandidate) mark() searchMark { return searchMark{c.order, c.ID, c.Updated, c.nth, true} }

// names tells whether the mark is of the candidate, as it was then.
func (m searchMark) names(c searchCandidate) bool {
	return m.set && m.order == c.order && m.id == c.ID && m.updated == c.Updated
}

// resume finds where the page begins. Without ranking the mark tells the place, whatever became of that hit. Else it is after the hit, or where that was: rather
// one hit comes twice than that one is missed.
func (r *searchRun) resume() {
	if !r.after.set {
		return
	}
	if !r.query.Ranked() {
		r.last = searchCandidate{Candidate: &Candidate{Brief: Brief{ID: r.after.id, Updated: r.after.updated}}, order: r.after.order}
		return
	}
	if i := slices.IndexFunc(r.candidates, r.after.names); i >= 0 {
		r.last = r.candidates[i]
		return
	}
	r.skip = r.after.nth - 1
}

// String writes the mark as a cursor.
func (m searchMark) String() string {
	text := []byte(m.id.String())
	for _, n := range [...]int64{int64(m.order), m.updated, int64(m.nth)} {
		text = strconv.AppendInt(append(text, '.'), n, 36)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseSearchCursor(cursor string) (searchMark, error) {
	if cursor == "" {
		return searchMark{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	parts := strings.Split(string(b), ".")
	m := searchMark{set: true}
	if err != nil || len(parts) != 4 || len(parts[0]) != 2*len(m.id) {
		return searchMark{}, badCursor(cursor)
	}
	var n [3]int64
	_, err = hex.Decode(m.id[:], []byte(parts[0]))
	for i := range n {
		var wrong error
		n[i], wrong = strconv.ParseInt(parts[1+i], 36, 64)
		err = errors.Join(err, wrong)
	}
	if err != nil || n[0] < 0 || n[2] < 1 || n[2] > math.MaxInt32 {
		return searchMark{}, badCursor(cursor)
	}
	m.order, m.updated, m.nth = int(n[0]), n[1], int(n[2])
	return m, nil
}
