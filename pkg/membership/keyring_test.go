package membership

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/memberlist"
	"pgregory.net/rapid"
)

// numbered makes keys that are told apart by their first byte.
func numbered(numbers ...byte) [][]byte {
	var keys [][]byte
	for _, n := range numbers {
		keys = append(keys, append([]byte{n}, make([]byte, 31)...))
	}
	return keys
}

// TestChangeKeys_AnyChange goes through random lists of keys: the ring holds what it should, and what was read from it before stays as it was read.
func TestChangeKeys_AnyChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange(1, 5), 1, 6), 2, 5).Draw(t, "lists")
		first := numbered(lists[0]...)
		ring, err := memberlist.NewKeyring(first, first[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, numbers := range lists[1:] {
			held := ring.GetKeys()
			before := slices.Clone(held)
			if err := changeKeys(ring, numbered(numbers...)); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(held, before, bytes.Equal) {
				t.Fatalf("a slice that a reader holds changed from %v to %v", before, held)
			}
			got := ring.GetKeys()
			for i, key := range got {
				if !slices.Contains(numbers, key[0]) || slices.ContainsFunc(got[:i], func(k []byte) bool { return k[0] == key[0] }) {
					t.Fatalf("the ring holds %v, want %v", got, numbers)
				}
			}
			for _, n := range numbers {
				if !slices.ContainsFunc(got, func(k []byte) bool { return k[0] == n }) {
					t.Fatalf("the ring lacks key %d", n)
				}
			}
			if got[0][0] != numbers[0] {
				t.Fatalf("key %d encrypts, want %d", got[0][0], numbers[0])
			}
		}
	})
}

// TestChangeKeys_RotationUnderReaders: the race detector sees a key that moves under a reader, and no other key encrypts than one that may.
func TestChangeKeys_RotationUnderReaders(t *testing.T) {
	t.Parallel()
	start := numbered(1)
	ring, err := memberlist.NewKeyring(start, start[0])
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, key := range ring.GetKeys() { // as memberlist reads it
					if len(key) != 32 || key[0] == 0 {
						t.Error("a torn key")
						return
					}
				}
				if p := ring.GetPrimaryKey(); p[0] != 1 && p[0] != 2 {
					t.Errorf("key %d encrypts", p[0])
				}
			}
		})
	}
	for range 200 {
		for _, step := range [][]byte{{1, 2}, {2, 1}, {2}, {2, 1}, {1, 2}, {1}, {1, 3, 2}, {1, 2}, {1}} {
			if err := changeKeys(ring, numbered(step...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	readers.Wait()
}

func TestKeyID_TellsKeysApartAndNoKey(t *testing.T) {
	t.Parallel()
	a, b := []byte("0123456789abcdef"), []byte("0123456789abcdeg")
	if KeyID(a) == KeyID(b) || KeyID(a) != KeyID(slices.Clone(a)) || len(KeyID(a)) != 8 || strings.Contains(KeyID(a), "0123") {
		t.Errorf("ids %q and %q", KeyID(a), KeyID(b))
	}
}
