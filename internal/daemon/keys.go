package daemon

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// ReadGossipKeys reads a gossip key file, or another of the same form: one key a line, base64 of 16, 24 or 32 random bytes, the first one used for sending; empty
// lines and lines that start with # are skipped. Make one with: head -c 32 /dev/urandom | base64.
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
