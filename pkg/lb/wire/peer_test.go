package wire_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// The peer's part in the tests of Unheard: what it does before and after a request is written to it.
type unheardCase struct {
	before, after func(t *testing.T, far *net.TCPConn)
	want          bool
}

func unheardCases() map[string]unheardCase {
	nothing := func(*testing.T, *net.TCPConn) {}
	closes := func(_ *testing.T, far *net.TCPConn) { far.Close() }
	reads := func(t *testing.T, far *net.TCPConn) {
		if _, err := io.ReadFull(far, make([]byte, len("request"))); err != nil {
			t.Error(err)
		}
	}
	resets := func(t *testing.T, far *net.TCPConn) {
		if err := errors.Join(far.SetLinger(0), far.Close()); err != nil {
			t.Error(err)
		}
	}
	return map[string]unheardCase{
		"closed before the request came":         {closes, nothing, true},
		"closed after reading the request":       {nothing, func(t *testing.T, far *net.TCPConn) { reads(t, far); far.Close() }, false},
		"reset after reading the request":        {nothing, func(t *testing.T, far *net.TCPConn) { reads(t, far); resets(t, far) }, false},
		"reset without reading the request":      {nothing, resets, false},
		"closed with the request unread (a RST)": {nothing, func(t *testing.T, far *net.TCPConn) { poll(t, far, unix.POLLIN); far.Close() }, false},
	}
}

func TestUnheard(t *testing.T) {
	for name, k := range unheardCases() {
		t.Run(name, func(t *testing.T) {
			near, far := tcpPair(t)
			c := wire.New(watch(t), near)
			defer c.Close()
			must[int](t)(c.Write([]byte("an earlier one")))
			must[int](t)(io.ReadFull(far, make([]byte, len("an earlier one"))))
			mark := c.Written()
			k.before(t, far)
			if k.want {
				poll(t, near, unix.POLLIN)
			}
			if _, err := c.Write([]byte("request")); err != nil {
				t.Log("writing:", err)
			}
			k.after(t, far)
			_, err := c.Read(make([]byte, 1))
			t.Log("reading:", err)
			if got := c.Unheard(mark); got != k.want {
				t.Errorf("unheard: %v, want %v", got, k.want)
			}
			if k.want && c.Unheard(mark-1) {
				t.Error("the byte before the mark was heard, and is said not to have been")
			}
		})
	}
}

// TestUnheard_AnyOrderOfErrors: the kernel tells a reset once and an orderly end from then on, to whoever asks.
func TestUnheard_AnyOrderOfErrors(t *testing.T) {
	near, far := tcpPair(t)
	c := wire.New(watch(t), near)
	defer c.Close()
	must[int](t)(c.Write([]byte("request")))
	must[int](t)(io.ReadFull(far, make([]byte, len("request"))))
	if err := errors.Join(far.SetLinger(0), far.Close()); err != nil {
		t.Fatal(err)
	}
	poll(t, near, unix.POLLIN)
	if _, err := c.Write([]byte("more")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("writing: %v, want a reset", err)
	}
	if _, err := c.Write([]byte("more")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing again: %v, want EPIPE", err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("reading: %v, want what looks like an end", err)
	}
	if c.Unheard(0) || c.Unheard(1000) {
		t.Error("after a bare reset nobody knows")
	}
}

// TestUnheard_EPIPE: the peer closed, our first write met its RST, the second one EPIPE, and nobody has read.
func TestUnheard_EPIPE(t *testing.T) {
	near, far := tcpPair(t)
	c := wire.New(watch(t), near)
	defer c.Close()
	far.Close()
	poll(t, near, unix.POLLIN)
	var err error
	for err == nil { // until the RST is there
		_, err = c.Write([]byte("request"))
	}
	if !errors.Is(err, syscall.EPIPE) || !c.Unheard(0) {
		t.Errorf("%v, unheard %v; want EPIPE, true", err, c.Unheard(0))
	}
}
