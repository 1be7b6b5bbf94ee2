package daemon_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
)

func TestLoadTLS_DevCAServesVerifiedConnections(t *testing.T) {
	files := daemon.TLSFiles{DevCADir: filepath.Join(t.TempDir(), "ca")}
	log := slog.New(slog.DiscardHandler)
	loaded, err := daemon.LoadTLS(files, []string{"127.0.0.1", "node.localhost"}, log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := daemon.Listen("https", "https_port", "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}), loaded.Server, daemon.Timeouts{}, log)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(func(err error) { t.Error(err) })
	defer func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()

	// Another process of the host finds the same CA.
	peer, err := daemon.LoadTLS(files, []string{"other.localhost"}, log)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: peer.Roots(), MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "hello" {
		t.Errorf("body %q", body)
	}
	info, err := os.Stat(filepath.Join(files.DevCADir, "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("ca.key: %v, %v", info.Mode(), err)
	}
}

func TestLoadTLS_ProcessesThatStartAtOnceShareOneCA(t *testing.T) {
	files := daemon.TLSFiles{DevCADir: filepath.Join(t.TempDir(), "ca")}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := daemon.LoadTLS(files, []string{"a.localhost"}, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	certs, err := filepath.Glob(filepath.Join(files.DevCADir, "*.pem"))
	if err != nil || len(certs) != 2 {
		t.Errorf("certificates %v, %v; want the CA's and one host's", certs, err)
	}
}

// writePair writes a new certificate of that serial number and its key.
func writePair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTLS_CertificateBeforeItsKey: while the two do not belong together the old pair is served, with one warning; then the new one is.
func TestTLS_CertificateBeforeItsKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		files := daemon.TLSFiles{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
		next := daemon.TLSFiles{CertFile: filepath.Join(dir, "cert.new"), KeyFile: filepath.Join(dir, "key.new")}
		writePair(t, files.CertFile, files.KeyFile, 1)
		writePair(t, next.CertFile, next.KeyFile, 2)
		var log bytes.Buffer
		loaded, err := daemon.LoadTLS(files, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		// served looks as a reload loop and handshakes do, for a while.
		served := func() int64 {
			var c *tls.Certificate
			for range 3 {
				loaded.Look()
				if c, err = loaded.Server.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
					t.Fatal(err)
				}
				<-time.After(daemon.WatchEvery)
			}
			return c.Leaf.SerialNumber.Int64()
		}
		for i, step := range []struct {
			from, to string
			want     int64
			warnings int
		}{{"", "", 1, 0}, {next.CertFile, files.CertFile, 1, 1}, {"", "", 1, 1}, {next.KeyFile, files.KeyFile, 2, 1}} {
			if step.from != "" {
				if err := os.Rename(step.from, step.to); err != nil {
					t.Fatal(err)
				}
			}
			if got := served(); got != step.want {
				t.Errorf("%d: certificate %d is served, want %d", i, got, step.want)
			}
			if n := strings.Count(log.String(), "the old certificate stays"); n != step.warnings {
				t.Errorf("%d: %d warnings, want %d", i, n, step.warnings)
			}
		}
	})
}

func TestTLSFiles_ValidateNamesKeyAndCure(t *testing.T) {
	var c struct {
		TLS daemon.TLSFiles `yaml:"tls"`
	}
	d, err := daemon.LoadYAML(writeConfig(t, "tls:\n  cert_file: /nowhere/cert.pem\n  key_file: /nowhere/key.pem\n"), &c, "T", nil)
	if err != nil {
		t.Fatal(err)
	}
	faults := c.TLS.Validate(d, "tls")
	if len(faults) != 2 || !strings.Contains(faults[0].Error(), "test.yaml:2: tls.cert_file: cannot read the file") {
		t.Errorf("faults %v", faults)
	}
}

func TestListen_NamesThePortInUse(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	first, err := daemon.Listen("http", "http_port", "127.0.0.1:0", http.NotFoundHandler(), nil, daemon.Timeouts{}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = daemon.Listen("http", "http_port", first.Addr(), http.NotFoundHandler(), nil, daemon.Timeouts{}, log)
	if err == nil || !strings.Contains(err.Error(), first.Addr()+" is in use") || !strings.Contains(err.Error(), "http_port") {
		t.Errorf("error %v", err)
	}
}

func TestAdmin_AnswersUnderAddressesOnly(t *testing.T) {
	a := daemon.Admin{Metrics: daemon.NewMetrics("test"), Ready: func() error { return nil }}
	log := slog.New(slog.DiscardHandler)
	s, err := daemon.Listen("admin", "admin", "127.0.0.1:0", a.Handler(), nil, daemon.Timeouts{}, log)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(func(err error) { t.Error(err) })
	defer func() { _ = s.Shutdown(context.Background()) }()
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	for host, want := range map[string]int{"": 200, "localhost:1": 200, "[::1]:9280": 200, "evil.example": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}
