package lb

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// httpEngine speaks to members with net/http: httputil.ReverseProxy over http.Transport, HTTP/1.1.
type httpEngine struct {
	timeouts Timeouts
	roots    *x509.CertPool
	pieces   piecePool  // for copying bodies
	answers  *sync.Pool // of *[holdAnswer]byte
}

var _ Engine = (*httpEngine)(nil)

// holdAnswer is the size up to which an answer of known length is taken in whole before its head goes to
// the client. A member that is killed in the middle of such an answer costs the client nothing: the
// request can still go to another one. Longer answers, and those of unknown length (which may be streams
// that live for hours), pass through as they come.
const holdAnswer = 64 << 10

func newHTTPEngine(t Timeouts, roots *x509.CertPool) *httpEngine {
	return &httpEngine{
		timeouts: t,
		roots:    roots,
		pieces:   piecePool{&sync.Pool{New: func() any { return new([32 << 10]byte) }}},
		answers:  &sync.Pool{New: func() any { return new([holdAnswer]byte) }},
	}
}

// Forwarder implements Engine. Every member has connections of its own, so that those of one can be closed
// without touching the others, and a member that restarts never meets connections of its past.
func (e *httpEngine) Forwarder(m Member) Forwarder {
	d := &dialer{timeouts: e.timeouts, roots: e.roots, sessions: tls.NewLRUClientSessionCache(8)}
	f := &httpForwarder{member: m, engine: e}
	f.kept = e.transport(d, 256)
	f.single = e.transport(d, -1)
	f.proxy = &httputil.ReverseProxy{
		Rewrite:        f.rewrite,
		Transport:      f,
		FlushInterval:  -1,
		ModifyResponse: f.modify,
		ErrorHandler:   f.failed,
		BufferPool:     e.pieces,
		ErrorLog:       log.New(io.Discard, "", 0), // the result says it, and Proxy logs it
	}
	return f
}

// transport keeps that many unused connections; with -1 every request gets a new one. (DisableKeepAlives would
// do that too, but announces it, and a server that is told hangs up in the middle of a body that it refuses.)
func (e *httpEngine) transport(d *dialer, keep int) *http.Transport {
	return &http.Transport{
		DialContext:            d.plain,
		DialTLSContext:         d.secure,
		MaxIdleConnsPerHost:    keep,
		DisableCompression:     true, // what the client asked for is what it gets
		IdleConnTimeout:        e.timeouts.MemberIdle,
		ResponseHeaderTimeout:  e.timeouts.ResponseHeader,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

// httpForwarder sends requests to one member.
type httpForwarder struct {
	member Member
	engine *httpEngine
	kept   *http.Transport // reuses connections
	single *http.Transport // a new connection for every request, see Body
	proxy  *httputil.ReverseProxy
}

var _ Forwarder = (*httpForwarder)(nil)

// CloseIdle implements Forwarder.
func (f *httpForwarder) CloseIdle() {
	f.kept.CloseIdleConnections()
	f.single.CloseIdleConnections()
}

// attempt is the state of one Forward, carried through ReverseProxy in the request's context.
type attempt struct {
	x         *Exchange
	w         *answerWriter
	cancel    context.CancelFunc
	err       error       // from ErrorHandler: nothing was answered
	begun     atomic.Bool // the first byte of an answer came
	status    int
	body      *memberBody
	held      *[holdAnswer]byte
	conn      *memberConn
	writtenAt int64 // conn.written when the request got the connection
	reused    bool  // conn had carried other requests before
	replay    bool  // http.Transport was about to send the request again
}

type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// Forward implements Forwarder.
func (f *httpForwarder) Forward(rw http.ResponseWriter, x *Exchange) (result Result) {
	w, ok := rw.(*answerWriter)
	if !ok {
		w = newAnswerWriter(rw, x.Request, f.engine.timeouts)
	}
	ctx, cancel := context.WithCancel(x.Request.Context())
	defer cancel()
	a := &attempt{x: x, w: w, cancel: cancel}
	ctx = httptrace.WithClientTrace(context.WithValue(ctx, attemptKey{}, a), &httptrace.ClientTrace{
		GetConn:              a.getConn,
		GotConn:              a.gotConn,
		GotFirstResponseByte: func() { a.begun.Store(true) },
	})
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // the value itself is thrown
			panic(p)
		}
		if a.body != nil {
			a.body.stop()
		}
		if a.held != nil {
			f.engine.answers.Put(a.held)
		}
		if result = a.result(); result.Kept {
			f.kept.CloseIdleConnections() // they are as old: a member that restarted knows none of them
		}
	}()
	out := x.Request.WithContext(ctx)
	out.Body, out.ContentLength = x.Body.Open(), x.Body.Length()
	if !x.Body.Streamed() {
		out.GetBody = func() (io.ReadCloser, error) { return x.Body.Open(), nil }
	}
	f.proxy.ServeHTTP(w, out)
	return result
}

// rewrite makes the request for the member. ReverseProxy has dropped the hop-by-hop headers before.
func (f *httpForwarder) rewrite(pr *httputil.ProxyRequest) {
	x := attemptOf(pr.In.Context()).x
	scheme, addr, _ := f.member.endpoint(x.Scheme, x.Port)
	pr.Out.URL = &url.URL{
		Scheme: scheme, Host: addr,
		Path: pr.In.URL.Path, RawPath: pr.In.URL.RawPath, RawQuery: pr.In.URL.RawQuery, ForceQuery: pr.In.URL.ForceQuery,
	}
	pr.Out.Host = pr.In.Host
	x.SetRequestHeader(pr.Out.Header)
}

// RoundTrip implements http.RoundTripper for the ReverseProxy.
func (f *httpForwarder) RoundTrip(r *http.Request) (*http.Response, error) {
	if attemptOf(r.Context()).x.Body.Streamed() {
		return f.single.RoundTrip(r)
	}
	return f.kept.RoundTrip(r)
}

var (
	errUnaskedUpgrade = errors.New("the member switched protocols unasked")
	errShortAnswer    = errors.New("the member's answer ended early")
	errSentAndBroken  = errors.New("the kept connection broke after the request was sent")
)

// modify looks at the member's answer before any of it goes to the client.
func (f *httpForwarder) modify(res *http.Response) error {
	a := attemptOf(res.Request.Context())
	a.status = res.StatusCode
	a.x.SetResponseHeader(res.Header)
	if res.StatusCode == http.StatusSwitchingProtocols {
		tunnel, ok := res.Body.(io.ReadWriteCloser)
		if !ok || !a.x.upgrade() {
			return errUnaskedUpgrade
		}
		res.Body = newIdleTunnel(tunnel, f.engine.timeouts.UpgradeIdle)
		return nil
	}
	a.body = newMemberBody(res.Body, f.engine.timeouts.Stream, a.cancel)
	res.Body = a.body
	if a.x.Request.Method == http.MethodHead || res.ContentLength <= 0 || res.ContentLength > holdAnswer {
		return nil
	}
	a.held, _ = f.engine.answers.Get().(*[holdAnswer]byte)
	whole := a.held[:res.ContentLength]
	if _, err := io.ReadFull(a.body, whole); err != nil {
		return errors.Join(errShortAnswer, err)
	}
	if err := a.body.Close(); err != nil {
		return err
	}
	a.w.whole = true
	res.Body = io.NopCloser(bytes.NewReader(whole))
	return nil
}

// failed is called by ReverseProxy when there is no answer to pass on.
func (f *httpForwarder) failed(_ http.ResponseWriter, r *http.Request, err error) {
	attemptOf(r.Context()).err = err
}

// sent reports whether any byte of the request went to the member.
func (a *attempt) sent() bool { return a.conn != nil && a.conn.written.Load() != a.writtenAt }

// getConn is called when http.Transport looks for a connection. It does so again if a kept connection broke,
// to repeat the request by rules of its own: a POST is repeated if the client gave it an Idempotency-Key, and
// nobody counts how often. Whether a request is sent twice is for stopReason to say, so it ends here
// unless nothing was sent.
func (a *attempt) getConn(string) {
	if a.sent() {
		a.replay = true
		a.cancel()
	}
}

// gotConn is called when a connection was found, in some cases also for a request that was cancelled, which
// would still be written. A closed connection takes nothing.
func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	c, ok := info.Conn.(*memberConn)
	switch {
	case !ok:
	case a.replay:
		_ = c.Close()
	default:
		a.conn, a.writtenAt, a.reused = c, c.written.Load(), info.Reused
	}
}

// result tells what became of the attempt.
func (a *attempt) result() Result {
	r := Result{Status: a.status, Answered: a.w.status != 0, Err: a.err}
	if r.Err == nil {
		r.Err = a.w.failed
	}
	if r.Err == nil && a.body != nil {
		r.Err = a.body.failure()
	}
	if r.Err == nil {
		return r
	}
	r.Failure = a.failure(r.Err)
	r.Unsent = a.conn != nil && !a.sent()
	r.Kept = r.Failure == FailureReset && a.reused
	if a.replay {
		r.Err = errSentAndBroken // the cause stayed in http.Transport
	}
	return r
}

// failure sorts an error. The client comes first: what it broke says nothing about the member.
func (a *attempt) failure(err error) Failure {
	var connect *connectError
	switch {
	case a.x.Request.Context().Err() != nil, a.w.failed != nil, a.x.Body.Err() != nil:
		return FailureClient
	case a.replay:
		return FailureReset
	case errors.As(err, &connect):
		return FailureConnect
	case isTimeout(err), a.body != nil && a.body.stalled.Load():
		return FailureTimeout
	case a.begun.Load():
		return FailureBroken
	}
	return FailureReset
}

// piecePool adapts sync.Pool to ReverseProxy, by arrays, so that nothing is allocated for a slice header.
type piecePool struct{ pool *sync.Pool }

// Get implements httputil.BufferPool.
func (p piecePool) Get() []byte {
	b, _ := p.pool.Get().(*[32 << 10]byte)
	return b[:]
}

// Put implements httputil.BufferPool.
func (p piecePool) Put(b []byte) { p.pool.Put((*[32 << 10]byte)(b)) }
