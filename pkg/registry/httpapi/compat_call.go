package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// WSO2's calls name the resource in the query, but for those on artifacts: "?path=/a/b", or "?path=/a/b;version:2".

// byQuery tells whether the operation is one of those.
func (t route) byQuery() bool {
	return strings.HasPrefix(t.url, compatPrefix) && !t.hasPath()
}

// prepareCompat makes the query of one of WSO2's calls readable, and refuses one that says a parameter twice. Parameters that the operation does not
// know do nothing, as ever: scripts send them.
func (c *call) prepareCompat(t route) error {
	if strings.Contains(c.URL.RawQuery, ";") { // which net/url takes for a separator of old
		u := *c.URL
		u.RawQuery = strings.ReplaceAll(u.RawQuery, ";", "%3B")
		r := *c.Request
		r.URL, c.Request = &u, &r
	}
	query, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return registry.Errorf(registry.CodeInvalid, "the query is not well escaped")
	}
	for _, name := range t.query {
		if n := len(query[name]); n > 1 {
			return registry.Errorf(registry.CodeInvalid, "query parameter %q is there %d times", name, n)
		}
	}
	return nil
}

// pathRef is the path and the version (0 for none) that the request names, in its URL or in its query.
func (c *call) pathRef() (registry.Path, int64, error) {
	if !c.byQuery {
		return parseRest(c.rest)
	}
	s, err := c.must("path")
	if err != nil {
		return "", 0, err
	}
	return registry.ParseRef(s)
}

// must reads a query parameter that the operation cannot do without.
func (c *call) must(name string) (string, error) {
	s := c.URL.Query().Get(name)
	if s == "" {
		return "", registry.Errorf(registry.CodeInvalid, "query parameter %s is missing", name)
	}
	return s, nil
}

// queryID reads the number of a comment or version that the query names.
func (c *call) queryID() (int64, error) {
	n, err := c.number("id", unlimited)
	if err == nil && n == 0 {
		err = registry.Errorf(registry.CodeInvalid, "query parameter id is missing")
	}
	return n, err
}

// window is the part of a list that start (how many to pass over) and size (how many to give; 0, with start 0, is all) ask for.
type window struct {
	start, size int64
}

func (c *call) window() (window, error) {
	var win window
	for name, n := range map[string]*int64{"start": &win.start, "size": &win.size} {
		s := c.URL.Query().Get(name)
		if s == "" {
			continue
		}
		var err error
		if *n, err = strconv.ParseInt(s, 10, 32); err != nil || *n < 0 {
			return window{}, registry.Errorf(registry.CodeInvalid, "query parameter %s is %q; it must be a number from 0 on", name, s)
		}
	}
	if win.start > 0 && win.size == 0 {
		return window{}, registry.Errorf(registry.CodeInvalid, "query parameter start is %d and size 0; only both can be 0, for the whole list", win.start)
	}
	return win, nil
}

func (win window) beyond(length int64) error {
	return registry.Errorf(registry.CodeInvalid, "query parameter start is %d; the list has %d entries", win.start, length)
}

// cut gives the part of a list that win asks for.
func cut[T any](list []T, win window) ([]T, error) {
	if win.start > int64(len(list)) {
		return nil, win.beyond(int64(len(list)))
	}
	list = list[win.start:]
	if win.size > 0 && win.size < int64(len(list)) {
		list = list[:win.size]
	}
	return list, nil
}

// writeWindow writes the part of a list that win asks for as a JSON array, page by page: there may be more than memory should hold. next gives one page
// after the other, and false with the last one.
func writeWindow[T any](w http.ResponseWriter, win window, next func() ([]T, bool, error)) error {
	passed, written := int64(0), int64(0)
	separator := "["
	for more := true; more && (win.size == 0 || written < win.size); {
		page, ok, err := next()
		if err != nil {
			return err
		}
		more = ok
		skip := min(int64(len(page)), win.start-passed)
		passed += skip
		if !more && passed < win.start {
			return win.beyond(passed)
		}
		for _, entry := range page[skip:] {
			if win.size > 0 && written == win.size {
				break
			}
			text, err := compactJSON(entry)
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", jsonType)
			if _, err := io.WriteString(w, separator+string(text)); err != nil {
				return registry.Errorf(registry.CodeCanceled, "the client went away")
			}
			separator = ","
			written++
		}
	}
	w.Header().Set("Content-Type", jsonType)
	if written == 0 {
		_, _ = io.WriteString(w, separator) // who does not read it has gone
	}
	_, _ = io.WriteString(w, "]")
	return nil
}

// compactJSON is JSON as WSO2's registry writes it: no white space, no escapes that JSON does not ask for.
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// writeCompact answers with v as JSON; with 304 or 412 when an entity tag is set and the conditions of the request say so.
func writeCompact(w http.ResponseWriter, c *call, v any) error {
	text, err := compactJSON(v)
	if err != nil {
		return err
	}
	if tag := w.Header().Get("ETag"); tag != "" {
		known, err := c.knows(tag)
		switch {
		case err != nil:
			return err
		case known:
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = w.Write(text) // who does not read it has gone
	return nil
}

// resourceMissing begins what WSO2's registry says where nothing is at a path.
const resourceMissing = "Resource not found : "

// resourceNotFound says that nothing is at a path, in the words that WSO2's clients know.
func resourceNotFound(ref string) error {
	return registry.Errorf(registry.CodeNotFound, "%s%s", resourceMissing, ref)
}

// missing says in those words that nothing is at p. When something is, the error speaks of what belongs to it, and stays.
func (h *handler) missing(c *call, p registry.Path, err error) error {
	if registry.CodeOf(err) != registry.CodeNotFound {
		return err
	}
	if _, look := h.service.Get(c.Context(), c.actor, p, registry.Freshness{}); registry.CodeOf(look) == registry.CodeNotFound {
		return resourceNotFound(p.String())
	}
	return err
}

// versioned writes a path with a version as WSO2 does.
func versioned(p registry.Path, n int64) string {
	return p.String() + ";version:" + strconv.FormatInt(n, 10)
}

// gmt writes a time as WSO2's registry does: "22 Nov 2026 12:00:00 GMT". The zero time has no text.
func gmt(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2 Jan 2006 15:04:05 GMT")
	return &s
}

// orNull is the text, or null when it is empty.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
