package wire_test

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var ru syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// BenchmarkPingPong sends 1 KiB there and back: by Conn, and by net.TCPConn for comparison.
func BenchmarkPingPong(b *testing.B) {
	b.Run("wire", func(b *testing.B) {
		w := wire.NewWatch(250 * time.Millisecond)
		near, far := tcpPair(b)
		pingPong(b, wire.New(w, near), wire.New(w, far))
	})
	b.Run("tcpconn", func(b *testing.B) {
		near, far := tcpPair(b)
		pingPong(b, near, far)
	})
}

func pingPong(b *testing.B, near, far io.ReadWriteCloser) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		echo(far)
	}()
	p := make([]byte, 1024)
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		if _, err := near.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(near, p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
	near.Close()
	<-done
	far.Close()
}

func echo(far io.ReadWriter) {
	p := make([]byte, 4096)
	for {
		n, err := far.Read(p)
		if err != nil {
			return
		}
		if _, err := far.Write(p[:n]); err != nil {
			return
		}
	}
}

// BenchmarkSplice moves 1 MiB: by Pipes, and by io.CopyN between two net.TCPConn, which splices too.
func BenchmarkSplice(b *testing.B) {
	const size = 1 << 20
	b.Run("wire", func(b *testing.B) {
		w := wire.NewWatch(250 * time.Millisecond)
		pipes := wire.NewPipes(4)
		defer pipes.Close()
		relay(b, size, func(dst, src *net.TCPConn) (func() error, func()) {
			to, from := wire.New(w, dst), wire.New(w, src)
			from.ReadBy(time.Minute)
			to.WriteBy(time.Minute)
			return func() error { _, err := pipes.Splice(to, from, size); return err }, func() { to.Close(); from.Close() }
		})
	})
	b.Run("copyn", func(b *testing.B) {
		relay(b, size, func(dst, src *net.TCPConn) (func() error, func()) {
			return func() error { _, err := io.CopyN(dst, src, size); return err }, func() { dst.Close(); src.Close() }
		})
	})
}

// relay asks a source for a body and reads it at the far end of what move connects.
func relay(b *testing.B, size int64, connect func(dst, src *net.TCPConn) (move func() error, shut func())) {
	client, dst := tcpPair(b)
	src, member := tcpPair(b)
	move, shut := connect(dst, src)
	done := make(chan struct{}, 2)
	go func() { // the member: a body for each byte
		body, one := make([]byte, size), make([]byte, 1)
		for {
			if _, err := member.Read(one); err != nil {
				break
			}
			if _, err := member.Write(body); err != nil {
				break
			}
		}
		done <- struct{}{}
	}()
	arrived := make(chan struct{})
	go func() {
		buf := make([]byte, 64<<10)
		for {
			for left := size; left > 0; {
				n, err := client.Read(buf)
				if err != nil {
					done <- struct{}{}
					return
				}
				left -= int64(n)
			}
			arrived <- struct{}{}
		}
	}()
	b.SetBytes(size)
	before := cpu()
	ask := []byte{1}
	for b.Loop() {
		if _, err := src.Write(ask); err != nil {
			b.Fatal(err)
		}
		if err := move(); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N)/1000, "cpu-us/op")
	shut()
	<-done
	<-done
	client.Close()
	member.Close()
}
