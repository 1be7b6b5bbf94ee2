package wire

// Reading and writing: straight system calls on the non-blocking socket, inside RawConn, which waits. What a step needs is left in the
// connection, so that the function it runs is made once and nothing is allocated.

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// reading is the state of the reading side. All but limit is its one goroutine's.
type reading struct {
	limit
	step   func(fd uintptr) bool // these two are made once
	peek   func(fd uintptr)
	grab   func(fd uintptr)
	buf    []byte
	lender Lender // if not nil, buf comes from there
	n      int
	errno  syscall.Errno
	ask    []byte // to be written before the first step
	asked  int    // how much of it was
	asker  Asker
	stale  bool    // it was not, because the connection is of no use
	now    bool    // TLS must not wait
	dry    bool    // TLS must not read the socket: only what it has already
	first  [1]byte // where ReadLazy waits under TLS
}

// writing is the state of the writing side, its one goroutine's but for limit and written. Under TLS it is guarded by TLS's own lock.
type writing struct {
	limit
	step    func(fd uintptr) bool // made once
	buf     []byte
	errno   syscall.Errno
	written atomic.Int64
}

// Asker is a Lender that also owns what is asked.
type Asker interface {
	Lender
	// Sent is called when all of the request was written: its memory is not needed any more.
	Sent()
}

// Lender is the owner of a buffer that is not taken before there is something to put in.
type Lender interface {
	// Lend gives the space to read into. It must not be empty.
	Lend() []byte
	// Return takes the space back, unused.
	Return()
}

// Read reads what is there, or waits for it. io.EOF is a clean end of the peer's half; under TLS that takes a close_notify, and without
// one the error is io.ErrUnexpectedEOF. A time-out is os.ErrDeadlineExceeded, a connection closed here net.ErrClosed.
func (c *Conn) Read(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Read(p)
	}
	return c.readSocket(p)
}

// Write writes all of p, or gives an error and how much was taken.
func (c *Conn) Write(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(p)
	}
	return c.writeSocket(p)
}

// ReadLazy reads like Read, but waits without a buffer: it takes one from l when there are bytes, and gives it back if there are none
// after all. With n > 0 the bytes are at the front of what Lend gave last and the buffer is the caller's; with an error it was
// returned.
func (c *Conn) ReadLazy(l Lender) (int, error) {
	if c.tls != nil {
		return c.readLazyTLS(l)
	}
	c.in.lender = l
	n, err := c.doRead()
	c.in.lender = nil
	if n == 0 && c.in.buf != nil {
		l.Return()
	}
	c.in.buf = nil
	return n, err
}

// ErrStale says that the connection was not as it should be before a request: the peer had ended it, or had sent something unasked. Nothing was
// written.
var ErrStale = errors.New("the connection is of no use any more")

// Ask writes p, if the connection is [Conn.Alive], and then reads as ReadLazy does. wrote is how much of p was written; if that is less
// than all, err is ErrStale or the error of writing.
//
// It does in fewer system calls what Alive, Write and ReadLazy do: it need not look for an answer that cannot be there yet.
func (c *Conn) Ask(p []byte, l Asker) (n, wrote int, err error) {
	if c.tls == nil {
		if n, wrote, err = c.askSocket(p, l); wrote == len(p) || errors.Is(err, ErrStale) {
			return n, wrote, err
		}
		p = p[wrote:] // the socket took a part: the rest, and the answer, in the usual way
	} else if !c.Alive() {
		return 0, 0, ErrStale
	}
	more, err := c.Write(p)
	if wrote += more; err != nil {
		return 0, wrote, err
	}
	l.Sent()
	n, err = c.ReadLazy(l)
	return n, wrote, err
}

// askSocket writes the request after the wait for an answer has been armed and before waiting. In the usual order one has to look for
// bytes first, because a socket that became readable before the wait was armed would go unnoticed.
func (c *Conn) askSocket(p []byte, l Asker) (n, wrote int, err error) {
	in := &c.in
	c.out.written.Add(int64(len(p))) // before: see writeSocket
	in.ask, in.asked, in.stale, in.asker = p, 0, false, l
	n, err = c.ReadLazy(l)
	wrote = in.asked
	in.ask, in.asker = nil, nil
	if wrote < len(p) {
		c.out.written.Add(int64(wrote - len(p)))
	}
	if in.stale || wrote == 0 && err != nil { // the wait could not even be armed
		return 0, 0, ErrStale
	}
	return n, wrote, err
}

// onAsk is the first step of Ask. true ends the steps.
func (c *Conn) onAsk(fd uintptr) bool {
	in := &c.in
	if _, errno := recv(fd, in.first[:], syscall.MSG_PEEK); errno != syscall.EAGAIN {
		in.stale = true
		return true
	}
	n, errno := send(fd, in.ask)
	if errno != 0 {
		n = 0 // Write meets the error again, or waits
	}
	if in.asked = n; n < len(in.ask) {
		return true
	}
	in.ask = nil
	in.asker.Sent()
	in.waiting.Store(true)
	return false
}

func (c *Conn) readSocket(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.in.buf = p
	n, err := c.doRead()
	c.in.buf = nil
	return n, err
}

// doRead runs steps of reading until one gave something.
func (c *Conn) doRead() (int, error) {
	in := &c.in
	in.n, in.errno = 0, 0
	c.beginRead()
	err := c.raw.Read(in.step)
	in.waiting.Store(false)
	switch {
	case err != nil:
		return 0, named(err, "read")
	case in.ask != nil:
		return 0, nil // Ask goes on
	case in.errno != 0:
		return 0, c.fault("read", in.errno)
	case in.n == 0 && len(in.buf) == 0:
		return 0, io.ErrShortBuffer // of a Lender
	case in.n == 0:
		c.ended.Store(true)
		return 0, io.EOF
	}
	return in.n, nil
}

// beginRead makes a read fail whose time was over before it began.
func (c *Conn) beginRead() {
	if due, late := c.in.late(c.watch.now.Load()); late {
		c.expireRead(due)
	}
}

func (c *Conn) beginWrite() {
	if due, late := c.out.late(c.watch.now.Load()); late {
		c.expireWrite(due)
	}
}

// onReadable is one step of reading; false means that there is nothing yet.
func (c *Conn) onReadable(fd uintptr) bool {
	in := &c.in
	if in.ask != nil {
		return c.onAsk(fd)
	}
	if in.lender != nil {
		in.buf = in.lender.Lend()
	}
	in.n, in.errno = recv(fd, in.buf, 0)
	if in.errno != syscall.EAGAIN {
		return true
	}
	if in.lender != nil {
		in.lender.Return()
		in.buf = nil
	}
	in.errno = 0
	in.waiting.Store(true)
	return false
}

func (c *Conn) writeSocket(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	out := &c.out
	out.buf, out.errno = p, 0
	// Counted before: a quick peer may read and answer before the call returns.
	out.written.Add(int64(len(p)))
	c.beginWrite()
	err := c.raw.Write(out.step)
	out.waiting.Store(false)
	left := len(out.buf)
	out.buf = nil
	if left > 0 {
		out.written.Add(-int64(left))
	}
	switch {
	case err != nil:
		err = named(err, "write")
	case out.errno == syscall.EAGAIN: // while the connection was closed
		err = net.ErrClosed
	case out.errno != 0:
		err = c.fault("write", out.errno)
	}
	return len(p) - left, err
}

// onWritable writes until all is taken, or an error, or nothing goes for now, which is false.
func (c *Conn) onWritable(fd uintptr) bool {
	out := &c.out
	for len(out.buf) > 0 {
		n, errno := send(fd, out.buf)
		switch {
		case errno == 0:
			out.buf = out.buf[n:]
			if len(out.buf) > 0 || c.tls != nil {
				out.again(c.watch)
			}
		case errno == syscall.EAGAIN && !c.closing.Load():
			out.waiting.Store(true)
			return false
		default:
			out.errno = errno
			return true
		}
	}
	return true
}

// Written is the number of bytes given to the kernel since New, TLS's own included. Bytes count before they are given, so that nobody
// can have seen one that is not counted; what the kernel did not take is subtracted afterwards.
func (c *Conn) Written() int64 { return c.out.written.Load() }

// recv is recv(2) on a non-blocking socket. Such a call cannot wait, so the scheduler is not told of it: that saves a tenth of what an
// exchange of 1 KiB messages costs with 64 busy connections.
func recv(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), //nolint:gosec // the address of p, for the kernel
			uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// send is send(2) on a non-blocking socket.
func send(fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), //nolint:gosec // the address of p, for the kernel
			syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// fault makes an error of what the kernel said, and remembers how the connection ended.
func (c *Conn) fault(op string, errno syscall.Errno) error {
	c.note(errno)
	return &net.OpError{Op: op, Net: "tcp", Source: c.tcp.LocalAddr(), Addr: c.tcp.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}

// named puts the name of the operation into an error of RawConn.
func named(err error, op string) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		e.Op = op
	}
	return err
}
