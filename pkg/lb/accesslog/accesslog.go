package accesslog

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What Options leave open.
const (
	defaultBuffer     = 256 << 10
	minBuffer         = 64 << 10 // more than maxLine, so that every record fits into an empty half
	defaultFlushEvery = 200 * time.Millisecond
	warnEvery         = time.Minute
)

// Options of a Log; all may be left out.
type Options struct {
	Buffer     int                   // bytes of each of the two halves; 0 = 256 KiB, at least 64 KiB
	FlushEvery time.Duration         // longest that a record waits to be written; 0 = 200 ms
	Logger     *slog.Logger          // hears of dropped records; nil = nobody does
	Registerer prometheus.Registerer // gets elb_access_log_dropped_total and elb_access_log_errors_total; nil = no metrics
}

// Log is an access log. Its methods may be called by many goroutines at once. It must be closed.
type Log struct {
	w          io.Writer
	log        *slog.Logger
	flushEvery time.Duration

	dropped  atomic.Uint64 // records that will never be written
	failures atomic.Uint64 // writes that failed

	mu     sync.Mutex // guards what follows; held while one record is formatted, never during a write
	line   line       // the half that is being filled is in it
	clock  clock
	full   []byte // a half that waits to be written; else nil
	free   []byte // an empty half; nil while the other one waits or is being written
	closed bool

	wake  chan struct{}      // there is enough to write; holds one signal
	flush chan chan struct{} // each is closed when all that was added before is written
	stop  chan struct{}
	done  chan struct{} // closed when the goroutine ends
}

// New makes a Log that writes whole lines in format f to w, and starts the goroutine that does so. It fails if metrics of the same names are
// registered already.
func New(w io.Writer, f Format, o Options) (*Log, error) {
	if o.Buffer == 0 {
		o.Buffer = defaultBuffer
	}
	if o.FlushEvery <= 0 {
		o.FlushEvery = defaultFlushEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	size := max(o.Buffer, minBuffer)
	l := &Log{
		w: w, log: o.Logger, flushEvery: o.FlushEvery,
		line:  line{buf: make([]byte, 0, size), json: f == JSON},
		clock: clock{json: f == JSON},
		free:  make([]byte, 0, size),
		wake:  make(chan struct{}, 1),
		flush: make(chan chan struct{}),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	if err := l.register(o.Registerer); err != nil {
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *Log) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	counter := func(name, help string, n *atomic.Uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) })
	}
	for _, c := range []prometheus.Collector{
		counter("elb_access_log_dropped_total", "Records of the access log that were not written, for want of room or by an error.", &l.dropped),
		counter("elb_access_log_errors_total", "Writes of the access log that failed.", &l.failures),
	} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// Add puts a record into the log. It never waits for the writer: without room, or after Close, the record is dropped and counted.
func (l *Log) Add(r *Record) {
	failure := ""
	if r.Error != nil {
		failure = r.Error.Error() // before the lock: it may be slow
	}
	room := r.room(failure)
	l.mu.Lock()
	if l.closed || !l.reserve(room) {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	before := len(l.line.buf)
	l.line.record(r, failure, &l.clock)
	half := cap(l.line.buf) / 2
	enough := before < half && len(l.line.buf) >= half
	l.mu.Unlock()
	if enough {
		l.signal()
	}
}

// reserve makes room for n bytes in the half that is being filled, if need be by going over to the other one.
func (l *Log) reserve(n int) bool {
	if n <= cap(l.line.buf)-len(l.line.buf) {
		return true
	}
	if l.free == nil {
		return false
	}
	l.full, l.line.buf, l.free = l.line.buf, l.free, nil
	return true
}

// signal wakes the goroutine, unless a signal waits for it already.
func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Flush waits until everything that was added before is written, or has failed to be. It gives the context's error if that ends first,
// and nil after Close.
func (l *Log) Flush(ctx context.Context) error {
	written := make(chan struct{})
	select {
	case l.flush <- written:
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush access log: %w", ctx.Err())
	}
	select {
	case <-written: // the goroutine has taken it, so it will get there, be the log closed or not
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush access log: %w", ctx.Err())
	}
}

// Close writes what is left and ends the goroutine; it does not close the writer. If ctx ends first, a Write has not returned yet: Close gives the
// context's error, and the goroutine ends as soon as that Write does. It may be called again.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.stop)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close access log: %w", ctx.Err())
	}
}
