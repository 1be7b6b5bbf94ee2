package registrycli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	longTransfer  = 1 << 20 // bytes from which progress is worth a look
	progressEvery = 200 * time.Millisecond
)

// meter shows on a terminal how far a transfer is.
type meter struct {
	to      io.Writer // nil: nobody looks
	name    string
	total   int64 // -1 when not known
	started time.Time

	mu    sync.Mutex // an upload that failed may read on for a moment
	at    int64
	last  time.Time
	drawn bool
	done  bool
}

// meter is for a transfer of total bytes, -1 for not known.
func (s *session) meter(name string, total int64) *meter {
	m := &meter{name: name, total: total, started: time.Now()}
	if _, ok := terminal(s.Err); ok && !s.quiet && (total < 0 || total >= longTransfer) {
		m.to = s.Err
	}
	return m
}

// reader counts what is read from r. It seeks when r does, so that an upload can begin again.
func (m *meter) reader(r io.Reader) io.Reader {
	if m.to == nil {
		return r
	}
	counted := metered{r, m}
	if s, ok := r.(io.Seeker); ok {
		return meteredSeeker{counted, s}
	}
	return counted
}

type metered struct {
	io.Reader
	m *meter
}

// Read implements [io.Reader].
func (r metered) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.m.add(int64(n), time.Now())
	return n, err
}

type meteredSeeker struct {
	metered
	io.Seeker
}

// Seek implements [io.Seeker].
func (r meteredSeeker) Seek(offset int64, whence int) (int64, error) {
	at, err := r.Seeker.Seek(offset, whence)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	r.m.at = at
	return at, err
}

// add counts n more bytes, and shows them if it is time to.
func (m *meter) add(n int64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at += n
	if m.done || now.Sub(m.last) < progressEvery {
		return
	}
	m.last, m.drawn = now, true
	so := fmt.Sprintf("%.1f MiB", mebibytes(m.at))
	if m.total > 0 {
		so = fmt.Sprintf("%3d %% of %.1f MiB", m.at*100/m.total, mebibytes(m.total))
	}
	rate := mebibytes(m.at) / max(now.Sub(m.started).Seconds(), 0.001)
	fmt.Fprintf(m.to, "\r\x1b[K%.60s  %s  %.1f MiB/s", printable(m.name), so, rate)
}

// end takes the progress away.
func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = true
	if m.drawn {
		fmt.Fprint(m.to, "\r\x1b[K")
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
