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
	return parseGossipKeys(file, data)
}

func parseGossipKeys(file string, data []byte) ([][]byte, error) {
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

// keyFileLook is the time between two looks at a gossip key file. A change is taken over when two looks in a row found the same, so that a file
// that is being written is not read half.
const keyFileLook = time.Second

// FollowGossipKeys looks at a gossip key file until ctx ends and calls apply with the keys whenever they are others than before, which at first are
// current. A file that cannot be used, or that apply refuses, is logged once, and the keys stay as they are.
func FollowGossipKeys(ctx context.Context, file string, current [][]byte, apply func([][]byte) error, log *slog.Logger) {
	f := keyFollower{file: file, current: current, apply: apply, log: log}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		log.WarnContext(ctx, "gossip key file is open to others; make its mode 0600", "file", file, "mode", info.Mode().Perm().String())
	}
	tick := time.NewTicker(keyFileLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look(ctx)
		}
	}
}

// keyFollower is what a follower remembers between two looks.
type keyFollower struct {
	file    string
	current [][]byte // what is in use
	apply   func([][]byte) error
	log     *slog.Logger

	seen    []byte // what the last look found
	settled []byte // what was taken over, or refused, last
	failure string // the last error of reading
}

func (f *keyFollower) look(ctx context.Context) {
	data, err := os.ReadFile(f.file)
	if err != nil {
		if err.Error() != f.failure {
			f.failure = err.Error()
			f.refuse(ctx, err)
		}
		return
	}
	f.failure = ""
	if !bytes.Equal(data, f.seen) || f.seen == nil {
		f.seen = append([]byte{}, data...)
		return
	}
	if f.settled != nil && bytes.Equal(data, f.settled) {
		return
	}
	f.settled = f.seen
	keys, err := parseGossipKeys(f.file, data)
	if err == nil && slices.EqualFunc(keys, f.current, bytes.Equal) {
		return
	}
	if err == nil {
		err = f.apply(keys)
	}
	if err != nil {
		f.refuse(ctx, err)
		return
	}
	f.current = keys
}

func (f *keyFollower) refuse(ctx context.Context, err error) {
	f.log.WarnContext(ctx, "gossip key file could not be taken over; the old keys stay", "file", f.file, "error", err)
}
