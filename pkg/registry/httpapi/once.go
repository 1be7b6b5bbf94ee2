package httpapi

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

const onceHeader = "Idempotency-Key"

// once reads the idempotency key of a change. What makes the request this one is its method and URL, what its header says of the change, and its
// body, which is added where that is read.
func (c *call) once() error {
	lines := c.Header.Values(onceHeader)
	if len(lines) == 0 || c.Method == http.MethodGet || c.Method == http.MethodHead {
		return nil
	}
	key, err := parseOnce(lines)
	if err != nil {
		return err
	}
	request := []string{c.Method, c.URL.EscapedPath(), c.URL.RawQuery}
	for _, name := range []string{"Content-Type", "If-Match", "If-None-Match", "Version-Comment"} {
		request = append(request, strings.Join(c.Header.Values(name), ","))
	}
	c.actor.Once = registry.NewOnce(c.actor.User, key, request...)
	return nil
}

// parseOnce reads the key: a string in double quotes, as draft-ietf-httpapi-idempotency-key-header has it, or without them, as most clients write it.
func parseOnce(lines []string) (string, error) {
	if len(lines) > 1 {
		return "", registry.Errorf(registry.CodeInvalid, "%s is there %d times", onceHeader, len(lines))
	}
	key := lines[0]
	if inner, ok := strings.CutPrefix(key, `"`); ok {
		key, ok = strings.CutSuffix(inner, `"`)
		if !ok {
			return "", registry.Errorf(registry.CodeInvalid, "%s lacks its closing quote", onceHeader)
		}
	}
	if key == "" || len(key) > registry.MaxOnceKeyLength {
		return "", registry.Errorf(registry.CodeInvalid, "%s has %d characters; it must have from 1 to %d", onceHeader, len(key), registry.MaxOnceKeyLength)
	}
	for _, r := range []byte(key) {
		if r <= ' ' || r >= 0x7f || r == '"' || r == '\\' {
			return "", registry.Errorf(registry.CodeInvalid, "%s has the character %q; only visible ASCII without quotes and backslashes is allowed", onceHeader, rune(r))
		}
	}
	return key, nil
}
