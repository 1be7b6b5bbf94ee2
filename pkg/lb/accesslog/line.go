package accesslog

import (
	"net/netip"
	"strconv"
	"time"
)

// Format is the form of the lines.
type Format uint8

// The forms: logfmt as the program's text log has it, and JSON as slog.JSONHandler has it.
const (
	Text Format = iota
	JSON
)

// key is the name of a field, with all that stands before the value in each form.
type key struct{ text, json string }

func field(name string) key { return key{" " + name + "=", `,"` + name + `":`} }

var (
	keyRequestID = field("request_id")
	keyTraceID   = field("trace_id")
	keyClient    = field("client")
	keyMethod    = field("method")
	keyHost      = field("host")
	keyPath      = field("path")
	keyProto     = field("proto")
	keyTLS       = field("tls")
	keyStatus    = field("status")
	keyBytes     = field("bytes")
	keyBytesIn   = field("bytes_in")
	keyService   = field("service")
	keyDomain    = field("domain")
	keySubDomain = field("sub_domain")
	keyMember    = field("member")
	keyAttempts  = field("attempts")
	keyAffinity  = field("affinity")
	keyShed      = field("shed")
	keyWait      = field("wait")
	keyQueue     = field("queue")
	keyConnect   = field("connect")
	keyFirstByte = field("first_byte")
	keyDuration  = field("duration")
	keyFailure   = field("failure")
	keyNoRetry   = field("no_retry")
	keyError     = field("error")
)

// line is a line being written behind others. Its functions append without an allocation as long as buf has room.
type line struct {
	buf  []byte
	json bool
}

// record writes the whole of r; failure is the text of its error.
func (l *line) record(r *Record, failure string, clock *clock) {
	l.head(r, clock)
	value(l, keyRequestID, r.RequestID, maxID)
	value(l, keyTraceID, r.TraceID, maxID)
	l.addr(keyClient, r.Client)
	value(l, keyMethod, r.Method, maxMethod)
	value(l, keyHost, r.Host, maxName)
	value(l, keyPath, r.Path, maxPath)
	value(l, keyProto, r.Proto, maxWord)
	value(l, keyTLS, r.TLS, maxWord)
	l.number(keyStatus, int64(r.Status))
	l.number(keyBytes, r.Bytes)
	l.count(keyBytesIn, r.BytesIn)
	value(l, keyService, r.Service, maxName)
	value(l, keyDomain, r.Domain, maxName)
	value(l, keySubDomain, r.SubDomain, maxName)
	value(l, keyMember, r.Member, maxName)
	l.count(keyAttempts, int64(r.Attempts))
	value(l, keyAffinity, r.Affinity, maxWord)
	value(l, keyShed, r.Shed, maxWord)
	l.spent(keyWait, r.Wait)
	l.spent(keyQueue, r.Queue)
	l.spent(keyConnect, r.Connect)
	l.spent(keyFirstByte, r.FirstByte)
	l.duration(keyDuration, r.Total)
	value(l, keyFailure, r.Failure, maxWord)
	value(l, keyNoRetry, r.NoRetry, maxReason)
	value(l, keyError, failure, maxReason)
	if l.json {
		l.buf = append(l.buf, '}')
	}
	l.buf = append(l.buf, '\n')
}

// head writes time, level and message.
func (l *line) head(r *Record, clock *clock) {
	if l.json {
		l.buf = append(l.buf, `{"time":"`...)
	}
	l.buf = clock.append(l.buf, r.Time)
	switch {
	case l.json && r.Failed():
		l.buf = append(l.buf, `","level":"WARN","msg":"request failed"`...)
	case l.json:
		l.buf = append(l.buf, `","level":"INFO","msg":"request"`...)
	case r.Failed():
		l.buf = append(l.buf, " WRN request failed"...)
	default:
		l.buf = append(l.buf, " INF request"...)
	}
}

func (l *line) key(k *key) {
	if l.json {
		l.buf = append(l.buf, k.json...)
		return
	}
	l.buf = append(l.buf, k.text...)
}

// value writes a text of which nothing is known, at most limit bytes of it. It is left out when empty.
func value[T ~string | ~[]byte](l *line, k key, v T, limit int) {
	if len(v) == 0 {
		return
	}
	l.key(&k)
	if l.json {
		l.buf = appendJSON(l.buf, v, limit)
		return
	}
	l.buf = appendText(l.buf, v, limit)
}

func (l *line) number(k key, n int64) {
	l.key(&k)
	l.buf = strconv.AppendInt(l.buf, n, 10)
}

func (l *line) count(k key, n int64) {
	if n != 0 {
		l.number(k, n)
	}
}

func (l *line) duration(k key, d time.Duration) {
	l.key(&k)
	if l.json {
		l.buf = strconv.AppendInt(l.buf, int64(d), 10)
		return
	}
	l.buf = appendDuration(l.buf, d)
}

func (l *line) spent(k key, d time.Duration) {
	if d != 0 {
		l.duration(k, d)
	}
}

// addr writes an address without its zone, which is the only part of one that could hold odd characters.
func (l *line) addr(k key, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	a = a.Unmap().WithZone("")
	l.key(&k)
	if l.json {
		l.buf = append(l.buf, '"')
		l.buf = a.AppendTo(l.buf)
		l.buf = append(l.buf, '"')
		return
	}
	l.buf = a.AppendTo(l.buf)
}
