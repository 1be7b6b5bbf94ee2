package lb

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"
)

// A token names a member in a cookie: 30 bytes, in base64url 40 letters without padding.
//
//	version  1 byte
//	issued   4 bytes, seconds since 1970; 0 = it says nothing about time
//	tag      9 bytes, a keyed hash of the member's id, so that it tells nothing of the member
//	mac     16 bytes, of all before
//
// Tag and mac are HMAC-SHA-256, truncated, under keys that belong to the pool. So a token is worth nothing in another pool, and
// all load balancers with the same secret make and take the same ones.
const (
	tokenVersion = 1

	issuedAt = 1
	tagAt    = issuedAt + 4
	macAt    = tagAt + tagSize

	tagSize   = 9
	macSize   = 16
	tokenSize = macAt + macSize
	tokenText = tokenSize / 3 * 4
)

type (
	affinityToken [tokenSize]byte
	memberTag     [tagSize]byte
)

// parse reads the text of a token, and reports whether it can be one.
func (t *affinityToken) parse(text []byte) bool {
	if len(text) != tokenText {
		return false
	}
	n, err := base64.RawURLEncoding.Decode(t[:], text) // it skips ends of lines; then fewer bytes come out
	return err == nil && n == tokenSize && t[0] == tokenVersion
}

func (t *affinityToken) issued() int64  { return int64(binary.BigEndian.Uint32(t[issuedAt:])) }
func (t *affinityToken) tag() memberTag { return memberTag(t[tagAt:macAt]) }

func (t *affinityToken) append(dst []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, t[:])
}

func (t *affinityToken) text() string { return string(t.append(nil)) }

// affinityKey makes and checks the tokens of one pool, from one secret. Safe for concurrent use.
type affinityKey struct {
	tags macs
	toks macs
}

// macs computes HMACs under one key, without an allocation for each.
type macs struct{ pool sync.Pool }

type macState struct {
	hash hash.Hash
	sum  [sha256.Size]byte
}

func (m *macs) init(key []byte) {
	m.pool.New = func() any { return &macState{hash: hmac.New(sha256.New, key)} }
}

// sum writes the beginning of the HMAC of p to dst.
func (m *macs) sum(dst, p []byte) {
	s, _ := m.pool.Get().(*macState)
	s.hash.Reset()
	s.hash.Write(p)
	copy(dst, s.hash.Sum(s.sum[:0]))
	m.pool.Put(s)
}

// newMasterKey derives a key from a secret that serves another purpose, too (RFC 5869).
func newMasterKey(secret []byte) (masterKey, error) {
	return hkdf.Key(sha256.New, secret, nil, "regent elb affinity", sha256.Size)
}

// pool derives the keys of one pool.
func (k masterKey) pool(p poolKey) *affinityKey {
	derive := func(purpose byte) []byte {
		h := hmac.New(sha256.New, k)
		info := binary.AppendUvarint([]byte{purpose}, uint64(len(p.domain)))
		info = append(info, p.domain...)
		h.Write(append(info, p.subDomain...))
		return h.Sum(nil)
	}
	key := &affinityKey{}
	key.tags.init(derive('t'))
	key.toks.init(derive('m'))
	return key
}

// tag is what stands for a member in a token.
func (k *affinityKey) tag(id string) (tag memberTag) {
	k.tags.sum(tag[:], []byte(id))
	return tag
}

// token makes a token for a member.
func (k *affinityKey) token(tag memberTag, issued int64) *affinityToken {
	t := &affinityToken{}
	k.fill(t, tag, issued)
	return t
}

func (k *affinityKey) fill(t *affinityToken, tag memberTag, issued int64) {
	t[0] = tokenVersion
	binary.BigEndian.PutUint32(t[issuedAt:], uint32(issued))
	copy(t[tagAt:], tag[:])
	k.toks.sum(t[macAt:], t[:macAt])
}

// signed reports whether the token was made with this key. Its time does not depend on where the bytes differ.
func (k *affinityKey) signed(t *affinityToken) bool {
	s, _ := k.toks.pool.Get().(*macState)
	defer k.toks.pool.Put(s)
	s.hash.Reset()
	s.hash.Write(t[:macAt])
	return subtle.ConstantTimeCompare(s.hash.Sum(s.sum[:0])[:macSize], t[macAt:]) == 1
}
