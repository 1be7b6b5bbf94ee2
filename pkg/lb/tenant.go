package lb

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TenantRange says which tenants a domain serves: everybody ("*"), or a set of tenant ids. The zero value
// serves nobody.
type TenantRange struct {
	all   bool
	spans []tenantSpan // sorted, apart from each other
}

type tenantSpan struct{ from, to int }

// ParseTenantRange reads "*", "7", "1-100", "201-*" and comma lists of the last three.
func ParseTenantRange(s string) (TenantRange, error) {
	s = strings.TrimSpace(s)
	if s == "*" {
		return TenantRange{all: true}, nil
	}
	var r TenantRange
	for part := range strings.SplitSeq(s, ",") {
		span, err := parseTenantSpan(strings.TrimSpace(part))
		if err != nil {
			return TenantRange{}, err
		}
		r.spans = append(r.spans, span)
	}
	slices.SortFunc(r.spans, func(a, b tenantSpan) int { return a.from - b.from })
	for i := 1; i < len(r.spans); i++ {
		if r.spans[i].from <= r.spans[i-1].to {
			return TenantRange{}, fmt.Errorf("%q: tenant %d is named twice", s, r.spans[i].from)
		}
	}
	return r, nil
}

func parseTenantSpan(s string) (tenantSpan, error) {
	bad := fmt.Errorf("%q is no tenant range: write *, a number from 1 on, a-b, a-*, or a comma list of these", s)
	first, last, isSpan := strings.Cut(s, "-")
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	from, err := strconv.Atoi(first)
	if err != nil || from < 1 {
		return tenantSpan{}, bad
	}
	switch {
	case !isSpan:
		return tenantSpan{from, from}, nil
	case last == "*":
		return tenantSpan{from, math.MaxInt}, nil
	}
	to, err := strconv.Atoi(last)
	if err != nil || to < from {
		return tenantSpan{}, bad
	}
	return tenantSpan{from, to}, nil
}

// String gives the range as the configuration writes it.
func (r TenantRange) String() string {
	if r.all {
		return "*"
	}
	var parts []string
	for _, s := range r.spans {
		switch {
		case s.from == s.to:
			parts = append(parts, strconv.Itoa(s.from))
		case s.to == math.MaxInt:
			parts = append(parts, strconv.Itoa(s.from)+"-*")
		default:
			parts = append(parts, strconv.Itoa(s.from)+"-"+strconv.Itoa(s.to))
		}
	}
	return strings.Join(parts, ",")
}

// All reports whether the range serves every tenant that no other domain names.
func (r TenantRange) All() bool { return r.all }

// Overlaps reports whether some tenant belongs to both ranges. "*" means "everybody else" and overlaps
// only with another "*".
func (r TenantRange) Overlaps(o TenantRange) bool {
	if r.all || o.all {
		return r.all && o.all
	}
	for _, a := range r.spans {
		for _, b := range o.spans {
			if a.from <= b.to && b.from <= a.to {
				return true
			}
		}
	}
	return false
}

// tenantTable finds the pool of a tenant among those that one host leads to. It holds an entry for each interval of ids, however many
// ids lie in it.
type tenantTable struct {
	all   int          // index of the pool that serves everybody else; nobody if there is none
	spans []tenantPool // sorted, apart from each other
}

type tenantPool struct {
	tenantSpan
	pool int
}

// nobody stands for the pool of tenants that no domain serves.
const nobody = -1

// add lets the tenants of r go to a pool. It gives the pool that some of them go to already; ok is false then.
func (t *tenantTable) add(r TenantRange, pool int) (other int, ok bool) {
	if r.all {
		if t.all != nobody && t.all != pool {
			return t.all, false
		}
		t.all = pool
		return 0, true
	}
	for _, span := range r.spans {
		i, _ := slices.BinarySearchFunc(t.spans, span.from, func(e tenantPool, from int) int { return cmp.Compare(e.from, from) })
		if i > 0 && t.spans[i-1].to >= span.from {
			i--
		}
		if i < len(t.spans) && t.spans[i].from <= span.to {
			if t.spans[i].tenantSpan == span && t.spans[i].pool == pool {
				continue // the host stands twice in the list of one pool
			}
			return t.spans[i].pool, false
		}
		t.spans = slices.Insert(t.spans, i, tenantPool{span, pool})
	}
	return 0, true
}

// find gives the pool of a tenant id; 0, and any id that no interval holds, is a tenant like everybody else.
func (t *tenantTable) find(tenant int) int {
	low, high := 0, len(t.spans)
	for low < high {
		if middle := int(uint(low+high) >> 1); t.spans[middle].to < tenant {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(t.spans) && t.spans[low].from <= tenant {
		return t.spans[low].pool
	}
	return t.all
}
