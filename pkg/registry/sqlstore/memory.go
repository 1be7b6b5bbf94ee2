package sqlstore

import (
	"slices"
	"strings"
	"sync"

	"github.com/regent-registry/regent/pkg/registry"
)

// snapshot is a state of the database: a position of its change log with the tag of the transaction that wrote it.
type snapshot struct {
	seq   int64
	tag   [16]byte
	epoch [16]byte
}

// act is what an operation did, in the change log. The numbers are those in the database.
type act uint8

const (
	actCreate  act = 1
	actRevise  act = 2
	actTrash   act = 3
	actUser    act = 4 // node: the account; name: its name
	actSession act = 5 // node: the account; name: the token's hash, "" for all sessions of the account

	actLeave    act = 20 // a move, at the place that it left
	actMove     act = 21 // a move, at the place that it took
	actUndelete act = 22 // at the place that it took
	actCopy     act = 23 // a copy, alone or with all below it, at the place that it took
	actPurge    act = 24 // node: an entry of the trash that cannot come back
	actRemove   act = 28 // node: the same; n: how many nodes of it were deleted
	actStage    act = 25 // node: a copy that is being made; n: how many nodes were added to it
	actOnce     act = 26 // a request with an idempotency key that changed nothing else
	actCollect  act = 27 // contents that nothing named; n: how many were looked at

	// History (label.go, retention.go, checkpoint.go, prune.go).
	actLabel  act = 30 // name: the label; n: where it points now, 0 when it is gone
	actPrune  act = 31 // node and n: a version that retention removed
	actSweep  act = 32 // name: the hash of metadata that nothing names any more
	actRetain act = 33 // node: a collection whose rule of retention changed
	actCheck  act = 35 // node: a collection; name: its checkpoint; n: 1 made, 0 removed

	actArrive  act = 81 // beside actCopy, of what came from another store
	actSeal    act = 80 // node: what is being moved to another store; n: 1 from here on nothing at or below it changes, 0 it may again (seal.go)
	actSaved   act = 60 // a saved search; name: its owner
	actWebhook act = 61 // node: a webhook; name: its name

	// What is attached to a node; memory holds none of it (community.go).
	actTag         act = 40 // node: the resource; n: 1 given, 0 taken away; name: the tag, cut where it is too long
	actComment     act = 41 // node: the resource; n: the comment's number; name: add, edit or remove
	actRating      act = 42 // node: the resource; n: the new rating, 0 for none
	actAssociation act = 43 // node: the source; parent: the target, zero for a URI; n: 1 made, 0 removed; name: the type, cut where it is too long
	actStar        act = 44 // node: the resource; n: 1 given, 0 taken away. Not told: it is the user's own

	actAccess act = 50 // node: the one whose permission entries changed
	actRole   act = 51 // node: the role; what is known of users and permissions may have changed
	actToken  act = 52 // node: the account; name: the token's hash, "" for all tokens of the account
	actOrder  act = 53 // name: what an administrator told a node to do (order.go)
)

// attached tells of acts that change no row which memory holds.
func (a act) attached() bool { return a >= actTag && a <= actStar }

// places tells whether the act changes what a name in a collection stands for: parent and name say which.
func (a act) places() bool {
	switch a {
	case actCreate, actTrash, actLeave, actMove, actUndelete, actCopy:
		return true
	case actRevise, actUser, actSession, actPurge, actRemove, actStage, actOnce, actCollect,
		actLabel, actPrune, actSweep, actRetain, actCheck, actSeal, actArrive, actSaved, actWebhook,
		actTag, actComment, actRating, actAssociation, actStar, actAccess, actRole, actToken, actOrder:
	}
	return false
}

// item is one thing that an operation touched.
type item struct {
	act    act
	node   registry.ID
	n      int64
	parent registry.ID
	name   string
}

// touches tells whether the item changes what a row of k says.
func (i item) touches(k any) bool {
	if i.act.attached() {
		return false
	}
	if i.act == actArrive {
		return true
	}
	switch k := k.(type) {
	case dirent:
		return i.act.places() && i.parent == k.parent && i.name == k.name
	case aclKey:
		return i.act == actRole || i.act == actAccess && i.node == registry.ID(k)
	case tokenKey:
		return i.act == actToken && (i.name == "" || i.name == string(k[:]))
	case registry.ID: // of a node or an account
		return i.act == actRole || i.node == k || i.act.places() && i.parent == k
	case accountName:
		return i.act == actUser && i.name == string(k)
	case versionKey:
		return i.act == actPrune && i.node == k.node && i.n == k.n
	case registry.Hash: // of a session's token
		return i.act == actSession && (i.name == "" || i.name == string(k[:]))
	}
	return true
}

// step is one operation of the change log as the cursor passed it.
type step struct {
	seq   int64
	tag   [16]byte
	items []item
}

// placed is the node that a path led to in an era.
type placed struct {
	id  registry.ID
	era int64
}

// accountName keys accounts by name.
type accountName string

// memory holds rows exactly as they are in the database at the cursor. Safe for concurrent use.
//
// The steps that the cursor took last are kept: a row that was read at an earlier point of the log is still good if no later step touched it.
// A row read at a point that is not among them, also one ahead of the cursor, is not taken.
type memory struct {
	root registry.ID // where paths begin

	mu     sync.Mutex
	valid  bool     // the cursor is somewhere
	cursor snapshot // the last of steps
	steps  []step   // one after the other, without gaps
	items  int      // of all steps

	dirents  *cache[dirent, registry.ID]
	paths    *cache[registry.Path, placed] // where a walk over dirents ended
	era      int64                         // counts what may lead a path elsewhere
	nodes    *cache[registry.ID, node]
	versions *cache[versionKey, registry.Version]
	metas    *cache[registry.Hash, struct{}] // metadata that the database has
	blobs    *cache[registry.Hash, []byte]
	users    *cache[registry.ID, registry.User]
	names    *cache[accountName, registry.ID]
	sessions *cache[registry.Hash, registry.Session]
	docs     *cache[todoKey, *registry.SearchDoc] // nil for a node that has gone
	texts    *cache[textKey, string]
	acls     *cache[aclKey, []registry.Entry]
	tokens   *cache[tokenKey, registry.Token]
}

const (
	maxSteps = 512
	maxItems = 4096
)

func newMemory(bytes int64, root registry.ID) *memory {
	const entry = 150 // bytes of map and list per entry, about
	return &memory{
		root:    root,
		paths:   newCache(bytes/4, func(p registry.Path, _ placed) int64 { return entry + int64(len(p)) }),
		dirents: newCache(bytes/4, func(k dirent, _ registry.ID) int64 { return entry + int64(len(k.name)) }),
		nodes:   newCache(bytes/2, func(_ registry.ID, n node) int64 { return 2*entry + int64(len(n.name)) + metaWeight(n.Meta) }),
		versions: newCache(bytes/4, func(_ versionKey, v registry.Version) int64 {
			return 2*entry + metaWeight(v.Meta)
		}),
		metas: newCache(1<<20, func(registry.Hash, struct{}) int64 { return entry }),
		blobs: newCache(bytes, func(_ registry.Hash, b []byte) int64 { return entry + int64(len(b)) }),
		users: newCache(4<<20, func(_ registry.ID, u registry.User) int64 {
			return entry + int64(len(u.Name)+len(u.Password)+len(u.Email)+len(u.FullName)+16*len(u.Roles))
		}),
		names:    newCache(4<<20, func(k accountName, _ registry.ID) int64 { return entry + int64(len(k)) }),
		sessions: newCache(8<<20, func(_ registry.Hash, x registry.Session) int64 { return 2*entry + int64(len(x.Address)+len(x.Agent)) }),
		docs:     newCache(bytes/2, func(_ todoKey, d *registry.SearchDoc) int64 { return docWeight(d) }),
		texts:    newCache(bytes/4, func(_ textKey, s string) int64 { return entry + int64(len(s)) }),
		acls:     newCache(max(bytes/8, 4<<20), func(_ aclKey, list []registry.Entry) int64 { return entry + 24*int64(len(list)) }),
		tokens: newCache(4<<20, func(_ tokenKey, t registry.Token) int64 {
			w := 2*entry + int64(len(t.Name))
			for _, p := range t.Scope.Paths {
				w += 16 + int64(len(p))
			}
			return w
		}),
	}
}

func metaWeight(m registry.Meta) int64 {
	w := len(m.MediaType) + len(m.Description)
	for name, list := range m.Properties {
		w += 64 + len(name)
		for _, v := range list {
			w += 16 + len(v)
		}
	}
	return int64(w)
}

func docWeight(d *registry.SearchDoc) int64 {
	const entry, term = 600, 100
	if d == nil {
		return entry
	}
	w := int64(entry)
	for t, positions := range d.Terms {
		w += term + int64(len(t)+4*len(positions))
	}
	return w
}

// at gives the cursor.
func (m *memory) at() (snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor, m.valid
}

// reset drops everything and sets the cursor.
func (m *memory) reset(to snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirents.clear()
	m.paths.clear()
	m.nodes.clear()
	m.versions.clear()
	m.metas.clear()
	m.blobs.clear()
	m.users.clear()
	m.names.clear()
	m.sessions.clear()
	m.docs.clear()
	m.texts.clear()
	m.acls.clear()
	m.tokens.clear()
	m.cursor, m.valid, m.items = to, true, 0
	m.steps = []step{{seq: to.seq, tag: to.tag}}
}

// advance moves the cursor over steps, which must follow from. It does nothing, and tells false, when the cursor is elsewhere by now. then, when
// not nil, runs at the new cursor, still under the lock.
func (m *memory) advance(from snapshot, steps []step, then func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.valid || m.cursor != from || len(steps) == 0 {
		return false
	}
	for _, s := range steps {
		for _, i := range s.items {
			m.evict(i)
		}
		m.items += len(s.items)
	}
	last := steps[len(steps)-1]
	m.cursor.seq, m.cursor.tag = last.seq, last.tag
	m.steps = append(m.steps, steps...)
	m.forget()
	if then != nil {
		then()
	}
	return true
}

// forget drops the oldest half of the steps when there are too many.
func (m *memory) forget() {
	if len(m.steps) <= maxSteps && m.items <= maxItems {
		return
	}
	drop := 0
	for len(m.steps)-drop > 1 && (len(m.steps)-drop > maxSteps/2 || m.items > maxItems/2) {
		m.items -= len(m.steps[drop].items)
		drop++
	}
	m.steps = append([]step(nil), m.steps[drop:]...)
}

func (m *memory) evict(i item) {
	switch i.act {
	case actCreate, actTrash, actLeave, actMove, actUndelete, actCopy:
		if i.act != actCreate { // a new name leads no path elsewhere that led somewhere
			m.era++
		}
		m.dirents.drop(dirent{i.parent, i.name})
		m.nodes.drop(i.parent)
		m.nodes.drop(i.node)
	case actRevise, actPurge, actRemove:
		m.nodes.drop(i.node)
	case actUser:
		m.users.drop(i.node)
		m.names.drop(accountName(i.name))
	case actSession:
		if i.name == "" {
			m.sessions.clear()
			return
		}
		m.sessions.drop(toHash([]byte(i.name)))
	case actPrune:
		m.versions.drop(versionKey{i.node, i.n})
	case actSweep:
		m.metas.drop(toHash([]byte(i.name)))
	case actArrive: // ids may come back that were here before, of nodes that memory was never told to have gone
		m.dirents.clear()
		m.nodes.clear()
		m.versions.clear()
		m.acls.clear()
	case actTag, actComment, actRating, actAssociation, actStar, actStage, actOnce, actCollect, actLabel, actRetain, actCheck, actSeal, actSaved, actWebhook, actOrder: // nothing that memory holds
	case actAccess:
		m.acls.drop(aclKey(i.node))
	case actRole:
		m.users.clear()
		m.acls.clear()
	case actToken:
		if i.name == "" {
			m.tokens.clear()
			return
		}
		m.tokens.drop(tokenKey(toHash([]byte(i.name))))
	}
}

// fill runs put if rows with the given keys, read in the snapshot, are still what they were then at the cursor.
func (m *memory) fill(read snapshot, keys []any, put func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.valid || m.cursor.epoch != read.epoch || len(m.steps) == 0 {
		return false
	}
	i := read.seq - m.steps[0].seq
	if i < 0 || i >= int64(len(m.steps)) || m.steps[i].tag != read.tag {
		return false
	}
	for _, s := range m.steps[i+1:] {
		for _, it := range s.items {
			if slices.ContainsFunc(keys, it.touches) {
				return false
			}
		}
	}
	put()
	return true
}

// resource walks from the root to p; false when a part of the way is not in memory. The answer is the state at the cursor.
func (m *memory) resource(p registry.Path) (node, snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at, ok := m.paths.get(p); ok && at.era == m.era {
		if n, ok := m.nodes.get(at.id); ok {
			return n, m.cursor, m.valid
		}
	}
	id := m.root
	for _, name := range p.Names() {
		child, ok := m.dirents.get(dirent{id, name})
		if !ok {
			return node{}, snapshot{}, false
		}
		id = child
	}
	n, ok := m.nodes.get(id)
	if ok && m.valid {
		m.paths.put(registry.Path(strings.Clone(string(p))), placed{id, m.era})
	}
	return n, m.cursor, ok && m.valid
}

// lookup reads one cache under the lock of m.
func lookup[K comparable, V any](m *memory, c *cache[K, V], k K) (V, bool) {
	v, _, ok := lookupAt(m, c, k)
	return v, ok
}

// lookupAt is lookup with the state that the row is of.
func lookupAt[K comparable, V any](m *memory, c *cache[K, V], k K) (V, snapshot, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := c.get(k)
	return v, m.cursor, ok
}

// keep writes one cache under the lock of m: for what never changes.
func keep[K comparable, V any](m *memory, c *cache[K, V], k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.put(k, v)
}
