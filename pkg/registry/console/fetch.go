package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/regent-registry/regent/pkg/publicaddr"
	"github.com/regent-registry/regent/pkg/registry"
)

const (
	fetchTimeout   = 30 * time.Second // of one fetch, its body included
	fetchRedirects = 5
)

// fetcher gets files from the hosts that an operator allowed, on behalf of users. It must not become a way into the network that the registry stands in:
// each redirect and each address that a name leads to is checked, and addresses that are not public must be allowed themselves, whatever name leads there.
type fetcher struct {
	hosts   []fetchHost
	nets    []fetchNet // addresses that are allowed though they are not public
	timeout time.Duration
	client  *http.Client
}

// fetchHost is an allowed host; port "" stands for that of the scheme.
type fetchHost struct {
	name, port string
	below      bool // the names below it, not itself
}

// fetchNet is an allowed range of addresses, at one port or, with port 0, at any. Only one that was written as a range can be asked for by its numbers.
type fetchNet struct {
	netip.Prefix

	port  uint16
	asked bool
}

// fetchedFile is a file that is being fetched.
type fetchedFile struct {
	io.ReadCloser

	name, mediaType string
	from            string // the address, without what stands after its path, which may be secret
}

// newFetcher reads the allowed hosts, as [Config.FetchHosts] says; nil when there are none.
func newFetcher(allowed []string, timeout time.Duration) (*fetcher, error) {
	if len(allowed) == 0 {
		return nil, nil //nolint:nilnil // to be off is a state here, not a failure
	}
	if timeout <= 0 {
		timeout = fetchTimeout
	}
	f := &fetcher{timeout: timeout}
	for _, entry := range allowed {
		if err := f.allow(entry); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	dialer := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error { return f.mayDial(address) }}
	f.client = &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, DisableCompression: true, DisableKeepAlives: true, TLSHandshakeTimeout: timeout, ResponseHeaderTimeout: timeout,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > fetchRedirects {
				return registry.Errorf(registry.CodeInvalid, "it leads on more than %d times", fetchRedirects)
			}
			r.Header.Del("Referer")
			return f.mayAsk(r.URL)
		},
	}
	return f, nil
}

// CheckFetchHost tells why an entry of [Config.FetchHosts] is none.
func CheckFetchHost(entry string) error { return (&fetcher{}).allow(entry) }

// allow adds an entry of the allowed hosts.
func (f *fetcher) allow(entry string) error {
	if net, err := netip.ParsePrefix(entry); err == nil {
		f.nets = append(f.nets, fetchNet{Prefix: net.Masked(), asked: true})
		return nil
	}
	if addr, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		f.nets, f.hosts = append(f.nets, fetchNet{Prefix: exactly(addr)}), append(f.hosts, fetchHost{name: addr.String()})
		return nil
	}
	bad := fmt.Errorf("%q is no host to fetch from; write example.org, example.org:8443, *.example.org, 10.1.2.3 or 10.0.0.0/8", entry)
	h := fetchHost{name: strings.ToLower(entry)}
	var port uint64
	if name, digits, err := net.SplitHostPort(h.name); err == nil {
		if port, err = strconv.ParseUint(digits, 10, 16); err != nil {
			return bad
		}
		h.name, h.port = name, digits
	}
	h.name, h.below = strings.CutPrefix(h.name, "*.")
	if h.name == "" || strings.ContainsAny(h.name, "/*@ ") || strings.Contains(h.name, ":") && !isAddr(h.name) {
		return bad
	}
	if addr, err := netip.ParseAddr(h.name); err == nil {
		f.nets = append(f.nets, fetchNet{Prefix: exactly(addr), port: uint16(port)})
	}
	f.hosts = append(f.hosts, h)
	return nil
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func exactly(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// mayAsk tells why nothing is fetched from u.
func (f *fetcher) mayAsk(u *url.URL) error {
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return registry.Errorf(registry.CodeInvalid, "the address %q does not begin with http:// or https://", u.Redacted())
	case u.User != nil:
		return registry.Errorf(registry.CodeInvalid, "the address has a user name in it, which is not sent to other servers")
	case host == "":
		return registry.Errorf(registry.CodeInvalid, "the address %q names no host", u.Redacted())
	}
	if port == "80" && u.Scheme == "http" || port == "443" && u.Scheme == "https" {
		port = ""
	}
	addr, err := netip.ParseAddr(host)
	inRange := err == nil && port == "" && slices.ContainsFunc(f.nets, func(n fetchNet) bool { return n.asked && n.Contains(addr) })
	allowed := func(h fetchHost) bool {
		return h.port == port && (!h.below && h.name == host || h.below && strings.HasSuffix(host, "."+h.name))
	}
	if inRange || slices.ContainsFunc(f.hosts, allowed) {
		return nil
	}
	return registry.Errorf(registry.CodeDenied, "an operator has not allowed to fetch from %s (fetch_hosts in registry.yaml)", u.Host)
}

// mayDial tells why no connection is made to an address to which a name led.
func (f *fetcher) mayDial(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if addr := to.Addr().Unmap(); !publicaddr.Is(addr) && !slices.ContainsFunc(f.nets, func(n fetchNet) bool { return n.Contains(addr) && (n.port == 0 || n.port == to.Port()) }) {
		return registry.Errorf(registry.CodeDenied, "it leads to %s, which is no public address; an operator must allow that one itself (fetch_hosts in registry.yaml)", addr)
	}
	return nil
}

// fetch asks for a file. Whoever reads it to its end, or closes it, ends the request.
func (f *fetcher) fetch(ctx context.Context, address string) (*fetchedFile, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, &registry.Error{Code: registry.CodeInvalid, Message: "the address cannot be understood; one is like https://example.org/openapi.yaml", Err: err}
	}
	if err := f.mayAsk(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	resp, err := f.ask(ctx, u) //nolint:bodyclose // the file that is given back closes it
	if err != nil {
		cancel()
		return nil, f.explain(err)
	}
	file := &fetchedFile{
		ReadCloser: fetchedBody{resp.Body, cancel, f}, name: path.Base(resp.Request.URL.Path), from: u.Scheme + "://" + u.Host + u.EscapedPath(),
	}
	if err := usable(resp); err != nil {
		_ = file.Close() // it was not read
		return nil, err
	}
	file.mediaType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type")) // "" where it cannot be understood
	return file, nil
}

// ask sends the request; the caller closes the answer.
func (f *fetcher) ask(ctx context.Context, u *url.URL) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil) //nolint:gosec // mayAsk and mayDial say where to
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "Regent")
	r.Header.Set("Accept-Encoding", "identity")
	return f.client.Do(r) //nolint:gosec // mayAsk and mayDial say where to
}

// usable tells why an answer has no file.
func usable(resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return registry.Errorf(registry.CodeInvalid, "%s answered %s", resp.Request.URL.Host, resp.Status)
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return registry.Errorf(registry.CodeInvalid, "%s sent the file in the encoding %q, which was not asked for", resp.Request.URL.Host, e)
	}
	return nil
}

// explain makes what a fetch failed with the user's to read.
func (f *fetcher) explain(err error) error {
	if e, ok := errors.AsType[*registry.Error](err); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &registry.Error{Code: registry.CodeInvalid, Message: fmt.Sprintf("the server there took longer than %s", f.timeout), Err: err}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return &registry.Error{Code: registry.CodeInvalid, Message: "the name " + e.Name + " cannot be resolved", Err: err}
	}
	return &registry.Error{Code: registry.CodeInvalid, Message: "the server there cannot be reached, or broke off", Err: err}
}

// fetchedBody is a body that says for the user what went wrong.
type fetchedBody struct {
	io.ReadCloser

	cancel  context.CancelFunc
	fetcher *fetcher
}

// Read implements [io.Reader].
func (b fetchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.fetcher.explain(err)
	}
	return n, err
}

// Close implements [io.Closer].
func (b fetchedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
