package wire

// TLS: crypto/tls on top of the connection's own reading and writing.

import (
	"net"
	"os"
	"syscall"
	"time"
)

// socket is the connection below TLS, as crypto/tls wants to see it.
type socket struct{ c *Conn }

var _ net.Conn = socket{}

// SyscallConn implements syscall.Conn.
func (s socket) SyscallConn() (syscall.RawConn, error) { return s.c.tcp.SyscallConn() }

// Read implements net.Conn.
func (s socket) Read(p []byte) (int, error) {
	if s.c.in.dry {
		return 0, os.ErrDeadlineExceeded // TLS forgets a time-out; any other error would stick
	}
	if s.c.in.now {
		return s.c.readNow(p)
	}
	return s.c.readSocket(p)
}

// Write implements net.Conn.
func (s socket) Write(p []byte) (int, error) {
	return s.c.writeSocket(p)
}

// Close implements net.Conn.
func (s socket) Close() error {
	s.c.closing.Store(true)
	return s.c.shut()
}

// LocalAddr implements net.Conn.
func (s socket) LocalAddr() net.Addr { return s.c.tcp.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s socket) RemoteAddr() net.Addr { return s.c.tcp.RemoteAddr() }

// SetDeadline implements net.Conn. Deadlines are the watch's.
func (s socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn. Deadlines are the watch's.
func (s socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn. Deadlines are the watch's.
func (s socket) SetWriteDeadline(time.Time) error { return nil }

// readLazyTLS waits for the first byte of a record, and takes the buffer for the rest of it.
func (c *Conn) readLazyTLS(l Lender) (int, error) {
	n, err := c.tls.Read(c.in.first[:])
	if n == 0 {
		return 0, err
	}
	p := l.Lend()
	p[0] = c.in.first[0]
	return 1 + c.readBuffered(p[1:]), nil
}

// readBuffered reads what TLS has decrypted already. An error comes again with the next Read.
func (c *Conn) readBuffered(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	c.in.dry = true
	n, _ := c.tls.Read(p) // see above
	c.in.dry = false
	return n
}
