package lb

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h2"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// h2Conn is one client's HTTP/2 connection (RFC 9113). One goroutine, the reader, takes frames in and keeps the state of the streams; it
// never waits for the client to take anything. Each request is carried out by a worker, which writes its answer itself.
type h2Conn struct {
	server *Server
	proxy  *Proxy
	conn   *wire.Conn

	// The reader's own.
	in       *buffer // nil while nothing is here; in.mem[r:w] is read and not used
	r, w     int
	settled  bool // the client's preface and its first settings came
	taken    bool // what the time for the rest of a frame or field block was set for has ended
	decoder  *h2.Decoder
	block    fieldBlock
	patience patience

	mu       sync.Mutex // guards what follows
	changed  sync.Cond  // active or sending changed
	from     client     // what the next request begins with
	streams  map[uint32]*h2Stream
	last     uint32    // the highest stream that the client began
	heading  bool      // the head of a request is on its way that was counted in last
	active   int       // workers at work, also for streams that are over
	stalled  int       // of these, the ones that wait to send
	useful   int       // what went well since the reader last looked: it gives patience back
	resets   streamSet // streams that we reset lately: frames for them may be on their way
	promised uint32    // the last stream of the last GOAWAY
	partial  bool      // the reader waits for the rest of something, with a due time of its own
	recv     int64     // what the client may still send
	owed     int64     // what was taken, and the client not told of yet
	leaving  bool      // the client was told that the connection will end
	final    bool      // and which streams are still carried out: those up to last
	ended    bool      // nothing is carried out any more
	farewell *time.Timer

	out h2Out
}

// What a client may ask of a connection.
const (
	h2Streams      = 128       // requests at a time
	h2StreamWindow = 256 << 10 // bytes of a body that may come before they are passed on
	h2ConnWindow   = 4 << 20   // of all bodies: one that nobody takes must not hold up the others
)

// farewellMost is how long a client has for its answer to the first GOAWAY, so that requests on their way are not lost.
const farewellMost = time.Second

func newH2Conn(s *Server, conn *wire.Conn, from client) *h2Conn {
	c := &h2Conn{server: s, proxy: s.proxy, conn: conn, from: from, decoder: h2.NewDecoder(), streams: map[uint32]*h2Stream{}, recv: h2.DefaultWindow}
	c.from.major = 2
	c.promised = h2.MaxWindow // the highest there can be, too
	c.changed.L = &c.mu
	c.out.window = h2.DefaultWindow
	c.out.initial = h2.DefaultWindow
	c.patience = newPatience(s.proxy.watch.Now())
	c.greet()
	return c
}

// serve is the life of the connection.
func (c *h2Conn) serve() {
	c.mu.Lock()
	c.post()
	err := c.read()
	c.end(err)
}

// greet queues our preface: settings, and the window of the whole connection. Nobody else has the connection yet.
func (c *h2Conn) greet() {
	c.out.open(c.proxy)
	c.out.pending = h2.AppendSettings(c.out.pending,
		h2.Setting{ID: h2.MaxConcurrentStreams, Value: h2Streams},
		h2.Setting{ID: h2.InitialWindowSize, Value: h2StreamWindow},
		h2.Setting{ID: h2.MaxHeaderListSize, Value: h2.MaxHead})
	c.out.pending = h2.AppendWindowUpdate(c.out.pending, 0, h2ConnWindow-h2.DefaultWindow)
	c.recv = h2ConnWindow
}

// Why a connection ends, beside what the client did wrong.
var (
	errClientLeft = errors.New("the client closed the connection")
	errIdle       = errors.New("the connection was idle")
	errFarewell   = errors.New("the server stops")
)

// read takes frames in until the connection ends, and tells why it does: an *h2.Error, one of the above, or the connection's own error.
func (c *h2Conn) read() error {
	defer c.dropInput()
	defer c.dropBlock()
	c.conn.ReadBy(c.server.timeouts().ReadHeader)
	if err := c.preface(); err != nil {
		return err
	}
	for {
		if err := c.frames(); err != nil {
			return err
		}
		if err := c.receive(); err != nil {
			return err
		}
	}
}

// preface awaits the client's first bytes.
func (c *h2Conn) preface() error {
	for {
		have := c.waiting()
		n := min(len(have), len(h2.Preface))
		if string(have[:n]) != h2.Preface[:n] {
			return &h2.Error{Code: h2.ProtocolError, Text: "no HTTP/2 preface"}
		}
		if n == len(h2.Preface) {
			c.r += n
			return nil
		}
		if err := c.receive(); err != nil {
			return err
		}
	}
}

// waiting is what was read and not used.
func (c *h2Conn) waiting() []byte {
	if c.in == nil {
		return nil
	}
	return c.in.mem[c.r:c.w]
}

// receive reads more.
func (c *h2Conn) receive() (err error) {
	c.mu.Lock()
	if c.done() {
		c.mu.Unlock()
		return errFarewell
	}
	c.patience.earn(c.useful)
	c.useful = 0
	c.bound()
	c.post()
	var n int
	if c.r == c.w {
		c.dropInput()
		n, err = c.conn.ReadLazy(c)
	} else {
		if c.w == len(c.in.mem) || len(c.in.mem)-c.r < h2.HeaderSize+h2.MaxFrame {
			c.w = copy(c.in.mem, c.in.mem[c.r:c.w])
			c.r = 0
		}
		n, err = c.conn.Read(c.in.mem[c.w:])
	}
	c.w += n
	if n > 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.out.err != nil:
		return c.out.err
	case c.done():
		return errFarewell
	case errors.Is(err, io.EOF):
		return errClientLeft
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case c.active > 0 && !c.partial:
		c.revive() // the time for an idle connection ended just when a request came
		return nil
	case c.settled && !c.partial:
		return errIdle
	}
	return errUnfinished
}

var errUnfinished = &h2.Error{Code: h2.ProtocolError, Text: "a frame or a field block did not arrive in time"}

// revive takes back that reading was stopped. It is called with mu held.
func (c *h2Conn) revive() {
	c.conn.Revive()
	if c.out.sending {
		c.conn.WriteBy(c.proxy.timeouts().Write)
	}
}

// bound sets the time for the next bytes: while a frame or a field block is incomplete there is one for all of it, but content may come
// in pieces of any size, as over HTTP/1; between requests there is that of an idle connection; while requests are running there is
// none, since their own waits are bounded. It is called with mu held.
func (c *h2Conn) bound() {
	partial := c.r < c.w || c.block.stream != 0
	same := partial && c.partial && !c.taken
	c.taken = false
	switch {
	case !c.settled: // it runs already
	case partial && c.block.stream == 0 && c.awaitsData():
		c.conn.ReadBy(c.proxy.timeouts().Body)
		if st := c.streams[h2.ParseFrame(c.waiting()).Stream]; st != nil {
			st.moved = true
		}
	case same: // likewise
	case partial:
		c.conn.ReadBy(c.server.timeouts().ReadHeader)
	case c.active > 0:
		c.conn.ReadBy(0)
	default:
		c.conn.ReadBy(c.server.timeouts().Idle)
	}
	c.partial = partial
}

// awaitsData reports whether the frame of which a part is here is one of content.
func (c *h2Conn) awaitsData() bool {
	have := c.waiting()
	return len(have) >= h2.HeaderSize && h2.ParseFrame(have).Type == h2.Data
}

// Lend implements wire.Lender.
func (c *h2Conn) Lend() []byte {
	c.in = c.proxy.buffers.takeBig()
	return c.in.mem
}

// Return implements wire.Lender.
func (c *h2Conn) Return() { c.dropInput() }

func (c *h2Conn) dropInput() {
	if c.in != nil {
		c.in.free()
		c.in = nil
	}
	c.r, c.w = 0, 0
}

func (c *h2Conn) dropBlock() {
	if c.block.text != nil {
		c.block.text.free()
	}
	c.block = fieldBlock{}
}

// end says goodbye as far as the client can hear it, and waits for the workers.
func (c *h2Conn) end(err error) {
	c.mu.Lock()
	c.ended = true
	if c.farewell != nil {
		c.farewell.Stop()
	}
	for _, st := range c.streams {
		st.kill()
	}
	clear(c.streams)
	var fault *h2.Error
	deaf := false
	switch {
	case errors.As(err, &fault):
		c.server.log.Debug("HTTP/2 connection refused", "client", c.from.peer.String(), "code", fault.Code.String(), "reason", fault.Text)
		c.say(fault.Code)
	case errors.Is(err, errIdle):
		c.say(h2.NoError)
	case errors.Is(err, errFarewell):
	default:
		deaf = true
	}
	c.mu.Unlock()
	if deaf {
		_ = c.conn.Close() // nobody is there
	} else {
		c.finishWriting()
		c.conn.Linger(2*h2ConnWindow, lingerTime) // more cannot be on its way from a client that keeps to its window
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.active > 0 || c.out.sending {
		c.changed.Wait()
	}
	c.out.drop()
}

// say queues a GOAWAY. It is called with mu held.
func (c *h2Conn) say(code h2.Code) {
	c.out.open(c.proxy)
	c.promised = min(c.promised, c.last)
	c.out.pending = h2.AppendGoAway(c.out.pending, c.promised, code)
}

// finishWriting waits until what is queued is sent, but not for long.
func (c *h2Conn) finishWriting() {
	c.mu.Lock()
	c.out.hasty = true
	c.conn.WriteBy(lingerTime)
	c.post()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.out.sending {
		c.changed.Wait()
	}
}

// shutDown implements served: it tells the client that the connection will end. What it has asked for by then is carried out (RFC 9113 section 6.8: first a
// warning, and, when the client has surely seen it, the last stream that counts).
func (c *h2Conn) shutDown(bool) {
	c.mu.Lock()
	if c.leaving || c.ended {
		c.mu.Unlock()
		return
	}
	c.leaving = true
	c.out.open(c.proxy)
	c.out.pending = h2.AppendGoAway(c.out.pending, c.promised, h2.NoError)
	c.out.pending = h2.AppendPing(c.out.pending, false, farewellPing)
	c.farewell = time.AfterFunc(farewellMost, func() {
		c.mu.Lock()
		c.lastCall()
		c.post()
	})
	c.post()
}

// farewellPing marks the ping whose answer shows that the client has seen the warning.
var farewellPing = [8]byte{'f', 'a', 'r', 'e', 'w', 'e', 'l', 'l'}

// lastCall is the second step of a shutdown: streams that begin from now on are not carried out. It is called with mu held.
func (c *h2Conn) lastCall() {
	if c.final || c.ended || !c.leaving {
		return
	}
	c.final = true
	c.say(h2.NoError)
	c.leave()
}

// done reports whether the connection is to end, and nothing is running on it. It is called with mu held.
func (c *h2Conn) done() bool { return c.final && c.active == 0 && !c.heading }

// leave ends the connection when it is done. It is called with mu held.
func (c *h2Conn) leave() {
	if c.done() {
		c.conn.Interrupt()
	}
}

// retire implements served.
func (c *h2Conn) retire() { c.shutDown(false) }

// breakOff implements served.
func (c *h2Conn) breakOff() { _ = c.conn.Reset() } // what is cut off must not look complete
