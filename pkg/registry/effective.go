package registry

import (
	"slices"
	"strings"
)

// Effective is what a role may do at a path, by the nearest entry that speaks of each right. Administrators may do everything, whatever it says.
type Effective struct {
	Role      string
	Decisions [RightAuthorize]Decision // of each right, in their order; Path is where the entry is that decides, "" when none speaks of the right
}

// Of is the decision on a right.
func (e Effective) Of(r Right) Decision { return e.Decisions[r-1] }

// Inherits tells what counts at the path for a role when the path's own entry leaves a right alone.
func (p PathPermissions) Inherits(role string) Effective { return effective(role, p.Inherited) }

// Effective tells what a role may do at the path. Entries of one path that deny win over those that allow.
func (p PathPermissions) Effective(role string) Effective {
	return effective(role, append([]PathEntries{p.PathEntries}, p.Inherited...))
}

// effective reads entries, the nearest first.
func effective(role string, trail []PathEntries) Effective {
	e := Effective{Role: role}
	for i := range e.Decisions {
		e.Decisions[i].Role = role
	}
	for _, at := range trail {
		n, ok := slices.BinarySearchFunc(at.Entries, role, func(x RoleEntry, name string) int { return strings.Compare(x.Role, name) })
		if !ok {
			continue
		}
		for r := RightRead; r <= RightAuthorize; r++ {
			d := &e.Decisions[r-1]
			if d.Path == "" && (at.Entries[n].Deny | at.Entries[n].Allow).Has(r) {
				d.Path, d.Allowed = at.Path, !at.Entries[n].Deny.Has(r)
			}
		}
	}
	return e
}
