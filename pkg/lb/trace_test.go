package lb

import (
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/tracecontext"
)

// What members and the log get to know of the trace that a request belongs to.
func TestProxy_TraceContext(t *testing.T) {
	t.Parallel()
	const (
		id     = "4bf92f3577b34da6a3ce929d0e0e4736"
		valid  = "00-" + id + "-00f067aa0ba902b7-00"
		state  = "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"
		broken = "00-" + id + "-00f067aa0ba902b7-0"
	)
	start, sampled := TraceSpec{Start: true}, TraceSpec{Start: true, Sampled: true}
	for _, c := range []struct {
		name   string
		spec   TraceSpec
		header []string
		passes []string // traceparents that pass as they are; nil: a new one
		state  string
		flags  string // of the new one
	}{
		{"valid", sampled, []string{"traceparent", valid, "tracestate", state}, []string{valid}, state, ""},
		{"valid, in upper case", start, []string{"TRACEPARENT", valid}, []string{valid}, "", ""},
		{"valid, none is begun", TraceSpec{}, []string{"traceparent", valid, "tracestate", state}, []string{valid}, state, ""},
		{"several states", start, []string{"traceparent", valid, "tracestate", "a=1", "tracestate", "b=2"}, []string{valid}, "a=1|b=2", ""},
		{"missing", start, nil, nil, "", "-00"},
		{"missing, sampled", sampled, nil, nil, "", "-01"},
		{"missing, with a state", start, []string{"tracestate", state}, nil, "", "-00"},
		{"invalid", start, []string{"traceparent", broken, "tracestate", state}, nil, "", "-00"},
		{"two", start, []string{"traceparent", valid, "traceparent", valid, "tracestate", state}, nil, "", "-00"},
		{"missing, none is begun", TraceSpec{}, nil, []string{}, "", ""},
		{"invalid, none is begun", TraceSpec{}, []string{"traceparent", broken, "tracestate", state}, []string{broken}, state, ""},
		{"of this connection alone", start, []string{"traceparent", valid, "Connection", "traceparent"}, []string{}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(config *Config) { config.Trace = c.spec })
			b.members(echoMember(t))
			h := b.seen(c.header...)
			parents := h[http.CanonicalHeaderKey(tracecontext.Parent)]
			if got := strings.Join(h[http.CanonicalHeaderKey(tracecontext.State)], "|"); got != c.state {
				t.Errorf("tracestate is %q, want %q", got, c.state)
			}
			want := ""
			switch {
			case c.passes != nil:
				if strings.Join(parents, "|") != strings.Join(c.passes, "|") {
					t.Errorf("traceparent is %q, want %q", parents, c.passes)
				}
				if strings.Contains(strings.Join(c.header, " "), valid) {
					want = id
				}
			case len(parents) != 1 || !strings.HasSuffix(parents[0], c.flags):
				t.Errorf("traceparent is %q, want a new one", parents)
			default:
				var ok bool
				if want, ok = tracecontext.TraceID(parents[0]); !ok || want == id {
					t.Errorf("traceparent is %q", parents[0])
				}
			}
			waitFor(t, func() bool { return strings.Contains(b.log.String(), " INF request ") })
			if log := b.log.String(); want != "" && !strings.Contains(log, " trace_id="+want+" ") || want == "" && strings.Contains(log, "trace_id") {
				t.Errorf("want %q in the log:\n%s", want, log)
			}
		})
	}
}

// All attempts of a request belong to the same trace.
func TestProxy_TraceOfARetry(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Trace.Start = true })
	b.members(refusedAddr(t), echoMember(t))
	first := b.seen()[http.CanonicalHeaderKey(tracecontext.Parent)]
	if len(first) != 1 {
		t.Fatalf("traceparent is %q", first)
	}
	waitFor(t, func() bool { return strings.Contains(b.log.String(), " attempts=2 ") })
	id, _ := tracecontext.TraceID(first[0])
	if !strings.Contains(b.log.String(), " trace_id="+id+" ") {
		t.Errorf("the log does not name %s", id)
	}
	if second := b.seen()[http.CanonicalHeaderKey(tracecontext.Parent)]; len(second) != 1 || second[0] == first[0] {
		t.Errorf("the next request has %q after %q", second, first)
	}
}
