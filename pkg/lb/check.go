package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

// probe is one check of a member: where it goes, what it asks, and which answers are good. Each uses a connection of its own, so that it
// also tells whether new ones are taken.
type probe struct {
	addr    string
	tls     func() *tls.Config // of now; nil: plain
	request string             // "": a connection (and a TLS session) is enough
	status  StatusRange
}

// newProbe is the check of a member: on its HTTP port, or on the HTTPS port if it has no other; for the path that it announced, or the
// pool's. host is for the Host header; the member's address if empty.
func newProbe(u *upstream, announced string, spec *HealthSpec, host string) probe {
	scheme, addr := u.member.endpoint(schemeHTTP, 0) // a member without ports is in no table
	p := probe{addr: addr, status: spec.Status}
	if scheme == schemeHTTPS {
		p.tls = func() *tls.Config { return u.tlsConfig(addr) }
	}
	path := announced
	if CheckProbePath(path) != nil {
		path = spec.Path
	}
	if path == "" {
		return p
	}
	if host == "" {
		host = addr
	}
	p.request = "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: regent-elb\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	return p
}

// CheckProbePath tells why a path cannot be asked for: it must begin with a slash and hold nothing but visible ASCII characters.
func CheckProbePath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("%q does not begin with a slash", path)
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] >= 0x7f || path[i] == '#' {
			return fmt.Errorf("%q holds a character that must be written as %%%02X", path, path[i])
		}
	}
	return nil
}

// run makes the check. It ends with the context at the latest.
func (p *probe) run(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // it fails only on a closed connection
	if p.tls != nil {
		secure := tls.Client(conn, p.tls())
		if err := secure.HandshakeContext(ctx); err != nil {
			return tlsFault(err)
		}
		conn = secure
	}
	if p.request == "" {
		return nil
	}
	if _, err := io.WriteString(conn, p.request); err != nil {
		return err
	}
	status, err := readStatus(conn)
	if err != nil {
		return err
	}
	if status < p.status.From || status > p.status.To {
		return wrongAnswerError{fmt.Errorf("it answers %d %s", status, http.StatusText(status))}
	}
	return nil
}

// tlsFault tells a member that is there, but not the one that it should be, from one that does not answer.
func tlsFault(err error) error {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert *net.OpError
	if errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert) && (alert.Op == "remote error" || alert.Op == "local error") {
		return wrongAnswerError{err}
	}
	return err
}

// checkHeadMost bounds the head of the answer to a check.
const checkHeadMost = 8 << 10

// readStatus reads the head of the final answer, and nothing behind it.
func readStatus(conn io.Reader) (int, error) {
	buf := make([]byte, checkHeadMost)
	var res h1.Response
	r, w := 0, 0
	for interims := 0; ; {
		n, err := res.Parse(buf[r:w])
		switch {
		case err != nil:
			return 0, wrongAnswerError{err}
		case n > 0 && (res.Status() >= 200 || res.Status() == http.StatusSwitchingProtocols):
			return res.Status(), nil
		case n > 0:
			if interims++; interims > interimMost {
				return 0, wrongAnswerError{errTooManyInterim}
			}
			r += n
			res.Reset()
			continue
		case w == len(buf):
			return 0, wrongAnswerError{errHeadFull}
		}
		n, err = conn.Read(buf[w:])
		if n == 0 && errors.Is(err, io.EOF) {
			return 0, errNoAnswer
		}
		if n == 0 && err != nil {
			return 0, err
		}
		w += n
	}
}

var errNoAnswer = errors.New("it ended the connection without an answer")
