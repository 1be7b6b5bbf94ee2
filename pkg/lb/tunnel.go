package lb

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/wire"
)

// switchProtocols turns the exchange into a tunnel, if that was asked for. The connections end with it.
func (a *attempt) switchProtocols() Result {
	x, res := a.x, &a.x.res
	if !x.upgrade() || !res.Websocket() {
		return a.result(nil, errUnaskedUpgrade)
	}
	conn, ahead, err := x.front.tunnel(res)
	x.status = res.Status()
	if err != nil {
		return a.result(err, nil)
	}
	t := &tunnel{idle: a.p.timeouts().UpgradeIdle, buffers: a.p.buffers}
	t.touch()
	behind := append([]byte(nil), a.in.mem[a.r:a.w]...)
	a.in.free() // a silent tunnel holds no buffer
	a.in, a.r, a.w = nil, 0, 0
	a.link.GiveUpIf(nil) // the tunnel notices by itself
	var up, down int64
	var both sync.WaitGroup
	both.Go(func() { up = t.copy(a.link, conn, ahead) })
	down = t.copy(conn, a.link, behind)
	both.Wait()
	_ = conn.Close() // an established tunnel ends when one side says so: nothing about it is a failure
	x.out, x.in = down, up
	return a.result(nil, nil)
}

// tunnel is a switched connection. It ends when both sides have ended, one broke, or no byte came from either for
// the time idle.
type tunnel struct {
	idle    time.Duration
	buffers *buffers
	last    atomic.Int64 // when a byte came, unix nanoseconds
}

func (t *tunnel) touch() { t.last.Store(time.Now().UnixNano()) }

// quiet reports whether nothing came for too long.
func (t *tunnel) quiet() bool {
	return time.Now().UnixNano()-t.last.Load() >= int64(t.idle)
}

// copy moves what comes from one side to the other, first to the beginning that was read already, and counts it.
func (t *tunnel) copy(to, from *wire.Conn, first []byte) (moved int64) {
	ended := false
	defer func() {
		if ended {
			to.WriteBy(t.idle)
			_ = to.CloseWrite() // the other direction may go on
			return
		}
		_, _ = to.Close(), from.Close() // a broken direction ends both
	}()
	if len(first) > 0 && t.write(to, first) != nil {
		return 0
	}
	moved = int64(len(first))
	l := &tunnelInput{buffers: t.buffers}
	for {
		from.ReadBy(t.idle)
		n, err := from.ReadLazy(l)
		switch {
		case n > 0:
			t.touch()
			err = t.write(to, l.memory.mem[:n])
			l.Return()
			if err != nil {
				return moved
			}
			moved += int64(n)
		case errors.Is(err, os.ErrDeadlineExceeded) && !t.quiet():
			from.Revive() // the other side is not silent
		default:
			ended = errors.Is(err, io.EOF)
			return moved
		}
	}
}

func (t *tunnel) write(to *wire.Conn, p []byte) error {
	to.WriteBy(t.idle)
	_, err := to.Write(p)
	to.WriteBy(0)
	return err
}

// tunnelInput lends memory to a read when there is something to read, so that a silent tunnel holds none.
type tunnelInput struct {
	buffers *buffers
	memory  *buffer
}

// Lend implements wire.Lender.
func (l *tunnelInput) Lend() []byte {
	l.memory = l.buffers.takeSmall()
	return l.memory.mem
}

// Return implements wire.Lender.
func (l *tunnelInput) Return() {
	l.memory.free()
	l.memory = nil
}
