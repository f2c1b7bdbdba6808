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
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// programs are the proxies, unpacked below root as they would be below /, and Traefik.
type programs struct {
	root, traefik string
	versions      map[string]string
}

// packages are Debian's. Their dependencies come too where this machine lacks them.
var packages = []string{"nginx", "haproxy", "caddy", "apache2", "libapache2-mod-security2", "modsecurity-crs"}

// fetch downloads Debian's packages without installing them, so that none starts a service or stays, and builds Traefik.
func fetch(ctx context.Context, folder string) (*programs, error) {
	p := &programs{root: filepath.Join(folder, "root"), versions: map[string]string{}}
	archives := filepath.Join(folder, "archives")
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return nil, err
	}
	if _, err := output(ctx, "apt-get", "update", "-qq"); err != nil {
		return nil, err
	}
	install := []string{"install", "--yes", "-qq", "--download-only", "--reinstall", "--no-install-recommends", "-o", "Dir::Cache::archives=" + archives}
	if _, err := output(ctx, "apt-get", append(install, packages...)...); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if _, err := output(ctx, "dpkg-deb", "--extract", file, p.root); err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(filepath.Base(file), "_")
		if p.versions[name], err = output(ctx, "dpkg-deb", "--field", file, "Version"); err != nil {
			return nil, err
		}
	}
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
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &complaint)
	}
	return strings.TrimSpace(string(out)), nil
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
