package registrytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// noise is a body of random bytes that are the same for the same seed.
func noise(seed uint64, size int64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return io.LimitReader(rand.NewChaCha8(key), size)
}

func testEqualContent(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	for _, size := range []int64{0, 1, 4096, 4097, 70_000, 1 << 20, 1<<20 + 1, 3 << 20} {
		for copies := range 2 {
			p := registry.Path(fmt.Sprintf("/equal/%d-%d", size, copies))
			if _, err := n.svc.Put(t.Context(), actor, registry.PutInput{Path: p, Body: noise(1, size)}); err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			wantSum(t, n, p, size, noise(1, size))
		}
	}
	// The same large content in two uploads at once.
	done := make(chan error, 4)
	for i := range cap(done) {
		go func() {
			_, err := n.svc.Put(context.Background(), actor, registry.PutInput{Path: registry.Path(fmt.Sprintf("/at-once/%d", i)), Body: noise(2, 3<<20)})
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for i := range cap(done) {
		wantSum(t, n, registry.Path(fmt.Sprintf("/at-once/%d", i)), 3<<20, noise(2, 3<<20))
	}
}

// wantSum compares what is at p, read piece by piece, with a body.
func wantSum(t *testing.T, n *node, p registry.Path, size int64, body io.Reader) {
	t.Helper()
	_, _, c, err := n.svc.Open(t.Context(), actor, p, 0, registry.Freshness{})
	if err != nil {
		t.Fatalf("open %s: %v", p, err)
	}
	got, want := sha256.New(), sha256.New()
	read, err := io.Copy(got, c)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatalf("read %s: %v", p, err)
	}
	if _, err := io.Copy(want, body); err != nil {
		t.Fatal(err)
	}
	if read != size || c.Size() != size || !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Errorf("%s has %d bytes (said %d) with another hash than the %d written", p, read, c.Size(), size)
	}
}

func testLargeContent(t *testing.T, fresh func(testing.TB) Database) {
	nodes := open(t, fresh, 2)
	const size = 20<<20 + 4321
	peak := &peakReader{Reader: noise(3, size)}
	peak.sample()
	base := peak.most
	if _, err := nodes[0].svc.Put(t.Context(), actor, registry.PutInput{Path: "/large", Body: peak}); err != nil {
		t.Fatal(err)
	}
	// Escaping a piece and keeping the driver's buffers takes a few pieces; the content itself would be 20 MiB.
	if grown := int64(peak.most) - int64(base); grown > 14<<20 {
		t.Errorf("storing %d bytes took %d bytes of memory", size, grown)
	}
	wantSum(t, nodes[1], "/large", size, noise(3, size))

	_, _, c, err := nodes[1].svc.Open(t.Context(), actor, "/large", 0, registry.Freshness{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := io.ReadAll(noise(3, size))
	if err != nil {
		t.Fatal(err)
	}
	before := nodes[1].Statements()
	for _, at := range []int64{size - 10, 5<<20 - 3, 0, 5 << 20} {
		if _, err := c.Seek(at, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 10)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want[at:at+10]) {
			t.Errorf("ten bytes at %d are %x, want %x: %v", at, got, want[at:at+10], err)
		}
	}
	if sent := nodes[1].Statements() - before; sent > 6 {
		t.Errorf("four short reads took %d statements", sent)
	}
	if end, err := c.Seek(0, io.SeekEnd); err != nil || end != size {
		t.Errorf("the end is at %d: %v", end, err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a read at the end gave %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// peakReader notes how much memory is live while a body is read.
type peakReader struct {
	io.Reader
	read int
	most uint64
}

func (p *peakReader) Read(b []byte) (int, error) {
	if p.read++; p.read%4 == 0 {
		p.sample()
	}
	return p.Reader.Read(b)
}

func (p *peakReader) sample() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.most = max(p.most, m.HeapAlloc)
}

func testCutContent(t *testing.T, fresh func(testing.TB) Database) {
	n := open(t, fresh, 1)[0]
	for _, size := range []int64{10, 3 << 20} {
		for _, cut := range []error{io.ErrUnexpectedEOF, errors.New("the line went dead")} {
			p := registry.Path(fmt.Sprintf("/cut/%d", size))
			body := io.MultiReader(noise(4, size), errorReader{cut})
			_, err := n.svc.Put(t.Context(), actor, registry.PutInput{Path: p, Body: body})
			if !errors.Is(err, cut) {
				t.Errorf("%d bytes, then %v: the put gave %v", size, cut, err)
			}
			_, err = n.Get(t.Context(), p, registry.Freshness{})
			wantCode(t, err, registry.CodeNotFound)
		}
	}
	for _, size := range []int64{11, 3 << 20} {
		limit := min(10, size) * max(1, size/(4<<20)*(1<<20))
		_, err := n.Stage(t.Context(), noise(5, size), limit)
		wantCode(t, err, registry.CodeTooLarge)
		if err != nil && !strings.Contains(err.Error(), fmt.Sprint(limit)) {
			t.Errorf("the refusal does not name the limit of %d: %v", limit, err)
		}
	}
	g, err := n.Stage(t.Context(), noise(5, 3<<20), 3<<20)
	if err != nil {
		t.Fatalf("a content of exactly the limit: %v", err)
	}
	g.Discard()
	g.Discard()
	_, err = n.Open(t.Context(), g.Hash())
	wantCode(t, err, registry.CodeNotFound)
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }
