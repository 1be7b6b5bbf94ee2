package elbd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOutlet_ReaderThatStandsStill: a pipe that is full holds up neither a reload nor a stop, and what was waiting for it goes to the next file.
func TestOutlet_ReaderThatStandsStill(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLog(name); err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Fatalf("a pipe without a reader: %v", err)
	}
	reader, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	pipe, err := openLog(name)
	if err != nil {
		t.Fatal(err)
	}
	var standard bytes.Buffer
	o := &outlet{standard: &standard}
	o.use(pipe)
	type written struct {
		n   int
		err error
	}
	record := bytes.Repeat([]byte("x"), 1<<20) // more than a pipe takes
	wrote := make(chan written, 1)
	go func() {
		n, err := o.Write(record)
		wrote <- written{n, err}
	}()
	if _, err := io.ReadFull(reader, make([]byte, 1000)); err != nil { // it writes
		t.Fatal(err)
	}
	used := make(chan struct{})
	go func() {
		defer close(used)
		o.use(nil)
	}()
	select {
	case <-used:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for the pipe")
	}
	if got := <-wrote; got.n != len(record) || got.err != nil {
		t.Errorf("wrote %d, %v", got.n, got.err)
	}
	if standard.Len() == 0 || standard.Len() > len(record)-1000 {
		t.Errorf("%d bytes went on to the standard output", standard.Len())
	}
}

// TestOutlet_Closed: a file that fails for another reason than that it was replaced is an error.
func TestOutlet_Closed(t *testing.T) {
	t.Parallel()
	file, err := openLog(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	o := &outlet{standard: io.Discard}
	o.use(file)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write([]byte("x")); err == nil {
		t.Error("no error")
	}
}
