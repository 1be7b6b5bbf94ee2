package lb

import (
	"errors"
	"io"
	"sync/atomic"
)

// body is the body of a client's request, in a form that knows whether it can be sent once more.
//
// A body that is here already, and one of known length up to 64 KiB, is kept. A longer one, one without a
// length (it may be a stream that waits for answers), and one whose client waits for permission is passed
// through as it comes. Such a request goes out on a new connection, so that a kept-alive connection that
// the member is just closing cannot cost a body that nobody has any more.
type body struct {
	kept     piece
	memory   *buffer // that kept lies in, if it is not the client's own buffer
	streamed bool
	length   int64 // of a streamed one; -1 = unknown
	waiting  bool  // the client waits for "100 Continue"
	touched  atomic.Bool
	ended    atomic.Bool // a streamed one was read to its end
	failed   atomic.Pointer[error]
	count    atomic.Int64 // bytes read of a streamed one
}

// replayable reports whether the body can still be sent whole.
func (b *body) replayable() bool { return !b.streamed || !b.touched.Load() }

// none reports whether there is no body at all.
func (b *body) none() bool { return !b.streamed && b.kept.len() == 0 }

// arrived reports whether nothing of the body is left to come from the client.
func (b *body) arrived() bool { return !b.streamed || b.ended.Load() }

// err is the error that reading from the client met, or nil.
func (b *body) err() error {
	if err := b.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// size is the number of bytes that came from the client.
func (b *body) size() int64 {
	if b.streamed {
		return b.count.Load()
	}
	return int64(b.kept.len())
}

// read reads a streamed body from the client.
func (b *body) read(f front, p []byte) (int, error) {
	b.touched.Store(true)
	n, err := f.read(p)
	b.count.Add(int64(n))
	b.note(err)
	return n, err
}

// note remembers how reading ended.
func (b *body) note(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
	default:
		b.failed.CompareAndSwap(nil, &err)
	}
}

// reset makes the body that of another request: none, so far.
func (b *body) reset() {
	b.kept, b.memory = piece{}, nil
	b.streamed, b.waiting, b.length = false, false, 0
	b.touched.Store(false)
	b.ended.Store(false)
	b.failed.Store(nil)
	b.count.Store(0)
}

// release gives the memory back.
func (b *body) release() {
	if b.memory != nil {
		b.memory.free()
		b.memory = nil
	}
	b.kept = piece{}
}
