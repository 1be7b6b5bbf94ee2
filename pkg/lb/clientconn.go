package lb

import (
	"errors"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
)

// clientConn is one client's HTTP/1 connection: one goroutine that reads a request, has it carried out, and
// reads the next. While it waits for a request it holds no buffer and no exchange.
type clientConn struct {
	server *Server
	proxy  *Proxy
	conn   *wire.Conn
	from   client
	state  atomic.Int32

	in    *buffer // nil while idle; in.mem[r:w] is read and not used
	r, w  int
	spare *buffer // while something is being read
	x     *exchange

	// About the current request.
	left    int64      // of a body of known length: what is still to come
	chunks  *h1.Chunks // decodes a chunked body; nil before the first and for other bodies
	decoded piece      // content of a chunked body that is decoded and not yet read
	done    bool       // all of the body was read from the connection
	chunked bool       // the answer is
	last    bool       // there will be no other request
	cut     bool       // bytes of the next request were dropped; the body's reader writes it, others read it after the body's end
	silent  bool       // the client took no answer: nothing to linger for
}

// The states of a connection, as far as a server that stops must know them.
const (
	connFresh  = iota // before the first request
	connIdle          // between requests
	connBusy          // from the first byte of a request to the end of its answer
	connClosed        // by the server that stops; the connection must not begin a request
)

// serve is the life of the connection.
func (c *clientConn) serve() {
	defer func() { _ = c.conn.Close() }() // mostly it is closed already
	defer c.dropInput()
	waits, idle := int32(connFresh), c.server.timeouts().ReadHeader
	for !c.last && !c.cut {
		if c.r == c.w && !c.await(waits, idle) {
			return
		}
		if !c.request() {
			return
		}
		waits, idle = connIdle, c.server.timeouts().Idle
	}
	if !c.silent {
		// What the client sent beyond our last answer would otherwise make the kernel reset the connection, and the answer
		// could be lost on its way (RFC 9112 section 9.6).
		c.conn.Linger(lingerMost, lingerTime)
	}
}

// shutDown implements served. A connection on which a request runs ends with its answer.
func (c *clientConn) shutDown(late bool) {
	if c.state.CompareAndSwap(connIdle, connClosed) || late && c.state.CompareAndSwap(connFresh, connClosed) {
		_ = c.conn.Close() // no request is on it
	}
}

// retire implements served. An idle client may be about to send a request, which is answered; the answer ends the connection.
func (c *clientConn) retire() {}

// breakOff implements served.
func (c *clientConn) breakOff() { _ = c.conn.Reset() } // what is cut off must not look complete

// request reads one request and has it carried out. It reports whether the connection is still good.
func (c *clientConn) request() bool {
	c.x = c.proxy.takeExchange()
	c.x.front, c.x.from = c, &c.from
	c.left, c.decoded, c.done, c.chunked = 0, piece{}, false, false
	defer c.endRequest()
	switch err := c.readHead(); {
	case err == nil:
		c.proxy.serve(c.x)
	case errors.Is(err, errGone):
		c.last, c.silent = true, true
		return false
	default:
		c.last = true
		c.proxy.serveBroken(c.x, err)
	}
	return !c.silent
}

func (c *clientConn) endRequest() {
	c.proxy.freeExchange(c.x)
	c.x = nil
	c.decoded = piece{}
	if c.chunks != nil {
		c.chunks.Reset()
	}
	if c.r == c.w {
		c.dropInput()
	}
}

func (c *clientConn) dropInput() {
	if c.in != nil {
		c.in.free()
		c.in = nil
	}
	c.r, c.w = 0, 0
}

// Lend implements wire.Lender. What is read moves to the small buffer if it fits: it may have to be kept for long, and memory for
// it must not be looked for while a big one is held.
func (c *clientConn) Lend() []byte {
	c.spare = c.proxy.buffers.takeSmall()
	c.in = c.proxy.buffers.takeBig()
	return c.in.mem[:bigEnd]
}

// Return implements wire.Lender.
func (c *clientConn) Return() {
	c.dropSpare()
	c.dropInput()
}

// dropSpare gives the spare buffer back.
func (c *clientConn) dropSpare() {
	if c.spare != nil {
		c.spare.free()
		c.spare = nil
	}
}

// await waits for the first byte of a request, in a state that tells whether it is the first one. false ends the connection.
func (c *clientConn) await(state int32, idle time.Duration) bool {
	if !c.state.CompareAndSwap(connBusy, state) || state == connIdle && c.server.stopping.Load() {
		return false
	}
	c.conn.ReadBy(idle)
	n, err := c.conn.ReadLazy(c)
	if !c.state.CompareAndSwap(state, connBusy) || err != nil {
		return false
	}
	c.conn.ReadBy(0)
	c.r, c.w = 0, n
	if n <= smallSize {
		copy(c.spare.mem, c.in.mem[:n])
		c.in, c.spare = c.spare, c.in
	}
	c.dropSpare()
	return true
}

// errGone: the client left, or was silent for too long, in a way that deserves no answer.
var errGone = errors.New("the client is gone")

// readHead reads a request's head. The time for it begins with its first byte.
func (c *clientConn) readHead() error {
	req := &c.x.req
	timed := false
	for {
		n, err := req.Parse(c.in.mem[c.r:c.w])
		if n > 0 {
			c.r += n
			c.x.headSize = n
			c.done = req.Length() == 0 && string(req.Method()) != http.MethodConnect // what follows a CONNECT is meant for a tunnel
			if timed {
				c.conn.ReadBy(0)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if !timed {
			c.conn.ReadBy(c.server.timeouts().ReadHeader)
			timed = true
		}
		if err := c.room(); err != nil {
			return err
		}
		req.Rebase(c.in.mem[c.r:c.w]) // the bytes may have moved, and the answer to a head that never ends still looks at them
		n, err = c.conn.Read(c.in.mem[c.w:])
		c.w += n
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errSlowHead
		default:
			return errGone
		}
	}
}

// room makes space behind the bytes of a head that is not complete.
func (c *clientConn) room() error {
	switch {
	case c.w < len(c.in.mem):
	case c.r > 0:
		c.w = copy(c.in.mem, c.in.mem[c.r:c.w])
		c.r = 0
	case len(c.in.mem) >= bigSize:
		return errHeadTooLarge // the parser says so before
	default:
		big := c.proxy.buffers.takeBig()
		c.w = copy(big.mem, c.in.mem[:c.w])
		c.in.free()
		c.in = big
	}
	return nil
}

var (
	errSlowHead     = &h1.Error{Status: 408, Text: "the request's head did not arrive in time"}
	errHeadTooLarge = &h1.Error{Status: 431, Text: "the request's head is too large"}
)
