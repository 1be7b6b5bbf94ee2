package lb

import (
	"math/rand/v2"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/tracecontext"
)

// TraceSpec is what is done about requests that belong to no distributed trace, or say so in a way that is invalid (W3C Trace Context). The zero value: they pass
// as they are. This process records no spans, so a request that does belong to one always passes as it is, and its trace id is logged.
type TraceSpec struct {
	Start   bool // they begin one
	Sampled bool // which says that it is recorded
}

// nameTrace finds out which trace the request belongs to, or begins one. A traceparent that is invalid, or not alone, counts as none, and the tracestate with
// it (W3C Trace Context, section 4.3).
func (x *exchange) nameTrace(spec TraceSpec) {
	if x.req.Count(h1.Traceparent) == 1 {
		if id, ok := tracecontext.TraceID(x.req.First(h1.Traceparent)); ok {
			x.traceID = id
			return
		}
	}
	if !spec.Start {
		return
	}
	x.trace = tracecontext.Append(x.traceText[:0], rand.Uint64(), rand.Uint64(), rand.Uint64(), spec.Sampled)
	x.traceID, _ = tracecontext.TraceID(x.trace)
}

// appendTrace appends the field of a trace that began here.
func (x *exchange) appendTrace(dst []byte) []byte {
	if len(x.trace) == 0 {
		return dst
	}
	dst = append(dst, tracecontext.Parent...)
	dst = append(dst, ": "...)
	dst = append(dst, x.trace...)
	return append(dst, "\r\n"...)
}
