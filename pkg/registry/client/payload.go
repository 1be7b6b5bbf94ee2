package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"
)

// expectFrom is the size of a body from which the server is asked whether it wants it.
const expectFrom = 64 << 10

// payload is a body that can be sent again when what it reads from can be read again. A nil payload is no body.
type payload struct {
	reader    io.Reader
	seeker    io.Seeker // nil when it can be read once only
	start     int64     // of the seeker, where the body begins
	size      int64     // -1 when not known
	mediaType string
	sent      *sending // of the last attempt
}

// newPayload takes the rest of r; size is how long it is, -1 for not known. That of an [io.Seeker] is found out.
func newPayload(r io.Reader, size int64, mediaType string) (*payload, error) {
	p := &payload{reader: r, size: size, mediaType: mediaType}
	s, ok := r.(io.Seeker)
	if !ok {
		return p, nil
	}
	start, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return p, nil //nolint:nilerr // a pipe: it says that it seeks, and does not
	}
	end, err := s.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = s.Seek(start, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("find the size of what is to be stored: %w", err)
	}
	p.seeker, p.start, p.size = s, start, max(0, end-start)
	return p, nil
}

// jsonPayload is a value as a body.
func jsonPayload(v any, mediaType string) (*payload, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return newPayload(bytes.NewReader(b), -1, mediaType)
}

// attach makes p the body of a request.
func (p *payload) attach(r *http.Request) {
	if p == nil {
		return
	}
	if p.mediaType != "" {
		r.Header.Set("Content-Type", p.mediaType)
	}
	p.sent = &sending{from: p.reader, hash: sha256.New(), closed: make(chan struct{})}
	r.Body, r.ContentLength = p.sent, p.size
	if p.size == 0 {
		r.Body = http.NoBody
		_ = p.sent.Close()
	}
	if p.size < 0 || p.size >= expectFrom {
		r.Header.Set("Expect", "100-continue")
	}
}

// repeats tells whether p can be sent again once it was begun.
func (p *payload) repeats() bool { return p == nil || p.seeker != nil }

// rewind makes p ready for another attempt, and tells whether it is.
func (p *payload) rewind() bool {
	if p == nil || p.sent == nil {
		return true
	}
	if p.seeker == nil {
		return p.untouched()
	}
	p.release()
	_, err := p.seeker.Seek(p.start, io.SeekStart)
	return err == nil
}

// release waits until the transport is done with the last attempt's body, which it may read on after an answer: then the caller can have it back. What
// does not seek may have no end, and is not waited for.
func (p *payload) release() {
	if p != nil && p.sent != nil && p.seeker != nil {
		<-p.sent.closed
	}
}

// untouched tells that no byte was asked for.
func (p *payload) untouched() bool {
	if p == nil || p.sent == nil {
		return true
	}
	p.sent.mu.Lock()
	defer p.sent.mu.Unlock()
	return !p.sent.touched
}

// failure is why the body could not be read, nil when it could.
func (p *payload) failure() error {
	if p == nil || p.sent == nil {
		return nil
	}
	p.sent.mu.Lock()
	defer p.sent.mu.Unlock()
	return p.sent.err
}

// sum is the SHA-256 of what was sent, as hexadecimal digits. The server has answered that it took it, so it was read to its end.
func (p *payload) sum() string {
	p.sent.mu.Lock()
	defer p.sent.mu.Unlock()
	return hex.EncodeToString(p.sent.hash.Sum(nil))
}

// sending is the body of one attempt. The transport may close it while it reads: closed tells when it does neither any more.
type sending struct {
	mu      sync.Mutex
	from    io.Reader
	hash    hash.Hash
	touched bool
	reading bool
	closing bool
	err     error
	closed  chan struct{}
}

// Read implements [io.Reader].
func (s *sending) Read(b []byte) (int, error) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	s.touched, s.reading = true, true
	s.mu.Unlock()

	n, err := s.from.Read(b) // not under the lock: a terminal may keep it for long

	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	s.hash.Write(b[:n])
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	if s.closing {
		close(s.closed)
	}
	return n, err
}

// Close implements [io.Closer].
func (s *sending) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing && !s.reading {
		close(s.closed)
	}
	s.closing = true
	return nil
}
