package registry

import (
	"encoding/binary"
	"math"
)

// factsForm is the first byte of stored facts: what the others mean.
const factsForm = 1

// Encode writes the facts for a store, without the id, which is a key there, and without the values of properties, which have rows of their own.
func (f *SearchFacts) Encode() []byte {
	b := make([]byte, 0, 128+len(f.Name))
	b = append(b, factsForm)
	b = append(b, f.Parent[:]...)
	b = append(b, f.Hash[:]...)
	for _, n := range [...]int64{int64(f.Kind), f.Size, f.Created, f.Updated, f.Votes, f.Stars, int64(f.Words)} {
		b = binary.AppendVarint(b, n)
	}
	for _, s := range [...]string{f.Name, f.MediaType, f.Owner, f.User} {
		b = appendText(b, s)
	}
	for _, tag := range f.Tags {
		b = appendText(b, tag)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// DecodeFacts reads what [SearchFacts.Encode] wrote.
func DecodeFacts(b []byte) (*SearchFacts, error) {
	r := entryReader{rest: b}
	if form := r.take(1); r.broken || form[0] != factsForm {
		return nil, errPosting
	}
	f := &SearchFacts{}
	copy(f.Parent[:], r.take(len(f.Parent)))
	copy(f.Hash[:], r.take(len(f.Hash)))
	var n [7]int64
	for i := range n {
		n[i] = r.signed()
	}
	f.Kind, f.Size, f.Created, f.Updated, f.Votes, f.Stars, f.Words = Kind(n[0]), n[1], n[2], n[3], n[4], n[5], int(n[6])
	for _, s := range [...]*string{&f.Name, &f.MediaType, &f.Owner, &f.User} {
		*s = r.text()
	}
	for len(r.rest) > 0 && len(f.Tags) < maxFactTags {
		f.Tags = append(f.Tags, r.text())
	}
	if r.broken || len(r.rest) > 0 {
		return nil, errPosting
	}
	return f, nil
}

func (r *entryReader) text() string { return string(r.take(int(r.number(math.MaxInt32)))) }
