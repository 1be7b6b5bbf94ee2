package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// CodeError is a kind of failure, for [errors.Is]. The text is the code in the problem documents of the API.
type CodeError string

// The kinds of failure.
const (
	ErrInvalid         CodeError = "invalid"         // the request breaks a rule or limit
	ErrUnauthenticated CodeError = "unauthenticated" // no credentials, or wrong ones
	ErrDenied          CodeError = "denied"          // this user may not do that
	ErrNotFound        CodeError = "not_found"       // nothing is at that path, or no such version
	ErrConflict        CodeError = "conflict"        // the other kind of thing is there
	ErrPrecondition    CodeError = "precondition"    // If-Match or If-None-Match does not hold: somebody was faster
	ErrTooLarge        CodeError = "too_large"       // a body over the limit
	ErrMediaType       CodeError = "media_type"      // the media type is not taken
	ErrRange           CodeError = "range"           // nothing of the range is in the content
	ErrGone            CodeError = "gone"            // it was there, and was removed for good
	ErrKeyReused       CodeError = "key_reused"      // the idempotency key belongs to another request
	ErrThrottled       CodeError = "throttled"       // too many tries; come again after Error.RetryAfter
	ErrUnavailable     CodeError = "unavailable"     // nobody can answer now
	ErrInternal        CodeError = "internal"        // a fault of the server
	ErrNotModified     CodeError = "not_modified"    // the state is that of GetOptions.IfNoneMatch

	// ErrOutcomeUnknown: the answer to a change was lost. It may have been made, or not.
	ErrOutcomeUnknown CodeError = "outcome_unknown"
	// ErrInsecure: [New] was given credentials that would leave this machine in plain text.
	ErrInsecure CodeError = "insecure"
	// ErrDigest: the bytes are not those that the server spoke of. They must not be used.
	ErrDigest CodeError = "digest"
)

// Error gives the code.
func (c CodeError) Error() string { return string(c) }

// Error is an answer that is not the one asked for, or, with a Status of 0, a refusal of this package's own. errors.Is(err, ErrNotFound) and the like look at its code.
type Error struct {
	Method     string
	Path       string // of the resource; "" where there is none
	Status     int    // of HTTP
	Code       CodeError
	Detail     string        // for people: names the field, the limit and the value
	RequestID  string        // under which the server's log has it; "" when the answer did not say
	RetryAfter time.Duration // how long the server asked to wait; 0 when it did not
	OldestSeq  int64         // of [ErrGone] to a watch: the oldest operation that the change log still has; 0 when it did not say

	// Unknown: an earlier attempt of the same change got no answer and may have been carried out, so this answer may be about its result.
	// errors.Is(err, ErrOutcomeUnknown) tells it too.
	Unknown bool
}

// Error says what the server said.
func (e *Error) Error() string {
	s := e.Detail
	if s == "" {
		s = fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Unknown {
		s += " (an earlier attempt of this change got no answer; it may have been carried out)"
	}
	return s
}

// Is compares codes.
func (e *Error) Is(target error) bool {
	c, ok := target.(CodeError)
	return ok && (c == e.Code || e.Unknown && c == ErrOutcomeUnknown)
}

// lostError is a failure without an answer.
type lostError struct {
	err     error
	unknown bool // whether what was asked for was carried out
}

func (e *lostError) Error() string {
	if e.unknown {
		return "the answer was lost, and the change may have been made: " + e.err.Error()
	}
	return e.err.Error()
}

func (e *lostError) Unwrap() error { return e.err }

func (e *lostError) Is(target error) bool {
	switch target {
	case ErrOutcomeUnknown:
		return e.unknown
	case ErrUnavailable:
		return !errors.Is(e.err, context.Canceled) // then nobody waits any more
	}
	return false
}

// IsCode tells whether err is of one of the given kinds.
func IsCode(err error, codes ...CodeError) bool {
	for _, c := range codes {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

const mostProblem = 64 << 10 // bytes of an error's body that are looked at

// problem is the body of an error (RFC 9457), as the registry and its load balancer write it.
type problem struct {
	Title     string    `json:"title"`
	Detail    string    `json:"detail"`
	Code      CodeError `json:"code"`
	RequestID string    `json:"request_id"`
}

// refusal reads an answer that is an error, and closes it. said tells whether the answer gave the code, as the registry and its load balancer do and others before them do not.
func refusal(res *http.Response, path string, now time.Time) (e *Error, said bool) {
	defer res.Body.Close()
	e = &Error{
		Method: res.Request.Method, Path: path, Status: res.StatusCode, RequestID: res.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(res.Header.Get("Retry-After"), now),
	}
	e.OldestSeq, _ = strconv.ParseInt(res.Header.Get("Registry-Oldest-Seq"), 10, 64) // 0: not told
	var p problem
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil && (media == "application/problem+json" || media == "application/json") {
		body, err := io.ReadAll(io.LimitReader(res.Body, mostProblem))
		if err != nil || json.Unmarshal(body, &p) != nil {
			p = problem{}
		}
	}
	e.Detail, e.Code = p.Detail, p.Code
	if e.Detail == "" && p.Title != "" {
		e.Detail = fmt.Sprintf("%d %s", e.Status, p.Title)
	}
	if p.RequestID != "" {
		e.RequestID = p.RequestID
	}
	if e.Code == "" {
		e.Code = codeOf(e.Status)
	}
	if location := res.Header.Get("Location"); e.Code == errRedirect {
		e.Detail = fmt.Sprintf("the server sends on to %q; redirects are not followed, so that credentials stay with the host they are for. Use that address if it is right", location)
	}
	return e, p.Code != ""
}

// errRedirect is an answer that sends elsewhere.
const errRedirect CodeError = "redirect"

// codeOf is the kind of an answer that names none, as those of load balancers do.
func codeOf(status int) CodeError {
	switch status {
	case http.StatusNotModified:
		return ErrNotModified
	case http.StatusUnauthorized:
		return ErrUnauthenticated
	case http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusGone:
		return ErrGone
	case http.StatusConflict:
		return ErrConflict
	case http.StatusPreconditionFailed:
		return ErrPrecondition
	case http.StatusRequestEntityTooLarge:
		return ErrTooLarge
	case http.StatusUnsupportedMediaType:
		return ErrMediaType
	case http.StatusRequestedRangeNotSatisfiable:
		return ErrRange
	case http.StatusTooManyRequests:
		return ErrThrottled
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return ErrUnavailable
	}
	switch {
	case status >= 500 || status < 300:
		return ErrInternal
	case status < 400:
		return errRedirect
	}
	return ErrInvalid
}

// retryAfter reads the header of that name: seconds, or a date. 0 when it says nothing.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
