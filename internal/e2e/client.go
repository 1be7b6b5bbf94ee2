package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	// requestLimit is how long one request may take.
	requestLimit = 20 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 16 << 20

	contentURL  = "/api/v1/content"
	resourceURL = "/api/v1/resource"
	childrenURL = "/api/v1/children"
	versionsURL = "/api/v1/versions"
	moveURL     = "/api/v1/move"
	undeleteURL = "/api/v1/undelete"
	artifactURL = "/resource/1.0.0/artifact"
)

// Client talks to one port on loopback. Its methods but Do return changed copies and share the connections. Safe for concurrent use.
type Client struct {
	http     *http.Client
	base     string
	host     string
	user     string
	password string
}

// Answer is a response, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// NewClient is a client of 127.0.0.1:port over HTTP. It follows no redirects.
func NewClient(port int) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &Client{
		base: "http://" + address(port),
		http: &http.Client{
			Timeout:       requestLimit,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				// Every name is this machine: nothing here may leave it, and names below localhost need no resolver.
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return dialer.DialContext(ctx, network, address(port))
				},
				MaxIdleConnsPerHost: 128,
				IdleConnTimeout:     time.Minute,
			},
		},
	}
}

// As signs in with every request (Basic).
func (c *Client) As(user, password string) *Client {
	copied := *c
	copied.user, copied.password = user, password
	return &copied
}

// Host sends another Host header than the address.
func (c *Client) Host(name string) *Client {
	copied := *c
	copied.host = name
	return &copied
}

// TLS speaks HTTPS to a host of that name, whose certificate must be signed by the CA.
func (c *Client) TLS(name string, caPEM []byte) (*Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caPEM) {
		return nil, errors.New("the CA's file holds no certificate")
	}
	_, port, err := net.SplitHostPort(c.base[len("http://"):])
	if err != nil {
		return nil, err
	}
	copied := *c
	copied.base = "https://" + net.JoinHostPort(name, port)
	transport := c.http.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport.ForceAttemptHTTP2 = true
	withTLS := *c.http
	withTLS.Transport = transport
	copied.http = &withTLS
	return &copied, nil
}

// Do sends one request and reads the answer. Headers are given as name, value, name, value….
func (c *Client) Do(ctx context.Context, method, path string, body []byte, headers ...string) (Answer, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return Answer{}, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	if c.user != "" {
		request.SetBasicAuth(c.user, c.password)
	}
	if c.host != "" {
		request.Host = c.host
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: status %d, then: %w", method, path, response.StatusCode, err)
	}
	return Answer{response.StatusCode, response.Header, text}, nil
}

// Get reads a content, by its path in the registry.
func (c *Client) Get(ctx context.Context, path string) (Answer, error) {
	return c.wanted(ctx, "GET", contentURL+path, nil, 200)
}

// Put stores a content.
func (c *Client) Put(ctx context.Context, path string, body []byte) (Answer, error) {
	return c.wanted(ctx, "PUT", contentURL+path, body, 200, 201)
}

// wanted sends a request whose answer must have one of the statuses.
func (c *Client) wanted(ctx context.Context, method, path string, body []byte, statuses ...int) (Answer, error) {
	a, err := c.Do(ctx, method, path, body, "Content-Type", "text/plain")
	if err != nil {
		return a, err
	}
	if slices.Contains(statuses, a.Status) {
		return a, nil
	}
	return a, fmt.Errorf("%s %s: status %d: %s", method, path, a.Status, firstBytes(a.Body))
}

// Version is the version that an answer is about; 0 when it names none.
func (a Answer) Version() int64 {
	n, err := strconv.ParseInt(a.Header.Get("Registry-Version"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func firstBytes(b []byte) string { return string(b[:min(300, len(b))]) }
