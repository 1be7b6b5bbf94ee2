package lb

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// answerWriter is the client's side of an answer: it notes what was sent, and gives the client a limited
// time to take each piece.
type answerWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	request  *http.Request
	timeouts Timeouts
	status   int   // of the final answer; 0 = not sent
	written  int64 // bytes of body
	failed   error // the client did not take it
	whole    bool  // the engine has all of the answer: flushing between is of no use
}

func newAnswerWriter(rw http.ResponseWriter, r *http.Request, t Timeouts) *answerWriter {
	w := &answerWriter{ResponseWriter: rw, control: http.NewResponseController(rw), request: r, timeouts: t}
	if r.ProtoMajor == 1 {
		// An earlier request's deadline on this connection may be over, and the server itself writes when
		// the client waits for "100 Continue".
		w.limit()
	}
	return w
}

// Unwrap lets http.ResponseController find the server's writer.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// reset prepares for another attempt. Interim answers of the last one may have left headers.
func (w *answerWriter) reset() {
	w.whole = false
	if w.status == 0 {
		clear(w.Header())
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status = status
	}
	w.limit()
	w.ResponseWriter.WriteHeader(status)
	w.unlimit()
}

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.limit()
	n, err := w.ResponseWriter.Write(p)
	w.unlimit()
	w.written += int64(n)
	if err != nil && w.failed == nil {
		w.failed = err
	}
	return n, err
}

// FlushError implements what http.ResponseController looks for.
func (w *answerWriter) FlushError() error {
	if w.whole {
		return nil
	}
	w.limit()
	defer w.unlimit()
	return w.control.Flush()
}

// Hijack hands the connection to a tunnel. Whoever hijacks sends the status.
func (w *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.control.Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// finish bounds what the server does after us: it flushes the answer, and reads the rest of a body that
// nobody wanted.
func (w *answerWriter) finish(body *Body) {
	if w.status == http.StatusSwitchingProtocols {
		return
	}
	w.limit()
	unread := body == nil && w.request.ContentLength != 0 || body != nil && !body.arrived()
	if unread && w.request.ProtoMajor == 1 {
		_ = w.control.SetReadDeadline(time.Now().Add(w.timeouts.Body))
	}
}

// limit gives the client its time to take the next piece. Where deadlines are not supported there is
// nothing better to do than to write without.
func (w *answerWriter) limit() {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeouts.Write))
}

// unlimit ends the limit where it would bite without a write: HTTP/2 ends a stream whose deadline passes,
// HTTP/1 looks at it only in the next write, which sets a new one.
func (w *answerWriter) unlimit() {
	if w.request.ProtoMajor != 1 {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}
