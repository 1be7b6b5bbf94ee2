package membershiptest

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const (
	addrA = "10.0.0.1:1"
	addrB = "10.0.0.2:1"
)

// pair attaches two hosts and opens a stream from the first to the second.
func pair(t *testing.T) (n *Network, a *Transport, near, far net.Conn) {
	t.Helper()
	n = NewNetwork(7)
	a, b := n.Node(addrA), n.Node(addrB)
	near, err := a.DialTimeout(addrB, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return n, a, near, <-b.StreamCh()
}

func TestStream_CarriesBytesInOrderAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, near, far := pair(t)
		n.SetDelay(50 * time.Millisecond)
		start := time.Now()
		var want strings.Builder
		for range 100 {
			_, _ = near.Write([]byte("hello "))
			want.WriteString("hello ")
		}
		_ = near.Close()
		got, err := io.ReadAll(far)
		if err != nil || string(got) != want.String() {
			t.Errorf("read %d bytes, %v; want %d", len(got), err, want.Len())
		}
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("it took %v, want the delay of 50ms", took)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after close: %v", err)
		}
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	})
}

func TestStream_DeadlineEndsAReadUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, near, _ := pair(t)
		start := time.Now()
		time.AfterFunc(time.Second, func() { _ = near.SetDeadline(time.Now().Add(time.Second)) })
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v, want 2s", took)
		}
	})
}

func TestStream_SilentAfterACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, near, far := pair(t)
		n.Cut(addrA, addrB)
		_, _ = near.Write([]byte("lost"))
		n.Heal(addrB, addrA)
		_, _ = near.Write([]byte("after a hole"))
		_ = far.SetReadDeadline(time.Now().Add(time.Minute))
		if k, err := far.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes, %v; want the deadline", k, err)
		}
	})
}

func TestStream_ShutdownEndsBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, near, far := pair(t)
		done := make(chan error, 1)
		go func() {
			_, err := near.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		_, _ = a.Shutdown(), a.Shutdown()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("own read: %v", err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("read at the other end: %v", err)
		}
	})
}

func TestDial_NeverBlocksForEver(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(n *Network)
		want    error
		took    time.Duration
	}{
		"nobody there":   {func(*Network) {}, syscall.ECONNREFUSED, 2 * time.Millisecond},
		"shut down":      {func(n *Network) { _ = n.Node(addrB).Shutdown() }, syscall.ECONNREFUSED, 2 * time.Millisecond},
		"crashed":        {func(n *Network) { n.Node(addrB); n.Crash(addrB) }, os.ErrDeadlineExceeded, time.Second},
		"cut off":        {func(n *Network) { n.Node(addrB); n.Cut(addrB, addrA) }, os.ErrDeadlineExceeded, time.Second},
		"crashed itself": {func(n *Network) { n.Node(addrB); n.Crash(addrA) }, os.ErrDeadlineExceeded, time.Second},
		"too far away":   {func(n *Network) { n.Node(addrB); n.SetDelay(time.Minute) }, os.ErrDeadlineExceeded, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := NewNetwork(7)
				a := n.Node(addrA)
				tc.prepare(n)
				start := time.Now()
				_, err := a.DialTimeout(addrB, time.Second)
				if !errors.Is(err, tc.want) {
					t.Errorf("error = %v, want %v", err, tc.want)
				}
				if took := time.Since(start); took != tc.took {
					t.Errorf("it took %v, want %v", took, tc.took)
				}
				if ne, ok := errors.AsType[net.Error](err); tc.took == time.Second && (!ok || !ne.Timeout()) {
					t.Errorf("%v is not a timeout", err)
				}
			})
		})
	}
}

func TestDial_EndsWithShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(7)
		a := n.Node(addrA)
		n.Node(addrB)
		n.Crash(addrB)
		time.AfterFunc(time.Millisecond, func() { _ = a.Shutdown() })
		start := time.Now()
		if _, err := a.DialTimeout(addrB, time.Hour); !errors.Is(err, net.ErrClosed) {
			t.Errorf("error = %v", err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// lost sends count packets and tells how many did not arrive.
func lost(n *Network, a, b *Transport, count int) int {
	for range count {
		_, _ = a.WriteTo([]byte("p"), addrB)
		<-time.After(2 * n.latency())
		select {
		case <-b.PacketCh():
			count--
		default:
		}
	}
	return count
}

func TestPackets_LossFollowsTheSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs [3]int
		for i, seed := range []uint64{1, 1, 2} {
			n := NewNetwork(seed)
			a, b := n.Node(addrA), n.Node(addrB)
			n.SetLoss(0.2)
			runs[i] = lost(n, a, b, 1000)
		}
		if runs[0] != runs[1] || runs[0] < 150 || runs[0] > 250 {
			t.Errorf("lost %v of 1000 at 20%% with seeds 1, 1, 2", runs)
		}
	})
}

func TestPackets_CutAndCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork(7)
		a, b := n.Node(addrA), n.Node(addrB)
		n.Partition([]string{addrA}, []string{addrB})
		if k := lost(n, a, b, 5); k != 5 {
			t.Errorf("%d of 5 lost while cut", k)
		}
		n.HealAll()
		if k := lost(n, a, b, 5); k != 0 {
			t.Errorf("%d of 5 lost after healing", k)
		}
		_, _ = a.WriteTo([]byte("under way"), addrB)
		n.Crash(addrB)
		if k := lost(n, a, b, 5); k != 5 {
			t.Errorf("%d of 5 lost after the crash", k)
		}
		c := n.Node(addrB) // another machine at the address
		if k := lost(n, a, c, 5); k != 0 {
			t.Errorf("%d of 5 lost to the new node", k)
		}
	})
}
