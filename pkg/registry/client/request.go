package client

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	mostAnswer   = 64 << 20 // bytes of a JSON answer
	firstWait    = 100 * time.Millisecond
	mostWait     = 5 * time.Second  // between two attempts, when the server does not say
	mostPatience = 30 * time.Second // a server that asks for a longer wait is not waited for
)

// call is one request as the caller means it; [Client.send] may put it on the wire several times.
type call struct {
	method    string
	operation string // what follows /api/v1/ in the URL
	path      string // of the resource; "" where the operation has none
	query     url.Values
	header    http.Header
	body      *payload // nil = none
}

func (k *call) isRead() bool { return k.method == http.MethodGet || k.method == http.MethodHead }

// guard makes sure that the server can tell a repetition of a change from a new one, where the caller did not: by an idempotency key. A change without
// one must not be repeated even when its second time makes what its first made: somebody else may have changed that in between. A condition is no
// substitute: what it is on may be something that the change leaves as it is, and where it is not, the repetition of a success would be refused. The server
// looks for the answer that it kept before it looks at the condition.
func (k *call) guard() {
	if k.isRead() || k.guarded() {
		return
	}
	if k.header == nil {
		k.header = http.Header{}
	}
	k.header.Set("Idempotency-Key", crand.Text())
}

// guarded tells whether the server can tell a repetition of the change from a new one.
func (k *call) guarded() bool { return k.header.Get("Idempotency-Key") != "" }

// optionNames are the options that are sent as header fields.
var optionNames = map[string]string{"If-Match": "IfMatch", "If-None-Match": "IfNoneMatch", "Idempotency-Key": "IdempotencyKey", "Version-Comment": "Comment"}

// check refuses what HTTP cannot say. Sending it would fail like a connection does.
func (k *call) check() error {
	for _, name := range slices.Sorted(maps.Keys(k.header)) {
		for _, value := range k.header[name] {
			if err := k.checkField(cmp.Or(optionNames[name], name), value); err != nil {
				return err
			}
		}
	}
	if k.body != nil {
		return k.checkField("MediaType", k.body.mediaType)
	}
	return nil
}

func (k *call) checkField(name, value string) error {
	i := strings.IndexFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	if i < 0 {
		return nil
	}
	return &Error{Method: k.method, Path: k.path, Code: ErrInvalid, Detail: fmt.Sprintf("%s has the control character %q; it must be one line of text", name, value[i])}
}

// attempt is what came of sending a request once.
type attempt struct {
	res   *http.Response // of a success; the rest is about failures
	err   error
	again bool          // another attempt may fare better
	maybe bool          // the server may have carried it out
	after time.Duration // how long the server asked to wait
}

// send sends a request, as often as it may be and helps, and gives the first answer with 2xx. The error is an [*Error], or wraps the failure of the
// connection; it is the context's when that ended.
func (c *Client) send(ctx context.Context, k *call) (*http.Response, error) {
	defer k.body.release()
	if err := k.check(); err != nil {
		return nil, err
	}
	if c.attempts > 1 && k.body.repeats() {
		k.guard()
	}
	maybe := false
	for n := 1; ; n++ {
		a := c.once(ctx, k)
		if a.err == nil {
			return a.res, nil
		}
		maybe = maybe || a.maybe && !k.isRead()
		harmless := !a.maybe || k.isRead() || k.guarded()
		if !a.again || !harmless || n >= c.attempts || a.after > mostPatience || !k.body.rewind() {
			return nil, told(a.err, maybe)
		}
		if pause(ctx, n, a.after) != nil {
			return nil, told(a.err, maybe)
		}
	}
}

// told adds to a failure that the change may have been made all the same.
func told(err error, maybe bool) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Unknown = maybe
	} else if e, ok := errors.AsType[*lostError](err); ok {
		e.unknown = maybe
	}
	return err
}

// once sends a request once.
func (c *Client) once(ctx context.Context, k *call) attempt {
	r, err := c.request(ctx, k)
	if err != nil {
		return attempt{err: err}
	}
	res, err := c.http.Do(r)
	if err != nil {
		return k.broken(ctx, err)
	}
	c.learn(res.Header)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return attempt{res: res}
	}
	e, said := refusal(res, k.path, time.Now())
	a := attempt{err: e, after: e.RetryAfter}
	switch e.Status {
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		// The registry and its load balancer give the code only to what was not done. Something else may say the like of what it lost.
		a.again, a.maybe = true, !said || e.Code != ErrUnavailable
	}
	return a
}

// request makes the request of one attempt.
func (c *Client) request(ctx context.Context, k *call) (*http.Request, error) {
	address := c.base + "/api/v1/" + k.operation
	if k.path != "" {
		address += escapePath(k.path)
	}
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, k.method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(r.Header, k.header)
	r.Header.Set("User-Agent", c.agent)
	// The load balancer's own errors come in the form that is asked for; contents in the form that they have.
	r.Header.Set("Accept", "application/json, application/problem+json, */*;q=0.5")
	r.Header.Set("Accept-Encoding", "identity")
	if c.credentials != nil {
		c.credentials(r.Header)
	}
	if k.isRead() {
		if err := c.remind(ctx, r, k); err != nil {
			return nil, err
		}
	}
	k.body.attach(r)
	return r, nil
}

// broken judges a request that got no answer.
func (k *call) broken(ctx context.Context, err error) attempt {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // its text repeats the URL
	}
	if own := k.body.failure(); own != nil {
		return attempt{err: fmt.Errorf("read what is to be stored: %w", own)} // a body that is cut off changes nothing
	}
	if ctx.Err() != nil {
		return attempt{err: &lostError{err: context.Cause(ctx)}, maybe: true}
	}
	a := attempt{err: &lostError{err: err}, again: true, maybe: true}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	op, dialing := errors.AsType[*net.OpError](err)
	dialing = dialing && (op.Op == "dial" || op.Op == "proxyconnect")
	dns, naming := errors.AsType[*net.DNSError](err)
	switch {
	case untrusted || plain:
		a.again, a.maybe = false, false
		a.err = fmt.Errorf("no trusted connection: %w", err)
	case naming:
		a.again, a.maybe = dns.IsTemporary || dns.IsTimeout, false
	case dialing:
		a.maybe = false
	case k.body != nil && k.body.size != 0 && k.body.untouched():
		a.maybe = false // the head may have arrived, but a body that is cut off changes nothing
	}
	return a
}

// pause waits before the next attempt: as long as the server asked, or a random time that doubles.
func pause(ctx context.Context, n int, after time.Duration) error {
	wait := after
	if wait == 0 {
		wait = min(mostWait, firstWait<<min(n-1, 10))/2 + 1
	}
	wait += rand.N(wait) // so that clients who failed together do not come back together
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// ask sends a request and reads its JSON answer into v, unless that is nil. It gives the status.
func (c *Client) ask(ctx context.Context, k *call, v any) (int, error) {
	status, _, err := c.askHeader(ctx, k, v)
	return status, err
}

// askHeader is ask that gives the header of the answer, too.
func (c *Client) askHeader(ctx context.Context, k *call, v any) (int, http.Header, error) {
	res, err := c.send(ctx, k)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	if v == nil {
		return res.StatusCode, res.Header, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer+1))
	switch {
	case err != nil:
		// The status was a success: a change was made, only the words about it are lost.
		return 0, nil, &lostError{err: fmt.Errorf("the answer broke off: %w", err), unknown: !k.isRead()}
	case len(body) > mostAnswer:
		return 0, nil, fmt.Errorf("the answer has more than %d bytes", mostAnswer)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return 0, nil, fmt.Errorf("the answer is not that of a registry (is %s its address?): %w", c.base, err)
	}
	return res.StatusCode, res.Header, nil
}

// escapePath writes a path into a URL: each name percent-encoded, the slashes as they are.
func escapePath(p string) string {
	names := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, name := range names {
		names[i] = url.PathEscape(name)
	}
	return "/" + strings.Join(names, "/")
}
