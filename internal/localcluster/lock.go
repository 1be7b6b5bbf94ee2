package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockState makes the folder of the state and takes it for this process until the file is closed or the process ends. The error names the process
// that has it.
func lockState(folder string) (io.Closer, error) {
	if err := os.MkdirAll(folder, 0o711); err != nil { // the database's user passes through
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: lock: %w", f.Name(), err)
		}
		return nil, fmt.Errorf("a cluster runs in %s/ already (pid %s); stop it first", folder, pidIn(f))
	}
	// The number is for people alone; the lock does not need it.
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func writePID(f *os.File) error {
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// pidIn reads what writePID wrote.
func pidIn(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return pid
	}
	return "unknown"
}
