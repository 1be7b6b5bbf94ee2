package wire_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// relayed is a transfer's set-up: member -> src ... dst -> client.
type relayed struct {
	pipes          *wire.Pipes
	src, dst       *wire.Conn
	member, client *net.TCPConn
}

func newRelay(t *testing.T) *relayed {
	w := watch(t)
	r := &relayed{pipes: wire.NewPipes(2)}
	t.Cleanup(r.pipes.Close)
	r.src, r.member = conn(t, w)
	r.dst, r.client = conn(t, w)
	return r
}

type moved struct {
	n   int64
	err error
}

// splice runs a transfer aside.
func (r *relayed) splice(n int64) <-chan moved {
	done := make(chan moved, 1)
	go func() { n, err := r.pipes.Splice(r.dst, r.src, n); done <- moved{n, err} }()
	return done
}

func TestSplice_MovesExactly(t *testing.T) {
	r := newRelay(t)
	const size = 5<<20 + 12345
	body := make([]byte, size+10)
	must[int](t)(rand.Read(body))
	go func() { _, _ = r.member.Write(body) }() // what arrives is checked
	done := r.splice(size)
	got := make([]byte, size)
	must[int](t)(io.ReadFull(r.client, got))
	if m := wait(t, done, "end of the transfer"); m.n != size || m.err != nil || sha256.Sum256(got) != sha256.Sum256(body[:size]) {
		t.Fatalf("moved %d, %v", m.n, m.err)
	}
	if r.dst.Written() != size || r.src.Written() != 0 {
		t.Errorf("counted %d and %d", r.dst.Written(), r.src.Written())
	}
	rest := make([]byte, 10) // of the next message: it is still there
	must[int](t)(io.ReadFull(r.src, rest))
	if !bytes.Equal(rest, body[size:]) {
		t.Error("the bytes after the transfer are other ones")
	}
	if n, err := r.pipes.Splice(r.dst, r.src, 0); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
}

func TestSplice_UntilTheEnd(t *testing.T) {
	r := newRelay(t)
	done := r.splice(-1)
	must[int](t)(r.member.Write(make([]byte, 3000)))
	r.member.Close()
	if m := wait(t, done, "end of the transfer"); m.n != 3000 || m.err != nil {
		t.Errorf("moved %d, %v", m.n, m.err)
	}
}

// sideOf gives what a SideError says.
func sideOf(t *testing.T, err error) (write bool, cause error) {
	t.Helper()
	side, ok := errors.AsType[*wire.SideError](err)
	if !ok {
		t.Fatalf("%v is no SideError", err)
	}
	return side.Write, side.Err
}

func TestSplice_SourceFails(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(r *relayed) error
		want error
	}{
		"ends early": {func(r *relayed) error { return r.member.Close() }, io.ErrUnexpectedEOF},
		"reset":      {func(r *relayed) error { return errors.Join(r.member.SetLinger(0), r.member.Close()) }, syscall.ECONNRESET},
		"too slow":   {func(r *relayed) error { r.src.ReadBy(2 * tick); return nil }, os.ErrDeadlineExceeded},
		"interrupt":  {func(r *relayed) error { r.src.Interrupt(); return nil }, os.ErrDeadlineExceeded},
		"closed":     {func(r *relayed) error { return r.src.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelay(t)
			must[int](t)(r.member.Write(make([]byte, 1000)))
			done := r.splice(1 << 20)
			must[int](t)(io.ReadFull(r.client, make([]byte, 1000))) // so src waits, or is about to
			if err := c.fail(r); err != nil {
				t.Fatal(err)
			}
			m := wait(t, done, "end of the transfer")
			if write, cause := sideOf(t, m.err); write || !errors.Is(cause, c.want) || m.n != 1000 {
				t.Errorf("moved %d, write %v, %v", m.n, write, cause)
			}
		})
	}
}

func TestSplice_DestinationFails(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(r *relayed) error
		want []error
	}{
		"reset":      {func(r *relayed) error { return errors.Join(r.client.SetLinger(0), r.client.Close()) }, []error{syscall.ECONNRESET, syscall.EPIPE}},
		"stops":      {func(*relayed) error { return nil }, []error{os.ErrDeadlineExceeded}},
		"closed":     {func(r *relayed) error { return r.dst.Close() }, []error{net.ErrClosed}},
		"goes early": {func(r *relayed) error { return r.client.Close() }, []error{syscall.ECONNRESET, syscall.EPIPE}},
	} {
		t.Run(name, func(t *testing.T) {
			before := openFiles(t)
			r := newRelay(t)
			r.dst.WriteBy(20 * tick)
			fed := make(chan struct{})
			go func() { // more than fits in between
				defer close(fed)
				_, _ = r.member.Write(make([]byte, 64<<20)) // fails when the connection is closed below
			}()
			done := r.splice(64 << 20)
			must[int](t)(r.client.Read(make([]byte, 1)))
			if err := c.fail(r); err != nil {
				t.Fatal(err)
			}
			m := wait(t, done, "end of the transfer")
			write, cause := sideOf(t, m.err)
			fits := false
			for _, want := range c.want {
				fits = fits || errors.Is(cause, want)
			}
			if !write || !fits {
				t.Errorf("write %v, %v", write, cause)
			}
			if m.n != r.dst.Written() || m.n == 0 {
				t.Errorf("moved %d, counted %d", m.n, r.dst.Written())
			}
			for _, one := range []io.Closer{r.src, r.dst, r.client, r.member} {
				one.Close()
			}
			wait(t, fed, "end of the member")
			r.pipes.Close()
			if after := openFiles(t); after > before {
				t.Errorf("%d files open, %d before", after, before)
			}
		})
	}
}

func TestSplice_ProgressMovesDueTimes(t *testing.T) {
	r := newRelay(t)
	const due, pieces = 100 * time.Millisecond, 25
	r.src.ReadBy(due)
	r.dst.WriteBy(due)
	begin := time.Now()
	done := r.splice(pieces)
	for range pieces {
		nap(t)
		must[int](t)(r.member.Write([]byte("x")))
		must[int](t)(r.client.Read(make([]byte, 1)))
	}
	if took := time.Since(begin); took < 2*due {
		t.Fatalf("all moved within %v: nothing was shown", took)
	}
	if m := wait(t, done, "end of the transfer"); m.n != pieces || m.err != nil {
		t.Errorf("moved %d, %v", m.n, m.err)
	}
}

func TestPipes_KeepABoundedNumber(t *testing.T) {
	before := openFiles(t)
	r := newRelay(t)
	with := openFiles(t)
	for range 10 {
		must[int](t)(r.member.Write([]byte("abc")))
		if n, err := r.pipes.Splice(r.dst, r.src, 3); n != 3 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := openFiles(t) - with; got != 2 {
		t.Errorf("%d descriptors for one pipe in turn", got)
	}
	r.pipes.Close()
	if got := openFiles(t); got != with {
		t.Errorf("%d descriptors after Close, %d before", got, with)
	}
	must[int](t)(r.member.Write([]byte("abc"))) // a closed store keeps nothing
	if n, err := r.pipes.Splice(r.dst, r.src, 3); n != 3 || err != nil || openFiles(t) != with {
		t.Errorf("after Close: %d, %v, %d descriptors, %d before all", n, err, openFiles(t), before)
	}
}

func TestSplice_AllocatesNothing(t *testing.T) {
	r := newRelay(t)
	p := make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = r.member.Write(p)
		_, _ = r.pipes.Splice(r.dst, r.src, int64(len(p)))
		_, _ = r.client.Read(p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
