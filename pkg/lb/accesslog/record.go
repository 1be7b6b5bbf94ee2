package accesslog

import (
	"net/netip"
	"time"
)

// Record is one finished request. Add only reads it, and keeps nothing of it.
type Record struct {
	Time      time.Time  // when the request began; the time of the line, in its own time zone
	RequestID []byte     // names the request in answers and in other logs
	TraceID   []byte     // names the distributed trace that it belongs to; empty = none
	Client    netip.Addr // whom the request is from; the zero Addr if unknown
	Method    []byte
	Host      []byte
	Path      []byte // without the query, which may hold secrets
	Proto     string // "HTTP/1.1"
	TLS       string // "TLS 1.3"; "" without TLS
	Status    int    // what the client got; 499 is a client that left
	Bytes     int64  // of the answer's body, to the client
	BytesIn   int64  // of the request's body, from the client

	Service   string // these four name the pool and its member; "" before one was chosen
	Domain    string
	SubDomain string
	Member    string
	Attempts  int    // how often the request was sent
	Affinity  string // what became of the session's cookie, in a word; "" in a pool without affinity

	Shed      string        // why it was refused for want of room, in a word; "" if it was not
	Wait      time.Duration // until a member was chosen
	Queue     time.Duration // of that, until there was room
	Connect   time.Duration // until there was a connection to it; 0 when a kept one served
	FirstByte time.Duration // until the head of its answer was read
	Total     time.Duration // from the head of the request to the end of the answer

	Failure string // kind of failure of the last attempt; "" if the member's answer went to the client
	NoRetry string // why a failed attempt was the last
	Error   error  // its cause; may be nil
}

// failureClient is the kind of failure that says nothing about us or a member, so it warns of nothing.
const failureClient = "client"

// Failed reports whether the record is a warning: the request failed, and not by the client's doing.
func (r *Record) Failed() bool { return r.Failure != "" && r.Failure != failureClient }

// Most bytes of a value that a line holds.
const (
	maxID     = 128
	maxMethod = 32
	maxName   = 256 // of a host, service, domain, sub-domain and member
	maxPath   = 4096
	maxWord   = 64 // of a protocol, an affinity and a failure
	maxReason = 512
)

// Room for a line. Escaping makes up to 6 bytes of one: \ufffd, \u001b.
const (
	escapedByte = 6
	// fixedRoom is what everything else may need: all keys, the marks of cut values, and the numbers, the time and the address at their longest.
	fixedRoom = 1024
	maxLine   = fixedRoom + escapedByte*(2*maxID+maxMethod+5*maxName+maxPath+5*maxWord+2*maxReason)
)

// room gives a bound on the length of the record's line; failure is the text of its error.
func (r *Record) room(failure string) int {
	n := min(len(r.RequestID), maxID) + min(len(r.TraceID), maxID) + min(len(r.Method), maxMethod) + min(len(r.Host), maxName) + min(len(r.Path), maxPath) +
		min(len(r.Proto), maxWord) + min(len(r.TLS), maxWord) +
		min(len(r.Service), maxName) + min(len(r.Domain), maxName) + min(len(r.SubDomain), maxName) + min(len(r.Member), maxName) +
		min(len(r.Affinity), maxWord) + min(len(r.Shed), maxWord) + min(len(r.Failure), maxWord) + min(len(r.NoRetry), maxReason) + min(len(failure), maxReason)
	return fixedRoom + escapedByte*n
}
