package registry

import (
	"encoding/binary"
	"errors"
	"mime"
	"slices"
	"strings"
	"time"
)

// Limits of what search takes up of one resource; what is beyond them is not found.
const (
	MaxSearchText  = 256 << 10 // bytes of the text that a content gives
	maxFieldWords  = 50_000    // words of all texts of one field
	maxPositions   = 256       // places of one word in one resource
	maxDocTerms    = 20_000    // different terms of one resource
	maxFactValues  = 64        // values of properties that ranges look at
	maxFactValue   = 100       // bytes of one
	maxFactTags    = 50        // tags that facets count
	MaxSearchNotes = 500       // comments, and associations
)

// field is a part of a resource that has words. The numbers are those in the index.
type field uint32

const (
	fieldContent field = iota
	fieldName
	fieldTag
	fieldDescription
	fieldProperty
	fieldComment
	fieldCount
)

// A position is a word's place in its field, and above that the field.
const (
	fieldShift = 16
	gapWords   = 8 // between two texts of a field: no phrase goes over it
)

func fieldOf(position uint32) field { return field(position >> fieldShift) }

// SearchSource is all that search knows of one resource, collection or link.
type SearchSource struct {
	Resource     // Path is not looked at
	Parent       ID
	Name         string
	Text         string // what words its content has; see package extract
	Tags         []string
	Comments     []string
	Associations []string // types
	Votes        int64
	RatingTotal  int64
}

// SearchFacts is what a search result and its ranges need to know of a resource, beside its words.
type SearchFacts struct {
	ID        ID
	Parent    ID
	Name      string
	Kind      Kind
	MediaType string
	Size      int64
	Hash      Hash
	Created   int64 // microseconds
	Updated   int64
	Owner     string
	User      string
	Tags      []string
	Votes     int64
	Stars     int64      // the sum of the votes
	Words     int        // of the content
	Values    Properties // short values of properties
}

// Rating is the mean of the votes, 0 without any.
func (f SearchFacts) Rating() float64 {
	if f.Votes == 0 {
		return 0
	}
	return float64(f.Stars) / float64(f.Votes)
}

// SearchDoc is a resource as search looks at it: for each term the positions where it stands, ascending; none for a term that stands nowhere.
type SearchDoc struct {
	Facts SearchFacts
	Terms map[string][]uint32
}

// NewSearchDoc takes a resource apart.
func NewSearchDoc(s SearchSource) *SearchDoc {
	d := &docBuilder{doc: &SearchDoc{Terms: map[string][]uint32{termAll: nil}}}
	d.doc.Facts = SearchFacts{
		ID: s.ID, Parent: s.Parent, Name: s.Name, Kind: s.Kind, MediaType: s.Meta.MediaType, Size: s.Size, Hash: s.Hash,
		Created: micros(s.CreatedAt), Updated: micros(s.UpdatedAt), Owner: s.CreatedBy, User: s.UpdatedBy,
		Tags: s.Tags[:min(len(s.Tags), maxFactTags)], Votes: s.Votes, Stars: s.RatingTotal,
	}
	d.words(fieldName, s.Name)
	for _, tag := range s.Tags {
		d.words(fieldTag, tag)
		d.term(term(termTag, fold(tag)))
	}
	d.words(fieldDescription, s.Meta.Description)
	d.term(term(termKind, s.Kind.String()))
	d.term(term(termOwner, fold(s.CreatedBy)))
	d.term(term(termUser, fold(s.UpdatedBy)))
	d.mediaType(s.Meta.MediaType)
	for _, kind := range s.Associations {
		d.term(term(termLink, fold(kind)))
	}
	d.properties(s.Meta.Properties)
	for _, text := range s.Comments {
		d.words(fieldComment, text)
	}
	d.words(fieldContent, s.Text)
	d.doc.Facts.Words = int(d.next[fieldContent])
	return d.doc
}

func micros(t time.Time) int64 { return t.UnixMicro() }

// docBuilder makes a document. next are the positions of the next words.
type docBuilder struct {
	doc  *SearchDoc
	next [fieldCount]uint32
}

func (d *docBuilder) term(t string) {
	if _, ok := d.doc.Terms[t]; !ok && len(d.doc.Terms) < maxDocTerms {
		d.doc.Terms[t] = nil
	}
}

// at notes a word at a position.
func (d *docBuilder) at(fold string, position uint32) {
	t := termWord + fold
	list, ok := d.doc.Terms[t]
	if !ok && len(d.doc.Terms) >= maxDocTerms || len(list) >= maxPositions || len(list) > 0 && list[len(list)-1] == position {
		return
	}
	if i, found := slices.BinarySearch(list, position); !found {
		d.doc.Terms[t] = slices.Insert(list, i, position)
	}
}

// words notes the words of a text.
func (d *docBuilder) words(f field, text string) {
	eachWord(text, func(w word) bool {
		if d.next[f] >= maxFieldWords {
			return false
		}
		position := uint32(f)<<fieldShift | d.next[f]
		d.next[f]++
		d.at(w.fold, position)
		for _, part := range w.parts {
			d.at(part, position)
		}
		return true
	})
	if f != fieldContent {
		d.next[f] += gapWords
	}
}

// mediaType notes a media type and its words: application/wsdl+xml is wsdl and xml, too.
func (d *docBuilder) mediaType(t string) {
	if t == "" {
		return
	}
	if bare, _, err := mime.ParseMediaType(t); err == nil {
		t = bare
	}
	d.term(term(termType, fold(t)))
	eachWord(t, func(w word) bool {
		d.term(term(termType, w.fold))
		return true
	})
}

func (d *docBuilder) properties(all Properties) {
	kept := 0
	for _, name := range sortedNames(all) {
		if SystemProperty(name) {
			continue
		}
		d.term(valueTerm(name))
		for _, value := range all[name] {
			d.words(fieldProperty, value)
			d.term(propTerm(name, fold(value)))
			eachWord(value, func(w word) bool {
				d.term(propTerm(name, w.fold))
				return true
			})
			if kept < maxFactValues && len(value) <= maxFactValue {
				kept++
				if d.doc.Facts.Values == nil {
					d.doc.Facts.Values = Properties{}
				}
				d.doc.Facts.Values[name] = append(d.doc.Facts.Values[name], value)
			}
		}
	}
}

// SystemProperty tells of names that programs keep to themselves: search does not speak of them.
func SystemProperty(name string) bool { return strings.HasPrefix(name, "registry.") }

func sortedNames(p Properties) []string {
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Postings. What a term has in a block of documents is a row of entries: the number of the document in its block, how many positions, and the
// differences between them, all as variable-length integers. Entries are in the order in which documents came.

// BlockDocs is how many documents a block has.
const BlockDocs = 1024

// AppendPosting adds a document's positions of one term.
func AppendPosting(b []byte, doc int, positions []uint32) []byte {
	b = binary.AppendUvarint(b, uint64(doc))
	b = binary.AppendUvarint(b, uint64(len(positions)))
	last := uint32(0)
	for _, p := range positions {
		b = binary.AppendUvarint(b, uint64(p-last))
		last = p
	}
	return b
}

var errPosting = errors.New("the search index has a row that is not well formed")

func postingHead(b []byte) (int, int, []byte, error) {
	doc, k := binary.Uvarint(b)
	if k <= 0 || doc >= BlockDocs {
		return 0, 0, nil, errPosting
	}
	b = b[k:]
	n, k := binary.Uvarint(b)
	if k <= 0 || n > maxPositions {
		return 0, 0, nil, errPosting
	}
	return int(doc), int(n), b[k:], nil
}
