//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tenantry/tenantry/test/debian"
)

// programs are the proxies, unpacked below root as they would be below /, and Traefik.
type programs struct {
	root, traefik string
	versions      map[string]string
}

// packages are Debian's.
var packages = []string{"nginx", "haproxy", "caddy", "apache2", "libapache2-mod-security2", "modsecurity-crs"}

// fetch has Debian's packages unpacked, and Traefik built.
func fetch(ctx context.Context, folder string) (*programs, error) {
	root, versions, err := debian.Unpack(ctx, folder, packages...)
	if err != nil {
		return nil, err
	}
	p := &programs{root: root, versions: versions}
	if err := p.relocate("etc/modsecurity/modsecurity.conf-recommended", "/var/log/apache2", folder); err != nil {
		return nil, err
	}
	built, err := output(ctx, "hack/cluster/build.sh", "traefik")
	if err != nil {
		return nil, err
	}
	p.traefik = filepath.Join(built[strings.LastIndex(built, "\n")+1:], "traefik")
	pinned, err := os.ReadFile("hack/cluster/traefik/upstream.sum")
	if fields := strings.Fields(string(pinned)); len(fields) > 1 {
		p.versions["traefik"] = fields[1]
	}
	return p, err
}

// relocate changes a folder that a file names, because only what is installed has it.
func (p *programs) relocate(file, from, to string) error {
	path := filepath.Join(p.root, file)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o644)
}

// output runs a command and returns what it writes; its complaint is the error.
func output(ctx context.Context, name string, args ...string) (string, error) {
	return debian.Output(ctx, nil, name, args...)
}

// certificate writes a certificate for localhost, its key, and both in one file, into the folder tls, and returns it as an authority.
func certificate(folder string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	tls := filepath.Join(folder, "tls")
	if err := os.MkdirAll(tls, 0o755); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{"wingtip.crt": public, "wingtip.key": private, "wingtip.pem": append(public, private...)} {
		if err := os.WriteFile(filepath.Join(tls, name), content, 0o644); err != nil {
			return nil, err
		}
	}
	return pool(public), nil
}
