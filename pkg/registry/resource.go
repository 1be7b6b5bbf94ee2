package registry

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// ID names a node of the tree, a user or a session for ever: a UUID (version 7 where a store makes it), kept over every rename and move.
type ID [16]byte

// String gives 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID reads what String gives; what names it in the error.
func ParseID(what, s string) (ID, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(ID{}) {
		return ID{}, Errorf(CodeInvalid, "%s is %q; it must be 32 hexadecimal digits", what, firstRunes(s, 40))
	}
	return ID(b), nil
}

// IsZero tells whether id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Hash is the SHA-256 of a content.
type Hash [32]byte

// String gives 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Kind tells a collection, a resource and a link apart.
type Kind uint8

// The kinds; the numbers are those in the stores.
const (
	KindCollection Kind = 1
	KindResource   Kind = 2
	KindLink       Kind = 3 // symbolic: it leads to a path
)

// String gives "collection", "resource" or "link".
func (k Kind) String() string {
	switch k {
	case KindCollection:
		return "collection"
	case KindLink:
		return "link"
	case KindResource:
	}
	return "resource"
}

// Properties are named lists of values, as users attach them.
type Properties map[string][]string

// Meta is what a version holds beside its content. It is versioned and restored together with it.
type Meta struct {
	MediaType   string     `json:"media_type,omitempty"`
	Description string     `json:"description,omitempty"`
	Properties  Properties `json:"properties,omitempty"`
	Link        Path       `json:"link,omitempty"` // where a link leads: a path of the registry, not of its store
}

// check tells which field of m breaks which limit.
func (m Meta) check() error {
	if m.MediaType != "" {
		if err := checkMediaType(m.MediaType); err != nil {
			return err
		}
	}
	if err := checkText("description", m.Description, MaxDescriptionLength); err != nil {
		return err
	}
	values := 0
	for name, list := range m.Properties {
		if name == "" {
			return Errorf(CodeInvalid, "a property has no name")
		}
		if err := checkText("property name", name, MaxPropertyNameLength); err != nil {
			return err
		}
		for _, v := range list {
			if err := checkText("value of property "+strconv.Quote(name), v, MaxPropertyValueLength); err != nil {
				return err
			}
		}
		values += len(list)
	}
	if values > MaxPropertyValues {
		return Errorf(CodeInvalid, "properties have %d values together; the limit is %d", values, MaxPropertyValues)
	}
	return nil
}

// CheckText tells why s cannot be a text of at most limit characters; the error has [CodeInvalid] and names field, limit and value.
func CheckText(field, s string, limit int) error { return checkText(field, s, limit) }

func checkText(field, s string, limit int) error {
	if !utf8.ValidString(s) {
		return Errorf(CodeInvalid, "%s is not valid UTF-8", field)
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return Errorf(CodeInvalid, "%s has %d characters; the limit is %d", field, n, limit)
	}
	return nil
}

// equal tells whether both say the same; a property without values is no property.
func (m Meta) equal(o Meta) bool {
	return m.MediaType == o.MediaType && m.Description == o.Description && m.Link == o.Link && maps.EqualFunc(m.Properties, o.Properties, slices.Equal)
}

// clean drops properties without values, so that equal states are equal bytes.
func (m Meta) clean() Meta {
	for name, list := range m.Properties {
		if len(list) == 0 {
			m.Properties = maps.Clone(m.Properties)
			delete(m.Properties, name)
		}
	}
	return m
}

// Resource is the current state of what is at a path: a collection (a resource with children), a resource with content or a link.
type Resource struct {
	ID        ID
	Path      Path
	Kind      Kind
	Version   int64 // current version, from 1
	Gen       int64 // grows with every change, also of the list of children
	Meta      Meta
	Size      int64 // bytes of the content; 0 for a collection
	Hash      Hash  // of the content; zero for a collection
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time // of the current version
	UpdatedBy string
	Comment   string // of the current version
	Seq       Seq    // the state of the store that this was read at or written by
	Real      Path   // where it is, when Path leads there over links
	Mount     bool   // a mount point, or a collection above one that exists only because of it
}

// ETag is the strong entity tag (RFC 9110, 8.8.3) of the current state, with its quotes.
func (r Resource) ETag() string {
	return entityTag(r.ID, r.Version, r.Gen)
}

// Version is one immutable state of a resource.
type Version struct {
	Resource  ID
	Number    int64 // from 1
	Meta      Meta
	Size      int64
	Hash      Hash
	CreatedAt time.Time
	CreatedBy string
	Comment   string // what its author said of the change, "" for nothing
}

// ETag is the strong entity tag of the version, with its quotes; it never changes.
func (v Version) ETag() string {
	return entityTag(v.Resource, v.Number)
}

// entityTag writes "<id>.<n>…", quoted.
func entityTag(id ID, numbers ...int64) string {
	b := make([]byte, 0, 80)
	b = append(b, '"')
	b = hex.AppendEncode(b, id[:])
	for _, n := range numbers {
		b = strconv.AppendInt(append(b, '.'), n, 10)
	}
	return string(append(b, '"'))
}

// Seq is a position in the change log of one store. The zero value is no position.
type Seq struct {
	Store string // the store's name in the configuration
	N     int64
}

// Page is one page of the children of a collection, in order of their names (by bytes) unless another was asked for.
type Page struct {
	Parent  Resource
	Entries []Resource
	Total   int64  // children of the collection, when that was asked for; at most MaxTotal
	Next    string // the cursor of the next page, "" at the end; opaque to callers
}

// VersionPage is one page of the versions of a resource, newest first.
type VersionPage struct {
	Resource Resource
	Versions []Version
	Labels   []Label // of the resource, all of them
	Next     int64   // pass as Before to get the next page; 0 at the end
}
