package registry

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// searchFields are the fields of a query, in the order in which an error lists them.
const searchFields = "name, content, description, comment, tag, type, kind, owner, author, assoc, path, prop.NAME, created, updated, size and rating"

// condition makes what "name:value" asks for. start is where it stands.
func (p *queryParser) condition(start int, name, key string) (expr, error) {
	switch name {
	case "created", "updated", "size", "rating":
		return p.rangeOf(name, "")
	case "prop":
		if p.compares() {
			return p.rangeOf(name, key)
		}
	}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	switch name {
	case "name":
		return p.phrase(v, only(fieldName))
	case "content":
		return p.phrase(v, only(fieldContent))
	case "description":
		return p.phrase(v, only(fieldDescription))
	case "comment":
		return p.phrase(v, only(fieldComment))
	case "tag":
		return p.exact(termTag, v), nil
	case "type":
		return p.exact(termType, v), nil
	case "owner":
		return p.exact(termOwner, v), nil
	case "author":
		return p.exact(termUser, v), nil
	case "assoc":
		return p.exact(termLink, v), nil
	case "prop":
		return p.property(key, v), nil
	case "kind":
		return p.kind(v)
	case "path":
		path, err := ParsePath(v.text)
		if err != nil || v.prefix {
			return nil, p.fail(v.at, "%q is not a path of the registry; path:/a/b finds what is at /a/b and below it", v.text)
		}
		return under{path}, nil
	}
	return nil, p.fail(start, "there is no field %q; there are %s. Put a text with a colon into quotes", name, searchFields)
}

func (p *queryParser) kind(v value) (expr, error) {
	for k := KindCollection; k <= KindLink; k++ {
		if v.text == k.String() && !v.prefix {
			return p.exact(termKind, v), nil
		}
	}
	return nil, p.fail(v.at, "kind is %q; it must be collection, resource or link", v.text)
}

// lookup gives the number of a term among the lookups.
func (p *queryParser) lookup(l Lookup) int {
	key := Lookup{Term: l.Term, Prefix: l.Prefix}
	i, ok := p.known[key]
	if !ok {
		i = len(p.query.lookups)
		p.known[key] = i
		p.query.lookups = append(p.query.lookups, l)
	}
	return i
}

// exact is a whole value, as of a tag.
func (p *queryParser) exact(kind string, v value) expr {
	t := term(kind, fold(v.text))
	if v.prefix {
		t = cutBytes(kind+fold(v.text), MaxTerm)
	}
	return has{p.lookup(Lookup{t, v.prefix, v.at + 1, v.text})}
}

func cutBytes(s string, n int) string { return s[:min(n, len(s))] }

// property is prop.KEY:value. A value of several words stands for the whole value.
func (p *queryParser) property(key string, v value) expr {
	name := norm.NFC.String(key)
	if v.text == "" {
		return has{p.lookup(Lookup{valueTerm(name), false, v.at + 1, v.text})}
	}
	t := propTerm(name, fold(v.text))
	if v.prefix {
		t = cutBytes(termProp+name+"\x00"+fold(v.text), MaxTerm)
	}
	return has{p.lookup(Lookup{t, v.prefix, v.at + 1, v.text})}
}

// fields is a set of fields.
type fields uint32

const everywhere fields = 1<<fieldCount - 1

func only(f field) fields { return 1 << f }

func (s fields) has(f field) bool { return s>>f&1 != 0 }

// phrase makes the words of a value, which must follow each other.
func (p *queryParser) phrase(v value, in fields) (expr, error) {
	f := phrase{in: in}
	var words []word
	eachWord(v.text, func(w word) bool {
		words = append(words, w)
		return true
	})
	switch {
	case len(words) == 0:
		return nil, p.fail(v.at, "%q has no letter or digit to search for", v.text)
	case len(words) > maxPhrase:
		return nil, p.fail(v.at, "the phrase has more than %d words", maxPhrase)
	}
	for i, w := range words {
		f.words = append(f.words, p.lookup(Lookup{termWord + w.fold, v.prefix && i == len(words)-1, v.at + 1, w.fold}))
	}
	if !p.negate {
		p.query.parts = append(p.query.parts, f)
	}
	return f, nil
}

// compares tells whether a comparison is next, or a range a..b.
func (p *queryParser) compares() bool {
	if p.at('>') || p.at('<') || p.at('=') {
		return true
	}
	for i := p.pos; i+1 < len(p.in) && !endsValue(p.in[i]); i++ {
		if p.in[i] == '.' && p.in[i+1] == '.' {
			return true
		}
	}
	return false
}

// rangeOf reads a comparison: >v, >=v, <v, <=v, =v or v, v..w.
func (p *queryParser) rangeOf(name, key string) (expr, error) {
	op := ""
	for _, o := range []string{">=", "<=", ">", "<", "="} {
		if end := p.pos + len(o); end <= len(p.in) && string(p.in[p.pos:end]) == o {
			op, p.pos = o, end
			break
		}
	}
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if v.prefix {
		return nil, p.fail(v.at, "a * has no meaning in %s", name)
	}
	r := interval{field: name}
	if name == "prop" {
		r.lookup = p.lookup(Lookup{Term: valueTerm(norm.NFC.String(key))})
	}
	if low, high, ok := strings.Cut(v.text, ".."); ok && op == "" {
		if r.low, err = p.bound(name, value{at: v.at, text: low}); err == nil {
			r.high, err = p.bound(name, value{at: v.at + len([]rune(low)) + 2, text: high})
		}
		r.lowOpen, r.highOpen = low == "", high == ""
		return r, err
	}
	b, err := p.bound(name, v)
	r.low, r.high = b, b
	switch op {
	case ">":
		r.highOpen, r.lowOut = true, true
	case ">=":
		r.highOpen = true
	case "<":
		r.lowOpen, r.highOut = true, true
	case "<=":
		r.lowOpen = true
	}
	return r, err
}

// bound is one end of a range: a span of numbers, since a day is as long as it is; or a text, for properties.
type bound struct {
	first, last float64
	number      bool
	text        string
}

func (p *queryParser) bound(name string, v value) (bound, error) {
	if v.text == "" {
		return bound{}, nil
	}
	switch name {
	case "created", "updated":
		from, to, ok := span(v.text)
		if !ok {
			return bound{}, p.fail(v.at, "%s is %q; a date is written 2026-01-31, 2026-01, 2026 or 2026-01-31T12:00:00Z", name, v.text)
		}
		return bound{float64(from), float64(to), true, ""}, nil
	case "size":
		n, ok := bytesOf(v.text)
		if !ok {
			return bound{}, p.fail(v.at, "size is %q; it is written 500, 10k, 2M or 1G (bytes)", v.text)
		}
		return bound{n, n, true, ""}, nil
	case "rating":
		n, err := strconv.ParseFloat(v.text, 64)
		if err != nil || n < 0 || n > MaxRating {
			return bound{}, p.fail(v.at, "rating is %q; it must be a number from 0 to %d", v.text, MaxRating)
		}
		return bound{n, n, true, ""}, nil
	}
	n, err := strconv.ParseFloat(v.text, 64)
	return bound{n, n, err == nil && !math.IsNaN(n), fold(v.text)}, nil
}

// span gives the first and last microsecond of a date.
func span(s string) (from, to int64, ok bool) {
	for _, f := range []struct {
		layout      string
		years, m, d int
	}{{"2006-01-02", 0, 0, 1}, {"2006-01", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if t, err := time.Parse(f.layout, s); err == nil {
			return t.UnixMicro(), t.AddDate(f.years, f.m, f.d).UnixMicro() - 1, true
		}
	}
	t, err := time.Parse(time.RFC3339, s)
	return t.UnixMicro(), t.UnixMicro(), err == nil
}

// bytesOf reads a number of bytes: 10, 10k, 2M, 1G, with or without B or iB.
func bytesOf(s string) (float64, bool) {
	digits := strings.TrimRight(s, "kKmMgGiIbB")
	n, err := strconv.ParseFloat(digits, 64)
	factor, ok := map[string]float64{"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(s[len(digits):]), "b"), "i")]
	return n * factor, err == nil && ok && n >= 0
}

// interval is a range of a number, a time or a property.
type interval struct {
	field             string
	lookup            int // of the property's values
	low, high         bound
	lowOpen, highOpen bool // no end there
	lowOut, highOut   bool // the end itself is outside
}

func (r interval) eval(c *Candidate) truth {
	if r.field == "prop" {
		if c.Hits[r.lookup] == nil {
			return no
		}
		return truthOf(c.values != nil && anyValue(c.values[r.lookup], r.property))
	}
	if !c.known {
		return maybe
	}
	f := c.Brief
	switch r.field {
	case "created":
		return r.number(float64(f.Created))
	case "updated":
		return r.number(float64(f.Updated))
	case "size":
		if f.Kind != KindResource {
			return no
		}
		return r.number(float64(f.Size))
	}
	if f.Votes == 0 {
		return no
	}
	return r.number(float64(f.Stars) / float64(f.Votes))
}

func (r interval) number(n float64) truth {
	return truthOf(r.inside(func(b bound) (int, int) { return cmp.Compare(n, b.first), cmp.Compare(n, b.last) }))
}

// property compares a value as a number when the ends of the range are numbers, else as a text.
func (r interval) property(value []byte) bool {
	if (r.lowOpen || r.low.number) && (r.highOpen || r.high.number) {
		if len(value) == 0 || value[0] > '9' && value[0] != 'i' && value[0] != 'I' { // an error has its price
			return false
		}
		n, err := strconv.ParseFloat(string(value), 64)
		return err == nil && r.number(n) == yes
	}
	s := fold(string(value))
	return r.inside(func(b bound) (int, int) { c := cmp.Compare(s, b.text); return c, c })
}

// inside tells whether a value is in the range; compare gives its order against the first and the last of an end.
func (r interval) inside(compare func(bound) (first, last int)) bool {
	if !r.lowOpen {
		first, last := compare(r.low)
		if first < 0 || r.lowOut && last <= 0 {
			return false
		}
	}
	if !r.highOpen {
		first, last := compare(r.high)
		if last > 0 || r.highOut && first >= 0 {
			return false
		}
	}
	return true
}
