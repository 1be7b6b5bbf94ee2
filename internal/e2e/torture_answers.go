package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// view is what the API says of a resource.
type view struct {
	Name, ETag, SHA256 string
}

func (v view) cell() (Cell, error) { return parseCell(v.ETag, short(v.SHA256)) }

// readResult reads an answer. One that is not as the API has it is an error.
func readResult(d Deed, a Answer, pair int) (Result, error) {
	r := Result{Status: a.Status}
	if a.Status >= 300 || a.Status == http.StatusNoContent {
		return r, nil
	}
	var err error
	switch d.Act {
	case ActGet:
		r.Cells[0], err = parseCell(a.Header.Get("ETag"), digest(a.Body))
	case ActList:
		var page struct{ Entries []view }
		if err := json.Unmarshal(a.Body, &page); err != nil {
			return r, err
		}
		for _, e := range page.Entries {
			side := strings.Index("ab", e.Name)
			if side < 0 {
				return r, fmt.Errorf("%s holds %q", folder(pair), e.Name)
			}
			if r.Cells[side], err = e.cell(); err != nil {
				return r, err
			}
		}
	case ActPut, ActCAS, ActMove:
		var v view
		if err := json.Unmarshal(a.Body, &v); err != nil {
			return r, err
		}
		r.Cells[0], err = v.cell()
		if got := a.Header.Get("ETag"); err == nil && got != v.ETag {
			err = fmt.Errorf("the header says %s, the body %s", got, v.ETag)
		}
	case ActDelete, actBegin:
	}
	return r, err
}

// parseCell reads an entity tag, "id.version.generation" in quotes.
func parseCell(tag, value string) (Cell, error) {
	parts := strings.Split(strings.Trim(tag, `"`), ".")
	if len(parts) != 3 {
		return Cell{}, fmt.Errorf("entity tag %q", tag)
	}
	version, err1 := strconv.ParseInt(parts[1], 10, 64)
	gen, err2 := strconv.ParseInt(parts[2], 10, 64)
	return Cell{parts[0], version, gen, value}, errors.Join(err1, err2)
}
