package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Visitor is a person at the console whose browser does what HTTP asks and no more: it keeps cookies, says where its forms come from, and follows
// no redirect. One goroutine uses it.
type Visitor struct {
	Base   string      // "http://governance.localhost:8280": the load balancer as browsers name it
	Header http.Header // sent with every request, beside what a browser sends of itself

	t    testing.TB
	http *http.Client
}

// Page is an answer to a visitor, read to its end; of a stream of events only the head.
type Page struct {
	Answer
	Path string // what was asked for: path and query
}

// Visitor is a person at the load balancer's HTTP port, or its HTTPS port, who has not signed in.
func (c *Cluster) Visitor(secure bool) *Visitor {
	c.t.Helper()
	scheme, port := "http", c.ELB.HTTPPort
	transport := &http.Transport{}
	if secure {
		scheme, port = "https", c.ELB.HTTPSPort
		ca, err := os.ReadFile(filepath.Join(c.dir, "ca", "ca.pem"))
		if err != nil {
			c.t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address(port))
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.t.Cleanup(transport.CloseIdleConnections)
	return &Visitor{
		Base: fmt.Sprintf("%s://governance.localhost:%d", scheme, port), Header: http.Header{}, t: c.t,
		http: &http.Client{Transport: transport, Jar: jar, CheckRedirect: stay, Timeout: requestLimit},
	}
}

// SignIn starts a session.
func (v *Visitor) SignIn(user, password string) {
	v.t.Helper()
	if p := v.Post("/console/sign-in", "user", user, "password", password); p.Status != http.StatusSeeOther {
		v.t.Fatalf("%s cannot sign in: status %d", user, p.Status)
	}
}

// Cookies are what the visitor's browser holds for the console.
func (v *Visitor) Cookies() []*http.Cookie {
	base, err := url.Parse(v.Base + "/console/")
	if err != nil {
		v.t.Fatal(err)
	}
	return v.http.Jar.Cookies(base)
}

// Get asks for a page, by path and query.
func (v *Visitor) Get(path string) Page {
	v.t.Helper()
	return v.send(http.MethodGet, path, "", nil)
}

// Post sends a form; its fields are given as name, value, name, value….
func (v *Visitor) Post(path string, pairs ...string) Page {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return v.send(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// Upload sends a form with a file.
func (v *Visitor) Upload(path, fileName string, content []byte, pairs ...string) Page {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(pairs); i += 2 {
		if err := form.WriteField(pairs[i], pairs[i+1]); err != nil {
			v.t.Fatal(err)
		}
	}
	file, err := form.CreateFormFile("file", fileName)
	if err == nil {
		_, err = file.Write(content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	return v.send(http.MethodPost, path, form.FormDataContentType(), &body)
}

func (v *Visitor) send(method, path, contentType string, body io.Reader) Page {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.Base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if method == http.MethodPost {
		request.Header.Set("Origin", v.Base)
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name := range v.Header {
		request.Header.Set(name, v.Header.Get(name))
	}
	response, err := v.http.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	p := Page{Answer{Status: response.StatusCode, Header: response.Header}, path}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return p
	}
	if p.Body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	return p
}

// IsPage tells a whole page from files, streams and parts of pages.
func (p Page) IsPage() bool {
	return strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") && bytes.HasPrefix(p.Body, []byte("<!doctype html"))
}
