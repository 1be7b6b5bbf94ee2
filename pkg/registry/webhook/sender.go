package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	defaultTimeout = 10 * time.Second
	dialTimeout    = 5 * time.Second
	// drain is how much of an answer is read so that its connection can be used again; of a longer one the connection is closed.
	drain         = 16 << 10
	maxHeader     = 64 << 10
	maxRetryAfter = 24 * time.Hour
)

// Config is what a [Sender] is made of. The zero value sends to https addresses outside alone.
type Config struct {
	// Allow are addresses inside that may be sent to, and any that may be sent to by plain http.
	Allow []netip.Prefix
	// Timeout bounds one message, from the look-up of the name to the end of the answer; 10 seconds when 0.
	Timeout time.Duration
	// Agent is what it calls itself; "Regent" when empty.
	Agent string
	// TLS is what receivers are verified with; the system's roots when nil.
	TLS *tls.Config
}

// Sender sends messages. Safe for concurrent use.
type Sender struct {
	allow   []netip.Prefix
	timeout time.Duration
	agent   string
	plain   *http.Client
	secure  *http.Client
}

var _ registry.WebhookSender = (*Sender)(nil)

// New makes a sender.
func New(c Config) *Sender {
	s := &Sender{allow: c.Allow, timeout: c.Timeout, agent: c.Agent}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.agent == "" {
		s.agent = "Regent"
	}
	s.plain, s.secure = s.client(false, nil), s.client(true, c.TLS)
	return s
}

// client makes a client for one scheme. It uses no proxy, whatever the environment says: a proxy would resolve the name itself.
func (s *Sender) client(encrypted bool, conf *tls.Config) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%s is no address: %w", address, err)
		}
		return s.permit(a.Addr(), encrypted)
	}}
	if conf == nil {
		conf = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: conf.Clone(), TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConnsPerHost: 1, MaxIdleConns: 50, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes idle connections.
func (s *Sender) Close() {
	s.plain.CloseIdleConnections()
	s.secure.CloseIdleConnections()
}

// CheckURL implements [registry.WebhookSender].
func (s *Sender) CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return registry.Errorf(registry.CodeInvalid, "the address of a webhook must be a whole one, such as https://example.org/hooks/registry")
	case u.Scheme != "https" && u.Scheme != "http":
		return registry.Errorf(registry.CodeInvalid, "the address of a webhook must begin with https://")
	case u.Scheme == "http" && len(s.allow) == 0:
		return registry.Errorf(registry.CodeInvalid, "the address of a webhook must begin with https://; http is only for addresses that the configuration names in webhooks.allow")
	case u.User != nil:
		return registry.Errorf(registry.CodeInvalid, "the address of a webhook must not have a user or password in it; receivers check the signature")
	case u.Fragment != "":
		return registry.Errorf(registry.CodeInvalid, "the address of a webhook must not have a fragment (#)")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return registry.Errorf(registry.CodeInvalid, "the address of a webhook has a port that is none: %q", port)
		}
	}
	// A name may be anything by the time it is sent to, and is judged then; an address can be judged now.
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := s.permit(a, u.Scheme == "https"); err != nil {
			return registry.Errorf(registry.CodeInvalid, "%s", err)
		}
	}
	return nil
}

// Send implements [registry.WebhookSender].
func (s *Sender) Send(ctx context.Context, m registry.WebhookMessage) registry.WebhookAnswer {
	began := time.Now()
	answer := s.send(ctx, m)
	answer.Duration = time.Since(began)
	return answer
}

func (s *Sender) send(ctx context.Context, m registry.WebhookMessage) registry.WebhookAnswer {
	fail := func(err error) registry.WebhookAnswer { return registry.WebhookAnswer{Err: err} }
	signature, err := Sign(m.Secret.Reveal(), m.ID, m.At, m.Body)
	if err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return fail(errors.New("the address is not understood"))
	}
	client := s.secure
	if req.URL.Scheme != "https" {
		client = s.plain
	}
	req.Header.Set("Content-Type", registry.WebhookMediaType)
	req.Header.Set("User-Agent", s.agent)
	req.Header.Set(HeaderID, m.ID)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(m.At.Unix(), 10))
	req.Header.Set(HeaderSignature, signature)
	resp, err := client.Do(req)
	if err != nil {
		return fail(s.reason(ctx, err))
	}
	defer resp.Body.Close()
	answer := registry.WebhookAnswer{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), m.At)}
	// The head of the answer says whether it was taken; a body that breaks off, or does not end in time, changes nothing of that.
	answer.Body, _ = io.ReadAll(io.LimitReader(resp.Body, registry.WebhookAnswerMax))
	_, _ = io.CopyN(io.Discard, resp.Body, drain)
	return answer
}

// reason says why there was no answer, in words that tell neither the address nor what a name led to: the one may have something secret in its query, the
// other is of the network that the registry stands in.
func (s *Sender) reason(ctx context.Context, err error) error {
	for _, known := range []error{errPlain, errInside} {
		if errors.Is(err, known) {
			return known
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", s.timeout)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the name %s cannot be resolved", e.Name)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate is not trusted: %w", e.Err)
	}
	dialled, ok := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("the connection was refused")
	case ok && dialled.Op == "dial" && dialled.Timeout():
		return fmt.Errorf("no connection within %s", dialTimeout)
	case ok && dialled.Op == "dial":
		return errors.New("no connection can be made")
	case ok && dialled.Op != "remote error": // that one is an alert of TLS, which has no address in it
		return errors.New("the connection broke off")
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(h string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(h)); err == nil {
		return time.Duration(max(0, min(n, int(maxRetryAfter.Seconds())))) * time.Second
	}
	if t, err := http.ParseTime(h); err == nil {
		return max(0, min(t.Sub(now), maxRetryAfter))
	}
	return 0
}
