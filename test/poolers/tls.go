//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"strings"
	"time"
)

func tlsRows() []row {
	return []row{
		{name: "tls/verify-full", about: "sslmode=verify-full&sslrootcert=…", run: encrypted("localhost", "verify-full", true)},
		{name: "tls/another-name", about: "the same, with a name that is not in the certificate", run: encrypted("127.0.0.1", "verify-full", false)},
		{name: "tls/verify-ca", about: "sslmode=verify-ca&sslrootcert=…, with that name", run: encrypted("127.0.0.1", "verify-ca", true)},
		{name: "tls/require", about: "sslmode=require&channel_binding=require", run: encrypted("127.0.0.1", "require&channel_binding=require", true)},
	}
}

// encrypted leads a server to a PostgreSQL whose certificate is for localhost, and which takes encrypted connections alone from its role.
func encrypted(host, mode string, works bool) func(context.Context, *scene, *seen) error {
	return func(ctx context.Context, s *scene, saw *seen) error {
		c, err := s.cluster(ctx, "database", "")
		if err != nil {
			return err
		}
		if err := s.certify(ctx, c); err != nil {
			return err
		}
		parameters := "sslmode=" + mode
		if strings.HasPrefix(mode, "verify") {
			parameters += "&sslrootcert=" + s.file("ca.crt")
		}
		address := "postgres://scim:tenantry@" + host + ":" + port(c.address) + "/scim?" + parameters
		t, err := s.serve(ctx, "contoso", address)
		if err != nil {
			return err
		}
		if !works {
			pause(ctx, time.Second)
			return t.refuses(ctx, saw)
		}
		if _, err := t.becomes(ctx, true); err != nil {
			return err
		}
		plain, err := c.ask(ctx, "postgres", "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'scim' AND NOT ssl")
		saw.must(plain == "0", "%s connections are not encrypted", plain)
		return errors.Join(err, t.walk(ctx))
	}
}

// certify gives a PostgreSQL a certificate for localhost, which is its own authority: ca.crt.
func (s *scene) certify(ctx context.Context, c *cluster) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := s.write("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})))
	if err != nil {
		return err
	}
	private := s.file("server.key")
	if err := os.WriteFile(private, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}
	who, err := owner()
	if err != nil {
		return err
	}
	if who != nil {
		if err := os.Chown(private, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	return c.administer(ctx, "ALTER SYSTEM SET ssl_cert_file = '"+public+"'", "ALTER SYSTEM SET ssl_key_file = '"+private+"'",
		"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
}
