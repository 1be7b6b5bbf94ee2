// Package tracecontext reads and writes the field that carries a request's place in a distributed trace from one program to the next: traceparent, as
// defined in W3C Trace Context, Level 1 (https://www.w3.org/TR/trace-context-1/). It is pure functions over bytes and allocates nothing.
package tracecontext

import "encoding/binary"

// The names of the fields, as they are to be sent (section 3.2.1, section 3.3.1).
const (
	Parent = "traceparent"
	State  = "tracestate"
)

// Length is the length of a traceparent of version 00, the only one that is defined: 00-TRACEID-PARENTID-FLAGS.
const Length = len("00-") + 2*16 + len("-") + 2*8 + len("-00")

// Where the parts are.
const (
	traceAt  = len("00-")
	traceEnd = traceAt + 2*16
	spanAt   = traceEnd + 1
	spanEnd  = spanAt + 2*8
	flagsAt  = spanEnd + 1
)

// TraceID gives the trace id in a traceparent, 32 lower-case hex digits, as a part of it. ok is false if the field is invalid (section 3.2.2): whoever gets such
// a one goes on as if there was none, and starts a new trace. A version to come is read by what it must have in common with version 00 (section 3.2.4).
func TraceID[T ~string | ~[]byte](parent T) (id T, ok bool) {
	var none T
	if len(parent) < Length || parent[traceAt-1] != '-' || parent[traceEnd] != '-' || parent[spanEnd] != '-' {
		return none, false
	}
	version, flags := parent[:traceAt-1], parent[flagsAt:Length]
	if !isHex(version) || !isHex(flags) || string(version) == "ff" {
		return none, false
	}
	if len(parent) > Length && (string(version) == "00" || parent[Length] != '-') {
		return none, false
	}
	id = parent[traceAt:traceEnd]
	if !isID(id) || !isID(parent[spanAt:spanEnd]) {
		return none, false
	}
	return id, true
}

// isHex reports whether s is made of lower-case hex digits.
func isHex[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isID reports whether s is made of lower-case hex digits that are not all 0.
func isID[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return isHex(s)
		}
	}
	return false
}

// Append appends a traceparent that begins a trace. The numbers are random ones, of which the trace id and the id of its first span are made. sampled says that
// whoever gets it may record the trace.
func Append(dst []byte, high, low, span uint64, sampled bool) []byte {
	dst = append(dst, "00-"...)
	dst = appendHex(dst, high)
	dst = appendHex(dst, max(low, 1)) // no id may be 0
	dst = append(dst, '-')
	dst = appendHex(dst, max(span, 1))
	if sampled {
		return append(dst, "-01"...)
	}
	return append(dst, "-00"...)
}

func appendHex(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	for _, c := range b {
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
