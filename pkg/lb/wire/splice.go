package wire

// Splice: bodies from one plain connection to another by way of a pipe, page by page inside the kernel, see splice(2).

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is how much a pipe should hold, and so how much one call can move: the most that an ordinary user may have by default.
const pipeSize = 1 << 20

// drainSize is how much one call gives to the destination. The scheduler is not told of these calls, which do not wait but do work: the
// kernel carries the bytes right up to the receiver's queue. So they are kept short (tens of microseconds). Telling the scheduler
// costs more than the extra calls: it takes the processor away from long calls, and wakes threads to use it.
const drainSize = 256 << 10

// SideError says which side of a transfer failed.
type SideError struct {
	Write bool // the destination failed; else the source
	Err   error
}

// Error implements error.
func (e *SideError) Error() string {
	if e.Write {
		return "destination: " + e.Err.Error()
	}
	return "source: " + e.Err.Error()
}

// Unwrap gives the side's own error.
func (e *SideError) Unwrap() error { return e.Err }

// CanSplice reports whether Splice can move bytes between the two: both are plain.
func CanSplice(a, b *Conn) bool { return a.tls == nil && b.tls == nil }

// Pipes keeps pipes for Splice, a bounded number of them. It is safe for concurrent use.
type Pipes struct {
	most int
	mu   sync.Mutex
	free []*pipe // the last one used is the next
	over bool    // closed
}

// NewPipes makes an empty store that keeps up to most unused pipes. As many may be in use as there are transfers.
func NewPipes(most int) *Pipes { return &Pipes{most: most} }

// Close closes the unused pipes. Those in use are closed when their transfers end.
func (p *Pipes) Close() {
	p.mu.Lock()
	free := p.free
	p.free, p.over = nil, true
	p.mu.Unlock()
	for _, one := range free {
		one.close()
	}
}

// Splice moves exactly n bytes from src to dst, or all until src ends if n < 0. It takes the reading side of src and the writing side
// of dst, with their due times, which move on with every piece. moved is what dst was given. A failure of a connection is a
// *SideError; a source that ends before n bytes is io.ErrUnexpectedEOF. Any other error means that no pipe could be had, and nothing
// was moved. Both connections must be plain.
func (p *Pipes) Splice(dst, src *Conn, n int64) (moved int64, err error) {
	if n == 0 {
		return 0, nil
	}
	one, err := p.take()
	if err != nil {
		return 0, err
	}
	defer func() { p.give(one) }()
	for n != 0 {
		most := pipeSize
		if n > 0 {
			most = int(min(n, pipeSize))
		}
		if err := one.fill(src, most); err != nil {
			if errors.Is(err, io.EOF) && n < 0 {
				return moved, nil
			}
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return moved, &SideError{Err: err}
		}
		got := one.held
		err := one.drain(dst)
		moved += int64(got - one.held)
		if err != nil {
			return moved, &SideError{Write: true, Err: err}
		}
		if n > 0 {
			n -= int64(got)
		}
	}
	return moved, nil
}

func (p *Pipes) take() (*pipe, error) {
	p.mu.Lock()
	if last := len(p.free) - 1; last >= 0 {
		one := p.free[last]
		p.free[last] = nil
		p.free = p.free[:last]
		p.mu.Unlock()
		return one, nil
	}
	p.mu.Unlock()
	return newPipe()
}

// give keeps an empty pipe and closes any other.
func (p *Pipes) give(one *pipe) {
	if one.held == 0 {
		p.mu.Lock()
		keep := !p.over && len(p.free) < p.most
		if keep {
			p.free = append(p.free, one)
		}
		p.mu.Unlock()
		if keep {
			return
		}
	}
	one.close()
}

// pipe is a pipe and the two steps that run on it, made once.
type pipe struct {
	r, w    int
	fillFn  func(fd uintptr) bool
	drainFn func(fd uintptr) bool
	side    *Conn // of the running step
	most    int   // to be filled in
	held    int   // bytes in the pipe
	errno   syscall.Errno
}

func newPipe() (*pipe, error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	// A user with very many pipes may not have large ones; a small one does the same in more calls.
	_, _ = unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize)
	p := &pipe{r: fds[0], w: fds[1]}
	p.fillFn, p.drainFn = p.onReadable, p.onWritable
	return p, nil
}

func (p *pipe) close() {
	_ = syscall.Close(p.r) // nothing that counts can be lost in a pipe
	_ = syscall.Close(p.w)
}

// fill moves what src has, up to most bytes, into the empty pipe. io.EOF is its end. Waiting for more first (SO_RCVLOWAT) was measured:
// under load a body lies there whole anyway, and its two system calls gain nothing.
func (p *pipe) fill(src *Conn, most int) error {
	p.side, p.most, p.errno = src, most, 0
	src.in.again(src.watch)
	src.beginRead()
	err := src.raw.Read(p.fillFn)
	src.in.waiting.Store(false)
	p.side = nil
	switch {
	case err != nil:
		return named(err, "splice")
	case p.errno != 0:
		return src.fault("splice", p.errno)
	case p.held == 0:
		src.ended.Store(true)
		return io.EOF
	}
	return nil
}

func (p *pipe) onReadable(fd uintptr) bool {
	n, errno := splice(int(fd), p.w, p.most)
	if errno == syscall.EAGAIN { // the pipe is empty, so it is src that has nothing
		p.side.in.waiting.Store(true)
		return false
	}
	p.held, p.errno = n, errno
	return true
}

// drain moves all that the pipe holds to dst.
func (p *pipe) drain(dst *Conn) error {
	p.side, p.errno = dst, 0
	out := &dst.out
	out.written.Add(int64(p.held)) // before, as in Write
	out.again(dst.watch)
	dst.beginWrite()
	err := dst.raw.Write(p.drainFn)
	out.waiting.Store(false)
	p.side = nil
	if p.held > 0 {
		out.written.Add(-int64(p.held))
	}
	switch {
	case err != nil:
		return named(err, "splice")
	case p.errno != 0:
		return dst.fault("splice", p.errno)
	}
	return nil
}

func (p *pipe) onWritable(fd uintptr) bool {
	for p.held > 0 {
		n, errno := splice(p.r, int(fd), min(p.held, drainSize))
		switch {
		case errno == syscall.EAGAIN: // the pipe has something, so it is dst that takes nothing
			p.side.out.waiting.Store(true)
			return false
		case errno != 0:
			p.errno = errno
			return true
		case n == 0: // cannot be: the pipe has something
			p.errno = syscall.EIO
			return true
		}
		p.held -= n
		p.side.out.again(p.side.watch)
	}
	return true
}

// splice is splice(2), without waiting.
func splice(from, to, most int) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
