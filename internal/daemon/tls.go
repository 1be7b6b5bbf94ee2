package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// TLSFiles is the tls block of a configuration: own certificate files, or a development CA.
type TLSFiles struct {
	CertFile string `yaml:"cert_file"` // PEM, the leaf first
	KeyFile  string `yaml:"key_file"`  // PEM
	CAFile   string `yaml:"ca_file"`   // PEM; certificates of other members are verified against it; empty: the system's roots
	// DevCADir is a folder for a development CA, made at first start and shared by the processes of one host. It is used when no cert_file is given.
	DevCADir string `yaml:"dev_ca_dir"`
}

// Validate tells what is wrong with the block, as faults of the document under key.
func (t TLSFiles) Validate(d *Document, key string) []error {
	var faults []error
	if (t.CertFile == "") != (t.KeyFile == "") {
		faults = append(faults, d.Fault(key, "cert_file and key_file go together"))
	}
	for _, f := range []struct{ key, file string }{{"cert_file", t.CertFile}, {"key_file", t.KeyFile}, {"ca_file", t.CAFile}} {
		if f.file == "" {
			continue
		}
		if _, err := os.ReadFile(f.file); err != nil {
			faults = append(faults, d.Fault(key+"."+f.key, "cannot read the file: %s; name an existing PEM file, or leave cert_file, key_file and ca_file out to use a development CA", err))
		}
	}
	if len(faults) == 0 && t.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile); err != nil {
			faults = append(faults, d.Fault(key+".cert_file", "%s and %s are no pair of certificate and key: %s", t.CertFile, t.KeyFile, err))
		}
	}
	return faults
}

// TLS is what a process needs to serve TLS and to verify its peers.
type TLS struct {
	Server *tls.Config    // for listeners; picks up replaced certificate files
	Roots  *x509.CertPool // what certificates of members are verified against; nil: the system's roots
}

// LoadTLS reads the configured files. Without a cert_file it issues a certificate for hosts (names or addresses) from the development CA.
func LoadTLS(t TLSFiles, hosts []string, log *slog.Logger) (*TLS, error) {
	cert, key, ca := t.CertFile, t.KeyFile, t.CAFile
	if cert == "" {
		issued, err := issueDevCertificate(t.DevCADir, hosts, log)
		if err != nil {
			return nil, err
		}
		cert, key = issued.cert, issued.key
		if ca == "" {
			ca = issued.ca
		}
	}
	source := &certificateSource{certFile: cert, keyFile: key, log: log}
	if err := source.load(); err != nil {
		return nil, err
	}
	loaded := &TLS{Server: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: source.get, NextProtos: []string{"h2", "http/1.1"}}}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		loaded.Roots = x509.NewCertPool()
		if !loaded.Roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no PEM certificate", ca)
		}
	}
	return loaded, nil
}

// certificateSource gives a certificate from files and takes up new ones when the files change. A broken replacement keeps the old one.
type certificateSource struct {
	certFile, keyFile string
	log               *slog.Logger
	current           atomic.Pointer[loadedCertificate]
	nextLook          atomic.Int64 // Unix nanoseconds
}

type loadedCertificate struct {
	certificate *tls.Certificate
	modified    time.Time
}

// lookEvery bounds how often handshakes look at the files.
const lookEvery = 10 * time.Second

func (s *certificateSource) load() error {
	info, err := os.Stat(s.certFile)
	if err != nil {
		return fmt.Errorf("tls.cert_file: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
	if err != nil {
		return fmt.Errorf("tls.cert_file %s, tls.key_file %s: %w", s.certFile, s.keyFile, err)
	}
	s.current.Store(&loadedCertificate{&pair, info.ModTime()})
	return nil
}

func (s *certificateSource) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := time.Now().UnixNano()
	if next := s.nextLook.Load(); now >= next && s.nextLook.CompareAndSwap(next, now+int64(lookEvery)) {
		s.refresh()
	}
	c := s.current.Load()
	if c == nil {
		return nil, errors.New("no certificate")
	}
	return c.certificate, nil
}

func (s *certificateSource) refresh() {
	info, err := os.Stat(s.certFile)
	if err == nil && info.ModTime().Equal(s.current.Load().modified) {
		return
	}
	if err == nil {
		err = s.load()
	}
	if err != nil {
		s.log.Warn("certificate files could not be reloaded; the old certificate stays", "error", err)
		return
	}
	s.log.Info("certificate reloaded", "file", s.certFile)
}
