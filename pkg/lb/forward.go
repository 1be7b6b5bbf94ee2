package lb

import "net/http"

// Engine makes the forwarders. It is the seam behind which the way of speaking HTTP to members can change
// without the rest of the path noticing.
type Engine interface {
	// Forwarder is called once for every member that enters the table or changes its address or ports, never
	// by a request.
	Forwarder(m Member) Forwarder
}

// Forwarder carries requests to one member. Its methods may be called by many goroutines at once.
type Forwarder interface {
	// Forward sends x.Request to the member once, whatever its headers say, and streams the answer to w, both ways at the same time.
	// It sets the headers by x.SetRequestHeader and x.SetResponseHeader. Unless the result says Answered,
	// nothing but interim (1xx) answers went to w, and the caller may try again or answer by itself.
	Forward(w http.ResponseWriter, x *Exchange) Result
	// CloseIdle closes the connections that no request uses: the member is draining,
	// gone, or moved.
	CloseIdle()
}

// Result is what became of one attempt.
type Result struct {
	Status   int     // of the member's answer; 0 if there was none
	Failure  Failure // FailureNone if the whole answer reached the client
	Answered bool    // the answer's head went to the client: no other attempt is possible
	Unsent   bool    // with a Failure: no byte of the request reached the member
	Kept     bool    // with FailureReset: the connection had carried other requests, and may just have been too old
	Err      error   // with a Failure: the cause, for the log
}

// sent reports, for a Failure, whether a part of the request, if not all of it, went to the member.
func (r Result) sent() bool { return r.Failure != FailureConnect && !r.Unsent }

// Failure is the kind of a failed attempt. Its words are label values of metrics.
type Failure uint8

// The kinds of failure. Connect, reset, timeout and broken are the member's; client is the client's.
const (
	FailureNone    Failure = iota
	FailureConnect         // no connection, or no TLS session that we trust
	FailureReset           // the connection ended before the first byte of the answer
	FailureTimeout         // the member was too slow
	FailureBroken          // the answer was malformed or ended early
	FailureClient          // the client went away or sent a broken body
)

// String gives the word that metrics and logs use.
func (f Failure) String() string {
	switch f {
	case FailureNone:
		return "none"
	case FailureConnect:
		return "connect"
	case FailureReset:
		return "reset"
	case FailureTimeout:
		return "timeout"
	case FailureBroken:
		return "broken"
	case FailureClient:
		return "client"
	}
	return "unknown"
}
