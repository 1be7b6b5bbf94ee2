package console

import (
	"cmp"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// matrixPage is how many roles a page of the matrix shows. As long as there are not more, all of them are shown.
const matrixPage = 50

// matrix is a page of the roles, with what each may do at a path.
type matrix struct {
	Rows  []matrixRow
	Query string // only roles with this in their names
	All   bool   // also roles that no entry here speaks of
	Roles int    // that there are
	Found int    // that the filter leaves

	From, To       int // the first role of the page and the last one, from 1
	Earlier, Later int // where the page before begins, and the next; -1 for none
}

// Filters tells whether there are so many roles that a filter helps.
func (m matrix) Filters() bool { return m.Roles > matrixPage }

// page is the address of the page of the matrix that begins at a role.
func (m matrix) page(p registry.Path, from int) (template.URL, error) {
	all := ""
	if m.All {
		all = "1"
	}
	return query(link("permissions", p), "q", m.Query, "all", all, "from", int64(from))
}

type matrixRow struct {
	Role  string
	Own   bool // the path has an entry of its own for it
	Cells []matrixCell
}

// matrixCell is one right of a role: the path's own choice, "allow", "deny" or "" for what is inherited, and what that is.
type matrixCell struct {
	Right, Choice string
	Inherited     registry.Decision
}

// Allowed tells what the cell comes to.
func (m matrixCell) Allowed() bool {
	return m.Choice == "allow" || m.Choice == "" && m.Inherited.Allowed
}

// matrixOf makes the page of the matrix that the address asks for, or the one that a form was sent from, with the form's choices.
func matrixOf(perms registry.PathPermissions, address, form url.Values) matrix {
	from := address
	if form != nil {
		from = form
	}
	m := matrix{Query: strings.TrimSpace(from.Get("q")), All: from.Get("all") != "", Roles: len(perms.Roles), Earlier: -1, Later: -1}
	names := m.choose(perms)
	start, _ := strconv.Atoi(from.Get("from"))
	start = max(0, min(start, (len(names)-1)/matrixPage*matrixPage))
	end := min(start+matrixPage, len(names))
	m.Found, m.From, m.To = len(names), start+1, end
	if start > 0 {
		m.Earlier = max(0, start-matrixPage)
	}
	if end < len(names) {
		m.Later = end
	}
	sent, _ := entriesOf(form) // what cannot be read is refused elsewhere
	for _, name := range names[start:end] {
		entry := entryFor(perms.Entries, name)
		if slices.Contains(form["part"], name) {
			entry = entryFor(sent, name)
		}
		m.Rows = append(m.Rows, rowOf(name, entry, perms.Inherits(name)))
	}
	return m
}

// choose gives the roles that the filter leaves: those with entries here first, then those with entries above, then, where they are asked for, the others.
func (m *matrix) choose(perms registry.PathPermissions) []string {
	rank := map[string]int{}
	for _, at := range perms.Inherited {
		for _, e := range at.Entries {
			rank[e.Role] = 1
		}
	}
	for _, e := range perms.Entries {
		rank[e.Role] = 2
	}
	wanted := strings.ToLower(m.Query)
	var names []string
	for _, name := range perms.Roles {
		if strings.Contains(strings.ToLower(name), wanted) && (rank[name] > 0 || m.All || wanted != "" || !m.Filters()) {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(rank[b], rank[a]) })
	return names
}

func rowOf(role string, e registry.RoleEntry, inherited registry.Effective) matrixRow {
	row := matrixRow{Role: role, Own: e.Allow|e.Deny != 0}
	for right := registry.RightRead; right <= registry.RightAuthorize; right++ {
		cell := matrixCell{Right: right.String(), Inherited: inherited.Of(right)}
		switch {
		case e.Deny.Has(right):
			cell.Choice = "deny"
		case e.Allow.Has(right):
			cell.Choice = "allow"
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

func entryFor(list []registry.RoleEntry, role string) registry.RoleEntry {
	for _, e := range list {
		if e.Role == role {
			return e
		}
	}
	return registry.RoleEntry{Role: role}
}

// entriesOf reads the cells of a form. Fields are named right and role, "read:developers".
func entriesOf(form url.Values) ([]registry.RoleEntry, error) {
	byRole := map[string]registry.RoleEntry{}
	for name, values := range form {
		right, role, ok := strings.Cut(name, ":")
		if !ok || len(values) == 0 || values[0] == "" {
			continue
		}
		rights, err := registry.ParseRights([]string{right})
		if err != nil {
			return nil, err
		}
		e := byRole[role]
		e.Role = role
		if values[0] == "deny" {
			e.Deny |= rights
		} else {
			e.Allow |= rights
		}
		byRole[role] = e
	}
	entries := make([]registry.RoleEntry, 0, len(byRole))
	for _, e := range byRole {
		entries = append(entries, e)
	}
	return entries, nil
}

// merge puts the entries of a part of the matrix in place of those that the path has for its roles.
func merge(now, sent []registry.RoleEntry, part []string) []registry.RoleEntry {
	in := make(map[string]bool, len(part))
	for _, role := range part {
		in[role] = true
	}
	merged := slices.DeleteFunc(slices.Clone(now), func(e registry.RoleEntry) bool { return in[e.Role] })
	for _, e := range sent {
		if in[e.Role] {
			merged = append(merged, e)
		}
	}
	return merged
}
