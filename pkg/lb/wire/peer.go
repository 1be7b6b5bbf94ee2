package wire

// What can be known of the peer: whether it is there, and what it has not heard.

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Alive reports whether an unused connection can be used: it is open, without an error, and the peer sent neither an end nor anything
// unasked. Nobody may be reading.
func (c *Conn) Alive() bool {
	if c.Closed() {
		return false
	}
	if c.tls != nil {
		return c.quietTLS()
	}
	if c.raw.Control(c.in.peek) != nil {
		return false // closed
	}
	if c.in.errno == 0 && c.in.n == 0 {
		c.ended.Store(true)
	}
	c.note(c.in.errno)
	return c.in.errno == syscall.EAGAIN
}

// quietTLS is Alive under TLS, which has messages of its own after the handshake (session tickets, new keys): these are taken in.
func (c *Conn) quietTLS() bool {
	c.in.now = true
	n, err := c.tls.Read(c.in.first[:])
	c.in.now = false
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// readNow reads what is there, and never waits.
func (c *Conn) readNow(p []byte) (int, error) {
	c.in.buf = p
	err := c.raw.Control(c.in.grab)
	c.in.buf = nil
	switch {
	case err != nil:
		return 0, err
	case c.in.errno == syscall.EAGAIN:
		return 0, os.ErrDeadlineExceeded // as in socket.Read
	case c.in.errno != 0:
		return 0, c.fault("read", c.in.errno)
	case c.in.n == 0:
		c.ended.Store(true)
		return 0, io.EOF
	}
	return c.in.n, nil
}

// onGrab is the step of readNow.
func (c *Conn) onGrab(fd uintptr) { c.in.n, c.in.errno = recv(fd, c.in.buf, 0) }

// onPeek looks at what could be read.
func (c *Conn) onPeek(fd uintptr) {
	c.in.n, c.in.errno = recv(fd, c.in.first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
}

// drop reads and forgets, on the socket itself: up to limit bytes, until the end or an error.
func (c *Conn) drop(limit int64) {
	for limit > 0 {
		var n int
		var errno syscall.Errno
		c.beginRead()
		err := c.raw.Read(func(fd uintptr) bool {
			n, errno = discard(fd, int(min(limit, 1<<20)))
			if errno == syscall.EAGAIN {
				c.in.waiting.Store(true)
				return false
			}
			return true
		})
		c.in.waiting.Store(false)
		if err != nil || errno != 0 || n == 0 {
			return
		}
		limit -= int64(n)
	}
}

// discard drops up to n received bytes without copying them: MSG_TRUNC on a stream, see tcp(7).
func discard(fd uintptr, n int) (int, syscall.Errno) {
	for {
		got, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, 0, uintptr(n), syscall.MSG_TRUNC|syscall.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(got), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// note remembers how the connection ended. The kernel tells each error once and claims an orderly end afterwards, so the first error
// is the one that counts. EPIPE on a side that was not closed here means: the peer ended in order, and reset after that.
func (c *Conn) note(errno syscall.Errno) {
	switch errno {
	case 0, syscall.EAGAIN:
	case syscall.EPIPE:
		if !c.half.Load() && !c.broken.Load() {
			c.ended.Store(true)
		}
	default:
		c.broken.Store(true)
	}
}

// Unheard reports whether the peer's kernel has certainly not taken a byte beyond the mark, a value of Written. Then nobody can have
// acted on those bytes, and a request made of them may be sent elsewhere. False means that nobody knows. It is for connections that
// this side opened, after their end and before Close, when nobody reads or writes any more.
//
// The proof has two parts. First, TCP's count of acknowledged bytes has not passed the mark. That alone proves little: a peer
// acknowledges up to 40 ms late or more, and may have acted meanwhile. So, second, the peer's FIN must have come. A segment with FIN
// acknowledges all that was taken before it (RFC 9293 section 3.10.7), and what comes after is answered with RST by a kernel whose
// process has closed. A process that has only ended its own half could read on, but not answer.
//
// A reset without a FIN proves nothing: the kernel of a process that dies with unread bytes sends RST at once, without the
// acknowledgement that it owes, and a receiver of RST does not look at acknowledgements. A reset after a FIN is the usual sight of a
// connection that the peer closed while a request was on its way: Linux tells it as EPIPE on writing and as a plain end on reading.
func (c *Conn) Unheard(mark int64) bool {
	unheard := false
	err := c.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		const syn = 1 // it is counted as a byte
		unheard = c.peerEnded(fd, info.State) && int64(info.Bytes_acked) <= mark+syn
	})
	return err == nil && unheard
}

// Dead reports whether the connection is broken for both sides: the peer has reset it, or TCP gave it up. A peer that has only ended
// its own half may still wait for what this side has to say. It costs a system call and may be asked by anybody.
func (c *Conn) Dead() bool {
	dead := false
	err := c.raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		dead = err == nil && info.State == unix.BPF_TCP_CLOSE
	})
	return err != nil || dead
}

// acknowledged is how many bytes the peer's kernel has taken; 0 if that cannot be told.
func (c *Conn) acknowledged() (n int64) {
	_ = c.raw.Control(func(fd uintptr) { // it fails only when the connection is closed
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int64(info.Bytes_acked)
		}
	})
	return n
}

// peerEnded reports whether the peer's FIN has come, with or without a reset after it.
func (c *Conn) peerEnded(fd uintptr, state uint8) bool {
	switch state {
	case unix.BPF_TCP_CLOSE_WAIT, unix.BPF_TCP_LAST_ACK:
		return true
	case unix.BPF_TCP_CLOSE: // there was a reset, and the kernel may still have to tell which one
		if errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil {
			c.note(syscall.Errno(errno))
		}
		return c.ended.Load() && !c.broken.Load()
	default:
		return false
	}
}
