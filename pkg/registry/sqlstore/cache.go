package sqlstore

import "github.com/hashicorp/golang-lru/v2/simplelru"

// cache is a least-recently-used map bounded by the bytes of what it holds. Not for concurrent use: memory guards it.
type cache[K comparable, V any] struct {
	lru         *simplelru.LRU[K, V]
	weight      func(K, V) int64
	bytes, most int64
}

// maxEntries bounds the number of entries, beside the bytes.
const maxEntries = 1 << 20

func newCache[K comparable, V any](most int64, weight func(K, V) int64) *cache[K, V] {
	c := &cache[K, V]{weight: weight, most: most}
	lru, err := simplelru.NewLRU(maxEntries, func(k K, v V) { c.bytes -= c.weight(k, v) })
	if err != nil {
		panic("sqlstore: " + err.Error()) // cannot happen: the size is a positive constant
	}
	c.lru = lru
	return c
}

func (c *cache[K, V]) get(k K) (V, bool) { return c.lru.Get(k) }

func (c *cache[K, V]) put(k K, v V) {
	w := c.weight(k, v)
	if w > c.most/8 {
		return // one entry must not push out everything else
	}
	c.lru.Remove(k)
	c.lru.Add(k, v)
	c.bytes += w
	for c.bytes > c.most {
		c.lru.RemoveOldest()
	}
}

func (c *cache[K, V]) drop(k K) { c.lru.Remove(k) }

func (c *cache[K, V]) clear() { c.lru.Purge() }
