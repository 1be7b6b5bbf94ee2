package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Code says what kind of failure an [Error] is. Doors translate it to their own status in one table.
type Code string

// The codes. Anything that is not an [Error] counts as [CodeInternal].
const (
	CodeInvalid         Code = "invalid"         // the request breaks a rule or limit
	CodeUnauthenticated Code = "unauthenticated" // nobody is signed in, or the credentials are wrong
	CodeDenied          Code = "denied"          // the actor may not do this
	CodeNotFound        Code = "not_found"       // nothing is at that path, version or id
	CodeGone            Code = "gone"            // it was there once, and was removed for good
	CodeConflict        Code = "conflict"        // the other kind of thing is there, or it exists already
	CodePrecondition    Code = "precondition"    // If-Match or If-None-Match does not hold
	CodeKeyReused       Code = "key_reused"      // the idempotency key belongs to another request
	CodeTooLarge        Code = "too_large"       // a body over the limit
	CodeMediaType       Code = "media_type"      // the media type is not accepted here
	CodeThrottled       Code = "throttled"       // too many tries; come again after Error.RetryAfter
	CodeUnavailable     Code = "unavailable"     // the store cannot answer now; the same request may succeed later
	CodeInternal        Code = "internal"        // a fault of ours; the text stays in the log
	CodeCanceled        Code = "canceled"        // the caller went away
)

// Error is a failure that a caller may be told of: Message is written for the person who made the request and names the field, the limit
// and the value. Err is the cause, for the log alone.
type Error struct {
	Code       Code
	Message    string
	Err        error
	RetryAfter time.Duration // with CodeThrottled

	made wording // of Message
}

// Error joins the message and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an [Error] without a cause.
func Errorf(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), made: wording{format, args}}
}

// afterwards is err, of what was to follow a change that is durable: [CodeUnavailable] would promise that nothing has happened.
func afterwards(err error) error {
	if CodeOf(err) != CodeUnavailable {
		return err
	}
	return &Error{Code: CodeInternal, Message: "the change was made, but not all that follows it", Err: err}
}

// CodeOf tells the code of err; [CodeInternal] when it holds no [Error], "" when it is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// errInternal is what callers are told of faults of ours.
var errInternal = &Error{Code: CodeInternal, Message: "an internal error happened; the server's log has it under this request id"}

// MessageOf tells the text that the caller may see: the message of an [Error], a fixed sentence for everything else.
func MessageOf(err error) string {
	return MessageIn(err, func(english string) string { return english })
}

// MessageIn is MessageOf in another language: it asks translated for a message, or for the format that [Errorf] made it with.
func MessageIn(err error, translated func(english string) string) string {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code == CodeInternal {
		e = errInternal
	}
	return e.made.in(translated, e.Message)
}

// wording is how a text was made: another language has another format. The zero one is of a text that is its own.
type wording struct {
	format string
	args   []any
}

// in is the text, in the language of translated.
func (w wording) in(translated func(english string) string, text string) string {
	if w.format == "" {
		return translated(text)
	}
	format := translated(w.format)
	switch {
	case format == w.format:
		return text
	case !strings.Contains(w.format, "%"): // it is no format, and a percent sign in the other language is just one
		return format
	}
	args := slices.Clone(w.args)
	for i, arg := range args {
		switch arg := arg.(type) {
		case Right:
			args[i] = translated(arg.String())
		case Kind:
			args[i] = translated(arg.String())
		}
	}
	return fmt.Sprintf(format, args...)
}
