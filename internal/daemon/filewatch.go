package daemon

import (
	"crypto/sha256"
	"io"
	"os"
	"time"
)

// FileWatch tells when a file has another content, by looking at it now and then. That works on every file system and through every way of
// replacing a file: written over, renamed over, a symbolic link that is turned. One goroutine at a time uses it.
//
// A file that is just being written must not be read half. So a change is told when the new content has stayed the same for a while, however
// many looks there were meanwhile, or at once when the file was last written some time ago.
type FileWatch struct {
	file  string
	told  sum       // of the last change, or of the start
	seen  sum       // by the last look
	since time.Time // seen is what it is
}

// WatchEvery is how often files should be looked at, and how old a new content must be to be told by the first look.
const WatchEvery = 2 * time.Second

// restTime is how long a new content must have been seen. It is less than WatchEvery, so that the second look of those who keep to that tells of it.
const restTime = WatchEvery / 2

// sum stands for the content of a file; zero for a file that cannot be read.
type sum [sha256.Size]byte

// NewFileWatch watches a file from its present content on.
func NewFileWatch(file string) *FileWatch {
	w := &FileWatch{file: file}
	w.Accept()
	return w
}

// Accept takes the present content as known.
func (w *FileWatch) Accept() {
	w.seen, _ = w.look()
	w.told = w.seen
}

// Changed looks at the file and tells, once for each change, that its content is not what was told last. A file that is there no more
// has changed, too.
func (w *FileWatch) Changed() bool {
	now, written := w.look()
	if now != w.seen {
		w.seen, w.since = now, time.Now()
	}
	if now == w.told || time.Since(w.since) < restTime && time.Since(written) < WatchEvery {
		return false
	}
	w.told = now
	return true
}

// AtRest tells that the last look found what was told last: the file is not just being written.
func (w *FileWatch) AtRest() bool { return w.seen == w.told }

// look gives the content, and when it was written, as far as the file tells. A file that is away may be about to be replaced, as a new one is.
func (w *FileWatch) look() (content sum, written time.Time) {
	f, err := os.Open(w.file)
	if err != nil {
		return sum{}, time.Now()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sum{}, time.Now()
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxWatched)); err != nil {
		return sum{}, time.Now()
	}
	return sum(h.Sum(nil)), info.ModTime()
}

// maxWatched bounds what is read of a file.
const maxWatched = 4 << 20
