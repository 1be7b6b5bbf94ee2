package main

import (
	"errors"
	"flag"
	"io"
	"net/netip"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// runMember serves until the process is ended. One thread does it all over epoll: a goroutine for each connection would cost three times as much,
// most of it in the scheduler, which the proxies would have to wait for.
func runMember(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("member", flag.ContinueOnError)
	flags.SetOutput(stderr)
	text := flags.String("addr", "", "IPv4 address and port to listen on")
	if err := flags.Parse(args); err != nil {
		return errors.Join(flag.ErrHelp, err)
	}
	addr, err := netip.ParseAddrPort(*text)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	l, err := newMemberLoop(addr, newMember(time.Now()))
	if err != nil {
		return err
	}
	for {
		if err := l.turn(); err != nil {
			return err
		}
	}
}

const forever = ^uintptr(0) // -1

// memberLoop carries bytes between sockets and a member. Sockets are closed when their peer closes them, and with the process.
type memberLoop struct {
	member   *member
	epoll    int
	listener int
	conns    map[int32]*memberConn
	events   [256]unix.EpollEvent
}

// memberConn is a connection from a proxy.
type memberConn struct {
	stream

	fd      int
	out     []byte // of an answer, what the socket has not taken yet
	waiting bool   // until the socket takes more
}

func newMemberLoop(addr netip.AddrPort, m *member) (*memberLoop, error) {
	l := &memberLoop{member: m, conns: map[int32]*memberConn{}}
	var err error
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	if l.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(l.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	if err := unix.Bind(l.listener, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		return nil, err
	}
	if err := unix.Listen(l.listener, unix.SOMAXCONN); err != nil {
		return nil, err
	}
	return l, l.watch(unix.EPOLL_CTL_ADD, l.listener, unix.EPOLLIN)
}

func (l *memberLoop) watch(change, fd int, events uint32) error {
	return unix.EpollCtl(l.epoll, change, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// turn waits for something to happen and does what can be done about it.
func (l *memberLoop) turn() error {
	n, err := l.wait()
	if err != nil {
		return err
	}
	for _, e := range l.events[:n] {
		if int(e.Fd) == l.listener {
			if err := l.accept(); err != nil {
				return err
			}
			continue
		}
		c := l.conns[e.Fd]
		if l.serve(c) != nil { // the proxy closed it, or its load ended
			delete(l.conns, e.Fd)
			_ = unix.Close(c.fd)
		}
	}
	return nil
}

// wait waits for events, for as long as it takes.
func (l *memberLoop) wait() (int, error) {
	for {
		//nolint:gosec // the kernel writes into events, which stay where they are
		n, err := raw(unix.SYS_EPOLL_PWAIT, l.epoll, unsafe.Pointer(&l.events), len(l.events), forever)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// raw makes a system call without a word to Go's scheduler, which would give this only thread's place away, fetch it back, and take twice the
// CPU time. Nothing else is to run in this process.
func raw(call uintptr, fd int, p unsafe.Pointer, n int, timeout uintptr) (int, error) {
	done, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(p), uintptr(n), timeout, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(done), nil
}

// transfer is read(2) or write(2) of some bytes.
func transfer(call uintptr, fd int, b []byte) (int, error) {
	return raw(call, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), 0) //nolint:gosec // b stays where it is
}

func (l *memberLoop) accept() error {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.ECONNABORTED), errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		}
		l.member.accepted++
		l.conns[int32(fd)] = &memberConn{fd: fd}
		err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), l.watch(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN))
		if err != nil {
			return err
		}
	}
}

// serve reads once, and answers what came. An error ends the connection.
func (l *memberLoop) serve(c *memberConn) error {
	if len(c.out) == 0 {
		n, err := transfer(unix.SYS_READ, c.fd, c.room())
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
		c.filled += n
	}
	for {
		if done, err := l.flush(c); err != nil || !done {
			return err
		}
		answer, ok := c.next(l.member)
		if !ok {
			return errors.New("no request")
		}
		if answer == nil {
			return nil
		}
		c.out = answer
	}
}

// flush writes what is to be written. When the socket takes no more, the connection waits until it does, and reads nothing meanwhile.
func (l *memberLoop) flush(c *memberConn) (done bool, err error) {
	for len(c.out) > 0 {
		n, err := transfer(unix.SYS_WRITE, c.fd, c.out)
		c.out = c.out[n:]
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			if c.waiting {
				return false, nil
			}
			c.waiting = true
			return false, l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLOUT)
		case err != nil:
			return false, err
		}
	}
	if c.waiting {
		c.waiting = false
		return true, l.watch(unix.EPOLL_CTL_MOD, c.fd, unix.EPOLLIN)
	}
	return true, nil
}
