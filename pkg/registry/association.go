package registry

import (
	"context"
	"encoding/base64"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Limits of associations.
const (
	MaxAssociationTypeLength = 2000 // characters
	MaxURILength             = 2048 // bytes, which are ASCII

	// DependsType is the type of the associations that make a dependency.
	DependsType = "depends"
)

// End is one end of an association: a resource or collection, or as target a URI outside of the registry.
type End struct {
	Place
	URI string // "" for a resource
}

// Association is a typed, directed link. It names resources by id, so it survives their moves and renames, and is out of sight while one is in the trash.
type Association struct {
	Source    End
	Target    End
	Type      string
	CreatedAt time.Time
	CreatedBy string
	Key       AssociationKey
}

// AssociationKey is a place in the order in which a store keeps the associations of one node: those of one type lie together.
type AssociationKey string

// AssociationQuery asks a store for associations of some nodes.
type AssociationQuery struct {
	Nodes    []ID           // that they lead from; with Incoming, to. At most [MaxPageSize].
	Incoming bool           // the other way
	Type     string         // "" for all
	After    AssociationKey // only with one node
	Limit    int
}

// AssociationPage is a page of the associations of a resource. It may have fewer entries than were asked for, even none, and still a Next: what the actor
// may not see is left out.
type AssociationPage struct {
	Resource     Resource
	Associations []Association // paths are of the registry
	Next         string        // the cursor of the next page, "" at the end; opaque to callers
}

// AssociationReader is the part of a [Store] that reads associations. What it reads is as fresh as the database.
type AssociationReader interface {
	// Associations reads up to q.Limit associations, node by node in the order of ids, and for each in the order of their keys. Only the end that was not
	// asked by has its Place whole; its Path is "" when no path leads there.
	Associations(ctx context.Context, q AssociationQuery) ([]Association, error)
}

// AssociationWriter is the part of a [Tx] that changes associations, on behalf of the operation's actor. None makes a version of a resource.
type AssociationWriter interface {
	// Associate links r to a target; it tells false when that link was there already.
	Associate(r Resource, target End, kind string) (bool, error)
	// Dissociate removes the link; [CodeNotFound] when there is none.
	Dissociate(r Resource, target End, kind string) error
}

// notInType are the characters that an association type cannot have: "*" stands for all types, the others end texts that types stand in. URIs fit.
const notInType = "*\\<>\"'{}|^`;"

// cleanType gives the one form of an association type: NFC-normalised, without white space around.
func cleanType(s string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(s))
	if s == "" {
		return "", Errorf(CodeInvalid, "type is empty; an association has one, such as %q", DependsType)
	}
	if err := checkText("type", s, MaxAssociationTypeLength); err != nil {
		return "", err
	}
	for _, r := range s {
		if unicode.IsControl(r) || strings.ContainsRune(notInType, r) {
			return "", Errorf(CodeInvalid, "type %q… has the character %q; no control character and none of %s may be in a type",
				firstRunes(s, 20), r, strings.Join(strings.Split(notInType, ""), " "))
		}
	}
	return s, nil
}

// allTypes is cleanType where "*" asks for all types and "" for the standard.
func allTypes(s, standard string) (string, error) {
	switch s {
	case "":
		return standard, nil
	case "*":
		return "", nil
	}
	return cleanType(s)
}

// runningSchemes are the schemes of URIs that a browser would run or show as if they were its page's own.
var runningSchemes = []string{"javascript", "vbscript", "data", "blob", "about", "view-source", "livescript", "mocha"}

// parseTarget reads the target of an association: a path, which begins with a slash, or an absolute URI (RFC 3986), which begins with a scheme.
func parseTarget(s string) (Path, string, error) {
	if strings.HasPrefix(s, "/") {
		p, err := ParsePath(s)
		return p, "", err
	}
	return "", s, checkURI(s)
}

// checkURI tells why s cannot be an outside target.
func checkURI(s string) error {
	if len(s) > MaxURILength {
		return Errorf(CodeInvalid, "target has %d characters; the limit for a URI is %d", len(s), MaxURILength)
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || !isScheme(scheme) || rest == "" {
		return Errorf(CodeInvalid, "target %q is neither a path, which begins with a slash, nor an absolute URI, such as https://example.com/", firstRunes(s, 60))
	}
	for _, bad := range runningSchemes {
		if strings.EqualFold(scheme, bad) {
			return Errorf(CodeInvalid, "target has the scheme %q, which is not allowed", scheme)
		}
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return Errorf(CodeInvalid, "target %q… has the character %q, which a URI has percent-encoded only", firstRunes(s, 60), c)
		}
		if rest[i] == '%' && (i+2 >= len(rest) || !isHex(rest[i+1]) || !isHex(rest[i+2])) {
			return Errorf(CodeInvalid, "target %q… has a percent sign without two hexadecimal digits after it", firstRunes(s, 60))
		}
	}
	return nil
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (s[i] < '0' || s[i] > '9') && s[i] != '+' && s[i] != '-' && s[i] != '.') {
			return false
		}
	}
	return s != ""
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func makeAssociationCursor(k AssociationKey) string {
	return base64.RawURLEncoding.EncodeToString([]byte(k))
}

func parseAssociationCursor(cursor string) (AssociationKey, error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", badCursor(cursor)
	}
	return AssociationKey(b), nil
}
