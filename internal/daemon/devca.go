package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The development CA: ca.pem and ca.key in one folder, and a certificate per set of host names, issued from it. It lets a cluster on one host
// speak verified TLS before anybody has certificates; it is not for production, and the log says so.

const (
	devCALifetime   = 10 * 365 * 24 * time.Hour
	devCertLifetime = 365 * 24 * time.Hour
	devCertRenew    = 30 * 24 * time.Hour // a certificate that ends sooner is issued anew at start
)

type issuedFiles struct{ ca, cert, key string }

// issueDevCertificate gives the files of a certificate for hosts, made if they are missing or end soon. Several processes may call it at once.
func issueDevCertificate(dir string, hosts []string, log *slog.Logger) (issuedFiles, error) {
	if dir == "" {
		return issuedFiles{}, errors.New("tls: neither cert_file nor dev_ca_dir is set")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return issuedFiles{}, fmt.Errorf("tls.dev_ca_dir: %w", err)
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return issuedFiles{}, fmt.Errorf("tls.dev_ca_dir: %w", err)
	}
	defer unlock()

	files := issuedFiles{ca: filepath.Join(dir, "ca.pem")}
	caKeyFile := filepath.Join(dir, "ca.key")
	ca, caKey, err := readPair(files.ca, caKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		ca, caKey, err = makeDevCA(files.ca, caKeyFile)
		if err == nil {
			log.Warn("made a development CA; use certificates of your own in production", "file", files.ca)
		}
	}
	if err != nil {
		return issuedFiles{}, fmt.Errorf("tls.dev_ca_dir: %w", err)
	}

	hosts = slices.Compact(slices.Sorted(slices.Values(hosts)))
	sum := sha256.Sum256([]byte(strings.Join(hosts, "\n")))
	base := filepath.Join(dir, "host-"+hex.EncodeToString(sum[:6]))
	files.cert, files.key = base+".pem", base+".key"
	leaf, _, err := readPair(files.cert, files.key)
	if err == nil && time.Until(leaf.NotAfter) > devCertRenew && leaf.CheckSignatureFrom(ca) == nil {
		return files, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return issuedFiles{}, fmt.Errorf("tls.dev_ca_dir: %w", err)
	}
	if err := issue(files, hosts, ca, caKey); err != nil {
		return issuedFiles{}, fmt.Errorf("tls.dev_ca_dir: %w", err)
	}
	return files, nil
}

func makeDevCA(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Regent development CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(devCALifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	if err := writePair(certFile, keyFile, der, key); err != nil {
		return nil, nil, err
	}
	return readPair(certFile, keyFile)
}

func issue(files issuedFiles, hosts []string, ca *x509.Certificate, caKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: hosts[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(devCertLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return writePair(files.cert, files.key, der, key)
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	return n
}

// readPair reads a certificate and its key; fs.ErrNotExist when either is missing.
func readPair(certFile, keyFile string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, err := os.ReadFile(certFile)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, nil, err
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, fmt.Errorf("%s or %s is not PEM; remove both to have them made again", certFile, keyFile)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", certFile, err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyFile, err)
	}
	return cert, key, nil
}

// writePair writes the key first, so that a certificate never stands without one.
func writePair(certFile, keyFile string, der []byte, key *ecdsa.PrivateKey) error {
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := WriteFileAtomic(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return WriteFileAtomic(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// WriteFileAtomic writes a file whole or not at all.
func WriteFileAtomic(file string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}

// lockFile waits for an advisory lock on a file, shared with other processes.
func lockFile(file string) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
