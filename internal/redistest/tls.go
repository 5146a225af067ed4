package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// TLSServer is a server that also speaks TLS, under a certificate made for it.
type TLSServer struct {
	*Server
	// Address of the port that speaks TLS only.
	Address string
	// Certificate is the PEM file of the certificate, which is also its own authority.
	Certificate string

	pool *x509.CertPool
}

// StartTLS runs a server until tb ends.
func StartTLS(tb testing.TB) *TLSServer {
	tb.Helper()
	dir := tb.TempDir()
	certificate, key, pool, err := selfSigned(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for range portTries {
		port := strconv.Itoa(randomPort())
		s, err := startServer(spec{binary: Binary(tb), dir: tb.TempDir(), args: serverArgs(&Options{Args: []string{
			"--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key,
			"--tls-ca-cert-file", certificate, "--tls-auth-clients", "no",
		}})})
		if err == nil {
			return &TLSServer{s.own(tb), net.JoinHostPort(loopback, port), certificate, pool}
		}
		tb.Logf("port %s: %v", port, err)
	}
	tb.Fatal("no port for TLS could be bound")
	return nil
}

// TLSURL is the address as rediss://host:port.
func (s *TLSServer) TLSURL() string { return "rediss://" + s.Address }

// TrustingClient is a client that trusts the certificate. It is closed when tb ends.
func (s *TLSServer) TrustingClient(tb testing.TB) rueidis.Client {
	tb.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Address}, DisableCache: true, DisableRetry: true,
		TLSConfig: &tls.Config{RootCAs: s.pool, ServerName: loopback, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		tb.Fatalf("connect over TLS: %v", err)
	}
	tb.Cleanup(client.Close)
	return client
}

// selfSigned makes a certificate for the loopback address and writes it, and its key, to files.
func selfSigned(dir string) (certificate, key string, pool *x509.CertPool, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redistest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.ParseIP(loopback)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return "", "", nil, err
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return "", "", nil, err
	}
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certificate, text, 0o600); err != nil {
		return "", "", nil, err
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return "", "", nil, err
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return certificate, key, pool, nil
}
