package daemon

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// patience bounds how long a handler waits for a client that sends or takes nothing: each piece of a body, in and out, has its time. The whole may
// take as long as it wants, so long transfers pass and silent clients do not hold a connection, or a graceful stop.
type patience struct {
	next        http.Handler
	body, write time.Duration
}

// ServeHTTP implements [http.Handler].
func (p patience) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	body := &patientBody{ReadCloser: r.Body, control: control, patience: p.body}
	out := &patientWriter{ResponseWriter: w, control: control, patience: p.write, http1: r.ProtoMajor == 1}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = body
		defer body.finish()
	}
	// An earlier request's deadline on this connection may be over. Where deadlines are not supported there is nothing better to do than to
	// go without: all errors of setting them are of that kind.
	out.limit(p.write)
	// What the server still does by itself: read the rest of a body that the handler left, then send the end of the answer.
	defer out.limit(p.body + p.write)
	p.next.ServeHTTP(out, r)
}

// patientBody gives the client a limited time for each piece of its body.
type patientBody struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
	ended    bool
}

// Read implements [io.Reader]. The deadline holds for this read alone: the server's own, that only waits for the client to leave, has none.
func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.patience))
	n, err := b.ReadCloser.Read(p)
	_ = b.control.SetReadDeadline(time.Time{})
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// finish bounds the server's reading of a rest that the handler left.
func (b *patientBody) finish() {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(b.patience))
	}
}

// patientWriter gives the client a limited time to take each piece of the answer.
type patientWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	http1    bool
}

// limit starts the time for the next piece. HTTP/2 ends a stream whose deadline passes, even while the handler still thinks; so there
// a deadline only stands during a write.
func (w *patientWriter) limit(d time.Duration) {
	if w.http1 {
		_ = w.control.SetWriteDeadline(time.Now().Add(d))
	}
}

// Write implements [io.Writer].
func (w *patientWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.patience))
	n, err := w.ResponseWriter.Write(p)
	if !w.http1 {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
