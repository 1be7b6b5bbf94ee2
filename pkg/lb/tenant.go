package lb

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TenantRange says which tenants a domain serves: everybody ("*"), or a set of tenant ids. The zero value
// serves nobody. Ids are not looked up yet, so every request counts as a tenant without an id and goes to
// the domain that serves everybody, as unknown tenants always do.
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
