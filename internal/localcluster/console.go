package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
)

// maxLine bounds what is kept of a line that does not end.
const maxLine = 64 << 10

// console is the one place that the processes' logs and our own words go to, line by line. Safe for concurrent use.
type console struct {
	mu    sync.Mutex
	out   io.Writer
	names []string
	width int
	color bool
}

func newConsole(out io.Writer, names []string) *console {
	c := &console{out: out, names: names, color: isTerminal(out)}
	for _, n := range names {
		c.width = max(c.width, len(n))
	}
	return c
}

// say prints our own lines, without a prefix.
func (c *console) say(lines ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range lines {
		fmt.Fprintln(c.out, l)
	}
}

// writer gives the writer for the log of a process.
func (c *console) writer(name string) *lineWriter {
	prefix := fmt.Sprintf("%-*s | ", c.width, name)
	if c.color {
		prefix = fmt.Sprintf("\x1b[%dm%s\x1b[0m", c.colorOf(name), prefix)
	}
	return &lineWriter{console: c, prefix: prefix}
}

// colorOf gives each process one of the terminal's colours, beginning with cyan.
func (c *console) colorOf(name string) int {
	colors := []int{36, 33, 32, 35, 34}
	for i, n := range c.names {
		if n == name {
			return colors[i%len(colors)]
		}
	}
	return 37
}

// lineWriter puts a prefix before each line. One goroutine writes.
type lineWriter struct {
	console *console
	prefix  string
	rest    []byte // an unfinished line
	last    string // the last whole line that is not empty
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 && len(w.rest) < maxLine {
			return len(p), nil
		}
		if end < 0 {
			end = len(w.rest)
		}
		line := string(w.rest[:end])
		w.console.say(w.prefix + line)
		if line != "" {
			w.last = line
		}
		w.rest = w.rest[min(end+1, len(w.rest)):]
	}
}

// isTerminal tells whether output goes to a person's screen.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
