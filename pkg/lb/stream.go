package lb

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// memberBody is the body of a member's answer. It notes how it ended, and gives up on a member that sends
// nothing for too long.
type memberBody struct {
	io.ReadCloser
	idle    time.Duration
	timer   *time.Timer
	stalled atomic.Bool
	err     error // other than io.EOF; written by the reading goroutine alone
}

// newMemberBody calls giveUp when no piece came for the time idle. Stop must be called in the end.
func newMemberBody(body io.ReadCloser, idle time.Duration, giveUp func()) *memberBody {
	b := &memberBody{ReadCloser: body, idle: idle}
	b.timer = time.AfterFunc(idle, func() {
		b.stalled.Store(true)
		giveUp()
	})
	return b
}

// Read implements io.Reader.
func (b *memberBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.idle)
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop() // the time that the client takes is not the member's
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// failure is the error that the body ended with, or nil.
func (b *memberBody) failure() error { return b.err }

func (b *memberBody) stop() { b.timer.Stop() }

// idleTunnel is the member's side of a switched connection. It is closed when neither side sent anything
// for a time, which ends the copying in both directions.
type idleTunnel struct {
	io.ReadWriteCloser
	idle  time.Duration
	timer *time.Timer
}

func newIdleTunnel(conn io.ReadWriteCloser, idle time.Duration) *idleTunnel {
	return &idleTunnel{ReadWriteCloser: conn, idle: idle, timer: time.AfterFunc(idle, func() { _ = conn.Close() })}
}

// Read implements io.Reader.
func (t *idleTunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	if n > 0 {
		t.timer.Reset(t.idle)
	}
	return n, err
}

// Write implements io.Writer.
func (t *idleTunnel) Write(p []byte) (int, error) {
	t.timer.Reset(t.idle)
	return t.ReadWriteCloser.Write(p)
}

// Close implements io.Closer.
func (t *idleTunnel) Close() error {
	t.timer.Stop()
	return t.ReadWriteCloser.Close()
}
