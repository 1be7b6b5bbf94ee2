package client

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Config is what a [Client] is made of. Only URL is required.
type Config struct {
	// URL is the address of a node, or better of the load balancer: https://registry.example:8243. A path in it stands before /api.
	URL string
	// Credentials are sent with every request; nil sends none.
	Credentials Credentials
	// CAFile is a PEM file of certificates to trust beside those of the system. It has no effect on an HTTP client of the caller's own.
	CAFile string
	// InsecureHTTP allows credentials over plain HTTP to other hosts than this one.
	InsecureHTTP bool
	// HTTP sends the requests, but its CheckRedirect has no effect; nil stands for one with bounds on every phase.
	HTTP *http.Client
	// Connections, unless 0, is how many connections are kept for the next requests, each for one request at a time, over HTTP/1.1: for who sends
	// many at once. Else they share one over HTTP/2 where the server speaks it. It has no effect on an HTTP client of the caller's own.
	Connections int
	// UserAgent says which program asks.
	UserAgent string
	// Attempts is how often one request is sent at most, the first time included; 0 means 4.
	Attempts int
	// Patience is how long a download may stand still before it counts as broken; 0 means 1 min.
	Patience time.Duration
	// SessionReads lets reads be as new as what this client has seen or done so far, and not newer: the server then need not look for other
	// clients' writes. It costs one more request at the first read, for the mounts.
	SessionReads bool
}

// Client calls a registry. Safe for concurrent use.
type Client struct {
	base        string // URL without slash at its end
	credentials Credentials
	http        *http.Client
	agent       string
	attempts    int
	patience    time.Duration
	session     bool

	mu     sync.Mutex
	seqs   map[string]int64 // store -> the highest position in its change log that an answer spoke of
	mounts []Mount          // nil until a read in a session needed them
}

// Credentials put into the headers of a request who makes it.
type Credentials func(http.Header)

// Basic are a user's name and password.
func Basic(user, password string) Credentials {
	value := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	return func(h http.Header) { h.Set("Authorization", value) }
}

// Bearer is an API token.
func Bearer(token string) Credentials {
	return func(h http.Header) { h.Set("Authorization", "Bearer "+token) }
}

const (
	defaultAttempts = 4
	defaultPatience = time.Minute

	defaultConnections = 16 // that are kept, where the server does not speak HTTP/2
)

// New makes a client; it connects to nothing yet.
func New(c Config) (*Client, error) {
	base, err := parseBase(c.URL)
	if err != nil {
		return nil, err
	}
	here := isLoopback(base.Hostname())
	if c.HTTP != nil && net.ParseIP(base.Hostname()) == nil {
		here = base.Hostname() == "localhost" // our own client alone keeps the other names from the name servers
	}
	if c.Credentials != nil && base.Scheme == "http" && !c.InsecureHTTP && !here {
		return nil, &Error{Code: ErrInsecure, Detail: base.String() + " is plain HTTP to another machine: whoever is on the way could read the credentials. Use https"}
	}
	client := &Client{
		base: strings.TrimRight(base.String(), "/"), credentials: c.Credentials, agent: c.UserAgent, attempts: c.Attempts, patience: c.Patience,
		session: c.SessionReads, seqs: map[string]int64{},
	}
	if client.attempts <= 0 {
		client.attempts = defaultAttempts
	}
	if client.patience <= 0 {
		client.patience = defaultPatience
	}
	if client.agent == "" {
		client.agent = "regent-client"
	}
	if c.HTTP != nil {
		own := *c.HTTP
		client.http = &own
	} else if client.http, err = newHTTP(c.CAFile, c.Connections); err != nil {
		return nil, err
	}
	client.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, nil
}

// parseBase reads the address of a server.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("the URL of the registry is not well formed") // what was written may hold a password
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not the URL of a registry; write https://HOST:PORT", u.Redacted())
	case u.User != nil:
		return nil, errors.New("user and password do not belong into the URL of the registry")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment; write https://HOST:PORT", s)
	}
	return u, nil
}

// newHTTP makes an HTTP client with a bound on every phase but the bodies, which may be long.
func newHTTP(caFile string, connections int) (*http.Client, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("CA file: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file: %s has no certificate in PEM form", caFile)
		}
		trust.RootCAs = pool
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	kept := connections
	if kept <= 0 {
		kept = defaultConnections
	}
	return &http.Client{Transport: &http.Transport{
		Proxy: proxy, DialContext: dialLocalhost(dialer), TLSClientConfig: trust, ForceAttemptHTTP2: connections <= 0, DisableCompression: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 2 * time.Minute, ExpectContinueTimeout: time.Second,
		IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: kept,
	}}, nil
}

// proxy is that of the environment, but never for this machine: credentials in plain HTTP may be on their way.
func proxy(r *http.Request) (*url.URL, error) {
	if isLoopback(r.URL.Hostname()) {
		return nil, nil //nolint:nilnil // how net/http says "no proxy"
	}
	return http.ProxyFromEnvironment(r)
}

// isLoopback tells whether a host, as an address or a name, is this machine. Names under localhost are (RFC 6761).
func isLoopback(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// CloseIdle closes connections that nothing uses. The client can be used further.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }
