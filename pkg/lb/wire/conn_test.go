package wire_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

func TestConn_ReadsWhatIsWritten(t *testing.T) {
	w := watch(t)
	near, far := tcpPair(t)
	a, b := wire.New(w, near), wire.New(w, far)
	defer a.Close()
	defer b.Close()
	if a.RemoteAddr() != b.LocalAddr() || a.LocalAddr() != b.RemoteAddr() || !a.LocalAddr().Addr().Is4() {
		t.Errorf("a %v to %v, b %v to %v", a.LocalAddr(), a.RemoteAddr(), b.LocalAddr(), b.RemoteAddr())
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB: more than fits in between
	wrote := make(chan error, 1)
	go func() {
		n, err := a.Write(body)
		if err == nil && n != len(body) {
			err = io.ErrShortWrite
		}
		wrote <- errors.Join(err, a.CloseWrite())
	}()
	got := must[[]byte](t)(io.ReadAll(b))
	if err := wait(t, wrote, "end of the write"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes came of %d: %v", len(got), len(body), err)
	}
	if a.Written() != int64(len(body)) {
		t.Errorf("counted %d", a.Written())
	}
	if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
}

func TestConn_CloseEndsWaits(t *testing.T) {
	w := watch(t)
	c, _ := conn(t, w)
	errs := make(chan error, 2)
	go func() { _, err := c.Read(make([]byte, 1)); errs <- err }()
	go func() {
		var err error
		for p := make([]byte, 1<<20); err == nil; {
			_, err = c.Write(p)
		}
		errs <- err
	}()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := wait(t, errs, "end of a wait"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v, want net.ErrClosed", err)
		}
	}
	if !c.Closed() || c.Close() != nil || c.Alive() || c.Unheard(0) {
		t.Error("a closed connection is closed, can be closed again, and is not alive")
	}
}

func TestConn_Alive(t *testing.T) {
	for name, c := range map[string]struct {
		peer func(far *net.TCPConn) error
		want bool
	}{
		"quiet":   {func(*net.TCPConn) error { return nil }, true},
		"unasked": {func(far *net.TCPConn) error { _, err := far.Write([]byte("x")); return err }, false},
		"ended":   {func(far *net.TCPConn) error { return far.Close() }, false},
		"reset":   {func(far *net.TCPConn) error { return errors.Join(far.SetLinger(0), far.Close()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := tcpPair(t)
			conn := wire.New(watch(t), near)
			defer conn.Close()
			if err := c.peer(far); err != nil {
				t.Fatal(err)
			}
			if !c.want {
				poll(t, near, unix.POLLIN)
			}
			if got := conn.Alive(); got != c.want {
				t.Errorf("alive: %v, want %v", got, c.want)
			}
		})
	}
}

func TestConn_ResetIsNoEnd(t *testing.T) {
	c, far := conn(t, watch(t))
	if err := c.Reset(); err != nil {
		t.Error(err)
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer read %v, want a reset", err)
	}
	if !c.Closed() || c.Close() != nil {
		t.Error("a connection that was reset is closed")
	}
}

func TestConn_LingerLetsTheAnswerArrive(t *testing.T) {
	c, far := conn(t, watch(t))
	if _, err := far.Write(make([]byte, 256<<10)); err != nil { // it stays unread
		t.Fatal(err)
	}
	must[int](t)(c.Write([]byte("413")))
	done := make(chan struct{})
	go func() { defer close(done); c.Linger(1<<20, soon) }()
	if got := must[[]byte](t)(io.ReadAll(far)); string(got) != "413" {
		t.Errorf("the peer read %q", got)
	}
	if c.Closed() {
		t.Error("closed before the peer ended")
	}
	far.Close()
	wait(t, done, "end of Linger")
	if !c.Closed() {
		t.Error("not closed after the peer ended")
	}
}

func TestConn_LingerIsBounded(t *testing.T) {
	for name, limit := range map[string]int64{"in time": 1 << 40, "in bytes": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			c, far := conn(t, watch(t))
			d := soon
			if limit == 1<<40 {
				d = 2 * tick
			} else {
				must[int](t)(far.Write(make([]byte, limit)))
			}
			done := make(chan struct{})
			go func() { defer close(done); c.Linger(limit, d) }()
			wait(t, done, "end of Linger, with a peer that never ends")
			if !c.Closed() {
				t.Error("not closed")
			}
		})
	}
}

func TestReadLazy_TakesNoBufferWhileItWaits(t *testing.T) {
	c, far := conn(t, watch(t))
	l := &buffer{space: make([]byte, 8), lending: make(chan struct{}, 8)}
	type result struct {
		n   int
		err error
	}
	got := make(chan result, 1)
	read := func() { n, err := c.ReadLazy(l); got <- result{n, err} }
	go read()
	wait(t, l.lending, "first look") // then it waits, with the buffer given back
	must[int](t)(far.Write([]byte("hello")))
	if r := wait(t, got, "bytes"); r.n != 5 || r.err != nil || string(l.space[:5]) != "hello" {
		t.Errorf("read %d %v %q", r.n, r.err, l.space)
	}
	if l.lent-l.returns != 1 {
		t.Errorf("lent %d times, returned %d times, want one more lent", l.lent, l.returns)
	}
	far.Close()
	go read()
	if r := wait(t, got, "end"); r.n != 0 || !errors.Is(r.err, io.EOF) || l.lent-l.returns != 1 {
		t.Errorf("at the end %d %v; lent %d, returned %d", r.n, r.err, l.lent, l.returns)
	}
}

func TestReadLazy_WaitsEmptyHanded(t *testing.T) {
	w := watch(t)
	near, far := tcpPair(t)
	c := wire.New(w, near)
	t.Cleanup(func() { c.Close() })
	l := &buffer{space: make([]byte, 8)}
	c.ReadBy(tick)
	if n, err := c.ReadLazy(l); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || l.lent != l.returns {
		t.Errorf("%d %v; lent %d, returned %d", n, err, l.lent, l.returns)
	}
	c.Revive()
	must[int](t)(far.Write([]byte("x")))
	poll(t, near, unix.POLLIN)
	empty := &buffer{space: []byte{}}
	if _, err := c.ReadLazy(empty); !errors.Is(err, io.ErrShortBuffer) || empty.lent != empty.returns {
		t.Errorf("an empty buffer: %v; lent %d, returned %d", err, empty.lent, empty.returns)
	}
}

func TestConn_AllocatesNothing(t *testing.T) {
	w := watch(t)
	near, far := tcpPair(t)
	a, b := wire.New(w, near), wire.New(w, far)
	defer a.Close()
	defer b.Close()
	p := make([]byte, 1024)
	l := &buffer{space: make([]byte, 1024)}
	check := func(name string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	check("ReadBy, WriteBy", func() { a.ReadBy(time.Minute); a.WriteBy(time.Minute) })
	check("Write, Read", func() { _, _ = a.Write(p); _, _ = b.Read(p) })
	check("Write, ReadLazy", func() { _, _ = a.Write(p); _, _ = b.ReadLazy(l) })
	check("Alive", func() { _ = a.Alive() })
	check("Park, Unpark", func() { a.Park(time.Minute, nil); _ = a.Unpark() })
	back := make(chan struct{})
	go func() { // answers after it was asked, so that reading has to wait
		defer close(back)
		q := make([]byte, 1024)
		for {
			if _, err := b.Read(q); err != nil {
				return
			}
			if _, err := b.Write(q); err != nil {
				return
			}
		}
	}()
	check("a wait", func() { _, _ = a.Write(p); _, _ = a.ReadLazy(l) })
	a.Close()
	wait(t, back, "end of the peer")
}

// asker lends memory for the answer, and remembers what happened.
type asker struct {
	buffer
	sent int
}

func (a *asker) Sent() { a.sent++ }

func TestAsk_WritesAndReads(t *testing.T) {
	c, far := conn(t, watch(t))
	for _, size := range []int{5, 8 << 20} { // the second is more than a socket takes at once
		answered := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(far, make([]byte, size))
			if err == nil {
				_, err = far.Write([]byte("answer"))
			}
			answered <- err
		}()
		a := asker{buffer: buffer{space: make([]byte, 100)}}
		mark := c.Written()
		n, wrote, err := c.Ask(make([]byte, size), &a)
		if n != 6 || wrote != size || err != nil || a.sent != 1 {
			t.Errorf("%d bytes: read %d, wrote %d, %v, sent %d times", size, n, wrote, err, a.sent)
		}
		if err := wait(t, answered, "the answer"); err != nil {
			t.Error(err)
		}
		if got := c.Written() - mark; got != int64(size) {
			t.Errorf("counted %d bytes of %d", got, size)
		}
	}
}

func TestAsk_NothingOnAStaleConnection(t *testing.T) {
	for name, spoil := range map[string]func(far *net.TCPConn) error{
		"ended":   func(far *net.TCPConn) error { return far.CloseWrite() },
		"unasked": func(far *net.TCPConn) error { _, err := far.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); return err },
	} {
		c, far := conn(t, watch(t))
		if err := spoil(far); err != nil {
			t.Fatal(err)
		}
		for c.Alive() {
			nap(t)
		}
		a := asker{buffer: buffer{space: make([]byte, 100)}}
		mark := c.Written()
		if n, wrote, err := c.Ask([]byte("x"), &a); n != 0 || wrote != 0 || !errors.Is(err, wire.ErrStale) || a.sent != 0 {
			t.Errorf("%s: read %d, wrote %d, %v, sent %d times", name, n, wrote, err, a.sent)
		}
		if c.Written() != mark {
			t.Errorf("%s: %d bytes counted", name, c.Written()-mark)
		}
	}
}

func TestAsk_InTime(t *testing.T) {
	c, _ := conn(t, watch(t))
	c.ReadBy(20 * time.Millisecond)
	a := asker{buffer: buffer{space: make([]byte, 100)}}
	if n, wrote, err := c.Ask([]byte("x"), &a); n != 0 || wrote != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, wrote %d, %v", n, wrote, err)
	}
}
