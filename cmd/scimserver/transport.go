package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// publicTransport reaches servers on the internet. It is made when it is used first: most tenants never need it, and
// root certificates are a part of a server's memory.
type publicTransport struct {
	once      sync.Once
	transport *http.Transport
	err       error
}

// RoundTrip implements http.RoundTripper.
func (t *publicTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.once.Do(func() {
		roots, err := publicRoots()
		t.err = err
		t.transport = &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true, // A request an hour is not worth a connection.
		}
	})
	if t.err != nil {
		return nil, t.err
	}
	return t.transport.RoundTrip(r)
}

// publicRoots are the machine's root certificates, and those of the binary where the machine has none, as in its image.
func publicRoots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err == nil && !pool.Equal(x509.NewCertPool()) {
		return pool, nil
	}
	pool = x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fmt.Errorf("read the root certificates: %w", err)
		}
		if root.Constraint == nil {
			pool.AddCert(certificate)
		} else {
			pool.AddCertWithConstraint(certificate, root.Constraint)
		}
	}
	return pool, nil
}
