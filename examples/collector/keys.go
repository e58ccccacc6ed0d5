package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files of the collector's folder, all of mode 0600. The certificate is what
// devices are given.
const (
	ledgerFile  = "ledger"
	sealFile    = "ledger.key"  // seals the ledger's records
	signerFile  = "receipt.key" // signs receipts
	tlsKeyFile  = "tls.key"
	tlsCertFile = "tls.crt"
	photoFolder = "attachments"
)

// keys are what the collector makes on its first run and keeps.
type keys struct {
	seal   sealKey
	signer ed25519.PrivateKey
	tls    tls.Certificate
}

// sealKey seals the ledger: a real back office takes it from its key store.
type sealKey [32]byte

func (k sealKey) Current() (string, error) { return "collector", nil }

func (k sealKey) Key(name string) ([]byte, error) {
	if name != "collector" {
		return nil, fmt.Errorf("no key %q", name)
	}
	return k[:], nil
}

// loadKeys reads the keys in dir, or makes those that are not there. names are
// hosts and addresses that a new certificate is for.
func loadKeys(dir string, names []string, now time.Time) (k keys, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return k, err
	}
	raw, err := keep(filepath.Join(dir, sealFile), "SEALING KEY", func() ([]byte, error) {
		b := make([]byte, 32)
		_, err := rand.Read(b)
		return b, err
	})
	if err != nil {
		return k, err
	}
	if copy(k.seal[:], raw) != len(k.seal) {
		return k, fmt.Errorf("%s: the key is cut short", sealFile)
	}
	raw, err = keep(filepath.Join(dir, signerFile), "PRIVATE KEY", func() ([]byte, error) {
		_, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(priv)
	})
	if err != nil {
		return k, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return k, fmt.Errorf("%s: %w", signerFile, err)
	}
	signer, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return k, fmt.Errorf("%s: not an Ed25519 key", signerFile)
	}
	k.signer = signer
	k.tls, err = loadTLS(dir, names, now)
	return k, err
}

// loadTLS has an ECDSA key: its handshakes cost a third of an RSA key's bytes.
func loadTLS(dir string, names []string, now time.Time) (tls.Certificate, error) {
	raw, err := keep(filepath.Join(dir, tlsKeyFile), "PRIVATE KEY", func() ([]byte, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(key)
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", tlsKeyFile, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("%s: not an ECDSA key", tlsKeyFile)
	}
	der, err := keep(filepath.Join(dir, tlsCertFile), "CERTIFICATE", func() ([]byte, error) { return selfSign(key, names, now) })
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", tlsCertFile, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func selfSign(key *ecdsa.PrivateKey, names []string, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "tallystick collector"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	return x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
}

// keep reads the PEM file at path, or makes it: written beside, synced, renamed,
// so that a crash leaves no half of a key.
func keep(path, kind string, fresh func() ([]byte, error)) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		block, rest := pem.Decode(b)
		if block == nil || block.Type != kind || len(rest) > 0 {
			return nil, fmt.Errorf("%s: not a PEM file with one %s", path, kind)
		}
		return block.Bytes, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	raw, err := fresh()
	if err != nil {
		return nil, err
	}
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	err = errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: raw}), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if folder, openErr := os.Open(filepath.Dir(path)); err == nil && openErr == nil {
		_ = folder.Sync() // Windows has no such call
		_ = folder.Close()
	}
	return raw, err
}
