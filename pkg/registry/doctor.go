package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Severity says how much a [Finding] matters.
type Severity string

// The severities, from the least.
const (
	SeverityOK      Severity = "ok"      // as it should be
	SeverityNote    Severity = "note"    // worth knowing
	SeverityWarning Severity = "warning" // it will hurt some day
	SeverityError   Severity = "error"   // it loses data, mixes up answers or refuses all changes: a node does not start on it
)

// Severities are all of them, from the worst.
func Severities() []Severity {
	return []Severity{SeverityError, SeverityWarning, SeverityNote, SeverityOK}
}

func (s Severity) rank() int { return slices.Index(Severities(), s) }

// Finding is what one check found, in plain words. A finding with [SeverityOK] has no Why and no Do.
type Finding struct {
	Check    string // the check's name, snake_case
	Store    string // what it is about; "" for the node itself
	Severity Severity
	What     string // is so
	Why      string // it matters
	Do       string // to put it right
}

// String says what is so and what to do.
func (f Finding) String() string {
	s := f.What
	if f.Why != "" {
		s += ": " + f.Why
	}
	if f.Do != "" {
		s += "; " + f.Do
	}
	return s
}

// Fine is the finding that all is as it should be.
func Fine(format string, args ...any) Finding {
	return Finding{Severity: SeverityOK, What: fmt.Sprintf(format, args...)}
}

// Check is one thing that a node stands on. Run gives what it finds, with neither Check nor Store set, and nothing where it cannot tell.
type Check struct {
	Name  string
	Store string
	Run   func(ctx context.Context) []Finding
}

// RunChecks runs checks one after the other and gives what they found, the worst first.
func RunChecks(ctx context.Context, checks []Check) []Finding {
	var all []Finding
	for _, c := range checks {
		for _, f := range c.Run(ctx) {
			f.Check, f.Store = c.Name, c.Store
			all = append(all, f)
		}
	}
	SortFindings(all)
	return all
}

// SortFindings puts the worst first, and leaves the order of those that are equally bad.
func SortFindings(list []Finding) {
	slices.SortStableFunc(list, func(x, y Finding) int { return cmp.Compare(x.Severity.rank(), y.Severity.rank()) })
}

// Examination is what a node found when it looked at what it stands on.
type Examination struct {
	Node     string
	At       time.Time
	Findings []Finding // the worst first
}

// Worst is the worst severity of all findings.
func (e Examination) Worst() Severity {
	if len(e.Findings) == 0 {
		return SeverityOK
	}
	return e.Findings[0].Severity
}

// Count tells how many findings have that severity.
func (e Examination) Count(s Severity) int {
	n := 0
	for _, f := range e.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Doctor examines what this node stands on: its stores, its clock, its files, its group.
type Doctor interface {
	Examine(ctx context.Context) Examination
}

// Examine looks at what this node stands on, now. Needs [GrantServer].
func (s *Service) Examine(ctx context.Context, a Actor) (Examination, error) {
	if !a.Holds(GrantServer) {
		return Examination{}, Errorf(CodeDenied, "you may not examine the server")
	}
	if s.doctor == nil {
		return Examination{At: s.now()}, nil
	}
	return s.doctor.Examine(ctx), nil
}
