package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// plainBody refuses, before a byte is read, bodies that are too long or not what they seem.
func (c *call) plainBody(limit int64) error {
	if c.ContentLength > limit {
		return tooLarge(limit)
	}
	if e := c.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return registry.Errorf(registry.CodeMediaType, "Content-Encoding is %q; bodies are taken without one only", e)
	}
	if c.Header.Get("Content-Range") != "" {
		return registry.Errorf(registry.CodeInvalid, "Content-Range: a body is taken whole only")
	}
	return nil
}

func tooLarge(limit int64) error {
	return registry.Errorf(registry.CodeTooLarge, "the body has more than %d bytes; that is the limit", limit)
}

// body reads a request's body and says in the registry's terms why it broke off.
type body struct {
	request *http.Request
	read    int64
}

func newBody(r *http.Request) io.Reader { return &body{request: r} }

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.request.Body.Read(p)
	b.read += int64(n)
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	e := &registry.Error{Code: registry.CodeInvalid, Err: err}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Message = "the body came too slowly; nothing was stored"
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = "the body was cut off; nothing was stored" // the sending side is shut, but somebody may still read
	case b.request.Context().Err() != nil:
		e.Code, e.Message = registry.CodeCanceled, "the client went away"
	default:
		e.Message = "the body could not be read; nothing was stored"
	}
	return n, e
}
