package registry

import (
	"encoding/binary"
	"math"
)

// Columns. Beside the postings of words a block of documents has rows that hold, for each of its documents, what order, ranking and ranges ask for, so that a
// search reads a document itself only when it is to be shown. Entries are in the order in which documents came.

// BriefTerm is the term of the row that has a [Brief] of each document of a block.
const BriefTerm = "#"

// Brief is what order, ranking and most ranges ask for. Times are microseconds since 1970.
type Brief struct {
	ID, Parent       ID
	Kind             Kind
	Words            int // of the content
	Size             int64
	Created, Updated int64
	Votes, Stars     int64 // Stars is the sum of the votes
}

// Brief gives the short form.
func (f *SearchFacts) Brief() Brief {
	return Brief{f.ID, f.Parent, f.Kind, f.Words, f.Size, f.Created, f.Updated, f.Votes, f.Stars}
}

// AppendBrief adds a document's entry.
func AppendBrief(b []byte, doc int, f Brief) []byte {
	b = binary.AppendUvarint(b, uint64(doc))
	b = append(append(b, f.ID[:]...), f.Parent[:]...)
	for _, n := range [...]int64{int64(f.Kind), int64(f.Words), f.Size, f.Votes, f.Stars} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendVarint(b, f.Created)
	return binary.AppendVarint(b, f.Updated-f.Created)
}

// EachBrief reads what [AppendBrief] wrote.
func EachBrief(b []byte, give func(doc int, f Brief)) error {
	r := entryReader{rest: b}
	for len(r.rest) > 0 {
		doc := r.doc()
		var f Brief
		copy(f.ID[:], r.take(len(f.ID)))
		copy(f.Parent[:], r.take(len(f.Parent)))
		f.Kind = Kind(r.number(math.MaxUint8))
		f.Words = int(r.number(math.MaxInt32))
		f.Size = r.number(math.MaxInt64)
		f.Votes = r.number(math.MaxInt64)
		f.Stars = r.number(math.MaxInt64)
		f.Created = r.signed()
		f.Updated = f.Created + r.signed()
		if r.broken {
			return errPosting
		}
		give(doc, f)
	}
	return nil
}

// IsValues tells of a term whose rows hold the values of a property, in place of positions.
func IsValues(term string) bool { return term[:1] == termValue }

// valueTerm is the term of the documents that have a property.
func valueTerm(name string) string { return term(termValue, name) }

// values gives the values of the property that the term stands for, in the form of a row: how many, and each with its length before it.
func (f *SearchFacts) values(term string) []byte {
	var list []string
	for name, values := range f.Values {
		if valueTerm(name) == term {
			list = values
		}
	}
	b := binary.AppendUvarint(nil, uint64(len(list)))
	for _, v := range list {
		b = appendText(b, v)
	}
	return b
}

// AppendValues adds the entry of a document that has the property which the term stands for.
func AppendValues(b []byte, doc int, f *SearchFacts, term string) []byte {
	values := f.values(term)
	b = binary.AppendUvarint(b, uint64(doc))
	b = binary.AppendUvarint(b, uint64(len(values)))
	return append(b, values...)
}

// eachEntry reads what [AppendValues] wrote; the values are parts of the row.
func eachEntry(b []byte, give func(doc int, values []byte)) error {
	r := entryReader{rest: b}
	for len(r.rest) > 0 {
		doc := r.doc()
		values := r.take(int(r.number(math.MaxInt32)))
		if r.broken {
			return errPosting
		}
		give(doc, values)
	}
	return nil
}

// anyValue tells whether one of the values of an entry is good.
func anyValue(values []byte, good func([]byte) bool) bool {
	r := entryReader{rest: values}
	for range r.number(maxFactValues) {
		if v := r.take(int(r.number(maxFactValue))); !r.broken && good(v) {
			return true
		}
	}
	return false
}

// entryReader reads numbers and bytes. When one is not there, or is too high, it is broken and gives zeros.
type entryReader struct {
	rest   []byte
	broken bool
}

func (r *entryReader) fail() {
	r.rest, r.broken = nil, true
}

func (r *entryReader) number(most int64) int64 {
	n, k := binary.Uvarint(r.rest)
	if k <= 0 || n > uint64(most) {
		r.fail()
		return 0
	}
	r.rest = r.rest[k:]
	return int64(n)
}

func (r *entryReader) signed() int64 {
	n, k := binary.Varint(r.rest)
	if k <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[k:]
	return n
}

// doc is the number of a document in its block.
func (r *entryReader) doc() int { return int(r.number(BlockDocs - 1)) }

// take gives the next n bytes, which are of the row.
func (r *entryReader) take(n int) []byte {
	if n > len(r.rest) {
		r.fail()
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
