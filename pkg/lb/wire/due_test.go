package wire_test

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

func TestReadBy_EndsTheWaitAndAllAfter(t *testing.T) {
	c, far := conn(t, watch(t))
	begin := time.Now()
	c.ReadBy(20 * time.Millisecond)
	_, err := c.Read(make([]byte, 1))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v, want a time-out", err)
	}
	if took := time.Since(begin); took < 20*time.Millisecond-tick {
		t.Errorf("ended after %v", took)
	}
	c.ReadBy(time.Minute) // too late
	must[int](t)(far.Write([]byte("x")))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the expiry: %v", err)
	}
	must[int](t)(c.Write([]byte("408"))) // writing is not concerned
	c.Revive()
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("revived: %d, %v", n, err)
	}
}

func TestReadBy_PassedBeforeTheRead(t *testing.T) {
	w := watch(t)
	c, far := conn(t, w)
	must[int](t)(far.Write([]byte("x")))
	c.ReadBy(1)
	due := w.Now() + 1 + int64(tick)
	for w.Now() < due {
		nap(t)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a time-out", err)
	}
}

func TestReadBy_NobodyWaits(t *testing.T) {
	w := watch(t)
	c, far := conn(t, w)
	c.ReadBy(1)
	c.WriteBy(1)
	due := w.Now() + 3*int64(tick)
	for w.Now() < due {
		nap(t)
	}
	c.ReadBy(time.Minute)
	c.WriteBy(time.Minute)
	must[int](t)(far.Write([]byte("x")))
	must[int](t)(c.Read(make([]byte, 1)))
	must[int](t)(c.Write([]byte("x")))
}

func TestWriteBy_EndsTheWaitOfAWriter(t *testing.T) {
	c, _ := conn(t, watch(t))
	c.WriteBy(4 * tick)
	total := 0
	for p := make([]byte, 1<<20); ; {
		n, err := c.Write(p)
		total += n
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want a time-out", err)
		}
		break
	}
	if c.Written() != int64(total) {
		t.Errorf("%d bytes taken, %d counted", total, c.Written())
	}
}

func TestWriteBy_MovesOnWithProgress(t *testing.T) {
	c, far := conn(t, watch(t))
	const size, due = 24 << 20, 100 * time.Millisecond
	c.WriteBy(due)
	wrote := make(chan error, 1)
	go func() { _, err := c.Write(make([]byte, size)); wrote <- err }()
	p, left := make([]byte, 256<<10), size
	begin := time.Now()
	for left > 0 { // slow, yet never still
		left -= must[int](t)(far.Read(p))
		if time.Since(begin) < 3*due {
			nap(t)
		}
	}
	if took := time.Since(begin); took < due {
		t.Fatalf("read all within %v: nothing was shown", took)
	}
	if err := wait(t, wrote, "end of the write"); err != nil {
		t.Errorf("%v, though bytes moved all the time", err)
	}
}

func TestInterrupt_EndsTheRead(t *testing.T) {
	c, far := conn(t, watch(t))
	errs := make(chan error, 1)
	l := &buffer{space: make([]byte, 1), lending: make(chan struct{}, 8)}
	go func() { _, err := c.ReadLazy(l); errs <- err }()
	wait(t, l.lending, "start of the read")
	c.Interrupt()
	if err := wait(t, errs, "end of the read"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a time-out", err)
	}
	c.ReadBy(time.Minute)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("before Revive: %v", err)
	}
	c.Revive()
	must[int](t)(far.Write([]byte("x")))
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("revived: %d, %v", n, err)
	}
}

func TestPark_ClosesWhenTheTimeIsOver(t *testing.T) {
	c, far := conn(t, watch(t))
	gone := make(chan struct{})
	c.Park(2*tick, func() { close(gone) })
	wait(t, gone, "call of gone")
	if !c.Closed() || c.Unpark() {
		t.Error("a connection whose time in the pool is over can still be used")
	}
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the peer saw %v, want an end", err)
	}
}

func TestPark_UnparkEndsIt(t *testing.T) {
	w := watch(t)
	c, far := conn(t, w)
	const d = 100 * time.Millisecond
	c.Park(d, func() { t.Error("closed though in use") })
	if !c.Unpark() {
		t.Fatal("closed before its time")
	}
	due := w.Now() + int64(d+4*tick)
	for w.Now() < due {
		nap(t)
	}
	must[int](t)(c.Write([]byte("x")))
	must[int](t)(far.Read(make([]byte, 1)))
	c.Park(time.Minute, nil)
	c.Close()
	if c.Unpark() {
		t.Error("a connection that was closed in the pool came back")
	}
}

// nap lets two ticks of the watch pass.
func nap(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(2 * tick)
	defer timer.Stop()
	<-timer.C
}

func TestGiveUpIf_EndsAWaitThatHasBecomePointless(t *testing.T) {
	w := watch(t)
	c, _ := conn(t, w)
	pointless := make(chan struct{})
	c.GiveUpIf(func() bool {
		select {
		case <-pointless:
			return true
		default:
			return false
		}
	})
	close(pointless)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a time-out", err)
	}
	if !c.GiveUpIf(nil) {
		t.Error("it was stopped, and does not say so")
	}
	other, _ := conn(t, w)
	other.GiveUpIf(func() bool { return false })
	if other.GiveUpIf(nil) {
		t.Error("it was not stopped")
	}
}

func TestLook_DoesNotWaitForTheTick(t *testing.T) {
	w := wire.NewWatch(time.Hour)
	t.Cleanup(w.Wait)
	c, _ := conn(t, w)
	c.GiveUpIf(func() bool { return true })
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	late := time.NewTimer(soon)
	defer late.Stop()
	for {
		w.Look() // again and again, for the read may not wait yet
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v, want a time-out", err)
			}
			return
		case <-late.C:
			t.Fatal("nobody looked")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestReconsider_DoesNotWaitForTheTick(t *testing.T) {
	w := wire.NewWatch(time.Hour)
	t.Cleanup(w.Wait)
	c, _ := conn(t, w)
	c.Reconsider() // nothing is to be asked
	c.GiveUpIf(func() bool { return true })
	c.Reconsider() // nobody waits
	ended := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	late := time.NewTimer(soon)
	defer late.Stop()
	for {
		c.Reconsider() // again and again, for the read may not wait yet
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v, want a time-out", err)
			}
			return
		case <-late.C:
			t.Fatal("nobody was asked")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestDead_IsAResetAlone(t *testing.T) {
	c, far := conn(t, watch(t))
	if c.Dead() {
		t.Error("dead while it is open")
	}
	if err := far.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("%v, want the end", err)
	}
	if c.Dead() {
		t.Error("dead when the peer has ended its half")
	}
	if err := far.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	for !c.Dead() {
		nap(t)
	}
}
