package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
)

// NewGossipKey makes a line for a gossip key file: 32 random bytes, in base64.
func NewGossipKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// PrintGossipKey is the command that makes a gossip key and prints it.
func PrintGossipKey(_ context.Context, in Invocation) error {
	_, err := fmt.Fprintln(in.Stdout, NewGossipKey())
	return err
}

// ReadGossipKeys reads a gossip key file, or another of the same form: one key a line, base64 of 16, 24 or 32 random bytes, the first one used for sending; empty
// lines and lines that start with # are skipped. The commands elb keys and registry keys make a line. Errors name file and line, and never show
// what stands there.
func ReadGossipKeys(file string) ([][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: not base64", file, i+1)
		}
		if n := len(key); n != 16 && n != 24 && n != 32 {
			return nil, fmt.Errorf("%s:%d: the key has %d bytes; it must have 16, 24 or 32", file, i+1, n)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no key", file)
	}
	return keys, nil
}

// keyFileLook is the time between two looks at a gossip key file.
const keyFileLook = time.Second

// FollowGossipKeys looks at a gossip key file until ctx ends and calls apply with the keys whenever they are others than before, which at first are
// current. A file that cannot be used, or that apply refuses, is logged once, and the keys stay as they are.
func FollowGossipKeys(ctx context.Context, file string, current [][]byte, apply func([][]byte) error, log *slog.Logger) {
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		log.WarnContext(ctx, "gossip key file is open to others; make its mode 0600", "file", file, "mode", info.Mode().Perm().String())
	}
	watch := &FileWatch{file: file} // not of the content of now: it may have changed since current was read
	tick := time.NewTicker(keyFileLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !watch.Changed() {
			continue
		}
		keys, err := ReadGossipKeys(file)
		if err == nil && slices.EqualFunc(keys, current, bytes.Equal) {
			continue
		}
		if err == nil {
			err = apply(keys)
		}
		if err != nil {
			log.WarnContext(ctx, "gossip key file could not be taken over; the old keys stay", "file", file, "error", err)
			continue
		}
		current = keys
	}
}
