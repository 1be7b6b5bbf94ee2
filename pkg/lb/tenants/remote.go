package tenants

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/regent-registry/regent/pkg/lb"
)

// Remote asks an HTTP server for the id of each tenant and remembers the answers. Safe for concurrent use.
//
// The answer to a GET is 200 with the id, as plain text ("7") or as JSON (7, {"id": 7} or {"tenantId": 7}); or 404 or 410 if there is no such
// tenant. All else, redirects too, counts as a failure.
type Remote struct {
	config RemoteConfig
	from   string // for people
	client *http.Client
	asking singleflight.Group
	turns  chan struct{} // for questions that run
	quiet  atomic.Int64  // Unix nanoseconds: until then the server is not asked, because it failed
	failed atomic.Int64  // failures in a row

	// What is remembered of those that exist, and of all others, which anybody can make up, lies apart: so none of the latter
	// pushes one of the former out.
	known   *lru.Cache[string, answer]
	unknown *lru.Cache[string, answer]

	ctx    context.Context // ends questions when r is closed
	cancel context.CancelFunc
	mu     sync.Mutex     // guards beginning questions that nobody waits for against Close
	behind sync.WaitGroup // those questions
}

var _ lb.TenantSource = (*Remote)(nil)

// RemoteConfig is what a Remote needs. URL is required.
type RemoteConfig struct {
	URL         string         // with Placeholder where the tenant's domain goes
	Timeout     time.Duration  // for an answer; 0 = 500 ms
	TTL         time.Duration  // how long an id counts as new; 0 = 5 minutes
	NegativeTTL time.Duration  // how long it is remembered that there is no such tenant; 0 = 30 s
	Size        int            // remembered ids at most, and as many tenants that do not exist; 0 = 10,000
	Roots       *x509.CertPool // verify the server's certificate; nil = those of the system
	Logger      *slog.Logger   // nil = no log

	Transport http.RoundTripper // how the server is reached; nil = over HTTP as it is
}

// Placeholder stands in the URL of a Remote for the tenant's domain.
const Placeholder = "{tenant}"

// answer is what the server said of a tenant.
type answer struct {
	id    int
	known bool
	err   error     // it was no answer
	until time.Time // it counts as new
}

func (r *Remote) tenant(a answer) lb.TenantID {
	return lb.TenantID{ID: a.id, Known: a.known, Err: a.err, From: r.from}
}

const (
	askedAtOnce = 16               // questions at a time
	quietFirst  = time.Second      // after a failure the server is left alone so long, and twice as long after each further one,
	quietMost   = 10 * time.Second // up to this
	answerMost  = 4 << 10          // bytes
)

// CheckURL tells what is wrong with the URL of a Remote.
func CheckURL(s string) error {
	u, err := url.Parse(strings.ReplaceAll(s, Placeholder, "example.com"))
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%q is no URL of an HTTP server; write one like http://127.0.0.1:9000/tenants/%s", s, Placeholder)
	case u.User != nil:
		return errors.New("the URL must not hold a user name or password: logs and pages show it")
	case strings.Count(s, Placeholder) != 1 || strings.Contains(u.Host, "example.com"):
		return fmt.Errorf("%q needs %s once, in the path or the query, where the tenant's domain goes", s, Placeholder)
	}
	return nil
}

// NewRemote makes a Remote. It asks nothing yet. Close ends it.
func NewRemote(c RemoteConfig) (*Remote, error) {
	if err := CheckURL(c.URL); err != nil {
		return nil, err
	}
	orElse := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	orElse(&c.Timeout, 500*time.Millisecond)
	orElse(&c.TTL, 5*time.Minute)
	orElse(&c.NegativeTTL, 30*time.Second)
	if c.Size <= 0 {
		c.Size = 10_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: askedAtOnce, IdleConnTimeout: time.Minute,
		}
	}
	known, err1 := lru.New[string, answer](c.Size)
	unknown, err2 := lru.New[string, answer](c.Size)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	r := &Remote{
		config: c, from: c.URL, known: known, unknown: unknown, turns: make(chan struct{}, askedAtOnce),
		client: &http.Client{
			Transport:     c.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// Close ends the questions that run and the connections to the server.
func (r *Remote) Close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.behind.Wait()
	r.client.CloseIdleConnections()
}

// Tenant implements lb.TenantSource. An id that counts as old is given all the same, while the server is asked again behind the scenes: so a
// server that is slow or away holds nobody up whose tenant was known.
func (r *Remote) Tenant(domain []byte) lb.TenantID {
	name := string(domain)
	now := time.Now()
	quiet := now.UnixNano() < r.quiet.Load()
	if old, ok := r.known.Get(name); ok {
		if now.After(old.until) && !quiet {
			r.renew(name, old)
		}
		return r.tenant(old)
	}
	if old, ok := r.unknown.Get(name); ok && now.Before(old.until) {
		return r.tenant(old)
	}
	if quiet {
		return r.tenant(answer{err: errQuiet})
	}
	return r.tenant(r.ask(name))
}

var (
	errQuiet = errors.New("the server failed just now and is not asked again yet")
	errBusy  = errors.New("too many questions to the server are open")
)

// renew asks again behind the scenes. Until the answer is there, or the time for it is over, nobody else does.
func (r *Remote) renew(name string, old answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return
	}
	old.until = time.Now().Add(2 * r.config.Timeout)
	r.known.Add(name, old)
	r.behind.Go(func() { r.ask(name) })
}

// ask has the server asked once for all who want to know, and remembers the answer. It takes no longer than the timeout.
func (r *Remote) ask(name string) answer {
	got, _, _ := r.asking.Do(name, func() (any, error) {
		select {
		case r.turns <- struct{}{}:
			defer func() { <-r.turns }()
		default:
			return answer{err: errBusy}, nil
		}
		ctx, cancel := context.WithTimeout(r.ctx, r.config.Timeout)
		defer cancel()
		a, err := r.fetch(ctx, name)
		if r.ctx.Err() != nil {
			return answer{err: r.ctx.Err()}, nil
		}
		r.judge(err)
		r.remember(name, a, err)
		a.err = err
		return a, nil
	})
	a, _ := got.(answer)
	return a
}

// remember keeps an answer, and one that was none: a server that has nothing to say about one tenant may be well otherwise, and need not be asked
// about that one all the time.
func (r *Remote) remember(name string, a answer, err error) {
	switch now := time.Now(); {
	case err != nil && !errors.Is(err, errAnswer):
	case err != nil:
		r.unknown.Add(name, answer{err: err, until: now.Add(min(r.config.NegativeTTL, quietFirst))})
	case a.known:
		a.until = now.Add(r.config.TTL)
		r.known.Add(name, a)
		r.unknown.Remove(name)
	default:
		a.until = now.Add(r.config.NegativeTTL)
		r.unknown.Add(name, a)
		r.known.Remove(name)
	}
}

// judge draws the conclusion for all other tenants: a server that fails is left alone for a while.
func (r *Remote) judge(err error) {
	if err == nil {
		if r.failed.Swap(0) > 0 {
			r.quiet.Store(0)
			r.config.Logger.Info("tenants can be looked up again", "url", r.config.URL)
		}
		return
	}
	n := r.failed.Add(1)
	if n == 1 {
		r.config.Logger.Warn("a tenant could not be looked up; those that are not known yet count as unknown", "url", r.config.URL, "error", err)
	}
	if !errors.Is(err, errAnswer) {
		wait := min(quietFirst<<min(n-1, 10), quietMost)
		r.quiet.Store(time.Now().Add(wait).UnixNano())
	}
}

// errAnswer is wrapped by the errors of answers that the server gave, but that are none.
var errAnswer = errors.New("not an answer")

func (r *Remote) fetch(ctx context.Context, name string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(r.config.URL, Placeholder, name, 1), nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/json, text/plain")
	res, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerMost+1))
	switch {
	case err != nil:
		return answer{}, err
	case len(body) > answerMost:
		return answer{}, fmt.Errorf("%w for %s: more than %d bytes", errAnswer, name, answerMost)
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone:
		return answer{}, nil
	case res.StatusCode >= http.StatusInternalServerError:
		return answer{}, fmt.Errorf("the server answers %s", res.Status)
	case res.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("%w for %s: %s", errAnswer, name, res.Status)
	}
	id, err := parseID(body)
	if err != nil {
		return answer{}, fmt.Errorf("%w for %s: %w", errAnswer, name, err)
	}
	return answer{id: id, known: true}, nil
}

// parseID reads an id in one of the forms that a server may answer in.
func parseID(body []byte) (int, error) {
	body = bytes.TrimSpace(body)
	if id, err := strconv.Atoi(string(body)); err == nil {
		return id, nil
	}
	var object struct {
		ID       *int `json:"id"`
		TenantID *int `json:"tenantId"`
	}
	if json.Unmarshal(body, &object) == nil {
		switch {
		case object.ID != nil:
			return *object.ID, nil
		case object.TenantID != nil:
			return *object.TenantID, nil
		}
	}
	return 0, fmt.Errorf("%.40q is no id", body)
}
