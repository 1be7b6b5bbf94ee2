package daemon

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// TLSFiles is the tls block of a configuration: own certificate files, or a development CA.
type TLSFiles struct {
	CertFile string `yaml:"cert_file"` // PEM, the leaf first
	KeyFile  string `yaml:"key_file"`  // PEM
	// Certificates are further ones. A client gets the first that is good for the name that it asks for (SNI), and the very first when none is.
	Certificates []CertificateFiles `yaml:"certificates"`
	CAFile       string             `yaml:"ca_file"` // PEM; certificates of other members are verified against it; empty: the system's roots
	// DevCADir is a folder for a development CA, made at first start and shared by the processes of one host. It is used when no certificate is given.
	DevCADir string `yaml:"dev_ca_dir"`
}

// CertificateFiles are a certificate and its key.
type CertificateFiles struct {
	CertFile string `yaml:"cert_file"` // PEM, the leaf first
	KeyFile  string `yaml:"key_file"`  // PEM
}

// Own tells whether certificate files are given, so that no development CA is needed.
func (t TLSFiles) Own() bool { return t.CertFile != "" || len(t.Certificates) > 0 }

// pairs are all certificates that are given, the default first.
func (t TLSFiles) pairs() []CertificateFiles {
	var pairs []CertificateFiles
	if t.CertFile != "" {
		pairs = append(pairs, CertificateFiles{t.CertFile, t.KeyFile})
	}
	return append(pairs, t.Certificates...)
}

// Validate tells what is wrong with the block, as faults of the document under key.
func (t TLSFiles) Validate(d *Document, key string) []error {
	faults := (CertificateFiles{t.CertFile, t.KeyFile}).validate(d, key)
	for i, c := range t.Certificates {
		at := key + ".certificates[" + strconv.Itoa(i) + "]"
		if c == (CertificateFiles{}) {
			faults = append(faults, d.Fault(at, "names no files: cert_file and key_file are needed"))
			continue
		}
		faults = append(faults, c.validate(d, at)...)
	}
	return slices.Concat(faults, unreadable(d, key+".ca_file", t.CAFile))
}

func (c CertificateFiles) validate(d *Document, key string) []error {
	var faults []error
	if (c.CertFile == "") != (c.KeyFile == "") {
		faults = append(faults, d.Fault(key, "cert_file and key_file go together"))
	}
	faults = slices.Concat(faults, unreadable(d, key+".cert_file", c.CertFile), unreadable(d, key+".key_file", c.KeyFile))
	if len(faults) == 0 && c.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile); err != nil {
			faults = append(faults, d.Fault(key+".cert_file", "%s and %s are no pair of certificate and key: %s", c.CertFile, c.KeyFile, err))
		}
	}
	return faults
}

// unreadable is the fault of a file that is named and cannot be read.
func unreadable(d *Document, key, file string) []error {
	if file == "" {
		return nil
	}
	if _, err := os.ReadFile(file); err != nil {
		return []error{d.Fault(key, "cannot read the file: %s; name an existing PEM file, or leave cert_file, key_file and ca_file out to use a development CA", err)}
	}
	return nil
}

// TLS is what a process needs to serve TLS and to verify its peers. It takes up new content of its files by itself.
type TLS struct {
	Server *tls.Config // for listeners; gives the certificates of now

	log      *slog.Logger
	current  atomic.Pointer[TLSMaterial]
	nextLook atomic.Int64 // unix nanoseconds
	mu       sync.Mutex   // held while the files are looked at
}

// TLSMaterial is what was read from the files of one [TLSFiles]. It does not change.
type TLSMaterial struct {
	pairs        []CertificateFiles
	caFile       string
	certificates []tls.Certificate
	roots        *x509.CertPool // nil: the system's
	watches      []*FileWatch
}

// LoadTLS reads the configured files. Without a certificate it issues one for hosts (names or addresses) from the development CA.
func LoadTLS(t TLSFiles, hosts []string, log *slog.Logger) (*TLS, error) {
	m, err := ReadTLS(t, hosts, log)
	if err != nil {
		return nil, err
	}
	loaded := &TLS{log: log}
	loaded.Server = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: loaded.certificate, NextProtos: []string{"h2", "http/1.1"}}
	loaded.current.Store(m)
	return loaded, nil
}

// ReadTLS reads what [TLS.Use] puts in use, as [LoadTLS] does.
func ReadTLS(t TLSFiles, hosts []string, log *slog.Logger) (*TLSMaterial, error) {
	pairs, ca := t.pairs(), t.CAFile
	if len(pairs) == 0 {
		issued, err := issueDevCertificate(t.DevCADir, hosts, log)
		if err != nil {
			return nil, err
		}
		pairs = []CertificateFiles{{issued.cert, issued.key}}
		if ca == "" {
			ca = issued.ca
		}
	}
	return readMaterial(pairs, ca)
}

func readMaterial(pairs []CertificateFiles, caFile string) (*TLSMaterial, error) {
	m := &TLSMaterial{pairs: pairs, caFile: caFile}
	// The watches begin before the files are read: what changes in between is read again.
	for _, p := range pairs {
		m.watches = append(m.watches, NewFileWatch(p.CertFile), NewFileWatch(p.KeyFile))
	}
	if caFile != "" {
		m.watches = append(m.watches, NewFileWatch(caFile))
	}
	for _, p := range pairs {
		c, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file %s, tls.key_file %s: %w", p.CertFile, p.KeyFile, err)
		}
		m.certificates = append(m.certificates, c)
	}
	if caFile == "" {
		return m, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("tls.ca_file: %w", err)
	}
	m.roots = x509.NewCertPool()
	if !m.roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls.ca_file: %s holds no PEM certificate", caFile)
	}
	return m, nil
}

// Roots are what certificates of members are verified against; nil: the system's roots.
func (t *TLS) Roots() *x509.CertPool { return t.current.Load().Roots() }

// Roots are what certificates of members are verified against; nil: the system's roots.
func (m *TLSMaterial) Roots() *x509.CertPool { return m.roots }

// Use puts other material in use, for the handshakes from now on.
func (t *TLS) Use(m *TLSMaterial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.use(m)
}

// use is called with mu held. It logs the certificates that were not in use before.
func (t *TLS) use(m *TLSMaterial) {
	old := t.current.Swap(m)
	for i, c := range m.certificates {
		had := slices.ContainsFunc(old.certificates, func(o tls.Certificate) bool { return bytes.Equal(o.Certificate[0], c.Certificate[0]) })
		if !had {
			t.log.Info("certificate reloaded", "file", m.pairs[i].CertFile, "not_after", c.Leaf.NotAfter.UTC())
		}
	}
}

// CertificateEnd is when a certificate, by the name of its file, stops being valid.
type CertificateEnd struct {
	File string
	At   time.Time
}

// CertificateEnds tells it for all certificates.
func (t *TLS) CertificateEnds() []CertificateEnd { return t.current.Load().CertificateEnds() }

// CertificateEnds tells it for all certificates.
func (m *TLSMaterial) CertificateEnds() []CertificateEnd {
	var ends []CertificateEnd
	for i := range m.certificates {
		ends = append(ends, CertificateEnd{File: m.pairs[i].CertFile, At: m.certificates[i].Leaf.NotAfter})
	}
	return ends
}

// certificate gives the first certificate that suits the client, else the very first. Now and then it looks whether the files have changed.
func (t *TLS) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	now := time.Now().UnixNano()
	if next := t.nextLook.Load(); now >= next && t.nextLook.CompareAndSwap(next, now+int64(WatchEvery)) {
		t.Look()
	}
	m := t.current.Load()
	if len(m.certificates) == 0 {
		return nil, errors.New("no certificate")
	}
	if len(m.certificates) > 1 {
		for i := range m.certificates {
			if hello.SupportsCertificate(&m.certificates[i]) == nil {
				return &m.certificates[i], nil
			}
		}
	}
	return &m.certificates[0], nil
}

// Look looks whether the files have changed, and puts their new content in use. When it is no good the old one stays, which the log says once.
func (t *TLS) Look() {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.current.Load()
	changed := false
	for _, w := range m.watches {
		changed = w.Changed() || changed
	}
	if !changed {
		return
	}
	next, err := readMaterial(m.pairs, m.caFile)
	if err != nil {
		t.log.Warn("certificate files could not be reloaded; the old certificate stays", "error", err)
		return
	}
	t.use(next)
}
