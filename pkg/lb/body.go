package lb

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// keepBody is the size up to which a request's body is read before the request is sent, so that it can
// be sent again to another member.
const keepBody = 64 << 10

// Body is the body of a client's request, in a form that knows whether it can be sent once more.
//
// A body of known length up to 64 KiB is kept. A longer one, or one without a length (it may be a stream
// that waits for answers), is passed through as it comes. Such a request goes out on a new connection, so
// that a kept-alive connection that the member is just closing cannot cost a body that nobody has any more.
type Body struct {
	kept   []byte
	stream *clientBody // nil if there is no body, or it is kept
	length int64       // -1 = unknown
}

// newBody takes over the body of r, and reads it if it is to be kept. An error is the client's.
func newBody(w http.ResponseWriter, r *http.Request, idle time.Duration) (*Body, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return &Body{}, nil
	}
	b := &Body{length: r.ContentLength}
	stream := &clientBody{body: r.Body, control: http.NewResponseController(w), idle: idle}
	if b.length < 0 || b.length > keepBody {
		b.stream = stream
		// A member may answer while the body still comes. Without this an HTTP/1 server swallows the rest
		// of the body before it sends the answer; HTTP/2 needs no permission.
		_ = stream.control.EnableFullDuplex()
		return b, nil
	}
	b.kept = make([]byte, b.length)
	if _, err := io.ReadFull(stream, b.kept); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

// Replayable reports whether the body can still be sent whole.
func (b *Body) Replayable() bool { return b.stream == nil || !b.stream.touched.Load() }

// Streamed reports whether the body is passed through as it comes, and so can be sent only once.
func (b *Body) Streamed() bool { return b.stream != nil }

// Length is the number of bytes, 0 if there is no body, -1 if it is not known.
func (b *Body) Length() int64 { return b.length }

// Open gives the body for one attempt; http.NoBody if there is none. Closing it leaves the client's
// connection alone.
func (b *Body) Open() io.ReadCloser {
	switch {
	case b.stream != nil:
		return b.stream
	case len(b.kept) == 0:
		return http.NoBody
	}
	return io.NopCloser(bytes.NewReader(b.kept))
}

// arrived reports whether nothing of the body is left to come from the client.
func (b *Body) arrived() bool { return b.stream == nil || b.stream.ended.Load() }

// Err is the error that reading from the client met, or nil.
func (b *Body) Err() error {
	if b.stream == nil {
		return nil
	}
	if err := b.stream.err.Load(); err != nil {
		return *err
	}
	return nil
}

// clientBody reads the client's body and gives the client a limited time for every piece of it.
type clientBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	touched atomic.Bool
	ended   atomic.Bool           // all of it was read
	err     atomic.Pointer[error] // other than io.EOF
}

// Read implements io.Reader.
func (b *clientBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	// Where deadlines are not supported there is nothing better to do than to read without. The deadline
	// holds for this read alone: later ones of the server, that only wait for the client to leave, have none.
	_ = b.control.SetReadDeadline(time.Now().Add(b.idle))
	n, err := b.body.Read(p)
	_ = b.control.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, io.EOF):
		b.ended.Store(true)
	case err != nil:
		b.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close does nothing: the client's body belongs to the server, and a failed attempt must not end it.
func (b *clientBody) Close() error { return nil }
