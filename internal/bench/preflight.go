package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// preflight starts a proxy once and sees to it that it does the same job as the others: it passes every kind of answer, sets the same headers
// and speaks the same TLS. Comparing unequal work would be worth nothing.
func (w *workspace) preflight(ctx context.Context, p proxy) error {
	i, err := w.start(ctx, p)
	if err != nil {
		return err
	}
	defer i.stop()
	if err := errors.Join(i.checkAnswers(ctx), i.checkHeaders(ctx, false), i.checkHeaders(ctx, true), i.checkTLS(ctx)); err != nil {
		return fmt.Errorf("%s does not do the job: %w", p.name, err)
	}
	return nil
}

func newClient() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableCompression: true, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, //nolint:gosec // the server is ours
	}}
}

func (i *instance) url(secure bool, path string) string {
	if secure {
		return "https://" + i.addr(true) + path
	}
	return "http://" + i.addr(false) + path
}

// checkAnswers asks for everything that the scenarios ask for.
func (i *instance) checkAnswers(ctx context.Context) error {
	client := newClient()
	for _, s := range scenarios() {
		method, body := http.MethodGet, ""
		if s.Post > 0 {
			method, body = http.MethodPost, strings.Repeat("b", s.Post)
		}
		request, err := http.NewRequestWithContext(ctx, method, i.url(s.TLS, s.Path), strings.NewReader(body))
		if err != nil {
			return err
		}
		got, err := send(client, request)
		if err != nil {
			return err
		}
		if len(got.body) != s.Answer {
			return fmt.Errorf("%s has %d bytes, not %d", request.URL, len(got.body), s.Answer)
		}
		if got.header.Get("X-Request-Id") == "" {
			return errors.New("the answer has no X-Request-Id")
		}
	}
	return nil
}

// checkHeaders looks at a request as the member sees it.
func (i *instance) checkHeaders(ctx context.Context, secure bool) error {
	got, err := get(ctx, newClient(), i.url(secure, "/head"))
	if err != nil {
		return err
	}
	proto, port := "http", i.HTTP
	if secure {
		proto, port = "https", i.HTTPS
	}
	seen := map[string]string{}
	for line := range strings.SplitSeq(string(got.body), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		seen[strings.ToLower(name)] += value
	}
	var wrong []error
	for name, want := range map[string]string{
		"host":              host,
		"x-forwarded-for":   "127.0.0.1",
		"x-forwarded-host":  host,
		"x-forwarded-proto": proto,
		"x-forwarded-port":  strconv.Itoa(port),
		"forwarded":         `for=127.0.0.1;host="` + host + `";proto=` + proto,
	} {
		if seen[name] != want {
			wrong = append(wrong, fmt.Errorf("the member sees %s %q, not %q", name, seen[name], want))
		}
	}
	if seen["x-request-id"] == "" {
		wrong = append(wrong, errors.New("the member sees no x-request-id"))
	}
	return errors.Join(wrong...)
}

// checkTLS lets a client that would rather have another cipher, as wrk would, ask once.
func (i *instance) checkTLS(ctx context.Context) error {
	path, err := lookUp(string(toolH2load))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, "-n1", "-c1", "--tls13-ciphers=TLS_AES_256_GCM_SHA384:"+cipher, //nolint:gosec // of our list
		"--connect-to="+i.addr(true), "https://"+host+":"+strconv.Itoa(i.HTTPS)+"/1k").CombinedOutput()
	if err != nil {
		return fmt.Errorf("h2load: %w: %s", err, said)
	}
	if got := h2Cipher.FindStringSubmatch(string(said)); got == nil || got[1] != cipher {
		return fmt.Errorf("TLS uses %q, not %s", got, cipher)
	}
	r, err := parseH2load(string(said))
	if err == nil && r.fault != "" {
		err = errors.New(r.fault)
	}
	return err
}
