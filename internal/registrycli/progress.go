package registrycli

import (
	"fmt"
	"io"
	"time"
)

const (
	longTransfer  = 1 << 20 // bytes from which progress is worth a look
	progressEvery = 200 * time.Millisecond
)

// meter shows on a terminal how far a transfer is. The zero value shows nothing.
type meter struct {
	to      io.Writer // nil: nobody looks
	name    string
	total   int64 // -1 when not known
	at      int64
	started time.Time
	last    time.Time
	drawn   bool
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
	r.m.at += int64(n)
	r.m.show(time.Now())
	return n, err
}

type meteredSeeker struct {
	metered
	io.Seeker
}

// Seek implements [io.Seeker].
func (r meteredSeeker) Seek(offset int64, whence int) (int64, error) {
	at, err := r.Seeker.Seek(offset, whence)
	r.m.at = at
	return at, err
}

func (m *meter) show(now time.Time) {
	if m.to == nil || now.Sub(m.last) < progressEvery {
		return
	}
	m.last, m.drawn = now, true
	done := fmt.Sprintf("%.1f MiB", mebibytes(m.at))
	if m.total > 0 {
		done = fmt.Sprintf("%3d %% of %.1f MiB", m.at*100/m.total, mebibytes(m.total))
	}
	rate := mebibytes(m.at) / max(now.Sub(m.started).Seconds(), 0.001)
	fmt.Fprintf(m.to, "\r\x1b[K%.60s  %s  %.1f MiB/s", printable(m.name), done, rate)
}

// done takes the progress away.
func (m *meter) done() {
	if m.drawn {
		fmt.Fprint(m.to, "\r\x1b[K")
	}
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
