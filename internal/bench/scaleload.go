package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	scaleFolder = 100   // resources of a collection, but for the wide one
	scaleBatch  = 1_000 // nodes of one transaction
	scaleWords  = 20_000
	scaleLength = 40 // words of a content
	// scaleRare is how many resources have the rare word, in either store.
	scaleRare = 10
)

// scaleCorpus is what a store is filled with, all of it made of numbers. Half of the resources lie in one wide collection, the others in collections of a
// hundred. How often a word, a tag or a value occurs is the same part of both stores; one word is in ten resources of either.
type scaleCorpus struct {
	n     int
	words []string
}

func newScaleCorpus(n int) *scaleCorpus {
	c := &scaleCorpus{n: n, words: make([]string, scaleWords)}
	const first, second = "bcdfgklmnprstvz", "aeiou"
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	for i := range c.words {
		for {
			var b strings.Builder
			for range 2 + r.IntN(3) {
				b.WriteByte(first[r.IntN(len(first))])
				b.WriteByte(second[r.IntN(len(second))])
			}
			if w := b.String(); !seen[w] {
				seen[w], c.words[i] = true, w
				break
			}
		}
	}
	return c
}

func (c *scaleCorpus) wide() int    { return c.n / 2 }
func (c *scaleCorpus) folders() int { return (c.n - c.wide()) / scaleFolder }

// folder is the path of a collection below the top.
func (c *scaleCorpus) folder(i int) string { return fmt.Sprintf("g%02d/c%05d", i%50, i) }

// path is where resource i is.
func (c *scaleCorpus) path(i int) registry.Path {
	if i < c.wide() {
		return registry.Path(fmt.Sprintf("/top/wide/r%07d", i))
	}
	i -= c.wide()
	return registry.Path(fmt.Sprintf("/top/%s/r%07d", c.folder(i/scaleFolder), i))
}

// word picks one: the first are the most frequent.
func (c *scaleCorpus) word(r *rand.Rand) string {
	x := r.Float64()
	return c.words[min(int(scaleWords*x*x*x*x), scaleWords-1)]
}

// text is the content of a resource.
func (c *scaleCorpus) text(i, revision int) string {
	r := rand.New(rand.NewPCG(uint64(i), uint64(revision)))
	var b strings.Builder
	fmt.Fprintf(&b, "everywhere number%d ", i)
	for range scaleLength {
		b.WriteString(c.word(r))
		b.WriteByte(' ')
	}
	if i%(c.n/scaleRare) == 7 {
		b.WriteString("needle")
	}
	return b.String()
}

var scaleTypes = []string{"text/plain", "application/json", "text/markdown", "application/yaml", "text/css"}

func (c *scaleCorpus) meta(i int) registry.Meta {
	return registry.Meta{
		MediaType:  scaleTypes[i%len(scaleTypes)],
		Properties: registry.Properties{"load": {strconv.Itoa(i * 7919 % 1000)}, "stage": {[]string{"dev", "test", "prod"}[i%3]}},
	}
}

// scaleID makes ids as the registry does: with the time in front.
func scaleID(at time.Time, n int) (id registry.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	id[6], id[7] = 0x70|byte(n>>24)&0x0f, byte(n>>16)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	copy(id[8:], sum[:])
	binary.BigEndian.PutUint16(id[8:], uint16(n))
	id[8] = id[8]&0x3f | 0x80
	return id
}

const scaleRoles = 5

func scaleRole(i int) (id registry.ID) {
	id[0], id[15] = 0x70, byte(i+10)
	return id
}

// scaleUser has some roles, and no more rights than entries give.
func scaleUser() registry.Actor {
	a := registry.Actor{User: "joe", UserID: registry.ID{9}}
	for i := range scaleRoles {
		a.Roles = append(a.Roles, scaleRole(i))
	}
	return a
}

// scaleEntries are the permissions of a collection: every tenth has one of each of some roles, and every fiftieth shuts everyone else out.
func scaleEntries(id registry.ID, i int) []registry.Permission {
	if i%10 != 0 {
		return nil
	}
	var list []registry.Permission
	for k := range scaleRoles {
		list = append(list, registry.Permission{Resource: id, Entry: registry.Entry{Role: scaleRole(k), Allow: registry.Rights(registry.RightRead | registry.RightWrite)}})
	}
	return list
}

// scaleLoader brings a corpus into a store.
type scaleLoader struct {
	*scaleStore
	op       registry.Op
	in       registry.TreeImport
	batch    registry.TreeBatch
	contents map[registry.Hash]string
	nodes    int
	at       time.Time
}

// load fills the store as a move from another store does, and has everything indexed.
func (s *scaleStore) load(ctx context.Context) (scaleLoad, error) {
	began := time.Now()
	at := began.Add(-30 * 24 * time.Hour)
	l := &scaleLoader{
		scaleStore: s, op: registry.Op{Actor: registry.Actor{User: "loader"}, At: began}, at: at,
		in: registry.TreeImport{ID: scaleID(began, 1<<30), Keep: true}, contents: map[registry.Hash]string{},
	}
	l.in.Open = func(_ context.Context, h registry.Hash) (registry.Content, error) {
		return scaleContent{strings.NewReader(l.contents[h])}, nil
	}
	if err := l.all(ctx); err != nil {
		return scaleLoad{}, err
	}
	_, err := s.store.Update(ctx, l.op, func(tx registry.Tx) error {
		root, err := tx.Get(registry.Root)
		if err == nil {
			_, err = tx.Arrive(l.in.ID, root, "top")
		}
		return err
	})
	if err != nil {
		return scaleLoad{}, err
	}
	loaded := time.Now()
	if _, err := s.store.IndexSearch(ctx); err != nil {
		return scaleLoad{}, err
	}
	return scaleLoad{Resources: s.n, Seconds: loaded.Sub(began).Seconds(), Indexed: time.Since(loaded).Seconds()}, nil
}

func (l *scaleLoader) all(ctx context.Context) error {
	c := l.corpus
	top := l.collection(registry.ID{}, "")
	wide := l.collection(top, "wide")
	for i := range c.wide() {
		if err := l.resource(ctx, wide, i); err != nil {
			return err
		}
	}
	groups := map[string]registry.ID{}
	for f := range c.folders() {
		group, name, _ := strings.Cut(c.folder(f), "/")
		if _, ok := groups[group]; !ok {
			groups[group] = l.collection(top, group)
		}
		id := l.collection(groups[group], name)
		l.batch.Permissions = append(l.batch.Permissions, scaleEntries(id, f)...)
		for k := range scaleFolder {
			if err := l.resource(ctx, id, c.wide()+f*scaleFolder+k); err != nil {
				return err
			}
		}
	}
	return l.send(ctx)
}

func (l *scaleLoader) node(parent registry.ID, name string, kind registry.Kind) registry.TreeNode {
	l.nodes++
	at := l.at.Add(time.Duration(l.nodes) * time.Second)
	return registry.TreeNode{Parent: parent, Name: name, Resource: registry.Resource{
		ID: scaleID(at, l.nodes), Kind: kind, Version: 1, Gen: 1,
		CreatedAt: at, UpdatedAt: at, CreatedBy: "loader", UpdatedBy: "loader",
	}}
}

func (l *scaleLoader) collection(parent registry.ID, name string) registry.ID {
	n := l.node(parent, name, registry.KindCollection)
	l.batch.Nodes = append(l.batch.Nodes, n)
	return n.ID
}

func (l *scaleLoader) resource(ctx context.Context, parent registry.ID, i int) error {
	n := l.node(parent, l.corpus.path(i).Name(), registry.KindResource)
	text := l.corpus.text(i, 0)
	n.Hash, n.Size, n.Meta = registry.Hash(sha256.Sum256([]byte(text))), int64(len(text)), l.corpus.meta(i)
	l.contents[n.Hash] = text
	l.batch.Nodes = append(l.batch.Nodes, n)
	if i%10 == 3 {
		l.batch.Tags = append(l.batch.Tags, registry.Tagging{Resource: n.ID, Name: "blue", By: "loader", At: n.CreatedAt})
	}
	if len(l.batch.Nodes) < scaleBatch {
		return nil
	}
	return l.send(ctx)
}

func (l *scaleLoader) send(ctx context.Context) error {
	if len(l.batch.Nodes) == 0 {
		return nil
	}
	err := l.store.ImportTree(ctx, l.op, l.in, l.batch)
	l.batch = registry.TreeBatch{}
	clear(l.contents)
	return err
}

// scaleContent is a text that is open.
type scaleContent struct{ *strings.Reader }

var _ registry.Content = scaleContent{}

// Close implements [io.Closer].
func (scaleContent) Close() error { return nil }

var _ io.Closer = scaleContent{}
