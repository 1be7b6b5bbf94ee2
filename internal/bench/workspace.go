package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/freeport"
)

// memberCount is how many members stand behind a proxy.
const memberCount = 3

// workspace is what all runs share: a temporary folder, a certificate and the members.
type workspace struct {
	dir     string
	self    string // this program
	cert    certFiles
	members []runningMember
	client  *http.Client // for questions to the members
}

type runningMember struct {
	addr    string
	process *child.Process
}

type certFiles struct{ cert, key, both string }

// openWorkspace starts the members. The workspace is to be closed, also after an error.
func openWorkspace(ctx context.Context) (*workspace, error) {
	w := &workspace{client: &http.Client{Timeout: 5 * time.Second}}
	if err := raiseFileLimit(); err != nil {
		return w, err
	}
	var err error
	if w.self, err = os.Executable(); err != nil {
		return w, err
	}
	if w.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return w, err
	}
	if w.cert, err = writeCertificate(w.dir, time.Now()); err != nil {
		return w, err
	}
	ports, err := freeport.PickN(memberCount)
	if err != nil {
		return w, err
	}
	for _, port := range ports {
		if err := w.startMember(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err != nil {
			return w, err
		}
	}
	return w, nil
}

// raiseFileLimit lets the programs started from here open as many files as this process may: the usual limit is too low for 1,024 connections.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // children have it, since it was set explicitly
}

func (w *workspace) startMember(ctx context.Context, addr string) error {
	cmd := exec.Command(w.self, "member", "-addr", addr) //nolint:gosec,noctx // this program; close ends it
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Stderr = os.Stderr
	p, err := child.Start(cmd)
	if err != nil {
		return err
	}
	w.members = append(w.members, runningMember{addr, p})
	return w.awaitMember(ctx, addr, p)
}

func (w *workspace) awaitMember(ctx context.Context, addr string, p *child.Process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := get(ctx, w.client, "http://"+addr+"/counts"); err == nil {
			return nil
		}
		select {
		case <-p.Done():
			return errors.New("a member ended at its start")
		case <-ctx.Done():
			return fmt.Errorf("a member does not answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// close ends the members and removes the folder.
func (w *workspace) close() {
	for _, m := range w.members {
		m.process.Kill() // it holds nothing
	}
	w.client.CloseIdleConnections()
	if w.dir != "" {
		_ = os.RemoveAll(w.dir) // in the system's temporary folder, at worst
	}
}

func (w *workspace) memberAddrs() []string {
	var addrs []string
	for _, m := range w.members {
		addrs = append(addrs, m.addr)
	}
	return addrs
}

// memberCounts are the connections and requests that the members have seen so far, and the CPU time they used.
type memberCounts struct {
	accepted, requests int64
	cpu                time.Duration
}

func (w *workspace) countMembers(ctx context.Context) (memberCounts, error) {
	var sum memberCounts
	for _, m := range w.members {
		answer, err := get(ctx, w.client, "http://"+m.addr+"/counts")
		if err != nil {
			return sum, err
		}
		var accepted, requests int64
		if _, err := fmt.Sscan(string(answer.body), &accepted, &requests); err != nil {
			return sum, fmt.Errorf("a member's counts %q: %w", answer.body, err)
		}
		p, err := readProcess(m.process.PID())
		if err != nil {
			return sum, err
		}
		sum.accepted += accepted
		sum.requests += requests
		sum.cpu += p.own
	}
	return sum, nil
}

// answer is a response that was read to its end.
type answer struct {
	header http.Header
	body   []byte
}

// get asks for a page of the benchmark's host; anything but 200 is an error.
func get(ctx context.Context, client *http.Client, url string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	return send(client, request)
}

// send is exchange, under the benchmark's host.
func send(client *http.Client, request *http.Request) (answer, error) {
	request.Host = host
	return exchange(client, request)
}

// exchange sends a request and reads the answer; anything but 200 is an error.
func exchange(client *http.Client, request *http.Request) (answer, error) {
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 2<<20))
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%s answers %s", request.URL, response.Status)
	}
	return answer{response.Header, body}, nil
}

// writeCertificate makes a certificate with an ECDSA P-256 key, signed by itself.
func writeCertificate(dir string, now time.Time) (certFiles, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certFiles{}, err
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		DNSNames: []string{host, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return certFiles{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return certFiles{}, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	f := certFiles{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "both.pem")}
	return f, errors.Join(
		os.WriteFile(f.cert, certPEM, 0o600),
		os.WriteFile(f.key, keyPEM, 0o600),
		os.WriteFile(f.both, append(certPEM, keyPEM...), 0o600),
	)
}

// countLines counts the ends of lines.
func countLines(r io.Reader) (int64, error) {
	var n int64
	in := bufio.NewReaderSize(r, 256<<10)
	for {
		_, err := in.ReadSlice('\n')
		switch {
		case err == nil:
			n++
		case errors.Is(err, io.EOF):
			return n, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return n, err
		}
	}
}
