package auth

import (
	"net/netip"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// bucketKey is a client with an account; with "" all that the client tries.
type bucketKey struct {
	client  netip.Prefix
	account string
}

// bucket is full at a time from which on it leaks.
type bucket struct {
	level float64
	at    time.Time
}

// buckets are leaky buckets in bounded memory: the least recently used are forgotten. Not safe for concurrent use.
type buckets struct {
	now func() time.Time
	lru *simplelru.LRU[bucketKey, *bucket]
}

func newBuckets(now func() time.Time, most int) *buckets {
	return &buckets{now, newLRU[bucketKey, *bucket](most)}
}

func newLRU[K comparable, V any](most int) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU[K, V](most, nil)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	return lru
}

func (b *buckets) fill(k bucketKey) {
	one, ok := b.lru.Get(k)
	if !ok {
		one = &bucket{at: b.now()}
		b.lru.Add(k, one)
	}
	one.level++
}

// giveBack undoes a fill.
func (b *buckets) giveBack(k bucketKey) {
	one, ok := b.lru.Get(k)
	if !ok {
		return
	}
	if one.level = max(one.level-1, 0); one.level == 0 {
		b.lru.Remove(k)
	}
}

func (b *buckets) forget(k bucketKey) { b.lru.Remove(k) }

// wait is how long a bucket that takes most, and lets go of one every so often, stays full.
func (b *buckets) wait(k bucketKey, every time.Duration, most int) time.Duration {
	one, ok := b.lru.Get(k)
	if !ok {
		return 0
	}
	now := b.now()
	one.level = max(one.level-float64(now.Sub(one.at))/float64(every), 0)
	one.at = now
	return time.Duration((one.level - float64(most-1)) * float64(every))
}
