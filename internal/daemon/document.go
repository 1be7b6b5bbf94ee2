package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Document is a configuration as it was read: it knows where each key came from, so that a later check can name file, line and key.
type Document struct {
	file      string
	lines     map[string]int    // key path -> line
	elsewhere map[string]string // key path -> what set it, mostly an environment variable
	unused    []string          // environment variables with our prefix that set no key
	faults    []error           // found while reading
	doubtful  []string          // keys that could not be read
	meant     []string          // keys that unknown ones were likely meant to be
	warnings  []*KeyError
}

// KeyError is a fault, or a warning, about a key of a configuration.
type KeyError struct {
	Where string // "file:line", an environment variable, or the file alone
	Key   string
	Text  string
	line  int // in the file; 0 when the key does not stand there
}

func (e *KeyError) Error() string { return e.Where + ": " + e.Key + ": " + e.Text }

// NewDocument is a document without keys, for a file that is no YAML: its reader says with [Document.Set] where each key stands, and
// lays the environment over the result with [Document.Overlay].
func NewDocument(file string) *Document {
	return &Document{file: file, lines: map[string]int{}, elsewhere: map[string]string{}}
}

// Set notes the line that a key stands at.
func (d *Document) Set(key string, line int) { d.lines[key] = line }

// SetFrom notes that a key was set by something else than the file, such as an environment variable.
func (d *Document) SetFrom(key, where string) { d.elsewhere[key] = where }

// Refuse notes a fault at a line of the file, found while reading.
func (d *Document) Refuse(key string, line int, format string, args ...any) {
	d.faults = append(d.faults, d.at(key, line, format, args...))
}

// Doubt leaves what a later check says of a key, and of those in it, out of the verdict: it would only follow from a fault that was noted.
func (d *Document) Doubt(key string) { d.doubtful = append(d.doubtful, key) }

// RefuseUnknown notes that the block key has no key of that name, and names the nearest of those that it has. If that one stands nowhere it
// is likely what was meant, so that a later check should not say that it is missing.
func (d *Document) RefuseUnknown(key, name string, line int, known []string) {
	text := "unknown key"
	if near := nearest(name, known); near != "" {
		text += "; did you mean " + near + "?"
		d.meant = append(d.meant, join(key, near))
	} else if n := len(known); n > 0 && n <= 4 {
		text += "; there is " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	}
	d.Refuse(join(key, name), line, "%s", text)
}

// Warn notes something at a line of the file that does no harm but is not what its writer may expect.
func (d *Document) Warn(key string, line int, format string, args ...any) {
	d.warnings = append(d.warnings, d.at(key, line, format, args...))
}

// Warnings are what [Document.Warn] noted, by line.
func (d *Document) Warnings() []*KeyError {
	sorted := slices.Clone(d.warnings)
	slices.SortStableFunc(sorted, func(a, b *KeyError) int { return cmp.Compare(a.line, b.line) })
	return sorted
}

func (d *Document) at(key string, line int, format string, args ...any) *KeyError {
	where := d.file
	if line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	return &KeyError{Where: where, Key: key, Text: fmt.Sprintf(format, args...), line: line}
}

// Verdict joins what was found while reading and what a check of the values found, by line. A fault of the check is left out when
// it is about a key that could not be read: it would only follow from that. nil means that there is no fault.
func (d *Document) Verdict(check []error) error {
	all := slices.Clone(d.faults)
	for _, f := range check {
		if e, ok := errors.AsType[*KeyError](f); !ok || !d.isDoubtful(e.Key) {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b error) int { return cmp.Compare(lineOf(a), lineOf(b)) })
	return errors.Join(all...)
}

func lineOf(err error) int {
	if e, ok := errors.AsType[*KeyError](err); ok {
		return e.line
	}
	return 0
}

// isDoubtful tells whether a key, or one that it lies in, could not be read.
func (d *Document) isDoubtful(key string) bool {
	within := func(outer string) bool {
		rest, ok := strings.CutPrefix(key, outer)
		return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
	}
	return slices.ContainsFunc(d.doubtful, within) || slices.ContainsFunc(d.meant, func(k string) bool { return !d.IsSet(k) && within(k) })
}

// Overlay lays the environment over cfg, a pointer to a struct, as [LoadYAML] does. Its faults are part of the verdict.
func (d *Document) Overlay(cfg any, prefix string, environ []string) {
	d.overlay(reflect.ValueOf(cfg).Elem(), prefix, environ)
}

// File is the name of the file, "" when there was none.
func (d *Document) File() string { return d.file }

// UnusedVariables are the environment variables that begin like ours and set no key: perhaps misspelt. Sorted.
func (d *Document) UnusedVariables() []string { return d.unused }

// Where tells where a key was set: "file:line", the environment variable, or, for a key that stands at its default, the file.
// A key path has dots between names and [i] for list entries: services.governance.hosts[0].
func (d *Document) Where(key string) string {
	where, _ := d.where(key)
	return where
}

// Line is the line of the file that sets a key; 0 when none does.
func (d *Document) Line(key string) int { return d.lines[key] }

// where is Where, with the line; 0 when the key does not stand in the file.
func (d *Document) where(key string) (where string, line int) {
	for k := key; k != ""; k = parentKey(k) {
		if name, ok := d.elsewhere[k]; ok {
			return name, 0
		}
		if line, ok := d.lines[k]; ok {
			return d.file + ":" + strconv.Itoa(line), line
		}
	}
	if d.file == "" {
		return "configuration", 0
	}
	return d.file, 0
}

// IsSet tells whether the file or the environment sets the key.
func (d *Document) IsSet(key string) bool {
	_, inFile := d.lines[key]
	_, inEnv := d.elsewhere[key]
	return inFile || inEnv
}

// Fault is an error about a key: "file:line: key: …".
func (d *Document) Fault(key, format string, args ...any) error {
	where, line := d.where(key)
	return &KeyError{Where: where, Key: key, Text: fmt.Sprintf(format, args...), line: line}
}

func parentKey(key string) string {
	if i := strings.LastIndexAny(key, ".["); i > 0 {
		return key[:i]
	}
	return ""
}

// nearest is the known key that an unknown one was likely meant to be; "" when none comes near.
func nearest(name string, known []string) string {
	if len(name) > 100 {
		return "" // no slip of the finger
	}
	best, distance := "", len(name)/2+1
	for _, k := range known {
		if strings.EqualFold(name, k) {
			return k
		}
		if d := editDistance(name, k); d < distance || d == distance && k < best {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's: how many bytes to insert, delete or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
