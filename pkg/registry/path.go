package registry

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Path is the absolute, slash-separated place of a resource: NFC-normalised, without empty, "." or ".." names, within the limits.
// "/" is the root. Make one with [ParsePath] or [Path.Join]; a conversion from a string skips the rules.
type Path string

// Root is the path of the top collection.
const Root Path = "/"

// forbiddenInName are the characters that WSO2's registry refuses in a path; scripts and generated links rely on their absence.
// (Its message also lists parentheses, but it accepts them, and so do we.)
const forbiddenInName = "~!@#;%^*+={}|\\<>\"',"

// ParsePath makes a path of s. A leading slash is added and one trailing slash removed, as WSO2's registry does.
// The error has [CodeInvalid] and names the character, name or limit.
func ParsePath(s string) (Path, error) {
	if !utf8.ValidString(s) {
		return "", Errorf(CodeInvalid, "path %q is not valid UTF-8", s)
	}
	s = norm.NFC.String(s)
	if n := utf8.RuneCountInString(s); n > MaxPathLength {
		return "", Errorf(CodeInvalid, "path has %d characters; the limit is %d", n, MaxPathLength)
	}
	s = strings.TrimPrefix(s, "/")
	if s == "" {
		return Root, nil
	}
	if len(s) > 1 {
		s = strings.TrimSuffix(s, "/")
	}
	names := strings.Split(s, "/")
	if len(names) > MaxDepth {
		return "", Errorf(CodeInvalid, "path has %d names; the limit is %d", len(names), MaxDepth)
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return "", err
		}
	}
	return Path("/" + s), nil
}

// checkName tells why name cannot be a name in a path.
func checkName(name string) error {
	switch name {
	case "":
		return Errorf(CodeInvalid, "path has an empty name (two slashes in a row)")
	case ".", "..":
		return Errorf(CodeInvalid, "path has the name %q, which is not allowed", name)
	case ".meta":
		return Errorf(CodeInvalid, "path has the name %q, which is reserved", name)
	}
	if n := utf8.RuneCountInString(name); n > MaxNameLength {
		return Errorf(CodeInvalid, "name %q… in the path has %d characters; the limit is %d", firstRunes(name, 20), n, MaxNameLength)
	}
	for _, r := range name {
		switch {
		case unicode.IsControl(r):
			return Errorf(CodeInvalid, "name %q in the path has the control character %U, which is not allowed", name, r)
		case strings.ContainsRune(forbiddenInName, r):
			return Errorf(CodeInvalid, "name %q in the path has the character %q; none of %s may be in a name",
				name, r, strings.Join(strings.Split(forbiddenInName, ""), " "))
		}
	}
	return nil
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// ParseRef makes a path and a version number of "path" or WSO2's "path;version:N"; the number is 0 when none is written.
func ParseRef(s string) (Path, int64, error) {
	base, param, found := strings.Cut(s, ";")
	if !found {
		p, err := ParsePath(s)
		return p, 0, err
	}
	digits, ok := strings.CutPrefix(param, "version:")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 {
		return "", 0, Errorf(CodeInvalid, "path parameter %q is not understood; only ;version:N with N from 1 on is", ";"+param)
	}
	p, err := ParsePath(base)
	return p, n, err
}

// String gives the path as text.
func (p Path) String() string { return string(p) }

// IsRoot tells whether p is "/".
func (p Path) IsRoot() bool { return p == Root || p == "" }

// Name is the last name of p, "" for the root.
func (p Path) Name() string {
	if p.IsRoot() {
		return ""
	}
	return string(p[strings.LastIndexByte(string(p), '/')+1:])
}

// Parent is p without its last name; the root is its own parent.
func (p Path) Parent() Path {
	i := strings.LastIndexByte(string(p), '/')
	if i <= 0 {
		return Root
	}
	return p[:i]
}

// Names are the names of p from the top down; none for the root.
func (p Path) Names() []string {
	if p.IsRoot() {
		return nil
	}
	return strings.Split(string(p[1:]), "/")
}

// depth is the number of names of p.
func (p Path) depth() int {
	if p.IsRoot() {
		return 0
	}
	return strings.Count(string(p), "/")
}

// prefix is the first n names of p.
func (p Path) prefix(n int) Path {
	for q := p; ; q = q.Parent() {
		if q.depth() <= n {
			return q
		}
	}
}

// Join is the path of the child name of p; the error is that of [ParsePath].
func (p Path) Join(name string) (Path, error) {
	if err := checkName(norm.NFC.String(name)); err != nil {
		return "", err
	}
	if p.IsRoot() {
		return ParsePath("/" + name)
	}
	return ParsePath(string(p) + "/" + name)
}

// Covers tells whether q is p or lies below it.
func (p Path) Covers(q Path) bool {
	if p.IsRoot() || p == q {
		return true
	}
	return len(q) > len(p) && strings.HasPrefix(string(q), string(p)) && q[len(p)] == '/'
}

// rebase moves p from below the collection from to the same place below to.
func (p Path) rebase(from, to Path) Path {
	rest := strings.TrimPrefix(string(p), "/")
	if !from.IsRoot() {
		rest = strings.TrimPrefix(strings.TrimPrefix(string(p), string(from)), "/")
	}
	switch {
	case rest == "":
		return to
	case to.IsRoot():
		return Path("/" + rest)
	default:
		return to + Path("/"+rest)
	}
}
