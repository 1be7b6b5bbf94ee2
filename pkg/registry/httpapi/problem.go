package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// statusClientClosed is nginx's number for a client that went away; nobody is left to read it.
const statusClientClosed = 499

// statusOf is the one table from code to status.
func statusOf(c registry.Code) int {
	switch c {
	case registry.CodeInvalid:
		return http.StatusBadRequest
	case registry.CodeUnauthenticated:
		return http.StatusUnauthorized
	case registry.CodeDenied:
		return http.StatusForbidden
	case registry.CodeNotFound:
		return http.StatusNotFound
	case registry.CodeGone:
		return http.StatusGone
	case registry.CodeConflict:
		return http.StatusConflict
	case registry.CodePrecondition:
		return http.StatusPreconditionFailed
	case registry.CodeKeyReused:
		return http.StatusUnprocessableEntity
	case registry.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case registry.CodeMediaType:
		return http.StatusUnsupportedMediaType
	case registry.CodeThrottled:
		return http.StatusTooManyRequests
	case registry.CodeUnavailable:
		return http.StatusServiceUnavailable
	case registry.CodeCanceled:
		return statusClientClosed
	case registry.CodeInternal:
	}
	return http.StatusInternalServerError
}

// Codes of answers that only HTTP knows.
const (
	codeMethod registry.Code = "method_not_allowed"
	codeRange  registry.Code = "range"
)

// refusal is an error of HTTP's own: one that the registry has no code for, or that needs a header.
type refusal struct {
	status  int
	code    registry.Code
	message string
	header  string // name; "" for none
	value   string
}

func (r *refusal) Error() string { return r.message }

func methodNotAllowed(allow []string) error {
	list := strings.Join(allow, ", ")
	return &refusal{status: http.StatusMethodNotAllowed, code: codeMethod, message: "this URL takes " + list + " only", header: "Allow", value: list}
}

func badRange(size int64) error {
	message := fmt.Sprintf("Range: the content has %d bytes; nothing of the range is in it", size)
	return &refusal{status: http.StatusRequestedRangeNotSatisfiable, code: codeRange, message: message}
}

// unsupported refuses the media type of a body; types are those that the operation takes.
func unsupported(method, got string, types []string) error {
	e := &refusal{status: http.StatusUnsupportedMediaType, code: registry.CodeMediaType, header: "Accept", value: strings.Join(types, ", ")}
	if method == http.MethodPatch {
		e.header = "Accept-Patch"
	}
	e.message = fmt.Sprintf("Content-Type is %q; this operation takes %s", got, strings.Join(types, " or "))
	return e
}

// problem is the body of an error (RFC 9457).
type problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Code      registry.Code `json:"code"`
	RequestID string        `json:"request_id"`
}

// fail answers with what err stands for, and logs it when it is not the client's doing.
func (h *handler) fail(w *response, r *http.Request, err error) {
	p := describe(r, err)
	h.logFailure(r, p, err)
	if w.begun {
		panic(http.ErrAbortHandler) // half an answer must not look like a whole one
	}
	header := w.Header()
	for _, name := range []string{"Content-Disposition", "Content-Length", "ETag", "Last-Modified", "Location", "Registry-Version", "Repr-Digest"} {
		header.Del(name) // they spoke of another body
	}
	if e, ok := errors.AsType[*refusal](err); ok && e.header != "" {
		header.Set(e.header, e.value)
	}
	switch p.Status {
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Basic realm="Regent", charset="UTF-8"`)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		if e, ok := errors.AsType[*registry.Error](err); ok {
			header.Set("Retry-After", strconv.Itoa(max(int(e.RetryAfter.Seconds()), 1)))
		}
	}
	if strings.HasPrefix(r.URL.Path, compatPrefix) {
		writeText(w, p.Status, p.Detail)
		return
	}
	body, _ := json.Marshal(p) // strings and a number: cannot fail
	header.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // who does not read it has gone
}

// describe says err in the terms of a problem.
func describe(r *http.Request, err error) problem {
	code, detail := registry.CodeOf(err), registry.MessageOf(err)
	status := 0
	switch e, ok := errors.AsType[*refusal](err); {
	case ok:
		code, detail, status = e.code, e.message, e.status
	case code != registry.CodeInternal:
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		code, detail = registry.CodeCanceled, "the client went away"
	case errors.Is(err, context.DeadlineExceeded):
		code, detail = registry.CodeUnavailable, "the answer took too long; try again"
	}
	if status == 0 {
		status = statusOf(code)
	}
	title := cmp.Or(http.StatusText(status), "Client Closed Request")
	return problem{Type: "about:blank", Title: title, Status: status, Detail: detail, Code: code, RequestID: r.Header.Get("X-Request-Id")}
}

func (h *handler) logFailure(r *http.Request, p problem, err error) {
	level := slog.LevelDebug
	if p.Code == registry.CodeInternal {
		level = slog.LevelError
	}
	if p.Code == registry.CodeUnavailable {
		level = slog.LevelWarn
	}
	h.log.LogAttrs(r.Context(), level, "request failed", slog.Int("status", p.Status), slog.String("method", r.Method),
		slog.String("path", r.URL.EscapedPath()), slog.String("request_id", p.RequestID), slog.Any("error", err))
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // no line end: WSO2's registry writes none
}
