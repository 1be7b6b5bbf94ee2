package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// KeyID names a key without giving it away: the first four bytes of a hash of it, in hexadecimal. People compare it to see who has which keys.
func KeyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("gossip key id\x00"), key...))
	return hex.EncodeToString(sum[:4])
}

// checkKeys tells which key is of no use.
func checkKeys(keys [][]byte) error {
	for i, key := range keys {
		if err := memberlist.ValidateKey(key); err != nil {
			return fmt.Errorf("gossip key %d has %d bytes; an AES key has 16, 24 or 32", i+1, len(key))
		}
	}
	return nil
}

// SetKeys replaces the keys while the group runs: the first encrypts from now on, all decrypt. To change the key of a group without losing anybody, give
// all members the new one as a second key, then as the first, then alone, each step everywhere before the next. An error (no key, one of wrong length,
// a group that was opened without keys) changes nothing: a group cannot begin or cease to encrypt while it runs. Safe for concurrent use.
func (g *Group) SetKeys(keys [][]byte) error {
	switch {
	case g.ring == nil:
		return errors.New("the group was started without gossip keys; restart to use some")
	case len(keys) == 0:
		return errors.New("no gossip key is left; restart to go without")
	}
	if err := checkKeys(keys); err != nil {
		return err
	}
	g.keys.Lock()
	defer g.keys.Unlock()
	return changeKeys(g.ring, keys)
}

// KeyIDs are the ids of the keys in use, the one that encrypts first; none when the group does not encrypt.
func (g *Group) KeyIDs() []string {
	ids := []string{}
	if g.ring == nil {
		return ids
	}
	g.keys.Lock()
	defer g.keys.Unlock()
	for _, key := range g.ring.GetKeys() {
		ids = append(ids, KeyID(key))
	}
	return ids
}

// changeKeys brings a ring from what it holds to keys. memberlist reads the ring's slice without a lock while it decrypts, and RemoveKey moves the keys
// behind the removed one in that same slice; so only a last key is ever removed, which moves none.
func changeKeys(ring *memberlist.Keyring, keys [][]byte) error {
	for _, key := range keys {
		if err := ring.AddKey(slices.Clone(key)); err != nil {
			return err
		}
	}
	if err := ring.UseKey(keys[0]); err != nil {
		return err
	}
	wanted := func(key []byte) bool {
		return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
	}
	if !surplusIsLast(ring.GetKeys(), wanted) {
		for _, key := range slices.Backward(keys) { // UseKey puts a key in front of all others
			if err := ring.UseKey(key); err != nil {
				return err
			}
		}
	}
	for {
		held := ring.GetKeys()
		last := held[len(held)-1]
		if wanted(last) {
			return nil
		}
		if err := ring.RemoveKey(last); err != nil {
			return err
		}
	}
}

// surplusIsLast tells whether no wanted key stands behind an unwanted one.
func surplusIsLast(held [][]byte, wanted func([]byte) bool) bool {
	first := slices.IndexFunc(held, func(k []byte) bool { return !wanted(k) })
	return first < 0 || !slices.ContainsFunc(held[first:], wanted)
}
