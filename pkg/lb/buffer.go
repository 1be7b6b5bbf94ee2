package lb

import "sync"

// Sizes of pooled memory. Bytes are read into big buffers, of which only those are in use that something is being
// read into or written from at this moment. A request's head that has to be kept while the member thinks moves to a small one.
const (
	smallSize = 2 << 10
	// headRoom is free space before the content of a big buffer: a head that is made later goes there, so that
	// head and content leave in one write.
	headRoom = 1 << 10
	// keepMost is the size up to which a request's body, or an answer of known length, is taken in whole
	// before any of it is passed on. Such a request can be sent again to another member, also when a member is
	// killed in the middle of such an answer. Longer ones, and those of unknown length (which may be streams
	// that live for hours), pass through as they come.
	keepMost  = 64 << 10
	usualHead = 4 << 10 // most heads are shorter, and fit in a big buffer with the longest content that is kept
	tailRoom  = 64      // after the content: the end of a chunk, and the last chunk
	bigSize   = headRoom + usualHead + keepMost + tailRoom
	bigEnd    = bigSize - tailRoom
)

// buffer is pooled memory. Whoever took it gives it back by free, once.
type buffer struct {
	mem  []byte
	home *sync.Pool
}

func (b *buffer) free() { b.home.Put(b) }

// buffers hands out memory of two sizes. Big ones hold the largest head as well.
type buffers struct{ small, big sync.Pool }

func newBuffers() *buffers {
	p := &buffers{}
	p.small.New = func() any { return &buffer{mem: make([]byte, smallSize), home: &p.small} }
	p.big.New = func() any { return &buffer{mem: make([]byte, bigSize), home: &p.big} }
	return p
}

func (p *buffers) takeSmall() *buffer { return take(&p.small) }
func (p *buffers) takeBig() *buffer   { return take(&p.big) }

// takeFor gives memory for about n bytes.
func (p *buffers) takeFor(n int) *buffer {
	if n <= smallSize {
		return p.takeSmall()
	}
	return p.takeBig()
}

func take(pool *sync.Pool) *buffer {
	b, _ := pool.Get().(*buffer)
	return b
}

// piece is content in a buffer, mem[from:to]. What lies around it may be overwritten.
type piece struct {
	mem      []byte
	from, to int
}

func (p piece) bytes() []byte { return p.mem[p.from:p.to] }
func (p piece) len() int      { return p.to - p.from }
