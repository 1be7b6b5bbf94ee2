package httpapi

import (
	"net/http"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// precondition reads If-Match and If-None-Match (RFC 9110, section 13.1).
func precondition(h http.Header) (registry.Precondition, error) {
	match, err := parseTags(h, "If-Match")
	if err != nil {
		return registry.Precondition{}, err
	}
	noneMatch, err := parseTags(h, "If-None-Match")
	if err != nil {
		return registry.Precondition{}, err
	}
	// If-None-Match compares weakly: a weak tag counts like the strong one. If-Match compares strongly: there a weak tag equals nothing,
	// which its prefix sees to.
	for i, t := range noneMatch {
		noneMatch[i] = strings.TrimPrefix(t, "W/")
	}
	return registry.Precondition{Match: match, NoneMatch: noneMatch}, nil
}

// parseTags reads the list of entity tags in a header; none when the request lacks it. The tags keep their quotes and prefix.
func parseTags(h http.Header, name string) ([]string, error) {
	lines := h.Values(name)
	if len(lines) == 0 {
		return nil, nil
	}
	malformed := registry.Errorf(registry.CodeInvalid, `%s must be * or a list of entity tags, each in double quotes: %s: "abc", "def"`, name, name)
	rest := strings.Trim(strings.Join(lines, ","), " \t")
	if rest == "*" {
		return []string{"*"}, nil
	}
	var tags []string
	for rest != "" {
		if rest[0] == ',' { // empty elements are allowed
			rest = strings.TrimLeft(rest[1:], " \t")
			continue
		}
		tag := tagLength(rest)
		if tag == 0 {
			return nil, malformed
		}
		tags = append(tags, rest[:tag])
		rest = strings.TrimLeft(rest[tag:], " \t")
		if rest != "" && rest[0] != ',' {
			return nil, malformed
		}
	}
	if len(tags) == 0 {
		return nil, malformed
	}
	return tags, nil
}

// tagLength is the length of the entity tag that s begins with, 0 when it begins with none.
func tagLength(s string) int {
	opaque := strings.TrimPrefix(s, "W/")
	if opaque == "" || opaque[0] != '"' {
		return 0
	}
	for i := 1; i < len(opaque); i++ {
		switch c := opaque[i]; {
		case c == '"':
			return len(s) - len(opaque) + i + 1
		case c <= ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}
