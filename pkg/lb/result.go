package lb

// Result is what became of one attempt to have a member answer.
type Result struct {
	Status   int     // of the member's answer; 0 if there was none
	Failure  Failure // FailureNone if the whole answer reached the client
	Answered bool    // the answer's head went to the client: no other attempt is possible
	Unsent   bool    // with a Failure: no byte of the request reached the member
	Kept     bool    // with FailureReset: the connection had carried other requests, and may just have been too old
	Aside    bool    // with FailureSlow: the attempt goes on beside the next one, see aside
	Err      error   // with a Failure: the cause, for the log
}

// sent reports, for a Failure, whether a part of the request, if not all of it, went to the member.
func (r Result) sent() bool { return r.Failure != FailureConnect && !r.Unsent }

// Failure is the kind of a failed attempt. Its words are label values of metrics.
type Failure uint8

// The kinds of failure. Connect, reset, timeout, broken, down and slow are the member's; client is the client's, and outrun is nobody's.
const (
	FailureNone    Failure = iota
	FailureConnect         // no connection, or no TLS session that we trust
	FailureReset           // the connection ended before the first byte of the answer
	FailureTimeout         // the member was too slow
	FailureBroken          // the answer was malformed or ended early
	FailureDown            // the member was found to be down while the request waited, and another one is there
	FailureSlow            // the member did not begin its answer in the time of an attempt, and another one is there
	FailureOutrun          // the attempt was given up since the one before, which it went beside, began its answer first
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
	case FailureDown:
		return "down"
	case FailureSlow:
		return "slow"
	case FailureOutrun:
		return "outrun"
	case FailureClient:
		return "client"
	}
	return "unknown"
}
