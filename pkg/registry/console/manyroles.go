package console

import (
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// rolePage is how many roles the page of roles shows at once.
const rolePage = 20

// part is a page of a list that is read whole.
type part struct {
	Query          string // only entries with this in their names
	All, Found     int
	From, To       int // the first entry of the page and the last one, from 1
	Earlier, Later int // where the page before begins, and the next; -1 for none
}

// cut gives the page of a list that the address asks for.
func cut[T any](list []T, address url.Values, size int, name func(T) string) ([]T, part) {
	p := part{Query: strings.TrimSpace(address.Get("q")), All: len(list), Earlier: -1, Later: -1}
	if wanted := strings.ToLower(p.Query); wanted != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !strings.Contains(strings.ToLower(name(x)), wanted) })
	}
	start, _ := strconv.Atoi(address.Get("from"))
	start = max(0, min(start, (len(list)-1)/size*size))
	end := min(start+size, len(list))
	p.Found, p.From, p.To = len(list), start+1, end
	if start > 0 {
		p.Earlier = max(0, start-size)
	}
	if end < len(list) {
		p.Later = end
	}
	return list[start:end], p
}

// page is the address of the page that begins at an entry, on the page itself.
func (p part) page(from int) (template.URL, error) {
	return query("", "q", p.Query, "from", strconv.Itoa(from))
}

// Part is p, for templates that are given what has it.
func (p part) Part() part { return p }

// Filters tells whether a filter helps.
func (p part) Filters() bool { return p.Query != "" || p.Found > p.To-p.From+1 }

// roleChoice is the boxes of a form that gives roles to a user: one for each role where they are few, else one for each that the user has, and a text for more.
type roleChoice struct {
	Boxes []string
	More  bool
	Given []string
}

// Has tells whether a box is checked.
func (c roleChoice) Has(role string) bool { return slices.Contains(c.Given, role) }

func choiceOf(roles, given []string) roleChoice {
	if len(roles) <= matrixPage {
		return roleChoice{Boxes: roles, Given: given}
	}
	return roleChoice{Boxes: given, More: true, Given: given}
}

// rolesOf are the roles that such a form gives.
func rolesOf(form url.Values) []string {
	roles := append([]string{}, form["role"]...)
	for line := range strings.Lines(form.Get("more_roles")) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(roles, line) {
			roles = append(roles, line)
		}
	}
	return roles
}

// justBefore is a name that sorts before all that begin with a text and after all that sort before those.
func justBefore(text string) string {
	if text == "" {
		return ""
	}
	last := len(text) - 1
	return text[:last] + string([]byte{text[last] - 1, 0xff, 0xff, 0xff, 0xff})
}
