package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// mostEvent is how many bytes a block of an event stream may have; those of the registry have some thousand.
const mostEvent = 1 << 20

// eventBlock is a block of an event stream (text/event-stream, as HTML defines it): all but its comments.
type eventBlock struct {
	id   string // as far as the block says
	kind string // "" for a plain one
	data string
}

// eventReader reads an event stream.
type eventReader struct {
	lines *bufio.Scanner
	retry time.Duration // that the stream asked for, 0 when it did not
}

func newEventReader(r io.Reader) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), mostEvent)
	lines.Split(splitLines)
	return &eventReader{lines: lines}
}

// next gives the next block that says anything; comments alone are such a block, too: they tell that the server is there. What a stream that ends had not
// ended is no block. io.EOF at the end.
func (r *eventReader) next() (eventBlock, error) {
	var b eventBlock
	var data strings.Builder
	said := false
	for r.lines.Scan() {
		line := r.lines.Text()
		if line == "" {
			if !said {
				continue
			}
			b.data = strings.TrimSuffix(data.String(), "\n")
			return b, nil
		}
		said = true
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			if !strings.Contains(value, "\x00") {
				b.id = value
			}
		case "event":
			b.kind = value
		case "data":
			if data.Len()+len(value) > mostEvent {
				return eventBlock{}, errLongEvent
			}
			data.WriteString(value + "\n")
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 32); err == nil {
				r.retry = min(time.Duration(ms)*time.Millisecond, mostPatience)
			}
		}
	}
	switch err := r.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return eventBlock{}, errLongEvent
	case err != nil:
		return eventBlock{}, err
	}
	return eventBlock{}, io.EOF
}

var errLongEvent = finalError{fmt.Errorf("an event has more than %d bytes", mostEvent)}

// splitLines is a [bufio.SplitFunc] for lines that end with LF, CR LF or CR. A line without an end is none.
func splitLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	i := bytes.IndexAny(data, "\r\n")
	switch {
	case i < 0:
		return 0, nil, nil
	case data[i] == '\n':
		return i + 1, data[:i], nil
	case i+1 < len(data) && data[i+1] == '\n':
		return i + 2, data[:i], nil
	case i+1 == len(data) && !atEOF:
		return 0, nil, nil // an LF may follow
	}
	return i + 1, data[:i], nil
}
